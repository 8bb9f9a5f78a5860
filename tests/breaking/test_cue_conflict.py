"""Cue conflicts: the design's balance against counting, and images by every method."""

from collections import Counter

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hubel.breaking.cue_conflict import METHODS, Conflict, Painting, balanced, conflicts, design
from hubel.breaking.texturing import textured
from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec


def slow_balanced(pairs: int, classes: int) -> int:
    for number in range(pairs, 0, -1):
        if number % (classes * (classes - 1)) == 0:
            return number
    for number in range(pairs, 0, -1):
        if number % classes == 0:
            return number
    return pairs


@given(st.integers(1, 300), st.integers(2, 12))
def test_balanced_is_the_largest_that_fits(pairs: int, classes: int) -> None:
    assert balanced(pairs, classes) == slow_balanced(pairs, classes)


LABELS = st.lists(st.integers(0, 6), min_size=2, max_size=40).filter(lambda a: len(set(a)) > 1)


@given(LABELS, st.integers(1, 120), st.integers(0, 5))
@example([0, 0, 0, 1, 2, 2, 2, 3, 3, 3], 36, 1)  # one picture beside three
@example([0, 0, 0, 0, 0, 1, 1, 2], 60, 0)  # every match that there is, of some classes
@settings(max_examples=150)
def test_the_design_is_balanced(labels: list[int], pairs: int, seed: int) -> None:
    made = design(labels, pairs=pairs, seed=seed)
    assert made == design(labels, pairs=pairs, seed=seed)
    k = len(set(labels))
    assert 1 <= len(made) <= pairs
    assert len({(p.shape, p.texture) for p in made}) == len(made)  # no image twice
    for p in made:
        assert labels[p.shape] == p.shape_class
        assert labels[p.texture] == p.texture_class
        assert p.shape_class != p.texture_class
    ordered = Counter((p.shape_class, p.texture_class) for p in made)
    counts = list(ordered.values()) + [0] * (k * (k - 1) - len(ordered))
    if len(made) >= k * (k - 1):
        assert len(set(counts)) == 1  # every ordered pair as often
    else:
        assert max(counts) == 1
    for role in (2, 3):  # every class as often a shape, and a texture, as another
        by_class = Counter(p[role] for p in made)
        uses = list(by_class.values()) + [0] * (k - len(by_class))
        assert max(uses) - min(uses) <= (0 if len(made) >= k else 1)
    for name in set(labels):  # every picture as often as another of its class, or once more
        own = [i for i, label in enumerate(labels) if label == name]
        uses = [sum((p.shape == i) + (p.texture == i) for p in made) for i in own]
        assert max(uses) - min(uses) <= 1
    fewest = sorted(Counter(labels).values())[:2]
    wanted = min(slow_balanced(pairs, k), k * (k - 1) * fewest[0] * fewest[1])
    assert len(made) == wanted


def test_the_design_with_many_pictures_uses_each_equally() -> None:
    labels = [i % 4 for i in range(80)]
    made = design(labels, pairs=120, seed=3)
    uses = Counter(i for p in made for i in p[:2])
    assert set(uses.values()) == {3}  # 240 roles for 80 pictures
    assert design(labels, pairs=120, seed=4) != made
    assert design([0, 1], pairs=50) == design([0, 1], pairs=2)  # two pictures: there are no more


def test_the_design_refuses() -> None:
    with pytest.raises(Mistake, match="two classes or more; there are 1"):
        design([3, 3], pairs=4)
    with pytest.raises(Mistake, match="two classes or more; there are 0"):
        design([], pairs=4)
    with pytest.raises(Mistake, match="1 or more, not 0"):
        design([0, 1], pairs=0)


@pytest.fixture
def painter() -> Classifier:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                            nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.Flatten(),
                            nn.LazyLinear(2))  # fmt: skip
    network(torch.zeros(1, 3, 32, 32))
    return Classifier(network, classes=("a", "b"), pixels=PixelSpec((32, 32), 3))


