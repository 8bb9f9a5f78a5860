"""A classifier under attack: its pictures, what each attack does to them, and the record of it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hubel import draws
from hubel.breaking import checks as trials
from hubel.breaking.eight_bit import png
from hubel.breaking.gradient import LOSSES, pulled
from hubel.breaking.robustness import ATTACKS, Attack, Budget, Fooled, robustness, taken
from hubel.breaking.transferred import transferred
from hubel.findings import Drawing
from hubel.mistakes import Failure
from hubel.model import Classifier, evaluating
from hubel.output import Output
from hubel.report.attack import Attacks, Example, Row, Share, Tried, curves, examples
from hubel.training.evaluate import wilson
from hubel.verbs.attack_subject import Subject
from hubel.verbs.interrupt import Request
from hubel.verbs.labelled import class_folder, numbered
from hubel.verbs.watch import Watch

SHOWN = 8  # pictures of an attack
STEM = 60  # letters of a picture's name that its changed copy is called by
TRIED = 100  # pictures, of the checks and of transfer


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
        """epsilons: of each attack, by its name."""
        self.at, self.budget, self.epsilons = at, budget, epsilons
        self.watch, self.request = watch, request
        self.rows: list[Row] = []
        self.shown: dict[str, list[Example]] = {}
        self.tried: list[Tried] = []
        self.matrix: tuple[Sequence[str], Sequence[Sequence[float]], int] | None = None
        self.lines: list[str] = []
        self.blind = not self._has_gradient()

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
            self._tell(f"{none} Attacks by gradient give way to the random search.")
            return False
        return True

    def _tell(self, sentence: str) -> None:
        self.lines.append(sentence)
        self.watch.notice(sentence)

    def possible(self, names: Sequence[str]) -> Iterator[str]:
        """The attacks that can be made: without gradients the search, in its norm, instead.

        Raises Failure where there is none.
        """
        if not self.blind:
            yield from dict.fromkeys(names)
            return
        search = ATTACKS["search"]
        if self.at.target is not None or all(
            ATTACKS[name].norm is not search.norm for name in names
        ):
            raise Failure(
                "The network hands no gradient back to its pixels, and the search without one has "
                "neither targets nor an L2: ask for an attack in L∞ without a target."
            )
        yield "search"

    def attack(self, name: str) -> None:
        """Add a row for each ε, and examples."""
        at, attack, epsilons, batches = self.at, ATTACKS[name], self.epsilons[name], 0

        def on_batch() -> bool:
            nonlocal batches
            batches += 1
            self.watch.progress(name, min(batches, most), most)
            return self.request.made

        parts = math.ceil(len(at.pixels) / at.batch)
        most = parts * (len(epsilons) if attack.nearest is None else 1)
        if not self.going:
            return
        for found in robustness(
            at.network, at.pixels, at.wanted, attack, epsilons, budget=self.budget,
            batch=at.batch, on_batch=on_batch,
        ):  # fmt: skip
            self.rows.append(self._row(name, attack, found))
            half = 2 * int(found.fooled.sum()) >= len(at.pixels)
            if name not in self.shown and (half or found.epsilon == max(epsilons)):
                self.shown |= self._examples(name, attack, found)
        self.watch.progress(name, most, most)

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

    def _examples(self, name: str, attack: Attack, found: Fooled) -> dict[str, list[Example]]:
        """Pictures that fool, of as many classes as there are; none where none does."""
        at = self.at
        which = found.fooled.nonzero()[:, 0]
        if not len(which):
            return {}
        order = draws.order(self.budget.seed, 0, len(which), "shown")
        which = which[torch.from_numpy(order).to(which.device)]
        firsts = dict[int, int]()
        for i in which.tolist():
            firsts.setdefault(int(at.labels[i]), i)
        chosen = list(dict.fromkeys([*firsts.values(), *which.tolist()]))[:SHOWN]
        originals, made = at.pixels[chosen], found.images[chosen]
        if attack.within is not None:  # to the end, not only across the boundary
            full = self.budget._replace(drop=False)
            made = attack.within(
                at.network, originals, at.wanted[chosen], found.epsilon, chosen, full
            )
        with evaluating(at.classifier) as classifier:
            before, after = (classifier.probabilities(x).cpu() for x in (originals, made))
        sizes = attack.norm.size(made - originals).tolist()
        shown = [
            Example(
                _array(originals[k]), _array(made[k]), _best(at.classifier, before[k]),
                _best(at.classifier, after[k]), sizes[k], attack.norm.name,
            )
            for k in range(len(chosen))
        ]  # fmt: skip
        return {name: shown}

    def check(self, epsilon: float) -> None:
        """Put the attacks on trial, on some of the pictures."""
        if self.blind or self.at.target is not None:
            return
        at, some = self.at, slice(TRIED)
        self.watch.progress("checks", 0, 4)
        for found in trials.checks(
            at.network, at.pixels[some], at.labels[some], epsilon=epsilon,
            steps=self.budget.steps, seed=self.budget.seed, batch=at.batch,
            on_batch=lambda: self.request.made,
        ):  # fmt: skip
            self.tried.append(Tried(*found))
            self.watch.progress("checks", len(self.tried), 4)
            if not found.passed:
                self._tell(f"What must hold of a sound attack does not: {found.name} ({found[2]}).")

    def beside(
        self, other: Subject, name: str, attacks: Sequence[str], within: Mapping[str, list[float]]
    ) -> None:
        """Add the rows of the same attacks on another network, within ε of its own."""
        theirs = Work(other, self.budget, within, self.watch, self.request)
        try:
            for attack in theirs.possible(attacks):
                theirs.attack(attack)
        except Failure as none:
            theirs.lines.append(str(none))
        self.rows += [replace(row, model=name) for row in theirs.rows]
        self.lines += [f"{name}: {line}" for line in theirs.lines]

    def transfer(self, others: Sequence[Classifier], names: Sequence[str], epsilon: float) -> None:
        """Fill the matrix, on pictures that every network names rightly."""
        own = self.at.classifier
        networks = [own, *others]
        for other, name in zip(others, names[1:], strict=True):
            if (other.pixels.size, other.pixels.channels) != (own.pixels.size, own.pixels.channels):
                self._tell(
                    f"{name} sees pictures of another size or kind than {names[0]}: what is made "
                    "for one cannot be shown to the other."
                )
                return
        pixels = self.at.pixels[:TRIED]
        labels = [
            numbered(own.classes, each.classes).to(pixels.device)[self.at.labels[:TRIED]]
            for each in networks
        ]
        both = torch.ones(len(pixels), dtype=torch.bool, device=pixels.device)
        for each, named in zip(networks, labels, strict=True):
            both &= ~taken(each, pixels, named, batch=self.at.batch)
        n = int(both.sum())
        if n == 0:
            self._tell("No picture is named rightly by all these networks: nothing to transfer.")
            return

        def on_attack(i: int) -> bool:
            self.watch.progress("transfer", i + 1, len(networks))
            return self.request.made

        try:
            found = transferred(
                networks, [pixels[both]] * len(networks), [named[both] for named in labels],
                epsilon=epsilon, steps=self.budget.steps, batch=self.at.batch, on_attack=on_attack,
            )  # fmt: skip
        except Failure as none:
            self._tell(f"What fools one is not shown to the others. {none}")
            return
        self.matrix = (tuple(names), found.tolist(), n)

    def save(self, name: str, folder: Output, inside: str) -> Path:
        """Write what an attack at full strength makes within its largest ε, as a data set.

        inside: its folder in that one. Told: how many fool when they are read again.
        """
        at, budget = self.at, self.budget._replace(drop=False)
        (found,) = robustness(
            at.network, at.pixels, at.wanted, ATTACKS[name], [max(self.epsilons[name])],
            budget=budget,
            batch=at.batch,
        )  # fmt: skip
        again = []
        for place, (number, label) in enumerate(
            zip(at.numbers.tolist(), at.labels.tolist(), strict=True)
        ):
            content = png(found.lasts[place])
            stem = Path(at.names[number]).stem[:STEM]
            kind = class_folder(at.classifier.classes[label])
            folder.write(f"{inside}/{kind}/{number:05d}-{stem}.png", content)
            again.append(at.classifier.read(content))
        read = torch.stack(again).to(at.pixels)
        fools = int(taken(
            at.classifier, read, at.wanted, targeted=self.budget.targeted, batch=at.batch
        ).sum())  # fmt: skip
        self._tell(
            f"{len(again)} pictures made by {name} are in {inside}/; read from there, {fools} "
            "of them fool."
        )
        return folder.path / inside

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
        for name, shown in self.shown.items():
            drawings.append(
                Drawing(
                    f"examples-{name}", examples(shown),
                    f"{name}: pictures, ten times what is added to them (grey: nothing), and what "
                    "comes of it; above, what the network says of both, and how large the change "
                    "is.",
                )
            )  # fmt: skip
        made = dict.fromkeys(row.attack for row in self.rows)
        return Attacks(
            clean, tuple(self.rows), {name: ATTACKS[name].what for name in made}, tuple(drawings),
            tuple(self.tried), self.matrix, tuple(self.lines), at.target, not self.going,
        )  # fmt: skip


def share(part: int, of: int) -> Share:
    return Share(part, of, wilson(part, of))


def _array(picture: Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return picture.permute(1, 2, 0).cpu().numpy()


def _best(classifier: Classifier, probabilities: Tensor) -> tuple[str, float]:
    best = int(probabilities.argmax())
    return classifier.classes[best], float(probabilities[best])
