"""Attack a classifier: what it still gets right when each picture may be changed by up to ε."""

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

import hubel
from hubel.breaking.attacks import ATTACKS, STEPS, Budget
from hubel.breaking.norms import L2, LINF
from hubel.figures import interval, percent
from hubel.mistakes import Mistake, unknown
from hubel.model import Classifier
from hubel.output import Output
from hubel.pixels import PixelSpec
from hubel.report.attack import NORMS, Attacks, attack_page
from hubel.report.html import Onward
from hubel.verbs import machine
from hubel.verbs.afford import MINUTES, afforded, check_minutes
from hubel.verbs.attack_subject import Subject, subject
from hubel.verbs.attacking import TRIED, Work
from hubel.verbs.early import check_measured
from hubel.verbs.interrupt import interruptible
from hubel.verbs.labelled import Split, others_flattered
from hubel.verbs.load import called, loaded, speaking_of
from hubel.verbs.onward import onward
from hubel.verbs.place import near, place
from hubel.verbs.watch import Watch, about

PAGE, FACTS = "attack.html", "attack.json"
SET = "adversarial"  # the folder of pictures that fool
MOST, LEAST = 200, 20  # pictures, where nobody says how many
CHECKED = 8  # pictures at least, in the checks
CHECKING = 1 / 3  # of the time, at least, is the checks'
LEVELS = (1, 2, 4, 8, 16, 32)  # of 255: the usual ε
USUAL = ("fgsm", "pgd")


@dataclass(frozen=True)
class Attacked:
    """What was written, and what it says. saved: the adversarial set, where it was asked for.

    stopped: whether some is missing because a stop was asked for.
    """

    page: Path
    found: Attacks
    saved: Path | None = None
    stopped: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """What it says, a line for each attack and ε."""
        rows = (
            f"{row.name:<9} {NORMS[row.norm]} {row.within:<7} accuracy "
            f"{percent(row.accuracy.share)} ({interval(row.accuracy.interval)}), fools "
            f"{percent(row.success.share)} of the right ones, {percent(row.lasting.share)} also "
            "from a file"
            for row in self.found.rows
        )
        checked = (
            f"{'holds' if each.passed else 'FAILS'}: {each.called}: {each.name} ({each.found})"
            for each in self.found.checks
        )
        return (self.found.headline, *rows, *checked)

    def as_json(self) -> dict[str, Any]:
        return _told(self.found) | {
            "page": str(self.page),
            "saved": self.saved and str(self.saved),
            "stopped": self.stopped,
        }


