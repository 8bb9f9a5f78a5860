"""Which pictures can lend a shape or a texture, who vouches for them, and what is made of them."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.breaking.cue_conflict import Pair, design
from hubel.breaking.shape_bias import Trial
from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.verbs.labelled import class_folder
from hubel.verbs.load import speaking_of
from hubel.verbs.prepare import decode
from hubel.verbs.shape_report import Conflicts
from hubel.verbs.shape_sources import Namer, Sources, namer
from hubel.verbs.watch import Watch

NO_REFEREE = "no other network was named to vouch for its two pictures"


@dataclass(frozen=True)
class Said:
    """What the two networks make of the pictures, as they are.

    right (N,): whether the model names a picture rightly; vouched (N,): whether the referee does.
    wrong (N,): why a picture is no source, in words; "" where it is one.
    """

    right: NDArray[np.bool_]
    vouched: NDArray[np.bool_]
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """pairs: the design. notes: what the user should know of it. sources: how many pictures it is
    drawn from."""

    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]
    sources: int

    def cut(self, made: int) -> "Plan":
        """The same, with the note that no more than so many images were made."""
        note = (
            f"Stopped after {made} of {len(self.pairs)} images: classes do not weigh alike in "
            "them, and the figures are not those of the whole."
        )
        return replace(self, notes=(note, *self.notes))


def said_of(
    found: Sources,
    ours: Namer,
    answers: Tensor,
    judge: Classifier | None,
    *,
    workers: int,
    watch: Watch,
) -> Said:
    """Which pictures the model names rightly, from its answers (N, K), and which the referee does.

    judge: the referee, if there is one. Raises Failure where the model names none rightly.
    """
    names = [ours.classes[k] for k in found.labels]
    told = [ours.classes[k] for k in answers.argmax(1).tolist()]
    right = np.array(names) == np.array(told)
    if not right.any():
        raise Failure(
            f"The network names none of these {len(names)} pictures rightly: there is no shape and "
            "no texture that it knows. Train it first (hubel evaluate says how good it is)."
        )
    wrong = ["" if ok else f"it is named {name}" for ok, name in zip(right, told, strict=True)]
    vouched = np.zeros(len(names), bool)
    if judge is not None:
        with speaking_of("the referee"):
            theirs = _referee(found, judge, ours.device, workers, watch)
        vouched = np.array(names) == np.array(theirs)
        doubts = [f"the referee names it {name}" if name else "the referee does not know its class"
                  for name in theirs]  # fmt: skip
        for i in np.flatnonzero(~vouched & right):
            wrong[i] = doubts[i]
    return Said(right, vouched, tuple(wrong))


def _referee(
    found: Sources, judge: Classifier, where: torch.device, workers: int, watch: Watch
) -> list[str]:
    """What the referee names each picture; "" for those of a class that it does not know."""
    classes = found.samples.classes
    labels = [classes[k] for k in found.samples.labels]
    try:
        theirs = namer(judge, classes, where)
    except Mistake:  # it may know some of them
        theirs = Namer(judge, judge.classes, False, where)
    if not {*map(class_folder, labels)} & {*map(class_folder, theirs.classes)}:
        return [""] * len(labels)
    images = decode(found.samples, judge.pixels, "referee", workers=workers, watch=watch).images
    told = [theirs.classes[k] for k in theirs.probabilities(images).argmax(1).tolist()]
    # a folder's name may be that of a class but for what no folder's can hold
    known = {class_folder(name): name for name in theirs.classes}
    ours = {label: known.get(class_folder(label)) for label in labels}
    return [
        "" if ours[label] is None else label if name == ours[label] else name
        for name, label in zip(told, labels, strict=True)
    ]


def plan_of(
    found: Sources, ours: Namer, said: Said, *, pairs: int, seed: int, judged: bool
) -> Plan:
    """The design, over pictures that both networks name rightly.

    Of a class of which the referee names none rightly, over those that the model does: images with
    it are made, to be looked at, and do not count.
    """
    usable, notes = said.right.copy(), list[str]()
    numbers = np.unique(found.labels)
    for label in numbers if judged else ():
        own = found.labels == label
        if (own & said.right & said.vouched).any():
            usable &= ~own | said.vouched
        elif (own & said.right).any():
            notes.append(
                f"Of {ours.classes[label]} the referee names no picture rightly that the network "
                "does: images with it do not count."
            )
    short = [ours.classes[k] for k in numbers if not usable[found.labels == k].any()]
    if short:
        notes.append(
            f"There are no cue conflicts with {', '.join(short)}: the network names no picture of "
            f"{'these' if len(short) > 1 else 'this class'} rightly."
        )
    index = np.flatnonzero(usable)
    left = len(numbers) - len(short)
    if left < 2:
        notes.append("A cue conflict takes two classes that the network can name: none was made.")
        return Plan((), tuple(notes), len(index))
    made = design(found.labels[index], pairs=pairs, seed=seed)
    if len(made) != pairs:
        notes.append(
            f"Of {pairs} images {len(made)} are made: so many the pictures allow, balanced over "
            f"{left} classes."
        )
    if not judged:
        notes.append(f"There is no shape bias: {NO_REFEREE}.")
    pictures = index.tolist()
    return Plan(
        tuple(p._replace(shape=pictures[p.shape], texture=pictures[p.texture]) for p in made),
        tuple(notes), len(index),
    )  # fmt: skip


def conflicts_of(
    found: Sources, ours: Namer, images: NDArray[np.uint8], plan: Plan, said: Said, *, judged: bool
) -> Conflicts | None:
    """What the network makes of the images, and which of them count; None of none."""
    if not len(images):
        return None
    pairs = plan.pairs[: len(images)]
    answers = ours.probabilities(images)
    trials = []
    for pair, decision in zip(pairs, answers.argmax(1).tolist(), strict=True):
        excluded = "" if judged else NO_REFEREE
        for role, picture in (("shape", pair.shape), ("texture", pair.texture)):
            if judged and not excluded and not said.vouched[picture]:
                excluded = f"of the {role}'s picture: {said.wrong[picture]}"
        if not excluded and not found.patched[pair.texture]:
            excluded = "no patch of its texture could be cut out of the object"
        trials.append(
            Trial(
                found.names[pair.shape],
                found.names[pair.texture],
                ours.classes[pair.shape_class],
                ours.classes[pair.texture_class],
                ours.classes[decision],
                excluded,
            )
        )
    return Conflicts(images, pairs, answers, trials)
