"""Which maps have to do with what was learned, and which mark what matters.

Adebayo et al. 2018, "Sanity checks for saliency maps": a map that stays as the weights become
random is an edge detector, whatever it is called. Nie et al. 2018, "A theoretical explanation for
perplexing behaviors of backpropagation-based visualizations": guided backpropagation and the
deconvnet give the picture back, in part. Petsiuk et al. 2018: pixels that matter change the answer
when they go or come.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest
from skimage.filters import sobel
from torch import Tensor, nn

from hubel import draws
from hubel.figures import percent
from hubel.labs.bands import band
from hubel.labs.built import small_learned
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import answers, colour_pictures, spread
from hubel.model import Classifier
from hubel.report.drawing import ACCENT, INK, MUTED, panels, png, style
from hubel.report.rows import picture_rows
from hubel.understanding.deconvnet import answer
from hubel.understanding.perturbation import KINDS, perturbation
from hubel.understanding.probes import Score
from hubel.understanding.saliency import (
    grad_cam,
    gradient,
    integrated_gradients,
    of_class,
    smooth_gradient,
    to_map,
)
from hubel.understanding.sanity import sanity_check

SAMPLES = 12  # of SmoothGrad, and steps of integrated gradients: their means are near by then
STEPS = 10  # in which pixels go or come
SURE = 0.01  # the p value of a binomial test from which on a difference is no accident


def _edges(_network: nn.Module, pixels: Tensor, _score: Score) -> Tensor:
    """A control that cannot know of the weights: Sobel's edges of the picture."""
    grey = pixels.mean(1).double().numpy()
    made = [sobel(each) for each in grey]  # type: ignore[no-untyped-call]  # skimage's
    return torch.from_numpy(np.stack(made)).to(pixels)


METHODS: dict[str, Callable[[nn.Module, Tensor, Score], Tensor]] = {
    "gradient": lambda network, x, score: to_map(gradient(network, x, score)),
    "SmoothGrad": lambda network, x, score: to_map(
        smooth_gradient(network, x, score, samples=SAMPLES, chunk=64)
    ),
    "integrated gradients": lambda network, x, score: to_map(
        integrated_gradients(network, x, score, steps=SAMPLES, chunk=64).attributions
    ),
    "Grad-CAM": lambda network, x, score: grad_cam(network, x, score).enlarged,
    "guided backpropagation": lambda network, x, score: to_map(
        answer(network, x, score, rule="guided")
    ),
    "deconvnet": lambda network, x, score: to_map(answer(network, x, score, rule="deconvnet")),
    "edges": _edges,
}
STAY, CHANGE = ("guided backpropagation", "deconvnet"), ("gradient", "Grad-CAM")
CONTROL = "edges"
COLOURS = dict(zip(METHODS, (INK, "#2f5d8a", "#4f8a4b", ACCENT, "#8a3f7a", "#b08900", MUTED),
                   strict=True))  # fmt: skip


class Fate(NamedTuple):
    """A method's maps as layers become random: D draws, P points, N pictures.

    layers: the last one randomised at each point. rank: (D, P, N), correlations with the trained
    network's map. maps: the first picture's, trained and at each point of the first draw.
    """

    layers: tuple[str, ...]
    rank: NDArray[np.float64]
    maps: list[NDArray[np.float64]]


class Trial(NamedTuple):
    """In how many of n pictures a map's area beats its moved self's, by kind of perturbation."""

    wins: Mapping[str, int]
    n: int

    def sure(self, kind: str) -> bool:
        return self.share(kind) > 0.5 and self.p(kind) < SURE

    def share(self, kind: str) -> float:
        return self.wins[kind] / self.n

    def p(self, kind: str) -> float:
        return float(binomtest(self.wins[kind], self.n).pvalue)


