"""What may be given as pictures: each form gets the same answer, all else is refused in words."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import hubel
from hubel import Classifier, Mistake, PixelSpec
from hubel.verbs.predict import named
from hubel.verbs.watch import Watch


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3))
    return Classifier(network, classes=("cat", "dog", "fish"), pixels=PixelSpec((8, 8)))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    noise = np.random.default_rng(1).integers(0, 255, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


FORMS: dict[str, Callable[[Path], Any]] = {
    "a path": lambda path: path,
    "a name": str,
    "a list": lambda path: [path],
    "a tuple": lambda path: (path,),
    "a generator": lambda path: (each for each in [path]),
    "the keys of a dict": lambda path: {path: 1}.keys(),
    "bytes": lambda path: path.read_bytes(),
    "a bytearray": lambda path: bytearray(path.read_bytes()),
    "a view of memory": lambda path: memoryview(path.read_bytes()),
    "a file in memory": lambda path: io.BytesIO(path.read_bytes()),
    "an open file": lambda path: io.FileIO(path),
    "a PIL image": Image.open,
    "an array": lambda path: np.asarray(Image.open(path)),
    "several in a generator": lambda path: (io.BytesIO(path.read_bytes()) for _ in range(2)),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that the rows leave open
@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_same_answer(classifier: Classifier, photo: Path, form: str) -> None:
    (expected,) = hubel.predict(classifier, photo)
    found = hubel.predict(classifier, FORMS[form](photo))
    assert len(found) == (2 if "several" in form else 1)
    for answer in found:
        assert answer.error is None
        assert answer.classes == expected.classes


def test_an_open_file_goes_by_its_name(photo: Path) -> None:
    with photo.open("rb") as file:
        assert [name for name, _ in named([file, io.BytesIO(b"")], Watch())] == [
            str(photo),
            "picture 2",
        ]


WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a set": (lambda path: {path}, "set"),
    "a dict": (lambda path: {"photo": path}, "dict"),
    "a tensor": (lambda path: torch.zeros(3, 8, 8), "tensor"),
    "a batch": (lambda path: torch.zeros(2, 3, 8, 8), "tensor"),
    "tensors": (lambda path: [torch.zeros(3, 8, 8)], "tensor"),
    "a number": (lambda path: 7, "int"),
    "nothing": (lambda path: None, "NoneType"),
    "a list in a list": (lambda path: [[path]], "list"),
    "text": (lambda path: io.StringIO("photo"), "text"),
    "a batch of arrays": (lambda path: np.zeros((2, 8, 8, 3), np.uint8), r"\(2, 8, 8, 3\)"),
}


@pytest.mark.parametrize("form", WRONG)
def test_what_is_no_picture_is_refused(classifier: Classifier, photo: Path, form: str) -> None:
    make, said = WRONG[form]
    with pytest.raises(Mistake, match=said):
        hubel.predict(classifier, make(photo))


@pytest.mark.parametrize("nothing", [[], (), iter(())])
def test_no_pictures_have_no_answers(classifier: Classifier, nothing: Any) -> None:
    assert hubel.predict(classifier, nothing) == []
    with pytest.raises(Mistake, match="no picture to look at"):
        hubel.look(classifier, nothing)
