"""Fed forward by plain sums: the same numbers as the network's, and a neuron that learned."""

import pytest
import torch

from hubel.labs.forward import by_hand, forward, sigmoid, softmax
from hubel.labs.lab import Setting
from hubel.labs.learning import answers, learn, pictures
from hubel.labs.neuron import neuron
from hubel.networks import catalogue


def test_plain_sums_are_the_networks_answer() -> None:
    data = pictures("digits", 200, 3)
    network = catalogue.build("mlp", classes=10, channels=1, size=(8, 8), hidden=(7,))
    classifier = learn(network, data, epochs=1, lr=0.05).classifier
    for image, logits in zip(data.test, answers(classifier, data.test), strict=True):
        found = by_hand(classifier, image)
        assert len(found["hidden"]) == 7
        assert torch.allclose(torch.tensor(found["scores"]), logits, atol=1e-5)


@pytest.mark.parametrize("scores", [[3.2, 5.1, -1.7], [1e4, -1e4, 0.0], [-700.0, -710.0]])
def test_outputs_are_torchs(scores: list[float]) -> None:
    given = torch.tensor(scores, dtype=torch.float64)
    assert softmax(scores) == pytest.approx(given.softmax(0).tolist(), rel=1e-12)
    assert [sigmoid(s) for s in scores] == pytest.approx(given.sigmoid().tolist(), rel=1e-12)


def test_findings() -> None:
    shown = forward(Setting("quick"))
    assert [finding.id for finding in shown.findings] == ["L5", "L8"]
    assert shown.findings[0].holds
    assert set(shown.numbers["off"]) == {"softmax", "sigmoid"}
    assert max(shown.numbers["off"].values()) < 1e-5
    assert min(shown.numbers["accuracy"].values()) > 0.4


def test_a_neuron_is_its_weighted_sum_and_a_threshold() -> None:
    data = pictures("digits", 400, 100)
    finding, one = neuron(Setting("quick"), data)
    target = int(data.test_labels[0])
    sums = (data.test[:, 0].float() / 255 * one.weights).sum((1, 2))
    assert torch.allclose(one.sums - sums, (one.sums - sums).mean().expand(100), atol=1e-4)  # the b
    assert torch.equal(one.wanted, data.test_labels == target)
    assert one.accuracy == float(((one.sums > 0) == one.wanted).double().mean())
    assert finding.holds == (one.accuracy > float((~one.wanted).double().mean()))
