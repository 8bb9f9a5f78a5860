import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from hubel.report.card import model_card
from hubel.report.page import training_page
from hubel.report.results import Familiar, TrainingReport
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


def test_strangeness_is_told_with_how_it_was_calibrated(report: TrainingReport) -> None:
    assert report.test is not None

    def told(strange: int | None, familiar: Familiar | None) -> str:
        test = replace(report.test, strange=strange)  # type: ignore[type-var]
        made = replace(report, test=test, familiar=familiar)
        card, page = model_card(made), training_page(made)
        limits = card[card.index("## Limits") : card.index("## How to load")]
        for sentence in ("count as unlike", "do (", "does ("):
            assert (sentence in limits) == (sentence in page)
        return limits

    few = told(3, Familiar(1222, 216, (0.002, 0.02)))
    assert "farther from those of 1,222 of them than 99 % of 216 validation pictures do" in few
    assert f"test pictures 3 do ({300 / report.test.n:.1f} %; 95 % interval 0.2 to 2.0 %)." in few
    many = told(40, Familiar(1222, 216, (0.07, 0.12)))
    assert "more than chance explains, so these are not quite of the kind that it learned" in many
    assert "unlike" not in told(None, None)
    untested = told(None, Familiar(1222, 216))
    assert "99 % of 216" in untested
    assert "test pictures 3 do" not in untested
    assert "that takes 20 validation pictures, and there were 12." in told(0, Familiar(90, 12))
