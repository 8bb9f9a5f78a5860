import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hubel.mistakes import Mistake
from hubel.report.confusion import Confusion, confusion, worst


def _texts(svg: bytes) -> list[str]:
    return [
        node.text or "" for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("}text")
    ]


def _cells(svg: bytes) -> np.ndarray:
    found = re.search(rb'href="data:image/png;base64,([^"]+)"', svg)
    assert found
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as picture:
        return np.asarray(picture)


def test_counts_and_names_are_written() -> None:
    texts = _texts(confusion(np.array([[51, 2], [0, 12345]]), ["cat", "dog"]))
    assert sorted(texts) == sorted(
        ["cat", "cat", "dog", "dog", "51", "2", "12k", "predicted →", "← true"]
    )


def test_right_is_grey_wrong_is_coloured_and_nothing_is_transparent() -> None:
    cells = _cells(confusion(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]), list("abc"))).astype(int)
    assert cells.shape == (3, 3, 4)
    assert np.ptp(cells[0, 0, :3]) < 32  # grey
    assert cells[0, 1, 0] > 2 * cells[0, 1, 2]  # orange: far more red than blue
    alpha = cells[..., 3]
    assert alpha[0, 1] == int(255 * 0.75 * np.sqrt(1 / 4))
    assert alpha[1, 1] == int(255 * 0.32)
    assert alpha[0, 2] == alpha[1, 0] == alpha[2, 2] == 0  # a class without pictures too


@pytest.mark.parametrize("k", [1, 2, 4, 12, 13, 30, 31, 100, 101, 250])
def test_every_class_is_named_up_to_a_hundred(k: int) -> None:
    names = [f"n{i}" for i in range(k)]
    texts = _texts(confusion(np.ones((k, k), np.int64), names))
    assert all(texts.count(name) == 2 for name in names) == (k <= 100)
    assert texts.count("1") == (k * k if k <= 30 else 0)


@pytest.mark.filterwarnings("ignore:Glyph", "ignore:Matplotlib currently does not")
def test_awkward_names_are_drawn_as_they_are() -> None:
    names = ["$\\frac$", "<b>&", "猫", "x" * 300]
    texts = _texts(confusion(np.ones((4, 4), np.int64), names))
    assert {"$\\frac$", "<b>&", "猫"} <= set(texts)
    assert max(map(len, texts)) <= 22


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (4,)])
def test_another_shape_is_a_mistake(shape: tuple[int, ...]) -> None:
    with pytest.raises(Mistake, match=re.escape(str(shape))):
        confusion(np.zeros(shape, np.int64), ["a", "b"])
    with pytest.raises(Mistake, match="2 classes"):
        worst(np.zeros(shape, np.int64), ["a", "b"])


@given(st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), min_size=4, max_size=4))
def test_worst_agrees_with_sorting_every_pair(rows: list[list[int]]) -> None:
    pairs = [
        Confusion("abcd"[i], "abcd"[j], rows[i][j], rows[i][j] / sum(rows[i]))
        for i in range(4)
        for j in range(4)
        if i != j and rows[i][j]
    ]
    slow = sorted(pairs, key=lambda pair: (-pair.pictures, -pair.share))[:5]
    assert worst(np.array(rows), "abcd", most=5) == slow
