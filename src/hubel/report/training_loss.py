"""What the grey curves of a training are of, in words: the pictures as they were trained on."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

# recipe's key → what it does to a training picture
CHANGES = {
    "crop": "cropped",
    "margin": "cropped",
    "resized_crop": "cropped",
    "flip": "mirrored",
    "rotate": "turned",
    "scale": "scaled",
    "shift": "shifted",
    "shear": "slanted",
    "perspective": "seen askew",
    "elastic": "bent",
    "brightness": "made lighter or darker",
    "contrast": "changed in contrast",
    "saturation": "changed in colour",
    "hue": "changed in colour",
    "lighting": "changed in colour",
    "greyscale": "made grey",
    "trivial": "changed in one of many ways",
    "blur": "blurred",
    "erase": "partly erased",
    "stylised": "given other surfaces",
    "mixup": "mixed with another",
    "cutmix": "mixed with another",
}
ATTACKED = ("fast", "pgd")  # adversaries whose pictures the loss is of; that of trades adds to it


class Grey(NamedTuple):
    """The curves' labels in their legends, and a sentence below them."""

    loss: str
    accuracy: str
    sentence: str


def grey(recipe: Mapping[str, object], *, dropout: bool = False) -> Grey:
    """What is on in the recipe, and nothing else; dropout: whether the network has some.

    >>> grey({"flip": True, "rotate": 0.0, "smoothing": 0.1}).loss
    'training: augmented, smoothed'
    >>> print(grey({}).sentence)
    Grey: the training pictures, measured as the epoch ran, while the network was still learning.
    """
    if recipe.get("start") and recipe.get("epochs") == 1:  # which fits the last layer alone
        return Grey("training", "training", "Grey: the training pictures as they are, after it.")
    changes = list(dict.fromkeys(what for key, what in CHANGES.items() if recipe.get(key)))
    attacked = recipe.get("adversary") in ATTACKED
    pictures = ["augmented"] * bool(changes) + ["attacked"] * attacked
    loss = pictures + ["smoothed"] * bool(recipe.get("smoothing"))
    return Grey(
        _label(loss), _label(pictures), " ".join(_sentences(recipe, changes, attacked, dropout))
    )


def _label(words: list[str]) -> str:
    return f"training: {', '.join(words)}" if words else "training"


def _sentences(
    recipe: Mapping[str, object], changes: list[str], attacked: bool, dropout: bool
) -> Iterator[str]:
    how = f", {_listed(changes)} at random" if changes else ""
    how += f", {'and ' * bool(changes)}attacked" if attacked else ""
    yield (
        f"Grey: the training pictures{how}{', with dropout' if dropout else ''}, measured as the "
        "epoch ran, while the network was still learning."
    )
    counts = []
    if recipe.get("smoothing"):
        counts.append(f"with label smoothing of {recipe['smoothing']:g}")
    if recipe.get("class_weights") == "balanced":
        counts.append("with rare classes weighing more")
    kind = recipe.get("loss", "cross-entropy")
    if kind != "cross-entropy":
        counts.append(f"of the kind {kind}")
    if counts:
        yield f"The grey loss is {_listed(counts)}."
    if recipe.get("start"):
        yield (
            "In the first epoch the last layer alone was fitted: its figures are of the pictures "
            "as they are, after it."
        )
    if changes or attacked or counts or dropout:
        cross = ", whose loss is plain cross-entropy" if counts else ""
        yield (
            f"None of that holds for the validation curve{cross}: compare the two by their course, "
            "not by their height."
        )


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
