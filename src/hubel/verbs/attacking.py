"""A classifier under attack: its pictures, what each attack does to them, and the record of it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from hubel.breaking import checks as trials
from hubel.breaking.attacks import ATTACKS, SEARCHES, Attack, Budget
from hubel.breaking.gradient import LOSSES, pulled
from hubel.breaking.robustness import Fooled, robustness, taken
from hubel.breaking.transferred import transferred
from hubel.findings import Drawing
from hubel.mistakes import Failure
from hubel.model import Classifier, evaluating
from hubel.output import Output
from hubel.report.attack import (
    Attacks,
    Example,
    Row,
    Share,
    Smallest,
    Transfer,
    Tried,
    curves,
    examples,
)  # fmt: skip
from hubel.training.evaluate import wilson
from hubel.verbs.adversarial_set import adversarial_set
from hubel.verbs.afford import few
from hubel.verbs.attack_examples import shown
from hubel.verbs.attack_subject import Subject
from hubel.verbs.heeding import Heeding
from hubel.verbs.interrupt import Request, Stopped
from hubel.verbs.labelled import numbered
from hubel.verbs.watch import Watch

TRIED, SHARED = 50, 100  # pictures, of the checks and of transfer
CHECKS = 4
AGAIN = 6  # times that the checks attack a picture, about


class Work:
    """What has been found of a subject so far; ends early where a stop was asked for."""

    def __init__(
        self,
        at: Subject,
        budget: Budget,
        epsilons: Mapping[str, Sequence[float]],
        watch: Watch,
        request: Request,
    ) -> None:
        """epsilons: of each attack, by its name. Attacks look for a stop at every step."""
        self.network, self.heard = Heeding(at.network, self._heed), False
        self.most_tried = TRIED
        self.at, self.budget, self.epsilons = at, budget, dict(epsilons)
        self.watch, self.request = watch, request
        self.rows: list[Row] = []
        self.fooled: dict[str, dict[float, Tensor]] = {}  # by attack and ε, bool (R,)
        self.nearest: dict[str, Nearest] = {}  # by norm
        self.shown: dict[str, list[Example]] = {}
        self.tried: list[Tried] = []
        self.matrix: Transfer | None = None
        self.lines: list[str] = []
        self.blind = not self._has_gradient()

    def _heed(self) -> None:
        if not self.heard:
            self.request.heed()

    @property
    def going(self) -> bool:
        return not self.request.made

    def _has_gradient(self) -> bool:
        at = self.at
        try:
            with evaluating(at.network) as own, torch.inference_mode(False), torch.enable_grad():
                some = at.pixels[:1].clone(), at.wanted[:1].clone()
                pulled(own, *some, LOSSES["cross-entropy"])
        except Failure as none:
            self.tell(f"{none} Attacks by gradient give way to the random search.")
            return False
        return True

    def tell(self, sentence: str) -> None:
        self.lines.append(sentence)
        self.watch.notice(sentence)

    def possible(self, names: Sequence[str]) -> Iterator[str]:
        """The attacks that can be made: without gradients the searches, in their norms, instead."""
        if not self.blind:
            yield from dict.fromkeys(names)
        else:
            yield from dict.fromkeys(SEARCHES[ATTACKS[name].norm.name] for name in names)

    def begin(self, watch: Watch, tried: int, told: str) -> None:
        """tried: pictures, of the checks. told: what is to be said of how many there are."""
        self.watch, self.most_tried = watch, tried
        if told:
            self.tell(told)

    def cost(self, names: Sequence[str], clock: Callable[[], float]) -> tuple[float, float]:
        """Seconds a picture: of all these attacks within all ε, and of the checks.

        By what a few of them take within the smallest ε, where most resist: it will be less.
        """
        at, some = self.at, slice(min(few(self.at.pixels[0].numel()), self.at.batch))
        every = slowest = 0.0
        for name in names:
            attack, epsilons = ATTACKS[name], self.epsilons[name]
            began = clock()
            next(robustness(
                self.network, at.pixels[some], at.wanted[some], attack, [min(epsilons)],
                budget=self.budget, batch=at.batch,
            ))  # fmt: skip
            each = (clock() - began) / len(at.pixels[some])
            slowest = max(slowest, each)
            every += each * (len(epsilons) if attack.nearest is None else 1)
        return every, AGAIN * slowest

    def attack(self, name: str) -> None:
        """Add a row for each ε, and examples."""
        at, attack, epsilons, batches = self.at, ATTACKS[name], self.epsilons[name], 0

        def on_batch() -> bool:
            nonlocal batches
            batches += 1
            self.watch.progress(name, min(batches, most), most)
            self.heard = self.request.made  # with the last batch of an ε, its row is worth keeping
            return self.heard

        parts = math.ceil(len(at.pixels) / at.batch)
        most = parts * (len(epsilons) if attack.nearest is None else 1)
        if not self.going:
            return
        with suppress(Stopped):
            self._add(name, attack, robustness(
                self.network, at.pixels, at.wanted, attack, epsilons, budget=self.budget,
                batch=at.batch, on_batch=on_batch,
            ))  # fmt: skip
            self.watch.progress(name, most, most)

    def _add(self, name: str, attack: Attack, attacked: Iterator[Fooled]) -> None:
        at = self.at
        for found in attacked:
            self.request.at_once = False  # from here on there is something to keep
            self.rows.append(self._row(name, attack, found))
            self.fooled.setdefault(name, {})[found.epsilon] = found.fooled
            self._nearer(name, attack, found)
            half = 2 * int(found.fooled.sum()) >= len(at.pixels)
            if name not in self.shown and (half or found.epsilon == max(self.epsilons[name])):
                made = shown(at, self.budget, attack, found)
                self.shown |= {name: made} if made else {}

    def _row(self, name: str, attack: Attack, found: Fooled) -> Row:
        at, fools = self.at, int(found.fooled.sum())
        # of what was aimed elsewhere, some is named a third class
        wrong = int(taken(at.network, found.images, at.labels, batch=at.batch).sum())
        sizes = attack.norm.size(found.images - at.pixels)[found.fooled]
        n = len(at.pixels)
        return Row(
            name, attack.norm.name, found.epsilon, share(at.right - wrong, at.n), share(fools, n),
            share(int(found.reloaded.sum()), n), share(int(found.lasting.sum()), n),
            float(sizes.median()) if fools else None, share(at.right, at.n),
        )  # fmt: skip

    def _nearer(self, name: str, attack: Attack, found: Fooled) -> None:
        """Keep of each picture the smallest change that fools, and whose it is."""
        images, fools = found.images, found.fooled
        if found.nearest is not None:  # whatever ε
            images, at = found.nearest, self.at
            fools = taken(
                at.network, images, at.wanted, targeted=self.budget.targeted, batch=at.batch
            )
        sizes = attack.norm.size(images - self.at.pixels)
        best = self.nearest.setdefault(attack.norm.name, Nearest.none(len(sizes)))
        for i, size in enumerate(torch.where(fools, sizes, torch.inf).tolist()):
            if size < best.sizes[i]:
                best.sizes[i], best.attacks[i] = size, name

    def check(self, names: Sequence[str]) -> None:
        """Put the strongest attack of each norm on trial; where one fails, go on with a stronger.

        It is tried within the ε that leaves about half: there is most to be found, and to be lost.
        """
        if self.blind:
            return
        for norm in dict.fromkeys(ATTACKS[name].norm for name in names):
            name = min(
                (each for each in names if ATTACKS[each].norm is norm),
                key=lambda each: -sum(int(part.sum()) for part in self.fooled[each].values()),
            )
            while self.going and self._fails(name):
                stronger = ATTACKS[name].stronger
                if stronger in self.fooled or not self.going:
                    break
                self.tell(f"{stronger} goes on where {name} is too weak.")
                self.epsilons.setdefault(stronger, self.epsilons[name])
                self.attack(stronger)
                name = stronger

    def _fails(self, name: str) -> bool:
        """Whether something is known that must hold of a sound attack, and does not; it is told."""
        try:
            return not self._holds(name)
        except Stopped:
            return False

    def _holds(self, name: str) -> bool:
        """Whether all that must hold of a sound attack holds of this one; each is told."""
        at, some = self.at, slice(self.most_tried)
        half = len(at.pixels) / 2
        epsilon = min(
            self.fooled[name],
            key=lambda each: (abs(int(self.fooled[name][each].sum()) - half), -each),
        )
        resist, passed, done = ~self.fooled[name][epsilon][some], True, 0
        self.watch.progress("checks", 0, CHECKS)
        for found in trials.checks(
            self.network, at.pixels[some], at.wanted[some], resist, name=name, epsilon=epsilon,
            steps=self.budget.steps, restarts=self.budget.restarts, targeted=self.budget.targeted,
            seed=self.budget.seed, batch=at.batch, on_batch=lambda: self.request.made,
        ):  # fmt: skip
            self.tried.append(Tried(*found, name, ATTACKS[name].norm.name, epsilon))
            passed, done = passed and found.passed, done + 1
            self.watch.progress("checks", done, CHECKS)
            if not found.passed:
                self.tell(
                    f"{name} fails what must hold of a sound attack: {found.name} ({found.found})."
                )
        self.watch.progress("checks", CHECKS, CHECKS)
        return passed

    def beside(
        self, other: Subject, name: str, attacks: Sequence[str], within: Mapping[str, list[float]],
        *, checks: bool,
    ) -> None:  # fmt: skip
        """Add the rows of the same attacks on another network, within ε of its own, and checks."""
        theirs = Work(other, self.budget, within, self.watch, self.request)
        theirs.most_tried = self.most_tried
        try:
            for attack in theirs.possible(attacks):
                theirs.attack(attack)
            if checks and self.going:
                theirs.check(list(theirs.fooled))
        except Failure as none:
            theirs.lines.append(str(none))
        self.rows += [replace(row, model=name) for row in theirs.rows]
        self.tried += [replace(check, model=name) for check in theirs.tried]
        self.lines += [f"{name}: {line}" for line in theirs.lines]

    def transfer(
        self, others: Sequence[Classifier], names: Sequence[str], attack: str, epsilon: float
    ) -> None:
        """Fill the matrix, on pictures that every network names rightly, in the attack's norm."""
        norm = ATTACKS[attack].norm
        own = self.at.classifier
        networks = [own, *others]
        for other, name in zip(others, names[1:], strict=True):
            if (other.pixels.size, other.pixels.channels) != (own.pixels.size, own.pixels.channels):
                self.tell(
                    f"{name} sees pictures of another size or kind than {names[0]}: what is made "
                    "for one cannot be shown to the other."
                )
                return
        pixels = self.at.pixels[:SHARED]
        # of the classes that there are: one that only the first knows may be among the others
        named_so = [own.classes[k] for k in self.at.labels[:SHARED].tolist()]
        labels = [numbered(tuple(named_so), each.classes).to(pixels.device) for each in networks]
        both = torch.ones(len(pixels), dtype=torch.bool, device=pixels.device)
        for each, named in zip(networks, labels, strict=True):
            both &= ~taken(each, pixels, named, batch=self.at.batch)
        n = int(both.sum())
        if n == 0:
            self.tell("No picture is named rightly by all these networks: nothing to transfer.")
            return

        def on_attack(i: int) -> bool:
            self.watch.progress("transfer", i + 1, len(networks))
            return self.request.made

        try:
            found = transferred(
                [Heeding(each, self.request.heed) for each in networks],
                [pixels[both]] * len(networks), [named[both] for named in labels],
                epsilon=epsilon, norm=norm, steps=self.budget.steps, batch=self.at.batch,
                on_attack=on_attack,
            )  # fmt: skip
        except Failure as none:
            self.tell(f"What fools one is not shown to the others. {none}")
            return
        except Stopped:
            return
        self.matrix = Transfer(tuple(names), found.tolist(), n, norm.name, epsilon)

    def save(self, name: str, folder: Output, inside: str) -> Path:
        """Write what an attack makes within its largest ε as a data set; see `adversarial_set`."""
        self.tell(
            adversarial_set(self.at, self.budget, name, max(self.epsilons[name]), folder, inside)
        )
        return folder.path / inside

    def _smallest(self) -> Iterator[Smallest]:
        """Of each norm in which an attack looked for the nearest picture."""
        norms = dict.fromkeys(
            ATTACKS[name].norm.name for name in self.fooled if ATTACKS[name].nearest is not None
        )
        for norm in norms:
            names = [self.at.names[i] for i in self.at.numbers.tolist()]
            yield Smallest.among(norm, names, *self.nearest[norm])

    def found(self) -> Attacks:
        """The record of all that was done."""
        at = self.at
        clean = share(self.at.right, self.at.n)
        drawings = []
        if self.rows:
            drawings.append(
                Drawing(
                    "curves", curves(self.rows, clean),
                    "Accuracy when each picture may be changed by up to ε; dotted: without any "
                    "change. Bands: 95 % intervals.",
                )
            )  # fmt: skip
        for name, chosen in self.shown.items():
            drawings.append(
                Drawing(
                    f"examples-{name}", examples(chosen),
                    f"{name}: pictures, ten times what is added to them (grey: nothing), and what "
                    "comes of it; above, what the network says of both, and how large the change "
                    "is.",
                )
            )  # fmt: skip
        made = dict.fromkeys(row.attack for row in self.rows)
        return Attacks(
            clean, tuple(self.rows), {name: ATTACKS[name].what for name in made}, tuple(drawings),
            tuple(sorted(self.tried, key=lambda check: check.model != "")), self.matrix,
            tuple(self.lines), at.target, not self.going, tuple(self._smallest()),
        )  # fmt: skip


class Nearest(NamedTuple):
    """Of each picture the size of the smallest change that fools, and the attack that found it."""

    sizes: list[float]
    attacks: list[str]

    @classmethod
    def none(cls, n: int) -> "Nearest":
        return cls([math.inf] * n, [""] * n)


def share(part: int, of: int) -> Share:
    return Share(part, of, wilson(part, of))
