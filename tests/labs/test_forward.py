"""Fed forward by plain sums: the same numbers as the network's, and a neuron that learned."""

import torch

from hubel.labs.forward import by_hand, forward
from hubel.labs.lab import Setting
from hubel.labs.learning import answers, learn, pictures
from hubel.networks import catalogue


def test_plain_sums_are_the_networks_answer() -> None:
    data = pictures("digits", 200, 3)
    network = catalogue.build("mlp", classes=10, channels=1, size=(8, 8), hidden=(7,))
    classifier = learn(network, data, epochs=1, lr=0.05).classifier
    for image, logits in zip(data.test, answers(classifier, data.test), strict=True):
        found = by_hand(classifier, image)
        assert len(found["hidden"]) == 7
        assert torch.allclose(torch.tensor(found["scores"]), logits, atol=1e-4)


def test_findings() -> None:
    shown = forward(Setting("quick"))
    assert [finding.id for finding in shown.findings] == ["L5", "L8"]
    assert shown.findings[0].holds
    assert shown.numbers["off"] < 1e-3
    assert shown.numbers["accuracy"] > 0.4
