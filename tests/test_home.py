"""Where our own files are kept, also for a user without a home."""

import os
import tempfile
from pathlib import Path

import pytest

from hubel.home import home
from hubel.mistakes import Failure


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As if HOME were not set and the user not in passwd; the folder of temporary files."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")  # what pathlib says

    monkeypatch.delenv("HUBEL_HOME")
    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_without_a_home_it_is_among_the_temporary_files(temporary: Path) -> None:
    place = temporary / f"hubel-{os.getuid()}"
    assert home() == place
    place.mkdir()
    assert home() == place


def test_what_is_not_ours_there_is_not_used(temporary: Path) -> None:
    (temporary / "elsewhere").mkdir()
    (temporary / f"hubel-{os.getuid()}").symlink_to(temporary / "elsewhere")
    with pytest.raises(Failure, match="HUBEL_HOME"):
        home()


def test_hubel_home_comes_first(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBEL_HOME", "/some/where")
    assert home() == Path("/some/where")