def sanity(setting: Setting) -> Shown:
    """Maps of a network on colour pictures that it names rightly: randomised, and on trial."""
    side, train, epochs, watched, tried, copies = setting.pick(
        (32, 200, 2, 2, 3, 1), (48, 4000, 8, 24, 60, 4), (56, 20000, 20, 50, 300, 10)
    )
    data = colour_pictures(train, 20 * tried, seed=setting.seed, side=side)
    classifier = small_learned(
        data, epochs=epochs, seed=setting.seed,
        progress=lambda at, steps: setting.watch.progress("train", at, steps),
    )  # fmt: skip
    named = answers(classifier, data.test).argmax(1)
    right = (named == data.test_labels).nonzero()[:, 0]
    chosen = (right if len(right) >= tried else torch.arange(len(named)))[:tried]
    pixels, labels = data.test[chosen].float() / 255, named[chosen]
    fates: dict[str, Fate] = {}
    trials: dict[str, Trial] = {}
    for done, name in enumerate(METHODS):
        fates[name] = _fate(name, classifier, pixels[:watched], labels[:watched], copies, setting)
        trials[name] = _trial(name, classifier, pixels, labels, setting.seed)
        setting.watch.progress("maps", done + 1, len(METHODS))
    accuracy = float((named == data.test_labels).double().mean())
    what = (
        f"{data.what}, {side}×{side}, a network that names {percent(accuracy, 0)} of them rightly"
    )
    return Shown(
        findings=(_random(fates, what), _matters(trials, what)),
        drawings=(
            Drawing(
                "maps",
                _grid(fates, pixels[0]),
                "Maps of one picture, each on its own scale, as the network's layers are made "
                "random one after another from the output; edges know of no weights.",
            ),
            Drawing(
                "curves",
                _curves(fates, trials),
                f"Left: rank correlation with the trained network's map, mean of {watched} "
                f"pictures, from the lowest to the highest of {copies} draws. Right: in how many "
                f"of {tried} pictures the map's pixels matter more than those of the same map "
                "moved elsewhere.",
            ),
        ),
        numbers={
            "accuracy": accuracy,
            "rank": {name: fate.rank.mean((0, 2)) for name, fate in fates.items()},
            "layers": fates["gradient"].layers,
            "wins": {name: dict(trial.wins) for name, trial in trials.items()},
            "n": tried,
        },
        lines=tuple(
            f"{name}: correlation {fates[name].rank[:, -1].mean():.2f} when all is random; beats "
            + " and ".join(f"{kind} of its moved self in {percent(trials[name].share(kind), 0)}"
                           for kind in KINDS)
            + "."
            for name in METHODS
        ),
    )  # fmt: skip


def _fate(
    name: str, classifier: Classifier, pixels: Tensor, labels: Tensor, copies: int, setting: Setting
) -> Fate:
    score, seen, ranks = of_class(labels), list[Tensor](), []
    layers: tuple[str, ...] = ()

    def explain(network: nn.Module, x: Tensor) -> Tensor:
        seen.append(METHODS[name](network, x, score))
        return seen[-1]

    for copy in range(copies):
        seed = draws.integer(setting.seed, "sanity", copy)
        found = sanity_check(classifier, pixels, explain, seed=seed, repeats=1)
        ranks.append(found.rank.numpy())
        layers = found.layers
    return Fate(layers, np.stack(ranks), [maps[0].numpy() for maps in seen[: 1 + len(layers)]])


def _trial(name: str, classifier: Classifier, pixels: Tensor, labels: Tensor, seed: int) -> Trial:
    score = of_class(labels, probability=True)
    maps = METHODS[name](classifier, pixels, of_class(labels))
    wins = {}
    for kind in KINDS:
        found = perturbation(
            classifier, pixels, maps, kind=kind, score=score, steps=STEPS, seed=seed, chunk=64
        )
        wins[kind] = int(found.beats(found.moved).sum())
    return Trial(wins, len(pixels))


def _random(fates: Mapping[str, Fate], what: str) -> Finding:
    """Whether the maps of guided backpropagation and the deconvnet stay more than the others.

    By each picture's mean over the draws and over all points of the cascade, as the paper draws it.
    That measure was chosen after a look at seed 0, where it is sure in 4 of 4 comparisons; on seed
    1, which nobody had looked at, it was in 3 (the deconvnet and the gradient were too near).
    """
    whole = {name: fate.rank.mean((0, 1)) for name, fate in fates.items()}  # (N,)
    n = len(whole[CONTROL])
    sure = {}
    for stays in STAY:
        for changes in CHANGE:
            more = int((whole[stays] > whole[changes]).sum())
            p = float(binomtest(more, n).pvalue)
            sure[f"{stays} and {changes}"] = more > n / 2 and p < SURE
    said, last = (
        ", ".join(f"{name} {values[name].mean():.2f}" for name in (*STAY, *CHANGE))
        for values in (whole, {name: fate.rank[:, -1] for name, fate in fates.items()})
    )
    unsure = [names for names, found in sure.items() if not found]
    return Finding(
        "X1",
        f"As layers become random, maps correlate with the trained network's, in the mean of all "
        f"points, by: {said}; with all layers random: {last}. The first two stay more than the "
        f"last two in most pictures (binomial, p < {SURE}) in {len(sure) - len(unsure)} of "
        f"{len(sure)} comparisons"
        + (f", not: {', '.join(unsure)}" if unsure else "")
        + f". Edges: {whole[CONTROL].mean():.2f}.",
        not unsure,
        f"{n} pictures × {len(fates[CONTROL].rank)} cascades; {what}",
        "by draw "
        + ", ".join(f"{name} {spread(fates[name].rank.mean((1, 2)))}" for name in (*STAY, *CHANGE)),
    )


