"""A tiny distortion fools a network, where noise of the same size does not.

Szegedy et al. 2014 ("Intriguing properties of neural networks", section 4) and Goodfellow et al.
2015. A small network on pictures of clothing, and one with published weights on photographs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hubel import draws
from hubel.breaking.gradient import pgd
from hubel.breaking.transferred import transferred
from hubel.figures import percent, within
from hubel.labs.bands import band
from hubel.labs.built import network_for
from hubel.labs.distorted import AT, EPSILONS, Distorted, distorted
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, answers, grey_pictures, learn, spread
from hubel.labs.photographs import photographs, without_photographs
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.report.attack import Example, examples, written
from hubel.report.drawing import (
    ACCENT,
    INK,
    MUTED,
    in_percent,
    legend_below,
    panels,
    png,
    style,
)
from hubel.training.evaluate import wilson

# What would contradict the claim, of any subject: that PGD within 8/255 fools no more than half of
# the pictures that were right (by the lower end of the 95 % interval), or that noise of that size
# fools as many as this.
FEW = 0.1
OTHERS = ("linear", "mlp")  # networks of another kind, for transfer
RATES = {"linear": 0.01, "mlp": 0.03, "small": 0.05}
LINES = {"noise": (MUTED, ":"), "FGSM": (INK, "--"), "PGD": (ACCENT, "-")}
SHOWN, WANTED = 6, "ostrich"  # of Szegedy et al., figure 5, where all pictures become ostriches


def adversarial(setting: Setting) -> Shown:
    """Small networks on clothing, one training a seed; EfficientNet-Lite0 on photographs."""
    train, test, seeds = setting.pick((300, 100, 1), (6000, 1500, 3), (60000, 10000, 5))
    n, steps = setting.pick((12, 3), (300, 20), (2000, 40))
    data = grey_pictures(train, test, seed=setting.seed)
    networks = {
        f"{name} {order + 1}" if name == "small" else name: _learned(setting, name, data, order)
        for name, orders in (("small", seeds), *((name, 1) for name in OTHERS))
        for order in range(orders)
    }
    clothing = [
        _attacked(setting, networks[f"small {order + 1}"], data, n, steps, order)
        for order in range(seeds)
    ]
    subjects = {"clothing": clothing}
    told = {"clothing": f"{data.what}; a small convolutional network, trained {_times(seeds)}"}
    lines = list(_lines("clothing", clothing))
    drawings: list[Drawing] = []
    if setting.size != "quick":
        try:
            photos = photographs(setting.pick(0, 24, 100))
        except Failure as wrong:
            lines.append(without_photographs(wrong))
        else:
            found = distorted(
                photos.classifier, photos.pixels, photos.labels, steps=setting.pick(2, 8, 40),
                seed=setting.seed,
                progress=lambda at, all_: setting.watch.progress("photographs", at, all_),
            )  # fmt: skip
            subjects["photographs"], told["photographs"] = [found], photos.what
            lines += _lines("photographs", [found])
            drawings += [_examples("photographs", found), _ostriches(setting, found)]
    matrix, count = _transfer(networks, data, n, steps)
    lines += _transfers(matrix, tuple(networks), count)
    return Shown(
        findings=(_finding(subjects, told),),
        drawings=(_curves(subjects), _examples("clothing", clothing[0]), *drawings),
        numbers={
            "epsilons": EPSILONS,
            **{name: _numbers(runs) for name, runs in subjects.items()},
            "transfer": {"networks": tuple(networks), "pictures": count, "shares": matrix},
        },
        lines=tuple(lines),
    )


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _learned(setting: Setting, name: str, data: Pictures, order: int) -> Classifier:
    seed = draws.integer(setting.seed, "adversarial", name, order)
    return learn(
        network_for(name, data, seed=seed), data, epochs=setting.pick(2, 5, 12), lr=RATES[name],
        planned="one-cycle", batch_size=64, weight_decay=5e-4 if name == "small" else 0.0,
        seed=seed, on_train=0, measured="last",
        progress=lambda at, steps: setting.watch.progress("train", at, steps, name),
    ).classifier  # fmt: skip


def _attacked(
    setting: Setting, classifier: Classifier, data: Pictures, n: int, steps: int, order: int
) -> Distorted:
    right = (answers(classifier, data.test).argmax(1) == data.test_labels).nonzero()[:n, 0]
    return distorted(
        classifier, data.test[right].float() / 255, data.test_labels[right], steps=steps,
        seed=draws.integer(setting.seed, "distorted", order),
        progress=lambda at, all_: setting.watch.progress("attack", at, all_, f"small {order + 1}"),
    )  # fmt: skip


def _share(runs: Sequence[Distorted], name: str, at: int) -> tuple[int, int]:
    """How many of how many an attack fools, within EPSILONS[at]."""
    found = np.concatenate([run.wrong[name][at] for run in runs])
    return int(found.sum()), len(found)


def _finding(subjects: Mapping[str, Sequence[Distorted]], told: Mapping[str, str]) -> Finding:
    """Whether within 8/255 PGD fools most, and noise few, of every subject's pictures."""
    at, holds, said, rows = EPSILONS.index(AT), True, [], []
    for name, runs in subjects.items():
        (by_noise, n), (by_step, _), (by_pgd, _) = (_share(runs, each, at) for each in LINES)
        low, high = wilson(by_pgd, n)
        against = [
            why for why, so in (
                ("PGD does not surely fool most", low <= 0.5),
                (f"noise fools {percent(FEW, 0)} or more", by_noise / n >= FEW),
            ) if so
        ]  # fmt: skip
        holds &= not against
        rows += [run.wrong["PGD"][at].mean() for run in runs]
        kept = sum(int((run.fools & run.lasting).sum()) for run in runs)
        made = sum(int(run.fools.sum()) for run in runs)
        said.append(
            f"{name.capitalize()}: within {written(AT)} PGD fools {by_pgd} of {n} pictures that "
            f"were right ({percent(by_pgd / n, 0)}, {within((low, high), 0)}), one step of "
            f"the gradient's sign {percent(by_step / n, 0)}, noise of the same size "
            f"{percent(by_noise / n)}; {kept} of {made} still fool out of a PNG file of 8 bits."
            + (f" Against the claim: {' and '.join(against)}." if against else "")
        )
    return Finding(
        "L48",
        " ".join(said),
        holds,
        "; ".join(f"{_share(runs, 'PGD', at)[1]} pictures ({told[name]})"
                  for name, runs in subjects.items()),
        f"{spread(rows)} of the pictures are fooled, by network",
    )  # fmt: skip


