"""What labs share: pictures as many as asked for, a training that learns, and one that explodes."""

import torch
from torch import nn

from hubel.labs.learning import Pictures, accuracy, answers, learn, pictures


def linear(data: Pictures) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(data.train[0].numel(), len(data.classes)))


def test_pictures_are_of_both_splits_and_drawn_by_the_seed() -> None:
    data = pictures("digits", 100, 40)
    assert (data.train.shape, data.test.shape) == ((100, 1, 8, 8), (40, 1, 8, 8))
    assert torch.equal(data.train, pictures("digits", 100, 40).train)
    assert not torch.equal(data.train, pictures("digits", 100, 40, seed=1).train)
    assert pictures("digits", 20, 10, side=16).spec.size == (16, 16)
    assert len(pictures("digits", 10**6, 10**6).test) == 359


def test_a_training_learns_and_its_figures_are_measured() -> None:
    data = pictures("digits", 400, 100)
    steps: list[int] = []
    network = linear(data)
    found = learn(network, data, epochs=4, lr=0.1, progress=lambda done, _: steps.append(done))
    assert found.finite
    assert len(found.history) == 4
    assert len(found.steps) == len(steps) == 4 * 4
    last = found.history[-1]
    assert last["test_accuracy"] > 0.8
    assert last["test_accuracy"] == accuracy(found.classifier, data.test, data.test_labels)
    logits = answers(found.classifier, data.train)
    loss = nn.functional.cross_entropy(logits, data.train_labels)
    assert abs(last["train_loss"] - float(loss)) < 1e-5


def test_a_loss_that_explodes_is_a_result() -> None:
    data = pictures("digits", 200, 50)
    found = learn(linear(data), data, epochs=3, lr=1e38, momentum=0, batch_size=20)
    assert not found.finite
    assert len(found.history) < 3