def _matters(trials: Mapping[str, Trial], what: str) -> Finding:
    """Whether each method's maps, the control's apart, do better than moved elsewhere."""
    own = {name: trial for name, trial in trials.items() if name != CONTROL}
    cases = [(name, kind) for name in own for kind in KINDS]
    unsure = [f"{name} ({kind})" for name, kind in cases if not own[name].sure(kind)]
    better = " and ".join(
        f"in {spread(trial.share(kind) * 100 for trial in own.values())} % of the pictures ({kind})"
        for kind in KINDS
    )
    control = " and ".join(f"{percent(trials[CONTROL].share(kind), 0)} ({kind})" for kind in KINDS)
    return Finding(
        "X2",
        f"By method, the map does better than moved elsewhere {better}; surely (binomial, "
        f"p < {SURE}) in {len(cases) - len(unsure)} of {len(cases)} cases"
        + (f", not for {', '.join(unsure)}" if unsure else "")
        + f". Edges, which know of no network: {control}.",
        not unsure,
        f"{trials[CONTROL].n} pictures × {len(own)} methods; {what}",
        "deletion and insertion: "
        + ", ".join(
            f"{name} {percent(trial.share('deletion'), 0)} and "
            f"{percent(trial.share('insertion'), 0)}"
            for name, trial in own.items()
        ),
    )


def _grid(fates: Mapping[str, Fate], picture: Tensor) -> bytes:
    """Maps by method and layer; of a block's convolution and its norm, when both are random."""
    layers = fates["gradient"].layers
    places = [i for i, name in enumerate(layers) if not name.endswith(".bn")]
    blocks = [layers[i].split(".")[0] for i in places]
    columns = ["", "trained", f"random: {blocks[0]}", *(f"to {block}" for block in blocks[1:])]
    shown = [picture.permute(1, 2, 0).numpy()]
    rows = {
        name.replace(" ", "\n", 1): [*shown, fate.maps[0], *(fate.maps[i + 1] for i in places)]
        for name, fate in fates.items()
    }
    return picture_rows(rows, columns, side=64, margin=104)


def _curves(fates: Mapping[str, Fate], trials: Mapping[str, Trial]) -> bytes:
    layers = fates["gradient"].layers
    with style():
        figure, (left, right) = panels(1, 2, width=380, height=270)
        for name, fate in fates.items():
            curves = np.concatenate((np.ones((len(fate.rank), 1)), fate.rank.mean(2)), 1)
            line = "dotted" if name == CONTROL else "solid"
            band(left, range(len(layers) + 1), curves.tolist(), color=COLOURS[name], linestyle=line)
        left.set_xticks(range(len(layers) + 1), ["none", *layers], rotation=60, ha="right",
                        rotation_mode="anchor", fontsize=7)  # fmt: skip
        left.set_ylabel("rank correlation with its own map")
        left.set_title("random from the output down to …", fontsize=10)
        for place, (name, trial) in enumerate(trials.items()):
            for kind, mark in zip(KINDS, "os", strict=True):
                right.plot(trial.share(kind), -place, mark, ms=6, color=COLOURS[name],
                           fillstyle="full" if kind == "deletion" else "none")  # fmt: skip
        right.axvline(0.5, color=MUTED, lw=0.8)
        right.set_yticks([-i for i in range(len(trials))], list(trials))
        for label, name in zip(right.get_yticklabels(), trials, strict=True):
            label.set_color(COLOURS[name])  # the legend of both panels
        right.set_xlim(0, 1.02)
        right.set_xlabel("share of pictures (● deletion, □ insertion)")
        right.set_title("better than moved elsewhere", fontsize=10)
        return png(figure)
