import base64
import io
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from hubel.report.html import Onward, data_uri
from hubel.report.page import training_page
from hubel.report.results import FirstLayer, Miss, MissPair, TrainingReport
from hubel.results import ClassFigures, Evaluation

VOID = {"meta", "img", "br", "link", "input", "hr"}
NASTY = (
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 191 }}{% raw %}",
    "$\\frac$",
    "猫" * 200,
    "قطة",
    "two\nlines",
    "\udcff undecodable \x00\x1b",
    "\u202egnp.exe",
    "a & b &lt; c",
)


class Reader(HTMLParser):
    """Checks that tags are balanced, and keeps tags, attributes and the text that is shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def _is_self_contained(page: str) -> None:
    reader = Reader(page)
    for tag, attributes in reader.tags:
        assert tag not in ("script", "link", "iframe", "object")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href"):
                assert value is not None
                assert value.startswith(("data:image/", "#"))
    assert set(re.findall(r"url\(\s*['\"]?(.)", page)) <= {"#"}
    assert "@import" not in page
    page.encode()  # nothing that no file could hold


def _said(page: str) -> str:
    return re.sub(r"\s+", " ", Reader(page).text)


def test_says_every_figure_with_its_unit_and_interval(report: TrainingReport) -> None:
    page = training_page(report)
    _is_self_contained(page)
    said = _said(page)
    test = report.test
    assert test is not None
    lo, hi = (f"{100 * bound:.1f}" for bound in test.interval)
    for part in (
        f"named {100 * test.accuracy:.1f} % correctly (95 % interval {lo} to {hi} %)",
        f"Of {test.n} test pictures",
        "93.5 %",
        "24,330 learned numbers",
        "weights after epoch 5 were kept",
        "3 files could not be read.",
        "9.0 s",
        "1,222 pictures",
        "arguments.widths16, 32",
        "kind 1 called kind 7 (3 pictures)",
        ">99.9 % sure",
        "test/17",
        "All 16 filters",
    ):
        assert part in said


def test_shows_curves_matrix_pictures_and_filters(report: TrainingReport) -> None:
    tags = [tag for tag, _ in Reader(training_page(report)).tags]
    assert tags.count("svg") == 4
    assert tags.count("img") == 1 + 16


@pytest.mark.filterwarnings("ignore:Glyph", "ignore:Matplotlib currently does not")
def test_escapes_whatever_a_folder_may_be_called(
    report: TrainingReport, figures: Callable[[Sequence[str]], Evaluation]
) -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    nasty = replace(
        report,
        title=NASTY[0],
        data=NASTY[1],
        network=NASTY[2],
        classes=NASTY,
        test=figures(NASTY),
        mistakes=[MissPair(n, n, 1, [Miss(image, n, n, n, 0.5)]) for n in NASTY],
        first_layer=FirstLayer(np.zeros((10, 3, 2, 2)), "templates", NASTY),
        recipe=dict.fromkeys(NASTY, NASTY),
        environment={NASTY[0]: {NASTY[1]: NASTY[2]}},
        notices=NASTY,
        stopped=NASTY[0],
        splits={NASTY[0]: 1},
    )
    page = training_page(nasty)
    _is_self_contained(page)
    said = _said(page)
    assert NASTY[0] in said  # the reader sees it as it is called
    assert "{{ 7 * 191 }}{% raw %}" in said
    assert "1337" not in said
    assert "a & b &lt; c" in said
    assert "猫" * 200 in said
    assert not re.search("[\x00\x1b\u202e]", page)


@pytest.mark.parametrize("k", [2, 5, 21, 100, 130])
def test_few_and_many_classes(
    report: TrainingReport, figures: Callable[[Sequence[str]], Evaluation], k: int
) -> None:
    classes = [f"kind {i}" for i in range(k)]
    page = training_page(replace(report, classes=classes, test=figures(classes)))
    _is_self_contained(page)
    said = _said(page)
    assert all(f"{name} called" in said or name in said for name in classes)
    assert ("Test, top 5" in said) == (k > 5)
    assert (f"The other {k - 20} classes" in said) == (k > 20)


def test_without_a_test_split_it_promises_nothing(report: TrainingReport) -> None:
    page = training_page(replace(report, test=None, splits={"train": 9}, mistakes=()))
    _is_self_contained(page)
    said = _said(page)
    assert "no test pictures" in said
    assert "Test accuracy" not in said
    assert "Validation accuracy" in said
    assert "what its validation pictures were called" in said


def test_too_few_pictures_have_no_interval(report: TrainingReport) -> None:
    assert report.test is not None
    few = replace(report.test, n=1, interval=(0.0, 1.0))
    said = _said(training_page(replace(report, test=few)))
    assert "too few pictures for an interval" in said
    assert "0.0 to 100.0 %" not in said


def test_a_class_without_pictures_has_no_figures(report: TrainingReport) -> None:
    assert report.test is not None
    rows = [*report.test.classes[:-1], ClassFigures("nobody", 0.0, 0.0, 0.0, 0)]
    said = _said(training_page(replace(report, test=replace(report.test, classes=rows))))
    assert re.search(r"nobody ?– ?– ?– ?0", said)


def test_a_start_that_hardly_learned_says_so(report: TrainingReport) -> None:
    said = _said(training_page(replace(report, trained=420, start="a network")))
    assert "420 of its 24,330 numbers learned here" in said
    assert "24,330 learned numbers" not in said
    assert re.search("Numbers learned ?420 ?of 24,330", said)


def test_the_training_loss_is_named_as_what_it_is(report: TrainingReport) -> None:
    page = training_page(replace(report, recipe={"smoothing": 0.1, "rotate": 12.0}))
    said = _said(page)
    assert "training: augmented, smoothed" in said
    assert "turned at random, measured as the epoch ran" in said
    assert "label smoothing of 0.1" in said


def test_it_ends_with_what_comes_next(report: TrainingReport) -> None:
    end = Onward(
        [("hubel look <run>", "shows"), ("hubel break x", "tells")], [("a%20b/c.html", "c")]
    )
    page = training_page(report, end)
    assert "Next hubel look <run> shows; hubel break x tells." in _said(page)
    links = [attributes["href"] for tag, attributes in Reader(page).tags if tag == "a"]
    assert links == ["a%20b/c.html"]
    assert "Next" not in _said(training_page(report))


def test_before_the_test_pictures_were_looked_at_it_says_so(report: TrainingReport) -> None:
    assert "not looked at yet" in _said(training_page(replace(report, test=None)))


def test_without_any_held_out_pictures(report: TrainingReport) -> None:
    said = _said(training_page(replace(report, test=None, validation=None, mistakes=())))
    assert "Which classes it confuses" not in said


def test_without_mistakes(report: TrainingReport) -> None:
    rows = [ClassFigures(name, 1.0, 1.0, 1.0, 40) for name in ("cat", "dog", "owl")]
    perfect = Evaluation(1.0, (0.969, 1.0), 120, None, 0.0, rows, 40 * np.eye(3, dtype=np.int64))
    said = _said(training_page(replace(report, test=perfect, mistakes=())))
    assert "named 100 % correctly (95 % interval 96.9 to 100.0 %)" in said
    assert "It confused none of the 120 test pictures." in said
    assert "it named every test picture correctly" in said


@pytest.mark.parametrize(
    ("stopped", "sentence"),
    [
        ("finished", "Training ran its full 6 epochs;"),
        ("early stopping at epoch 6", "Training ended after 6 epochs (early stopping at epoch 6);"),
        ("interrupted", "Training ended after 6 epochs (interrupted);"),
    ],
)
def test_says_why_training_ended(report: TrainingReport, stopped: str, sentence: str) -> None:
    assert sentence in _said(training_page(replace(report, stopped=stopped)))


def test_interrupted_before_the_first_epoch(report: TrainingReport) -> None:
    bare = replace(
        report,
        history=(),
        best_epoch=0,
        validation=None,
        test=None,
        mistakes=(),
        first_layer=None,
        notices=(),
        stopped="interrupted",
        splits={},
        recipe={},
        environment={},
    )
    page = training_page(bare)
    _is_self_contained(page)
    said = _said(page)
    assert "No epoch was finished" in said
    assert "no epoch's weights were chosen" in said


def test_many_filters_are_counted_not_all_shown(report: TrainingReport) -> None:
    layer = FirstLayer(np.ones((96, 3, 5, 5)), "filters")
    page = training_page(replace(report, first_layer=layer, mistakes=()))
    assert "The first 64 of 96 filters." in _said(page)
    assert page.count("<img") == 64


def test_a_small_picture_travels_exactly(report: TrainingReport) -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 20, 3), dtype=np.uint8)
    kind, content = data_uri(image).split(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), image)


def test_a_large_picture_is_made_small() -> None:
    kind, content = data_uri(np.zeros((1200, 600, 3), np.uint8)).split(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        assert picture.size == (120, 240)


def test_the_same_results_give_the_same_page(report: TrainingReport) -> None:
    assert training_page(report) == training_page(report)


def test_renders_within_two_seconds(report: TrainingReport) -> None:
    began = time.process_time()
    training_page(report)
    assert time.process_time() - began < 2


def test_needs_neither_torch_nor_pyplot_and_matplotlib_only_to_draw() -> None:
    code = """
