import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from hubel.report.card import model_card
from hubel.report.results import TrainingReport
from hubel.results import Evaluation


def test_says_what_was_measured_and_how_to_load_it(report: TrainingReport) -> None:
    card = model_card(report)
    test = report.test
    assert test is not None
    assert card.startswith("# A title\n")
    for part in (
        f"| accuracy | {100 * test.accuracy:.1f} % |",
        "| train | 1,222 |",
        "Classes: kind 0, kind 1,",
        "**Note:** 3 files could not be read.",
        "It confuses most often: kind",
        "hubel.load(",
        "| arguments.widths | 16, 32 |",
        "not calibrated",
    ):
        assert part in card


def test_every_table_is_rectangular(report: TrainingReport) -> None:
    for table in re.findall(r"(?:^\|.*\|\n)+", model_card(report), re.M):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def test_names_stay_text_on_one_line(
    report: TrainingReport, figures: Callable[[Sequence[str]], Evaluation]
) -> None:
    names = ["<script>alert(1)</script>", "a|b", "# not\n# a heading", "[x](http://y)", "\udcff"]
    card = model_card(replace(report, title=names[0], classes=names, test=figures(names)))
    card.encode()
    assert "<script" not in card
    assert "\n# a heading" not in card
    assert "a\\|b" in card
    assert "[x](" not in card.replace("\\[", "")


def test_without_a_test_split_it_says_so_under_limits(report: TrainingReport) -> None:
    card = model_card(replace(report, test=None, splits={"train": 9}))
    assert "on the validation pictures" in card
    assert "no test pictures" in card[card.index("## Limits") :]


def test_a_thousand_classes_are_not_all_listed(report: TrainingReport) -> None:
    card = model_card(replace(report, classes=[f"n{i}" for i in range(1000)], test=None))
    assert "n99, and 900 more." in card
