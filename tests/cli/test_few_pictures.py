"""Of two pictures an interval would be nearly all there is: it is not printed, and that is said."""

from pathlib import Path

from tests.conftest import QUICK, Command, paint


def test_an_interval_that_says_nothing_is_not_printed(
    hubel_command: Command, tmp_path: Path
) -> None:
    for k, name in enumerate(("dark", "light")):
        for part, n in (("train", 8), ("validation", 1), ("test", 1)):
            for i in range(n):
                paint(tmp_path / "photos" / part / name / f"{i}.png", 100 * k + i + n, 40 + 150 * k)
    run = tmp_path / "run"
    trained = hubel_command("train", tmp_path / "photos", *QUICK, "--out", run)
    assert trained.code == 0
    tested = hubel_command("evaluate", run, "--no-baselines")
    assert tested.code == 0
    for said, begin in ((trained.out, "Validation accuracy"), (tested.out, "Accuracy")):
        [line] = [each for each in said.splitlines() if each.startswith(begin)]
        assert "(too few pictures for an interval, 2 pictures" in line
        assert "95 %" not in line
    assert "95 % interval 9.4" not in (run / "report.html").read_text()
