"""Occlusion on pictures whose object's place is known: does the probability fall where it is?"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest
from torch import nn

from hubel import draws
from hubel.data import scenes
from hubel.data.samples import Arrays
from hubel.data.sources import open_splits
from hubel.figures import percent
from hubel.labs.built import small_learned
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, answers, spread
from hubel.model import Classifier
from hubel.report.seen import Occluded, occlusion_maps
from hubel.understanding.deconvnet import project
from hubel.understanding.occlusion import Occlusion, occlude

SIDE, SQUARE, STRIDE = 56, 12, 4
ON = 0.5  # a square lies on the object if so much of it does; off it, if nothing does
SHOWN = 3


class Drop(NamedTuple):
    """By how much p(class) falls, in the mean of the squares on the object and of those off it."""

    on: float
    off: float


def occlusion(setting: Setting) -> Shown:
    """A network on clothing somewhere in front of photographs; squares over pictures it names."""
    train, epochs, wanted = setting.pick((300, 2, 4), (4000, 10, 60), (20000, 20, 400))
    data, masks = _scenes(setting, train, 10 * wanted)
    classifier = small_learned(
        data, epochs=epochs, seed=setting.seed,
        progress=lambda at, steps: setting.watch.progress("train", at, steps),
    )  # fmt: skip
    named = answers(classifier, data.test).argmax(1)
    right = (named == data.test_labels).nonzero()[:, 0].tolist()
    chosen = (right or list(range(len(masks))))[:wanted]
    drops: list[Drop] = []
    maps: list[tuple[torch.Tensor, Occlusion]] = []
    for done, i in enumerate(chosen):
        pixels = data.test[i].float() / 255
        found = occlude(
            classifier, pixels, int(named[i]), square=SQUARE, stride=STRIDE, layer=_last(classifier)
        )
        drops.append(_drop(found, masks[i]))
        if len(maps) < SHOWN:
            maps.append((pixels, found))
        setting.watch.progress("occlusion", done + 1, len(chosen))
    accuracy = float((named == data.test_labels).double().mean())
    return Shown(
        findings=(_finding(drops, accuracy, data),),
        drawings=tuple(_drawing(n, *each, data, classifier) for n, each in enumerate(maps, 1)),
        numbers={
            "drops": [each._asdict() for each in drops],
            "accuracy": accuracy,
            "work": maps[0][1].method.work,
        },
        lines=(
            f"Computed in boxes: {percent(maps[0][1].method.work, 0)} of the multiply-adds, at "
            f"most {max(each[1].method.difference for each in maps):.1g} from the full "
            "computation.",
        ),
    )


def _scenes(setting: Setting, train: int, test: int) -> tuple[Pictures, NDArray[np.bool_]]:
    """Articles in scenes of SIDE, and where the test articles are, (N, SIDE, SIDE)."""
    splits = open_splits("fashion-mnist", seed=setting.seed)
    parts = []
    masks = np.zeros((0, SIDE, SIDE), bool)
    for n, (samples, count) in enumerate(((splits.train, train), (splits.test, test))):
        articles = samples.subset(draws.order(setting.seed, 0, len(samples))[:count])
        if not isinstance(articles, Arrays):
            raise TypeError("the articles are not in memory")
        seed = draws.integer(setting.seed, "occlusion", n)
        made = scenes.compose(articles, side=SIDE, seed=seed)
        # the same scenes behind nothing: what differs is the article
        behind = scenes.compose(
            replace(articles, images=np.zeros_like(articles.images)), side=SIDE, seed=seed
        )
        masks = (made.images != behind.images).any(3)
        images = torch.from_numpy(made.images).permute(0, 3, 1, 2).contiguous()
        parts.append((images, torch.from_numpy(made.labels)))
    what = f"clothing somewhere before photographs, {SIDE}×{SIDE}"
    return Pictures(*parts[0], *parts[1], splits.train.classes, what), masks


def _last(classifier: Classifier) -> str:
    modules = classifier.network.named_modules()
    names: list[str] = [name for name, part in modules if isinstance(part, nn.ReLU)]
    return names[-1]


def _drop(found: Occlusion, mask: NDArray[np.bool_]) -> Drop:
    """The fall in probability over squares on the object, and over squares off it."""
    falls = float(found.clean.softmax(0)[found.target]) - found.probability.numpy()
    inside = np.lib.stride_tricks.sliding_window_view(mask, (SQUARE, SQUARE)).mean((2, 3))
    covered = inside[np.ix_(found.tops, found.lefts)]
    on, off = covered >= ON, covered == 0
    return Drop(
        float(falls[on].mean()) if on.any() else float("nan"),
        float(falls[off].mean()) if off.any() else float("nan"),
    )


def _finding(drops: list[Drop], accuracy: float, data: Pictures) -> Finding:
    both = [each for each in drops if np.isfinite(each.on) and np.isfinite(each.off)]
    more = sum(each.on > each.off for each in both)
    p = float(binomtest(more, len(both)).pvalue) if both else 1.0
    mean_on, mean_off = (
        float(np.mean(values)) if values else 0.0
        for values in ([each.on for each in both], [each.off for each in both])
    )
    return Finding(
        "L46",
        f"With a grey square on the object its class's probability falls by {mean_on:.2f} in the "
        f"mean, off it by {mean_off:.2f}; on it by more in {more} of {len(both)} pictures "
        f"(p = {p:.1g}).",
        mean_on > mean_off and more > len(both) / 2 and p < 0.01,
        f"{len(both)} pictures that the network names rightly ({percent(accuracy, 0)} of all), "
        f"{data.what}",
        f"on the object {spread(each.on for each in both)}, off it "
        f"{spread(each.off for each in both)}"
        if both
        else "none",
    )


def _drawing(
    n: int, pixels: torch.Tensor, found: Occlusion, data: Pictures, classifier: Classifier
) -> Drawing:
    projection = project(classifier, pixels[None], found.layer, found.unit).pixels[0]
    name = data.classes[found.target]
    drawn = occlusion_maps(
        pixels.permute(1, 2, 0).numpy(),
        Occluded(
            found.square, found.tops, found.lefts, found.probability.numpy(),
            float(found.clean.softmax(0)[found.target]), name, found.winner.numpy(), data.classes,
            None if found.activity is None else found.activity.numpy(),
            f"map {found.unit}", projection.permute(1, 2, 0).numpy(),
        ),
    )  # fmt: skip
    return Drawing(
        f"occlusion-{n}",
        drawn,
        f"{name}: its probability by the place of the square's middle, the activity of the "
        f"strongest map of {found.layer} with its projection by a deconvnet, and the most probable "
        "class.",
    )
