"""Images of nothing that a network is sure of, evolved and by gradient; whether others are, too.

Nguyen, Yosinski & Clune 2015. That nothing is seen in them is made measurable: how far each is from
the nearest test picture, beside how far test pictures are from each other.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hubel import draws
from hubel.breaking.fooling import ENCODINGS, WAYS, Fooling, fool, fooled
from hubel.figures import percent
from hubel.labs.built import small_learned
from hubel.labs.fooling_photos import fooling_photos
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, accuracy, answers, grey_pictures
from hubel.model import Classifier
from hubel.report.drawing import ACCENT, INK, MUTED, canvas, png, style
from hubel.report.fooling import median_curves
from hubel.report.rows import picture_rows

NEEDED = 0.99  # of the median confidence, by both encodings, for the claim to hold
ENOUGH = 0.9999  # where a search may end, once every class is there
OFFSPRING = 100  # a generation: a quarter of the paper's, as the searches are short
ROWS = {
    "cppn": "evolved: CPPN",
    "direct": "evolved:\npixel by pixel",
    "gradient": "gradient ascent",
}


class Judged(NamedTuple):
    """What came of one way; of each class's image: second (K,): the second network's probability
    of the class; agrees (K,): whether it is its first; far (K,): the root mean square difference
    from the nearest test picture; nearest (K,): which one that is."""

    found: Fooling
    second: Tensor
    agrees: Tensor
    far: Tensor
    nearest: Tensor

    @property
    def confidences(self) -> Tensor:
        return self.found.confidences

    @property
    def median(self) -> float:
        return float(self.found.confidences.double().quantile(0.5))


def fooling_images(setting: Setting) -> Shown:
    """An image for every class, three ways, from small networks trained for a moment."""
    train, epochs, test = setting.pick((200, 2, 100), (6000, 6, 2000), (30000, 15, 10000))
    evaluations = setting.pick(
        {"cppn": 300, "direct": 300},
        {"cppn": 40_000, "direct": 120_000},
        {"cppn": 400_000, "direct": 800_000},
    )
    data = grey_pictures(2 * train, test, seed=setting.seed)
    half = len(data.train) // 2
    own, others = (
        replace(data, train=data.train[part], train_labels=data.train_labels[part])
        for part in (slice(half), slice(half, None))
    )
    first = _learned(own, "first", epochs, setting, 0)
    second = _learned(others, "second", epochs, setting, 1)
    right = {
        name: accuracy(network, data.test, data.test_labels)
        for name, network in (("first", first), ("second", second))
    }
    judged = {
        way: _judged(_searched(first, way, evaluations.get(way, 1), setting), second, data.test)
        for way in WAYS
    }
    usual = nearest(data.test, data.test, apart=True)[0]
    photos = fooling_photos(setting)
    return Shown(
        findings=(_finding(judged, usual, right, data),),
        drawings=(*_drawings(judged, usual, data), *photos.drawings),
        numbers={
            "accuracy": right,
            "distance of test pictures": usual,
            "ways": {way: _told(each) for way, each in judged.items()},
            **photos.numbers,
        },
        lines=(*(_line(way, each, usual) for way, each in judged.items()), *photos.lines),
    )


def _learned(data: Pictures, name: str, epochs: int, setting: Setting, before: int) -> Classifier:
    seed = draws.integer(setting.seed, "fooling images", name)
    return small_learned(
        data, epochs=epochs, seed=seed,
        progress=lambda at, steps: setting.watch.progress("train", before * steps + at, 2 * steps),
    )  # fmt: skip


def _searched(network: Classifier, way: str, evaluations: int, setting: Setting) -> Fooling:
    state: dict[str, Tensor] = {}
    goal = ENOUGH if way in ENCODINGS else None
    for at in fool(
        network, way, evaluations=evaluations, offspring=OFFSPRING, goal=goal, seed=setting.seed,
        state=state,
    ):  # fmt: skip
        setting.watch.progress("search", min(at.evaluations, evaluations), evaluations, way)
    return fooled(network, way, state)


def _judged(found: Fooling, second: Classifier, test: Tensor) -> Judged:
    shares = answers(second, found.images).softmax(1)
    classes = torch.tensor(found.classes)
    far, which = nearest(found.images, test)
    own = shares.gather(1, classes[:, None])[:, 0]
    return Judged(found, own, shares.argmax(1) == classes, far, which)


def nearest(images: Tensor, pictures: Tensor, *, apart: bool = False) -> tuple[Tensor, Tensor]:
    """Of each image, how far the nearest picture is, and which: both uint8 (…, C, H, W).

    The root mean square difference of pixels in [0, 1]. apart: the two are the same pictures, and
    none is its own nearest.
    """
    one, other = (each.flatten(1).double() / 255 for each in (images, pictures))
    squares = one.square().sum(1)[:, None] + other.square().sum(1)[None] - 2 * one @ other.T
    if apart:
        squares.fill_diagonal_(torch.inf)
    least = squares.min(1)
    return (least.values.clamp_min(0) / one.shape[1]).sqrt(), least.indices


def _beyond(far: Tensor, usual: Tensor) -> int:
    """How many images are further from every test picture than 99 % of these from each other."""
    return int((far > usual.quantile(0.99)).sum())


def _finding(
    judged: Mapping[str, Judged], usual: Tensor, right: Mapping[str, float], data: Pictures
) -> Finding:
    """Holds if the median confidence is 99 % or more by both encodings."""
    told = "; ".join(
        f"{way} {percent(each.median, 2)} (least {percent(float(each.confidences.min()), 2)}, "
        f"after {each.found.evaluations:,} images answered)"
        for way, each in judged.items()
    )
    far = ", ".join(f"{way} {_beyond(each.far, usual)}" for way, each in judged.items())
    agree = ", ".join(f"{way} {int(each.agrees.sum())}" for way, each in judged.items())
    classes = len(data.classes)
    least = [float(judged[way].confidences.min()) for way in ENCODINGS]
    most = [float(judged[way].confidences.max()) for way in ENCODINGS]
    return Finding(
        "L50",
        f"Median confidence of the network in images made for its {classes} classes: {told}. "
        f"Further from every test picture than 99 % of these are from each other: {far} of "
        f"{classes}. A second network, trained on other pictures, sees the same class in: {agree} "
        f"of {classes}.",
        all(judged[way].median >= NEEDED for way in ENCODINGS),
        f"{classes} classes, each by {len(judged)} ways; {data.what}, a network that is right on "
        f"{percent(right['first'], 0)} of {len(data.test):,} test pictures, and a second, right on "
        f"{percent(right['second'], 0)}",
        f"evolved images from {percent(min(least), 2)} to {percent(max(most), 2)}",
    )


def _line(way: str, each: Judged, usual: Tensor) -> str:
    return (
        f"{way}: {int((each.confidences >= NEEDED).sum())} of {len(each.far)} classes at 99 % or "
        f"more; {float(each.far.median() / usual.median()):.1f} times as far from the nearest test "
        f"picture as test pictures are; the second network's probability "
        f"{percent(float(each.second.median()))} in the median."
    )


def _told(each: Judged) -> dict[str, object]:
    return {
        "confidences": each.confidences, "evaluations": each.found.evaluations,
        "second network": each.second, "second agrees": each.agrees, "distance": each.far,
    }  # fmt: skip


def _drawings(
    judged: Mapping[str, Judged], usual: Tensor, data: Pictures
) -> tuple[Drawing, Drawing, Drawing]:
    """The images with their nearest test pictures; how sure, by evaluations; how far."""
    rows = {}
    for way, each in judged.items():
        name = f"{ROWS[way]}\nmedian {percent(each.median)}"
        rows[name] = _tiles(each.found.images)
        rows[f"nearest test\npicture ({way})"] = _tiles(data.test[each.nearest])
    return (
        Drawing(
            "fooling-images",
            picture_rows(rows, data.classes),
            "Images made to be taken for each class, from nothing but the network's answers, and "
            "below each row the test picture that is nearest, pixel by pixel.",
        ),
        Drawing(
            "confidence",
            median_curves({way: judged[way].found.curve.numpy() for way in ENCODINGS}),
            "The median confidence over the classes, and the least, by how many images the "
            "network has answered; by gradient ascent it took "
            f"{judged['gradient'].found.evaluations:,}.",
        ),
        Drawing(
            "distance",
            _distances(judged, usual),
            "How far from the nearest test picture (root mean square difference of pixels): test "
            "pictures from each other, and a dot for each image made.",
        ),
    )


def _tiles(images: Tensor) -> list[np.ndarray]:
    return list((images.permute(0, 2, 3, 1).double() / 255).numpy())


def _distances(judged: Mapping[str, Judged], usual: Tensor) -> bytes:
    with style():
        figure, axes = canvas(420, 190, left=104, right=14, top=10, bottom=38)
        counts, edges = np.histogram(usual.numpy(), bins=30)
        axes.bar(edges[:-1], 0.8 * counts / counts.max(), np.diff(edges), align="edge",
                 color=MUTED, alpha=0.6)  # fmt: skip
        for n, (way, each) in enumerate(judged.items(), 1):
            colour = ACCENT if way == "cppn" else INK
            axes.plot(each.far.numpy(), [-0.4 * n] * len(each.far), "o", ms=4, alpha=0.7,
                      color=colour)  # fmt: skip
        places = [0.4, *(-0.4 * n for n in range(1, len(judged) + 1))]
        axes.set_yticks(places, ["test pictures", *judged])
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="difference from the nearest test picture", xlim=(0, None),
                 ylim=(places[-1] - 0.25, 0.9))  # fmt: skip
        return png(figure)
