"""Cue-conflict images: the shape of one class with the texture of another.

Geirhos et al. 2019 ("ImageNet-trained CNNs are biased towards texture", section 2.2): by style
transfer (Gatys et al. 2016) between a picture of an object and one of a texture. Which of the two a
network names says what it goes by.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hubel import draws
from hubel.breaking.texturing import textured
from hubel.mistakes import Mistake, unknown
from hubel.model import Model
from hubel.understanding.style import Layers, transfer
from hubel.understanding.style_layers import chosen

PAINTED = 112  # pixels of the shorter side that style transfer works at, at least


class Pair(NamedTuple):
    """One image to be made: pictures `shape` and `texture`, and the classes that they are of."""

    shape: int
    texture: int
    shape_class: int
    texture_class: int


def balanced(pairs: int, classes: int) -> int:
    """The largest number up to `pairs` that all ordered pairs of classes share, or all classes.

    >>> balanced(50, 5), balanced(19, 5), balanced(3, 5)
    (40, 15, 3)
    """
    every = classes * (classes - 1)
    if pairs >= every:
        return pairs - pairs % every
    return pairs - pairs % classes if pairs >= classes else pairs


def design(
    labels: Sequence[int] | NDArray[np.integer], *, pairs: int, seed: int = 0
) -> tuple[Pair, ...]:
    """Which picture lends its shape and which its texture, for `pairs` images or a few less.

    labels (N,): the classes of the pictures there are. No image has both cues of one class. As many
    as `balanced` says, and no two of the same two pictures in the same roles: where there are not
    that many, fewer. Every ordered pair of classes is as frequent as another (where there are
    fewer images than such pairs: once or not at all, and every class as often a shape, and as often
    a texture, as another); of a class, no picture is used more than once more than another. It
    depends on the labels and the seed alone. Raises Mistake for one class, or less than one image.
    """
    if pairs < 1:
        raise Mistake(f"Cue-conflict images are 1 or more, not {pairs}.")
    known = np.unique(labels)
    if len(known) < 2:
        raise Mistake(
            f"A cue conflict takes pictures of two classes or more; there are {len(known)}."
        )
    k = len(known)
    own = [np.flatnonzero(np.asarray(labels) == label) for label in known]
    fewest = sorted(len(pictures) for pictures in own)[:2]
    wanted = min(balanced(pairs, k), k * (k - 1) * fewest[0] * fewest[1])
    classes = draws.order(seed, 0, k, "conflict classes")
    rounds = 1 + draws.order(seed, 0, k - 1, "conflict rounds")
    turns = [own[c][draws.order(seed, int(c), len(own[c]), "conflict pictures")] for c in range(k)]
    # round r: each class once as a shape and once as a texture, r places apart
    apart = [int(rounds[number // k % (k - 1)]) for number in range(wanted)]
    cast = [
        (int(classes[number % k]), int(classes[(number + apart[number]) % k]))
        for number in range(wanted)
    ]
    uses = [np.zeros(len(pictures), np.int64) for pictures in own]
    matches = {(a, b): _matched(uses[a], uses[b], n) for (a, b), n in Counter(cast).items()}
    made: list[Pair] = []
    for a, b in cast:
        i, j = matches[a, b].pop()
        made.append(Pair(int(turns[a][i]), int(turns[b][j]), int(known[a]), int(known[b])))
    return tuple(made)


def _matched(
    shapes: NDArray[np.int64], textures: NDArray[np.int64], number: int
) -> list[tuple[int, int]]:
    """`number` different (shape, texture), by place; what was used least is used first.

    shapes, textures: how often each was used so far, counted on here: within one of each other
    before, they are so after. Each shape in turn takes the textures that still have most to give,
    which finds a match of these two lists of degrees where there is one (Gale 1957, Ryser 1957);
    for degrees within one of each other there always is.
    """
    left, right = _shared(shapes, number), _shared(textures, number)
    shapes += left
    textures += right
    found: list[tuple[int, int]] = []
    for i in np.argsort(-left, kind="stable").tolist():
        partners = np.argsort(-right, kind="stable")[: left[i]]
        right[partners] -= 1
        found += [(i, int(j)) for j in partners]
    return found


def _shared(uses: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """How many of `number` uses each gets: as many as another, and one more who had fewest."""
    share = np.full(len(uses), number // len(uses), np.int64)
    share[np.argsort(uses, kind="stable")[: number % len(uses)]] += 1
    return share


@dataclass(frozen=True)
class Painting:
    """How style transfer makes an image; other methods take no notice.

    network: whose layers hold content and style; better another one than is tested, which would be
    shown its own features. layers: None: `style_layers.chosen`.
    The weights and steps are those under which both cues are to be seen: by eye, and by how many of
    ten images of training stamps two networks fine-tuned on stamps named by one of the two, of 20
    answers: 13 with the fast method alone, then 17, 16 and 14 at style weights of 3, 10 and 30 (by
    guessing, 8). From 3 to 30 they hardly differ to the eye. on_step: called at every step; what it
    raises ends the image at work.
    """

    network: Model | None = None
    layers: Layers | None = None
    style_weight: float = 10.0
    content_weight: float = 1.0
    variation_weight: float = 20.0
    steps: int = 30
    on_step: Callable[[], None] = lambda: None


Make = Callable[[Tensor, Tensor, Painting, int], Tensor]


def by_style(content: Tensor, texture: Tensor, painting: Painting, seed: int) -> Tensor:
    """content and texture (C, H, W) in [0, 1] → the image (C, H, W), by style transfer.

    It starts from what the fast method makes (`texturing`), which style transfer then refines.
    Departure from the paper, which starts from noise and goes on much longer: within the usual
    steps, from the content its own colours stay, and from the texture no shape comes out.
    Pictures below PAINTED are painted enlarged, since deep layers have no place on them; a grey one
    is painted in grey on all of the network's channels. Raises Mistake without a network.
    """
    network = painting.network
    if network is None:
        raise Mistake("Style transfer takes a network to paint with: name one.")
    channels, size = network.pixels.channels, content.shape[1:]
    if content.shape[0] not in (1, channels):
        raise Mistake("A network of grey pictures cannot paint coloured ones: name another one.")
    scale = max(1.0, PAINTED / min(size))
    larger, where = tuple(round(side * scale) for side in size), network.mean.device
    object_, surface = (
        _resized(each, larger).expand(channels, -1, -1).to(where) for each in (content, texture)
    )
    image = textured(object_[None], surface[None], seed=seed)[0]
    layers = painting.layers or chosen(network, network.pixels.size, channels=channels)[0]
    for step in transfer(
        network, object_, surface, layers=layers, steps=painting.steps, start=image,
        style_weight=painting.style_weight, content_weight=painting.content_weight,
        variation_weight=painting.variation_weight,
    ):  # fmt: skip
        painting.on_step()
        image = step.image
    image = _resized(image.to(content), tuple(size))
    return image if content.shape[0] == channels else image.mean(0, keepdim=True)


def by_patch(content: Tensor, texture: Tensor, painting: Painting, seed: int) -> Tensor:
    """content and texture (C, H, W) in [0, 1] → the image (C, H, W), by the fast method."""
    del painting
    return textured(content[None], texture[None], seed=seed)[0]


class Method(NamedTuple):
    """what: in words, for a caption. paints: whether it takes a network."""

    make: Make
    what: str
    paints: bool


METHODS: Mapping[str, Method] = {
    "style": Method(by_style, "style transfer (Gatys et al. 2016)", True),
    "patch": Method(by_patch, "a quilt of patches of the texture, without a network", False),
}


class Conflict(NamedTuple):
    """number: from 0, in the order of the design. image (C, H, W) in [0, 1], of 8-bit levels."""

    number: int
    pair: Pair
    image: Tensor


def conflicts(
    pairs: Sequence[Pair],
    pixels: Tensor,
    textures: Tensor,
    *,
    method: str = "style",
    painting: Painting | None = None,
    seed: int = 0,
    made: Mapping[int, Tensor] | None = None,
) -> Iterator[Conflict]:
    """Each pair's image in turn, made when it is asked for: stop, save and go on as you like.

    pixels and textures (N, C, H, W) in [0, 1]: the pictures of the design as they are, and what the
    texture of each is taken from (`cues.textures`, as in the paper; or the pictures again). made:
    images that there are, by number: these are passed on as they are. An image depends on its two
    pictures, the settings and the seed, not on the others; its levels are those of 8 bits, so that
    what is judged is what a PNG of it holds. Raises Mistake for an unknown method, or other shapes.
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    if pixels.ndim != 4 or pixels.shape != textures.shape:
        raise Mistake(
            "Pictures and their textures are (N, C, H, W) alike; found "
            f"{tuple(pixels.shape)} and {tuple(textures.shape)}."
        )
    return _made(pairs, pixels, textures, METHODS[method].make, painting or Painting(), seed, made)


def _made(
    pairs: Sequence[Pair],
    pixels: Tensor,
    textures: Tensor,
    make: Make,
    painting: Painting,
    seed: int,
    made: Mapping[int, Tensor] | None,
) -> Iterator[Conflict]:
    for number, pair in enumerate(pairs):
        image = None if made is None else made.get(number)
        if image is None:
            content, texture = pixels[pair.shape], textures[pair.texture]
            own = draws.integer(seed, "conflict", _digest(content), _digest(texture))
            image = make(content, texture, painting, own)
            image = (image.clamp(0, 1) * 255).round() / 255
        yield Conflict(number, pair, image)


def _digest(image: Tensor) -> str:
    return hashlib.sha256(image.contiguous().cpu().numpy().tobytes()).hexdigest()


def _resized(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """(C, h, w) → (C, *size), bicubic with antialiasing, in [0, 1]."""
    if tuple(image.shape[1:]) == tuple(size):
        return image
    found: Tensor = F.interpolate(image[None], size=list(size), mode="bicubic", antialias=True)
    return found[0].clamp(0, 1)