def _lines(name: str, runs: Sequence[Distorted]) -> list[str]:
    """What is left right by ε, and what a file of 8 bits leaves of the fooling."""
    lines = []
    for attack in LINES:
        shares = []
        for at, epsilon in enumerate(EPSILONS):
            fooled, n = _share(runs, attack, at)
            shares.append(f"{written(epsilon)} {percent(1 - fooled / n)}")
        lines.append(f"{name}, right within ε, {attack}: " + ", ".join(shares) + ".")
    n = sum(len(run.labels) for run in runs)
    full, reloaded, lasting = (
        sum(int(part.sum()) for part in parts)
        for parts in zip(
            *((run.fools, run.fools & run.reloaded, run.fools & run.lasting) for run in runs),
            strict=True,
        )
    )
    barely, after = (
        sum(int(part.sum()) for part in parts)
        for parts in zip(*((r.barely[0], r.barely[0] & r.barely[1]) for r in runs), strict=True)
    )
    lines.append(
        f"{name}, PGD within {written(AT)}, saved as PNG and read again: of {full} of {n} that "
        f"fool {reloaded} still do, and {lasting} if rounded within ε first; of {barely} that were "
        f"left alone as soon as they fooled, {after}."
    )
    return lines


def _transfer(
    networks: Mapping[str, Classifier], data: Pictures, n: int, steps: int
) -> tuple[Tensor, int]:
    """Shares of pictures made for one network (rows) that fool another (columns), and of how many:
    of the first that all name rightly."""
    right = torch.stack(
        [answers(each, data.test).argmax(1) == data.test_labels for each in networks.values()]
    ).all(0)
    chosen = right.nonzero()[:n, 0]
    pixels, labels = data.test[chosen].float() / 255, data.test_labels[chosen]
    all_of = len(networks)
    found = transferred(
        list(networks.values()), [pixels] * all_of, [labels] * all_of, epsilon=AT, steps=steps
    )
    return found, len(chosen)