@machine.undisturbed
def attack(
    model: str | os.PathLike[str] | Classifier,
    data: str | os.PathLike[str] | None = None,
    *,
    attacks: Sequence[str] = USUAL,
    epsilons: Sequence[float] | None = None,
    target: str | int | None = None,
    steps: int = STEPS,
    restarts: int = 1,
    images: int | None = None,
    minutes: float = MINUTES,
    split: Split | None = None,
    against: Sequence[str | os.PathLike[str] | Classifier] = (),
    checks: bool = True,
    save: bool = False,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    device: str = "auto",
    threads: int | None = None,
    workers: int = 0,
    download: bool = False,
    watch: Watch | None = None,
) -> Attacked:
    """Robust accuracy against ε, whether it outlives a file, and whether the attacks are sound.

    model, data, split: as `hubel.evaluate` takes them. images: at most so many of them, drawn by
    the seed; None: 200, or as many as take about so many minutes with their checks, LEAST at least,
    by what the first few take; the checks keep to the minutes in any case. attacks: rows of
    `breaking.robustness.ATTACKS`. epsilons: the largest changes of a pixel, in units of [0, 1];
    None: 1, 2, 4, 8, 16 and 32 of 255. In L2 an ε is these times half of √(pixels' number), the
    length of a change of half of that everywhere, unless epsilons are given, which count for every
    norm. target: the class, by name or number, that pictures are to be taken for; None: any wrong
    one. steps, restarts: of PGD. against: other models of the same classes: attacked as well, for
    their curves beside the model's; and where they see pictures of its size, what is made for one
    is shown to all. checks: whether the attacks on each are put on trial. save: write the pictures
    that the last attack makes at full strength within the largest ε as a data set, in folders by
    right class. out: the folder for attack.html, its pictures and attack.json, where an earlier
    attack is replaced; None: a new one, break in the model's run, or here.

    Only pictures that are right to begin with are attacked. Where the network hands no gradient
    back, the attacks that follow it give way to a random search, and that is said. The first Ctrl-C
    ends it within a step, and what is whole is written. Raises Mistake for what cannot be asked,
    Failure where no picture is named rightly.
    """
    watch = watch or Watch()
    _check(attacks, epsilons, steps, restarts, aimed=target is not None)
    check_minutes(minutes)
    results = place(out, near(model, "break"), FACTS, "attack", data=data)
    check_measured(data, split)
    where = machine.device(device)
    classifier = loaded(model, download=download, watch=watch).to(where)
    others = [loaded(each, download=download, watch=watch).to(where) for each in against]
    names = _names((model, *against))
    with machine.threads(threads), results.held() as folder, interruptible(at_once=True) as request:
        budget, within = Budget(steps, restarts, target is not None, seed), _within(epsilons)
        how = {"target": target, "split": split, "seed": seed, "workers": workers}
        every = list(zip(names, (classifier, *others), strict=True))
        at, *beside = _subjects(model, every, data, MOST if images is None else images, watch, how)
        others_flattered(model, data, split, against, watch)
        work = Work(at, budget, within(classifier.pixels), watch, request)
        n, tried, told = _paid(work, attacks, images, minutes, len(others), checks=checks)
        if n < at.n:
            at, *beside = _subjects(model, every, data, n, Watch(), how)
            work = Work(at, budget, within(classifier.pixels), Watch(), request)
        work.begin(watch, tried, told)
        for name in work.possible(attacks):
            work.attack(name)
        for theirs, title in zip(beside, names[1:], strict=True):
            if work.going:
                work.beside(theirs, title, attacks, within(theirs.classifier.pixels), checks=checks)
        if checks and work.going:
            work.check(list(work.fooled))
        if others and work.going:
            work.transfer(others, names, attacks[0], _middle(work.epsilons[attacks[0]]))
        if not work.rows and not work.going:
            raise KeyboardInterrupt  # nothing was finished, and what is there stays
        end = onward("attack", model, folder.path / PAGE)
        facts = _facts(names[0], at, seed)
        found, saved = _written(work, folder, facts, end, attacks if save else ())
    return Attacked(folder.path / PAGE, found, saved, stopped=not work.going)


def _written(
    work: Work, folder: Output, facts: dict[str, Any], end: Onward, save: Sequence[str]
) -> tuple[Attacks, Path | None]:
    """The page, and what the last attack of `save` makes as a data set, if there is one."""
    found, saved = work.found(), None
    files = {f"{drawing.name}.png": drawing.png for drawing in found.drawings}
    folder.write_all(files | _page(found, facts, end))
    if save and work.going:
        saved = work.save(list(work.possible(save))[-1], folder, SET)
        found = work.found()
        folder.write_all(_page(found, facts, end))
    folder.finish()
    return found, saved


def _subjects(
    model: str | os.PathLike[str] | Classifier, classifiers: Sequence[tuple[str, Classifier]],
    data: str | os.PathLike[str] | None, most: int, watch: Watch, how: dict[str, Any],
) -> list[Subject]:  # fmt: skip
    found: list[Subject] = []
    for name, each in classifiers:
        with speaking_of(name) if found else nullcontext():
            found.append(subject(model, each, data, most=most, watch=watch, **how))
    return found


def _paid(
    work: Work, attacks: Sequence[str], images: int | None, minutes: float, others: int, *,
    checks: bool, clock: Callable[[], float] = time.monotonic,
) -> tuple[int, int, str]:  # fmt: skip
    """Pictures that the minutes pay for, how many of them for the checks, and what to say of it."""
    seconds, most = 60 * minutes, work.at.n
    checks = checks and not work.blind
    if images is not None and not checks:
        return most, TRIED, ""
    each, trial = work.cost(list(work.possible(attacks)), clock)
    each, trial = each * (1 + others), trial * (1 + others)
    n = most
    if images is None:
        share = seconds * (1 - CHECKING if checks else 1)
        n = afforded(share, each, least=min(LEAST, most), most=most)
    left = max(seconds - n * each, CHECKING * seconds)
    tried = afforded(left, trial, least=CHECKED, most=TRIED)
    whole = n * each + (min(n, tried) * trial if checks else 0)
    if n == most and (tried >= min(n, TRIED) or not checks):
        return n, tried, ""
    some = "" if n == most else f"{n} of {most} pictures are attacked"
    if checks and tried < min(n, TRIED):
        some += f"{' and ' if some else ''}the attacks are checked on {tried} pictures"
    return n, tried, (
        f"To keep to --minutes {minutes:g}, {some}: that is {about(whole)} of work at most."
    )  # fmt: skip


