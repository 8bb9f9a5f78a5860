"""Fooling a classifier: its confidences are those of the images, and it is left as it was."""

import pytest
import torch
from torch import Tensor, nn

from hubel.breaking import fooling
from hubel.breaking.fooling import WAYS, answering, ascent, confidences, fool, fooled
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec


class Net(nn.Module):
    """A convolution with a batch norm that has measured something, dropout, and a linear layer."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 8, 3, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8 * 36, classes)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.drop(torch.relu(self.norm(self.conv(x))).flatten(1)))
        return found


def made(classes: int = 5, channels: int = 1) -> Classifier:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net = Net(classes, channels)
        for _ in range(20):
            net(torch.rand(16, channels, 8, 8))
        net.head.weight.data.mul_(4)  # random features alone are sure of little
    spec = PixelSpec((8, 8), channels, (0.5,) * channels, (0.25,) * channels)
    return Classifier(net.eval(), classes=[f"c{k}" for k in range(classes)], pixels=spec)


QUICK = {"evaluations": 120, "offspring": 30}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_confidences_are_those_of_the_images(way: str, channels: int) -> None:
    classifier, state = made(channels=channels), {}
    *_, last = fool(classifier, way, state=state, **QUICK)
    found = fooled(classifier, way, state)
    assert (found.way, found.classes) == (way, (0, 1, 2, 3, 4))
    assert found.images.shape == (5, channels, 8, 8)
    assert found.images.dtype == torch.uint8
    with torch.no_grad():
        shares = classifier(found.images.float() / 255).softmax(1)
    assert torch.equal(found.confidences, shares.diagonal())
    torch.testing.assert_close(found.confidences, last.confidences, rtol=1e-4, atol=1e-6)
    assert found.evaluations == last.evaluations == int(found.curve[-1, 0])
    assert found.curve[-1, 1] == pytest.approx(float(found.confidences.median()), rel=1e-4)
    for k, image in enumerate(found.images):  # as the file that it is saved as is read
        pixels = classifier.read(image.permute(1, 2, 0).numpy())
        assert torch.equal((pixels * 255).round().to(torch.uint8), found.images[k])


def test_evolution_makes_the_network_surer() -> None:
    for way in ("cppn", "direct"):
        found = [at.confidences.min() for at in fool(made(), way, evaluations=900, offspring=30)]
        assert found[-1] > 2 * found[0]


def test_by_gradient_every_class_is_reached_after_rounding() -> None:
    classifier, state = made(), dict[str, Tensor]()
    list(ascent(classifier, goal=0.99, steps=400, state=state))
    found = fooled(classifier, "gradient", state)
    assert float(found.confidences.min()) >= 0.99
    assert float(found.confidences.max()) < 0.9999  # it ended there
    assert found.evaluations < 5 * 402


@pytest.mark.parametrize("way", WAYS)
def test_some_classes_alone(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fooling, "AT_ONCE", 2)
    classifier, state = made(), {}
    *_, last = fool(classifier, way, classes=[4, 0, 2], state=state, **QUICK)
    found = fooled(classifier, way, state, classes=[4, 0, 2])
    assert found.classes == (4, 0, 2)
    with torch.no_grad():
        shares = classifier(found.images.float() / 255).softmax(1)
    torch.testing.assert_close(found.confidences, shares[range(3), [4, 0, 2]])
    torch.testing.assert_close(found.confidences, last.confidences, rtol=1e-4, atol=1e-6)


def test_by_gradient_it_goes_on_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fooling, "AT_ONCE", 2)
    classifier = made()
    whole: dict[str, Tensor] = {}
    assert [at.number for at in ascent(classifier, state=whole)] == [1, 2, 3]
    half: dict[str, Tensor] = {}
    first = next(ascent(classifier, state=half))
    assert first.confidences.isnan().tolist() == [False, False, True, True, True]
    begun = fooled(classifier, "gradient", half)
    assert begun.classes == (0, 1)
    assert len(begun.images) == 2
    assert [at.number for at in ascent(classifier, state=half)] == [2, 3]
    assert all(torch.equal(whole[name], half[name]) for name in whole)
    assert list(ascent(classifier, state=half)) == []


def test_by_gradient_it_goes_on_where_more_fit_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, state = made(), dict[str, Tensor]()
    monkeypatch.setattr(fooling, "_at_once", lambda *_: 2)
    next(ascent(classifier, state=state))
    monkeypatch.setattr(fooling, "_at_once", lambda *_: 4)  # as on another device
    [*ascent(classifier, state=state)]
    assert not bool(state["confidences"].isnan().any())
    assert fooled(classifier, "gradient", state).classes == tuple(range(5))


@pytest.mark.parametrize("way", WAYS)
def test_the_classifier_is_left_as_it_was(way: str) -> None:
    classifier = made()
    classifier.network.norm.train()
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    modes = [part.training for part in classifier.modules()]
    wants = [p.requires_grad for p in classifier.parameters()]
    generator = torch.random.get_rng_state()
    whole: dict[str, Tensor] = {}
    for _ in fool(classifier, way, state=whole, **QUICK):
        assert torch.is_grad_enabled()
        assert [part.training for part in classifier.modules()] == modes
    with torch.inference_mode():
        again: dict[str, Tensor] = {}
        list(fool(classifier, way, state=again, **QUICK))
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert [p.requires_grad for p in classifier.parameters()] == wants
    assert all(p.grad is None for p in classifier.parameters())
    assert not any(part._forward_hooks for part in classifier.modules())
    assert all(torch.equal(before[n], v) for n, v in classifier.state_dict().items())


def test_what_cannot_be_copied_answers_itself() -> None:
    classifier = made()
    images = torch.randint(256, (7, 1, 8, 8), dtype=torch.uint8)
    expected = answering(classifier, range(5))(images)
    held = torch.rand(2, requires_grad=True) * 2  # no leaf: deepcopy refuses it
    classifier.network.held = held
    torch.testing.assert_close(answering(classifier, range(5))(images), expected)
    assert torch.equal(answering(classifier, [3, 1])(images), confidences_of(classifier, images))


def confidences_of(classifier: Classifier, images: Tensor) -> Tensor:
    columns = [confidences(classifier, images, [k] * len(images)) for k in (3, 1)]
    return torch.stack(columns, 1)


def test_refused() -> None:
    classifier = made()
    for settings, message in (
        ({"way": "cpn"}, "no way of fooling 'cpn'. Did you mean 'cppn'"),
        ({"classes": []}, "at least one class"),
        ({"classes": [0, 5]}, "0 to 4; found 5"),
        ({"classes": [1, 1]}, "once"),
        ({"evaluations": 0}, "1 or more"),
        ({"way": "gradient", "goal": 1.0}, "between 0 and 1"),
    ):
        with pytest.raises(Mistake, match=message):
            fool(classifier, **settings)
    nn.init.constant_(classifier.network.head.bias, torch.nan)
    for way in WAYS:
        with pytest.raises(Failure, match="not finite"):
            list(fool(classifier, way, **QUICK))
