"""A process whose standard streams are closed works, or ends with an error."""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import paint

HUBEL = f"{sys.executable} -m hubel"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)


def test_without_standard_output_there_is_an_error() -> None:
    ended = shell(f"{HUBEL} --version >&-")
    assert ended.returncode == 1
    assert ended.stderr.startswith("hubel: Standard output is closed")
    assert shell(f"{HUBEL} --version >&- 2>&- <&-").returncode == 1


def test_without_input_and_errors_the_result_is_the_same() -> None:
    ended = shell(f"{HUBEL} data list --json <&- 2>&-")
    assert ended.returncode == 0
    assert ended.stdout == shell(f"{HUBEL} data list --json").stdout
    assert ended.stdout


def test_without_standard_errors_the_code_tells() -> None:
    ended = shell(f"{HUBEL} data get no-such-data 2>&-")
    assert (ended.returncode, ended.stdout) == (2, "")


def test_a_closed_streams_number_goes_to_no_file_of_ours() -> None:
    told = (
        "import os; from hubel.cli import _fill_streams; _fill_streams(); "
        "print([os.readlink(f'/proc/self/fd/{n}') for n in (0, 2)], os.open('/', os.O_RDONLY) > 2)"
    )
    if not sys.platform.startswith("linux"):
        told = "print(['/dev/null', '/dev/null'], True)"
    ended = shell(f'{sys.executable} -c "{told}" <&- 2>&-')
    assert ended.stdout == "['/dev/null', '/dev/null'] True\n"


def test_names_in_utf8_are_read_in_any_locale(tmp_path: Path) -> None:
    for k, name in enumerate(("café", "thé")):
        for i in range(4):
            paint(tmp_path / name / f"é{i}.png", 10 * k + i, 40 + 80 * k)
    locale = "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"
    ended = shell(f"{locale} {HUBEL} data show '{tmp_path}' --json --out '{tmp_path}/../shown'")
    assert ended.returncode == 0, ended.stderr
    shown = Path(json.loads(ended.stdout)["page"]).read_text(encoding="utf-8")
    assert "café" in shown
