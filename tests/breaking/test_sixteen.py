"""The 16 categories: which classes they hold, and the mean against a loop."""

import pytest
import torch

from hubel.breaking.sixteen import CATEGORIES, INDICES, categories, known
from hubel.mistakes import Mistake
from hubel.networks.weights import imagenet_classes

# how many ImageNet classes each has in the authors' program
COUNTS = {
    "airplane": 1, "bear": 4, "bicycle": 2, "bird": 49, "boat": 5, "bottle": 7, "car": 3, "cat": 6,
    "chair": 4, "clock": 3, "dog": 109, "elephant": 2, "keyboard": 2, "knife": 1, "oven": 1,
    "truck": 8,
}  # fmt: skip
NAMES = {
    "airplane": "airliner", "bear": "ice bear", "bicycle": "mountain bike", "bird": "goldfinch",
    "boat": "canoe", "bottle": "wine bottle", "car": "convertible", "cat": "tabby",
    "chair": "rocking chair", "clock": "analog clock", "dog": "beagle",
    "elephant": "African elephant", "keyboard": "computer keyboard", "knife": "cleaver",
    "oven": "rotisserie", "truck": "fire engine",
}  # fmt: skip
LEFT_OUT = ("cock", "ostrich", "peacock", "quail", "boxer", "Samoyed", "tiger", "wolf spider")


def test_who_belongs_where() -> None:
    assert {name: len(rows) for name, rows in INDICES.items()} == COUNTS
    assert sum(COUNTS.values()) == len({i for rows in INDICES.values() for i in rows})
    assert tuple(sorted(CATEGORIES)) == CATEGORIES
    classes = imagenet_classes()
    for category, name in NAMES.items():
        assert classes.index(name) in INDICES[category]
    taken = {classes[i] for rows in INDICES.values() for i in rows}
    assert not taken & set(LEFT_OUT)


def test_a_category_is_the_mean_of_its_classes() -> None:
    found = torch.rand(5, 1000, generator=torch.Generator().manual_seed(0)).softmax(1)
    means = categories(found)
    assert means.shape == (5, 16)
    for row in range(5):
        for k, name in enumerate(CATEGORIES):
            total = sum(float(found[row, i]) for i in INDICES[name])
            assert float(means[row, k]) == pytest.approx(total / len(INDICES[name]), rel=1e-5)
    assert categories(found[:0]).shape == (0, 16)


def test_a_mean_not_a_sum() -> None:
    # all dogs together have more than the airliner, and each of them less
    probabilities = torch.zeros(1, 1000)
    probabilities[0, list(INDICES["dog"])] = 0.9 / 109
    probabilities[0, 404] = 0.1
    assert CATEGORIES[int(categories(probabilities).argmax())] == "airplane"


def test_refuses_and_recognises() -> None:
    with pytest.raises(Mistake, match=r"found \(2, 10\)"):
        categories(torch.rand(2, 10))
    assert known(("cat", "truck"))
    assert not known(("cat", "lorry"))
    assert not known(())
