"""What every test and every example in the documents has: a home of its own, with data in it."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from hubel.data import sources
from tests import standins

settings.register_profile("hubel", deadline=None)  # no verdict hangs on time
settings.load_profile("hubel")


@pytest.fixture(autouse=True, scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests keep (decoded pictures, batch sizes) is not the user's; their data are small."""
    home = tmp_path_factory.mktemp("home")
    standins.write_all(home / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUBEL_HOME", str(home))
        yield


@pytest.fixture(autouse=True)
def _data(request: pytest.FixtureRequest) -> None:
    """`@pytest.mark.data("stamps")`: only with the published set; it is skipped where that is not,
    saying why, or fails there under HUBEL_NEED_DATA."""
    names = [name for mark in request.node.iter_markers("data") for name in mark.args]
    if not names:
        return
    empty = request.getfixturevalue("tmp_path") / "home"  # without the stand-ins
    request.getfixturevalue("monkeypatch").setenv("HUBEL_HOME", str(empty))
    for name in names:
        if not sources.is_here(name):
            reason = f"{name} is not here: apt install {sources.SOURCES[name].package}"
            if os.environ.get("HUBEL_NEED_DATA"):
                pytest.fail(reason)
            pytest.skip(reason)