def _facts(model: str, at: Subject, seed: int) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "hubel": hubel.__version__,
        "torch": torch.__version__,
        "model": model,
        "data": at.what,
        "pictures": at.n,
        "of": at.of,
        "target": at.target,
        "seed": seed,
    }


def _page(found: Attacks, facts: dict[str, Any], end: Onward) -> dict[str, bytes]:
    told = json.dumps(facts | _told(found), indent=2) + "\n"
    return {PAGE: attack_page(found, facts, end).encode(), FACTS: told.encode()}


def _told(found: Attacks) -> dict[str, Any]:
    return {
        "clean": {"part": found.clean.part, "of": found.clean.of, "share": found.clean.share,
                  "interval": list(found.clean.interval)},
        "attacks": [row.as_json() for row in found.rows],
        "checks": [vars(check) for check in found.checks],
        "sound": found.sound if found.checks else None,
        "smallest": [each.as_json() for each in found.smallest],
        "transfer": found.transfer and found.transfer.as_json(),
        "lines": list(found.lines),
        "stopped": found.stopped,
    }  # fmt: skip


def _within(given: Sequence[float] | None) -> Callable[[PixelSpec], dict[str, list[float]]]:
    """The ε of each attack, by its name, on such pixels."""
    return partial(_epsilons, given)


def _epsilons(given: Sequence[float] | None, spec: PixelSpec) -> dict[str, list[float]]:
    if given is not None:
        return dict.fromkeys(ATTACKS, sorted(set(given)))
    half = math.sqrt(spec.channels * spec.size[0] * spec.size[1]) / 2
    scale = {LINF.name: 1.0, L2.name: half}
    return {
        name: [scale[row.norm.name] * level / 255 for level in LEVELS]
        for name, row in ATTACKS.items()
    }


def _middle(within: Sequence[float]) -> float:
    """The ε of transfer, of those that an attack was made within: of the usual ones, 8/255."""
    return sorted(within)[len(within) // 2]


def _names(models: Sequence[str | os.PathLike[str] | Classifier]) -> list[str]:
    """What to call them: the last part of their paths, all of it where two end alike."""
    paths = [
        f"network {n}" if isinstance(each, Classifier) else os.fspath(each)
        for n, each in enumerate(models, 1)
    ]
    short = [called(each, path) for each, path in zip(models, paths, strict=True)]
    return [
        path if short.count(name) > 1 else name for path, name in zip(paths, short, strict=True)
    ]


def _check(
    attacks: Sequence[str],
    epsilons: Sequence[float] | None,
    steps: int,
    restarts: int,
    *,
    aimed: bool,
) -> None:
    if not attacks:
        raise Mistake(f"Name at least one attack: {', '.join(ATTACKS)}.")
    for name in attacks:
        if name not in ATTACKS:
            raise unknown("attack", name, ATTACKS)
        if aimed and not ATTACKS[name].aims:
            can = ", ".join(other for other, row in ATTACKS.items() if row.aims)
            raise Mistake(f"The attack {name} has no target: those that have are {can}.")
    if epsilons is not None and not epsilons:
        raise Mistake("Give at least one ε, such as 8/255.")
    # an ε in L2 may be above 1, in L∞ it never is
    in_linf = any(ATTACKS[name].norm is LINF for name in attacks)
    for each in epsilons or ():
        if in_linf and 1 < each <= 255:
            raise Mistake(
                f"ε is in units of pixels from 0 to 1, not {each:g}: of 255 levels that is "
                f"{each:g}/255."
            )
        if not (0 < each < math.inf and (each <= 1 or not in_linf)):
            raise Mistake(f"ε is above 0, and in L∞ at most 1, not {each:g}.")
    if steps < 1 or restarts < 1:
        raise Mistake(f"--steps and --restarts are 1 or more, not {steps} and {restarts}.")
