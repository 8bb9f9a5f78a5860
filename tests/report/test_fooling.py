"""The page of fooling images: all of few classes, some of many, and the figures as they are."""

import io

import numpy as np
import pytest
from PIL import Image

from hubel.report import fooling
from hubel.report.fooling import Gallery, fooling_page, gallery_sheet, median_curves

FACTS = {"date": "2026-01-01", "hubel": "0", "torch": "0", "model": "<net>", "stopped": False}


def gallery(n: int, way: str = "cppn") -> Gallery:
    rng = np.random.default_rng(0)
    sure = tuple(rng.permutation(np.linspace(0, 1, n)).tolist())
    return Gallery(
        way, tuple(range(n)), tuple(f"class <{k}>" for k in range(n)), sure,
        rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8), 4000,
        np.array([[2000, 0.25, 0.1], [4000, 0.5, 0.125]]),
    )  # fmt: skip


def test_few_classes_are_all_shown() -> None:
    made = gallery(10)
    page = fooling_page([made, gallery(10, "gradient")], median_curves({"cppn": made.curve}), FACTS)
    assert page.count("<li>") == 20
    assert "class &lt;3&gt;" in page
    assert "&lt;net&gt;" in page
    assert "<script" not in page
    assert page.count("88.1") == 1  # published, of CPPNs alone
    assert made.shown == list(range(10))
    low = made.curve * [1, 0.01, 0.01]
    assert median_curves({"direct": low}) != median_curves({"direct": made.curve})


def test_of_many_classes_the_best_middle_and_worst_are_shown_and_all_on_a_sheet() -> None:
    made = gallery(101)
    best, middle, worst = made.groups.values()
    sure = np.array(made.confidences)
    assert sure[best].min() == pytest.approx(0.87)
    assert sure[worst].max() == pytest.approx(0.13)
    assert abs(np.median(sure[middle]) - 0.5) < 0.02
    page = fooling_page([made], None, FACTS)
    assert page.count("<img") == 42 + 1
    assert page.count("<li>") == 42 + 101
    sheet = Image.open(io.BytesIO(gallery_sheet(made)))
    assert sheet.mode == "RGB"
    pitch = fooling.CELL + 2
    across = sheet.width // pitch
    for place in (0, 50, 100):
        down, right = divmod(place, across)
        corner = sheet.getpixel((right * pitch + 2, down * pitch + 2))
        assert corner == (int(made.images[place, 0, 0, 0]),) * 3


def test_the_figures_are_of_the_confidences() -> None:
    made = gallery(101)
    told = made.as_json()
    assert told["median"] == pytest.approx(0.5)
    assert told["least"] == 0
    assert told["at_99_percent"] == made.sure == 2  # 0.99 and 1
    assert [row["confidence"] for row in told["classes"]] == list(made.confidences)
    assert sum("file" in row for row in told["classes"]) == 42
    assert made.published == 0.8811
    assert gallery(3, "gradient").published is None