def pictures(n: int, channels: int = 3, side: int = 16) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    content = torch.zeros(n, channels, side, side)
    content[..., 4:12, 4:12] = 0.9
    return content, torch.rand(n, channels, side, side, generator=generator)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_by_every_method(method: str, channels: int, painter: Classifier) -> None:
    content, texture = pictures(2, channels)
    pairs = design([0, 1], pairs=2)
    painting = Painting(painter, steps=3)
    state = torch.random.get_rng_state()
    painter.train()
    with torch.no_grad():
        made = list(conflicts(pairs, content, texture, method=method, painting=painting))
    assert painter.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(p.grad is None for p in painter.parameters())
    assert [each.number for each in made] == [0, 1]
    for each in made:
        assert each.image.shape == (channels, 16, 16)
        assert each.image.dtype == torch.float32
        assert 0 <= each.image.min() <= each.image.max() <= 1
        levels = each.image * 255
        assert (levels - levels.round()).abs().max() < 1e-4
        assert (each.image - content[each.pair.shape]).abs().mean() > 0.02
    alone = list(conflicts(pairs[1:], content, texture, method=method, painting=painting))
    assert torch.equal(alone[0].image, made[1].image)  # not by its place in the design
    other = list(conflicts(pairs, content, texture, method=method, painting=painting, seed=1))
    assert not torch.equal(other[0].image, made[0].image)


def test_style_transfer_lowers_its_loss_from_the_quilt(painter: Classifier) -> None:
    content, texture = pictures(2, side=112)
    pairs = design([0, 1], pairs=2)
    near, far = (
        next(conflicts(pairs, content, texture, painting=Painting(painter, steps=n))).image
        for n in (1, 12)
    )
    quilt = next(conflicts(pairs, content, texture, method="patch")).image
    assert (near - quilt).abs().mean() < (far - quilt).abs().mean()


def test_what_there_is_is_not_made_again(painter: Classifier) -> None:
    content, texture = pictures(4)
    pairs = design([0, 1, 0, 1], pairs=4)
    whole = list(conflicts(pairs, content, texture, method="patch"))
    marked = torch.full((3, 16, 16), 0.2)
    rest = list(
        conflicts(pairs, content, texture, method="patch", made={1: marked, 2: whole[2].image})
    )
    assert torch.equal(rest[1].image, marked)
    for i in (0, 2, 3):
        assert torch.equal(rest[i].image, whole[i].image)
    running = conflicts(pairs, content, texture, method="patch")
    assert isinstance(next(running), Conflict)  # one at a time: nothing is made before it is asked
    assert list(conflicts([], content, texture, method="patch")) == []


def test_the_patch_method_is_the_fast_one(painter: Classifier) -> None:
    content, texture = pictures(2)
    pairs = design([0, 1], pairs=2)
    found = next(conflicts(pairs, content, texture, method="patch")).image
    pair = pairs[0]
    # the same but for what is drawn: the colours are the texture's
    quilt = textured(content[[pair.shape]], texture[[pair.texture]], seed=1)[0]
    torch.testing.assert_close(found.mean((1, 2)), quilt.mean((1, 2)), rtol=0, atol=0.06)


def test_refuses(painter: Classifier) -> None:
    content, texture = pictures(2)
    pairs = design([0, 1], pairs=2)
    with pytest.raises(Mistake, match=r"no method 'styl'\. Did you mean 'style'"):
        conflicts(pairs, content, texture, method="styl")
    with pytest.raises(Mistake, match="alike"):
        conflicts(pairs, content, texture[:, :, 2:])
    with pytest.raises(Mistake, match="name one"):
        next(conflicts(pairs, content, texture))
    grey = Classifier(
        nn.Sequential(nn.Flatten(), nn.LazyLinear(2)), classes=("a", "b"),
        pixels=PixelSpec((16, 16), 1),
    )  # fmt: skip
    with pytest.raises(Mistake, match="cannot paint coloured"):
        next(conflicts(pairs, content, texture, painting=Painting(grey)))
