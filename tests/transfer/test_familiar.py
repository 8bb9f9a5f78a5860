"""What is familiar: the logits stay the network's own, the features are those before its head."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hubel.inference.answers import WORTH_PREPARING, Answers
from hubel.mistakes import Failure
from hubel.model import Blueprint, Classifier, PixelSpec
from hubel.networks import catalogue
from hubel.strangeness import reference
from hubel.transfer.familiar import answered, answering, remembered
from hubel.transfer.features import pooled

SIZE = (32, 32)
NETWORKS = ("linear", "mlp", "small", "lenet5", "resnet20", "googlenet-bn")


def made(name: str) -> Classifier:
    arguments = catalogue.complete(name, classes=3, channels=3, size=SIZE)
    torch.manual_seed(0)
    network = catalogue.build(name, **arguments)
    found = Classifier(
        network, classes=("a", "b", "c"), pixels=PixelSpec(SIZE), blueprint=Blueprint(name)
    )
    found.temperature = 1.7
    return found.eval()


def pictures(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 3, *SIZE), dtype=np.uint8)


def logits(classifier: Classifier, images: np.ndarray) -> Tensor:
    with torch.no_grad():
        return classifier(torch.from_numpy(images).float() / 255)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_answers_are_the_networks_and_what_they_say_is_of_its_features(name: str) -> None:
    classifier = made(name)
    training, validation, images = pictures(12, 0), pictures(6, 1), pictures(4, 2)
    plain = Answers(classifier, expected=4)
    plain.add(images)
    classifier.reference = remembered(classifier, training, validation, seed=0)
    features = [pooled(classifier, part) for part in (training, validation, images)]
    expected = reference(*features[:2])
    assert expected is not None
    assert classifier.reference is not None
    torch.testing.assert_close(classifier.reference.distances, expected.distances)
    assert torch.equal(logits(classifier, images), logits(classifier.eval(), images))
    answers = Answers(answering(classifier), expected=4)
    answers.add(images)
    found = answered(answers, classifier)
    assert torch.equal(found.logits, plain.logits())
    assert found.nearer is not None
    # within one: at equal distances rounding decides
    assert (found.nearer - expected.nearer(features[2])).abs().max() <= 1


@pytest.fixture
def classifier() -> Classifier:
    found = made("small")
    found.reference = remembered(found, pictures(12, 0), pictures(6, 1), seed=0)
    return found


def test_the_same_of_a_folded_copy(classifier: Classifier) -> None:
    """Of many pictures a copy answers whose batch norms are folded, which must still happen."""
    images = pictures(8, 3)
    answers = Answers(answering(classifier), expected=WORTH_PREPARING)
    norms = [part for part in answers._classifier.modules() if isinstance(part, nn.BatchNorm2d)]
    assert len(norms) < sum(isinstance(part, nn.BatchNorm2d) for part in classifier.modules())
    answers.add(images)
    found = answered(answers, classifier)
    torch.testing.assert_close(found.logits, logits(classifier, images), atol=1e-4, rtol=1e-4)


def test_no_mode_is_changed_and_training_mode_answers_as_evaluation(classifier: Classifier) -> None:
    expected = logits(classifier, pictures(4, 2))
    classifier.train()
    list(classifier.network.modules())[1].eval()  # frozen by its owner
    before = [part.training for part in classifier.modules()]
    answers = Answers(answering(classifier), expected=4)
    answers.add(pictures(4, 2))
    torch.testing.assert_close(answered(answers, classifier).logits, expected)
    assert [part.training for part in classifier.modules()] == before


def test_of_no_pictures_and_without_a_reference(classifier: Classifier) -> None:
    for known in (classifier.reference, None):
        classifier.reference = known
        found = answered(Answers(answering(classifier), expected=0), classifier)
        assert found.logits.shape == (0, 3)
        assert (found.nearer is None) == (known is None)
    assert answering(classifier) is classifier


def test_networks_that_end_otherwise_and_too_few_pictures() -> None:
    spec = PixelSpec(SIZE)
    maps = nn.Sequential(nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    without = Classifier(maps, classes=("a", "b", "c"), pixels=spec).eval()
    assert remembered(without, pictures(12, 0), pictures(6, 1), seed=0) is None
    classifier = made("linear")
    assert remembered(classifier, pictures(1, 0), pictures(6, 1), seed=0) is None
    assert remembered(classifier, pictures(5, 0), pictures(0, 1), seed=0) is None


def test_a_reference_of_another_network_is_refused(classifier: Classifier) -> None:
    classifier.reference = reference(torch.rand(7, 5), torch.rand(4, 5))
    with pytest.raises(Failure, match="not of its network"):
        answering(classifier)