def _transfers(matrix: Tensor, names: Sequence[str], n: int) -> list[str]:
    lines = []
    for name, row in zip(names, matrix.tolist(), strict=True):
        others = ", ".join(
            f"{other} {percent(share, 0)}"
            for other, share in zip(names, row, strict=True)
            if other != name
        )
        own = row[list(names).index(name)]
        lines.append(
            f"Made for {name} within {written(AT)}, of {n} pictures that all name rightly: fools "
            f"it in {percent(own, 0)}; {others}."
        )
    return lines


def _examples(name: str, found: Distorted) -> Drawing:
    """Pictures of different classes that PGD at its full strength fools."""
    chosen: dict[int, int] = {}
    for i in found.fools.nonzero()[:, 0].tolist():
        chosen.setdefault(int(found.labels[i]), i)
    which = list(chosen.values())[:SHOWN]
    return Drawing(
        f"{name}-fooled",
        examples(_told(found, which, found.images[which])),
        f"{name.capitalize()} that were named rightly, and what PGD makes of them within "
        f"{written(AT)}: what is added, ten times as large about grey, and the result; with the "
        "answers and their probabilities.",
    )


def _ostriches(setting: Setting, found: Distorted) -> Drawing:
    """The same photographs, all to be taken for one class."""
    classes = found.classifier.classes
    which = (found.labels != classes.index(WANTED)).nonzero()[:SHOWN, 0].tolist()
    target = torch.full((len(which),), classes.index(WANTED))
    made = pgd(
        found.classifier, found.pixels[which], target, epsilon=AT, targeted=True,
        steps=setting.pick(2, 20, 40),
    )  # fmt: skip
    return Drawing(
        f"photographs-{WANTED}",
        examples(_told(found, which, made)),
        f"The first photographs, all to be taken for an {WANTED}, as in figure 5 of Szegedy et "
        f"al. 2014; by PGD within {written(AT)}.",
    )


def _told(found: Distorted, which: Sequence[int], images: Tensor) -> list[Example]:
    def said(pixels: Tensor) -> list[tuple[str, float]]:
        best = found.classifier.probabilities(pixels).max(1)
        named = (found.classifier.classes[k] for k in best.indices.tolist())
        return list(zip(named, best.values.tolist(), strict=True))

    originals = found.pixels[which]
    return [
        Example(
            old.permute(1, 2, 0).numpy(), new.permute(1, 2, 0).numpy(), before, after,
            float((new - old).abs().max()), "linf",
        )
        for old, new, before, after in zip(
            originals, images, said(originals), said(images), strict=True
        )
    ]  # fmt: skip


def _numbers(runs: Sequence[Distorted]) -> dict[str, Any]:
    return {
        "pictures": [len(run.labels) for run in runs],
        "fooled": {
            name: [run.wrong[name].mean(1) for run in runs] for name in LINES
        },
        "at full strength": [int(run.fools.sum()) for run in runs],
        "out of a PNG file": [int((run.fools & run.reloaded).sum()) for run in runs],
        "rounded within ε first": [int((run.fools & run.lasting).sum()) for run in runs],
        "left alone as soon as they fooled": [run.barely.sum(1) for run in runs],
    }  # fmt: skip


def _curves(subjects: Mapping[str, Sequence[Distorted]]) -> Drawing:
    with style():
        figure, axes = panels(1, len(subjects), width=290, height=250)
        for axis, (name, runs) in zip(axes, subjects.items(), strict=True):
            for attack, (colour, dashes) in LINES.items():
                shares = [[1.0, *(1 - run.wrong[attack].mean(1))] for run in runs]
                band(axis, range(len(EPSILONS) + 1), shares, color=colour, linestyle=dashes,
                     lw=1.8, marker="o", ms=3, label=attack)  # fmt: skip
            axis.set_xticks(range(len(EPSILONS) + 1), ["0", *map(written, EPSILONS)], fontsize=8)
            axis.set(ylim=(-0.02, 1.03))
            in_percent(axis.yaxis)
            axis.set_xlabel("ε, the largest change of a pixel")
            axis.set_title(name, fontsize=10)
        axes[0].set_ylabel("share that stays right")
        legend_below(figure, columns=3)
        drawn = png(figure)
    return Drawing(
        "right-within",
        drawn,
        "Of pictures that were right: how many still are as every pixel changes by up to ε, by "
        "random signs, by one step along the gradient's sign (FGSM), and by many (PGD).",
    )
