"""A deeper network that is no worse by construction: a copy, its new layers the identity."""

import copy
from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from hubel import draws
from hubel.labs.bands import band, by_epoch
from hubel.labs.deepening import WIDTHS, deepen, stack
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Learned, Pictures, answers, grey_pictures, learn, spread
from hubel.model import Classifier
from hubel.report.drawing import ACCENT, INK, MUTED, legend_below, panels, png, style

FAMILIES = {"plain": False, "residual": True}
SIDE = 20  # pixels
KINDS = ("shallow", "deepened", "deep from scratch")
Curves = dict[str, list[list[float]]]  # one of KINDS → seeds → training loss by epoch


class Held(NamedTuple):
    """The copy against its original, on the training pictures: both losses, and the largest
    difference of any output."""

    shallow: float
    deepened: float
    difference: float


def identity(setting: Setting) -> Shown:
    """Train a shallow network, deepen a copy by identities, compare the two, and train both on."""
    blocks = setting.pick((1, 2), (1, 5), (1, 9))
    train, epochs, seeds = setting.pick((96, 1, 1), (2500, 5, 3), (20000, 15, 3))
    curves: dict[str, Curves] = {family: {kind: [] for kind in KINDS} for family in FAMILIES}
    held: dict[str, list[Held]] = {family: [] for family in FAMILIES}
    what = ""
    for i in range(seeds):
        seed = draws.integer(setting.seed, "identity", i)
        data = grey_pictures(train, 500, seed=seed, side=SIDE)
        what = data.what
        for j, family in enumerate(FAMILIES):
            stage = i * len(FAMILIES) + j, seeds * len(FAMILIES)
            found, row = _experiment(family, data, blocks, epochs, seed, setting, stage)
            held[family].append(row)
            for kind, curve in found.items():
                curves[family][kind].append(curve)
    layers = tuple(2 + 2 * len(WIDTHS) * n + 1 for n in blocks)
    return Shown(
        findings=(_finding(held, curves, layers, f"{train:,} pictures of {what}, {seeds} seeds"),),
        drawings=(
            Drawing(
                "identity",
                _picture(curves, layers, epochs),
                f"Training loss of {layers[0]} layers, of the same deepened by identities to "
                f"{layers[1]}, and of {layers[1]} trained from scratch: the mean of {seeds} seeds, "
                "and a band over all. The vertical line is where the copy is made.",
            ),
        ),
        numbers={
            "training_loss": curves,
            "copies": {family: [row._asdict() for row in rows] for family, rows in held.items()},
            "layers": layers,
        },
    )


def _experiment(
    family: str, data: Pictures, blocks: tuple[int, int], epochs: int, seed: int, setting: Setting,
    stage: tuple[int, int],
) -> tuple[dict[str, list[float]], Held]:  # fmt: skip
    """The copy, and training losses by epoch of the KINDS; the deepened begins with the copy."""
    done, parts = stage[0] * 4, stage[1] * 4  # four trainings each

    def trained(network: nn.Module, part: int, start: int) -> Learned:
        return learn(
            network, data, epochs=epochs, lr=0.01, planned="one-cycle", batch_size=64,
            seed=draws.integer(seed, start), on_train=len(data.train),
            progress=lambda at, steps: setting.watch.progress(
                "train", (done + part) * steps + at, parts * steps, family
            ),
        )  # fmt: skip

    residual = FAMILIES[family]
    shallow = stack(blocks[0], data, residual=residual, seed=seed)
    first = trained(shallow, 0, 0)
    deep = stack(blocks[1], data, residual=residual, seed=seed)
    scratch = copy.deepcopy(deep)
    deepen(shallow, deep)
    row = _held(first, deep, data)
    on = {"shallow": trained(shallow, 1, 1), "deepened": trained(deep, 2, 1)}
    whole = _losses(trained(scratch, 3, 0), epochs)
    whole += _losses(trained(scratch, 3, 1), epochs)
    begun = _losses(first, epochs)
    return {
        "shallow": begun + _losses(on["shallow"], epochs),
        "deepened": [row.deepened, *_losses(on["deepened"], epochs)],
        "deep from scratch": whole,
    }, row


def _held(first: Learned, deep: nn.Sequential, data: Pictures) -> Held:
    """The trained shallow network and its deepened copy on all the training pictures."""
    logits = answers(first.classifier, data.train)
    copied = Classifier(deep, classes=data.classes, pixels=data.spec)
    theirs = answers(copied, data.train)
    loss = nn.functional.cross_entropy
    return Held(
        float(loss(logits, data.train_labels)),
        float(loss(theirs, data.train_labels)),
        float((logits - theirs).abs().max()),
    )


def _losses(learned: Learned, epochs: int) -> list[float]:
    found = [row["train_loss"] for row in learned.history]
    return found + [float("nan")] * (epochs - len(found))


def _finding(
    held: dict[str, list[Held]], curves: dict[str, Curves], layers: Sequence[int], n: str
) -> Finding:
    rows = [row for family in held.values() for row in family]
    largest = max(row.difference for row in rows)
    exact = largest == 0 and all(row.shallow == row.deepened for row in rows)
    ends = {
        family: {kind: sum(c[-1] for c in found) / len(found) for kind, found in kinds.items()}
        for family, kinds in curves.items()
    }
    after = "; ".join(
        f"{family}: {end['shallow']:.2f}, {end['deepened']:.2f} and {end['deep from scratch']:.2f}"
        for family, end in ends.items()
    )
    same = "bit by bit" if exact else f"but for {largest:.2g} at most"
    return Finding(
        "L32",
        f"Deepened from {layers[0]} to {layers[1]} layers by identities, plain and residual "
        f"networks give the same outputs and the same loss {same}; trained on, the losses of the "
        f"shallow one, the deepened one and the deep one from scratch are {after}.",
        exact,
        n,
        "; ".join(
            f"{family}, deepened {spread(c[-1] for c in kinds['deepened'])}, shallow "
            f"{spread(c[-1] for c in kinds['shallow'])}"
            for family, kinds in curves.items()
        ),
    )


def _picture(curves: dict[str, Curves], layers: Sequence[int], epochs: int) -> bytes:
    x = list(range(1, 2 * epochs + 1))
    styles = {"shallow": (INK, "-"), "deepened": (ACCENT, "-"), "deep from scratch": (MUTED, "--")}
    labels = dict(zip(KINDS, (layers[0], layers[1], layers[1]), strict=True))
    with style():
        figure, columns = panels(1, 2, width=330, height=270)
        for axes, (family, kinds) in zip(columns, curves.items(), strict=True):
            axes.axvline(epochs, color=MUTED, lw=0.8, ls=":")
            for kind, (colour, dashes) in styles.items():
                where = x[epochs - 1 :] if kind == "deepened" else x
                band(axes, where, kinds[kind], color=colour, linestyle=dashes, lw=1.6,
                     label=f"{kind} ({labels[kind]} layers)")  # fmt: skip
            axes.set(title=family, ylabel="training loss", ylim=(0, None))
            by_epoch(axes)
        legend_below(figure, columns=3)
        return png(figure)
