"""shape.html: every part of the page, and the drawings' sizes and extremes."""

import io

import numpy as np
import pytest
from PIL import Image

from hubel.findings import Drawing
from hubel.report.shape import (
    BiasRow,
    Shape,
    Stimulus,
    TrialRow,
    accuracy_figure,
    bias_figure,
    conflict_sheet,
    shape_page,
    stimuli_sheet,
    three_pictures,
)

PUBLISHED = {"ResNet-50, ImageNet": 0.221, "people": 0.959}
OVERALL = BiasRow("all classes", 3, 4, 2, 3 / 7, (0.2, 0.7))
CLASSES = [
    BiasRow("cat & co", 3, 0, 1, 1.0, None),
    BiasRow("dog", 0, 4, 0, 0.0, (0.0, 0.49)),
    BiasRow("owl", 0, 0, 1, None, None),
]
FACTS = {
    "date": "2026-01-31", "hubel": "0.1", "torch": "2", "model": "<mine>", "data": "things, test",
    "pictures": 9, "of": 12, "lead": "It goes by shape.", "counted": "By patches.",
    "resamples": 2000,
}  # fmt: skip


def trial(excluded: str = "") -> TrialRow:
    return TrialRow(
        "a.png", "cat/1<b>.png", "dog/2.png", "cat", "dog", "dog", 0.9, "texture", excluded
    )


def picture(seed: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (20, 16, channels), dtype=np.uint8)


def size(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        return image.size


@pytest.fixture
def found() -> Shape:
    stimuli = [Stimulus("original", 8, 9, (0.6, 0.98)), Stimulus("texture", 0, 0, None)]
    drawn = Drawing("bias", bias_figure(OVERALL, CLASSES, PUBLISHED), "a caption")
    return Shape(
        stimuli, OVERALL, CLASSES, [trial(), trial("of the shape's picture: it is named owl")],
        [("owl/3.png", "it is named cat")], PUBLISHED, ["A note."], "", [drawn],
    )  # fmt: skip


def test_the_page(found: Shape) -> None:
    page = shape_page(found, FACTS)
    for said in (
        "cat &amp; co", "&lt;mine&gt;", "cat/1&lt;b&gt;.png", "A note.", "It goes by shape.",
        "1 of 2 images do not count", "of the shape&#39;s picture: it is named owl",
        "1 of 9 pictures were passed over", "it is named cat", "0.0 to 49.0\u00a0%", "95.9\u00a0%",
        "42.9\u00a0%",
    ):  # fmt: skip
        assert said in page, said
    assert page.count("data:image/png") == 1
    assert found.stimuli[1].accuracy is None
    told = found.as_json()
    assert told["shape_bias"]["value"] == 3 / 7
    assert told["stimuli"][0]["accuracy"] == 8 / 9
    assert told["passed_over"] == [["owl/3.png", "it is named cat"]]
    assert [reason for reason, _ in found.excluded] == ["of the shape's picture: it is named owl"]


def test_the_page_without_conflicts(found: Shape) -> None:
    none = Shape(found.stimuli, None, [], [], [], PUBLISHED, [], "", [])
    page = shape_page(none, FACTS)
    assert "Shape bias" not in page
    assert "Five stimuli" in page
    assert none.as_json()["shape_bias"] is None


def test_drawings() -> None:
    few, many = (size(bias_figure(OVERALL, CLASSES[:1] * n, PUBLISHED)) for n in (1, 30))
    assert few[0] == many[0]
    assert many[1] - few[1] == pytest.approx(2 * 21 * 29, abs=2)  # a row a class
    assert size(accuracy_figure([Stimulus("a", 0, 0, None)] * 3, 0.2))[0] < few[0]
    rows = {name: [picture(i) for i in range(3)] for name in ("original", "edges")}
    named = {name: [("a class with a very long name indeed", 0.5)] * 3 for name in rows}
    assert size(stimuli_sheet(rows, named))[1] > 400
    one = (picture(0, 1), picture(1, 1), picture(2, 1))
    single = size(conflict_sheet([one], ["a", "b", "c\nd"]))
    double = size(conflict_sheet([one] * 2, ["a", "b", "c\nd"] * 2))
    assert double[0] > 1.8 * single[0]
    assert double[1] == single[1]
    answers = [[("cat", 0.9), ("dog", 0.1)]] * 3
    assert size(three_pictures(one, ("texture", "object", "both"), answers))[0] > 900


def test_too_few_pictures_have_no_point() -> None:
    # a row that is drawn hangs on its interval, one of too few pictures does not
    few = [BiasRow("a", 1, 0, 0, 1.0, (0.2, 1.0)), BiasRow("a", 1, 0, 0, 1.0, None)]
    assert not any(row.tells for row in few)
    assert BiasRow("a", 0, 4, 0, 0.0, (0.0, 0.49)).tells
    assert bias_figure(OVERALL, few[:1], {}) == bias_figure(OVERALL, few[1:], {})
    one = accuracy_figure([Stimulus("original", 1, 1, (0.2, 1.0))], 0.5)
    assert one == accuracy_figure([Stimulus("original", 1, 1, (0.0, 1.0))], 0.5)