import sys, hubel.report.page, hubel.report.card, hubel.report.sheet
assert "matplotlib" not in sys.modules
import numpy as np
hubel.report.sheet.contact_sheet([np.zeros((2, 2, 1), np.uint8)])
assert "matplotlib" in sys.modules
assert not {"torch", "matplotlib.pyplot"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_off_in_the_recipe_is_folded_away(report: TrainingReport) -> None:
    recipe = {"lr": 0.02, "flip": False, "mixup": 0.0, "adversary": None, "widths": (16, 0)}
    page = training_page(replace(report, recipe=recipe))
    shown, folded = page.split("3 settings that are 0 or off")
    for name in ("lr", "widths"):
        assert f"<th>{name}</th>" in shown
    for name in ("flip", "mixup", "adversary"):
        assert f"<th>{name}</th>" in folded
    assert "0 or off" not in training_page(replace(report, recipe={"lr": 0.02}))


def test_every_bar_stands_beside_the_figure_that_it_draws(report: TrainingReport) -> None:
    page = training_page(report)
    assert re.search(r"<th>Recall</th><th class=\"bar\"></th>", page)
    for percent, bar in re.findall(
        r"<td>([\d.]+)\xa0%</td><td class=\"bar\"><span style=\"width: ([\d.]+)%", page
    ):
        assert float(percent) == float(bar)
