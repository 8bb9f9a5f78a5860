"""Shape against texture in photographs: a network with published weights, on cut-out objects.

Geirhos et al. 2019 ("ImageNet-trained CNNs are biased towards texture", section 2). Departure: what
is tested is a last layer, learned on EfficientNet-Lite0's features of the stamps' few classes, and
cue conflicts are made by patches (`breaking.texturing`), not by style transfer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import skimage.data
import torch
from torch import Tensor

from hubel.breaking import cues, masks
from hubel.breaking.cue_conflict import Pair, design
from hubel.breaking.shape_bias import Bias, Trial, shape_bias
from hubel.breaking.texturing import textured
from hubel.data.decoding import load
from hubel.data.samples import Splits
from hubel.data.sources import open_splits
from hubel.labs.lab import Setting
from hubel.labs.restyled import trials_of
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.networks import weights
from hubel.pixels import PixelSpec, fit
from hubel.transfer.features import pooled
from hubel.transfer.probe import probe
from hubel.verbs.stylised import in_other_surfaces

NETWORK = "efficientnet-lite0"
SIDE = 224
ELEPHANT = "animals/mammals/elephant.png"  # whose skin the lecture puts on a cat
CAT = "chelsea"  # a photograph of scikit-image
# how much of the object's light and shade is laid over the texture: `textured`'s usual, and others
SHADE, SHADES = 0.6, (0.0, 0.3)
HEADS = ("plain", "stylised")  # what the last layer learned from: photographs, or copies of them

Labelled = tuple[Tensor, Tensor]  # float32 (N, 3, 224, 224) in [0, 1], int64 (N,)
Head = tuple[Tensor, Tensor]  # weights (classes, D), biases (classes,)


class Named(NamedTuple):
    """A picture (C, H, W) in [0, 1], what it is, what it was named, and with what probability."""

    what: str
    pixels: Tensor
    name: str
    probability: float


@dataclass(frozen=True)
class Photos:
    """What was measured on photographs; of a last layer by what it learned from.

    right: accuracy by stimulus. bias: on the conflicts. by_shade: that of the plain last layer, by
    how much of the object's light and shade is laid over the other's texture. three: texture,
    object and conflict of a trial that was decided by texture, if there is one. lecture: of the
    lecture's own picture.
    """

    n: int
    right: Mapping[str, Mapping[str, float]]
    bias: Mapping[str, Bias]
    by_shade: Mapping[float, Bias]
    three: tuple[Named, ...]
    lecture: tuple[Named, ...]


def photographs(setting: Setting) -> Photos | str:
    """The measures; or why there are none, in a sentence."""
    pairs = setting.pick(0, 200, 1000)
    if not pairs:
        return "Photographs are left out of a quick lab."
    try:
        network = weights.load(NETWORK)
        splits = open_splits("stamps", seed=setting.seed)
    except Failure as wrong:
        return f"Photographs are left out. {wrong}"
    own, (pixels, labels) = _halves(splits)
    classes = splits.train.classes
    setting.watch.progress("photographs", 1, 6)
    found = masks.found(pixels.numpy())
    shown = cues.stimuli(pixels, found.masks)
    inside = cues.textures(pixels, found.masks).inside
    features = {name: _features(network, each) for name, each in shown.items()}
    setting.watch.progress("photographs", 2, 6)
    made = design(labels.numpy(), pairs=pairs, seed=setting.seed)
    sources = (
        pixels[[pair.shape for pair in made]], shown["texture"][[pair.texture for pair in made]]
    )  # fmt: skip
    conflicts = textured(*sources, seed=setting.seed, shade=SHADE)
    features["conflict"] = _features(network, conflicts)
    setting.watch.progress("photographs", 3, 6)
    heads = _heads(network, *own, classes, setting)
    # the same images count for both heads: those whose sources the plain one names
    plain = _probabilities(features, heads["plain"])
    why = _excluded(plain, made, labels, found.certain & inside)
    right, bias, trials = {}, {}, dict[str, list[Trial]]()
    for name in HEADS:
        said = {key: each.argmax(1) for key, each in _probabilities(features, heads[name]).items()}
        right[name] = {key: float((said[key] == labels).double().mean()) for key in shown}
        trials[name] = trials_of(said["conflict"].tolist(), made, classes, why)
        bias[name] = shape_bias(trials[name], seed=setting.seed)[0]
    by_shade = {SHADE: bias["plain"]}
    for shade in SHADES:
        other = textured(*sources, seed=setting.seed, shade=shade)
        named = _probabilities({"conflict": _features(network, other)}, heads["plain"])["conflict"]
        counted = trials_of(named.argmax(1).tolist(), made, classes, why)
        by_shade[shade] = shape_bias(counted, seed=setting.seed)[0]
    chosen = _surest(plain, made, trials["plain"])
    three = _three(plain, made[chosen], chosen, shown, conflicts, classes)
    lecture = _lecture(network, setting)
    setting.watch.progress("photographs", 6, 6)
    return Photos(len(labels), right, bias, dict(sorted(by_shade.items())), three, lecture)


def _halves(splits: Splits) -> tuple[Labelled, Labelled]:
    """Every other picture of each class, to learn the last layer from, and the rest, to test on.

    All the stamps there are: the set's own test split has some thirty.
    """
    spec = PixelSpec((SIDE, SIDE), 3, resize="pad")
    parts = [load(part, spec) for part in (splits.train, splits.validation, splits.test)]
    images = torch.from_numpy(np.concatenate([part.images for part in parts])).float() / 255
    labels = torch.from_numpy(np.concatenate([part.labels for part in parts]))
    order = labels.argsort(stable=True)
    first, second = order[::2], order[1::2]
    return (images[first], labels[first]), (images[second], labels[second])


def _features(network: Classifier, pixels: Tensor) -> Tensor:
    return pooled(network, (pixels * 255).round().to(torch.uint8).numpy())


def _heads(
    network: Classifier, pixels: Tensor, labels: Tensor, classes: tuple[str, ...],
    setting: Setting,
) -> dict[str, Head]:  # fmt: skip
    """The last layer on photographs, and on as many stylised copies, by the same regression."""
    copies = in_other_surfaces(pixels, seed=setting.seed, indices=np.arange(len(pixels)))
    setting.watch.progress("photographs", 4, 6)
    heads = {
        name: probe(_features(network, each), labels, classes=len(classes), balanced=True)
        for name, each in zip(HEADS, (pixels, copies), strict=True)
    }
    setting.watch.progress("photographs", 5, 6)
    return heads


def _probabilities(features: Mapping[str, Tensor], head: Head) -> dict[str, Tensor]:
    slope, offset = head
    return {name: (each @ slope.T + offset).softmax(1) for name, each in features.items()}


def _excluded(
    said: Mapping[str, Tensor], pairs: tuple[Pair, ...], labels: Tensor, fit_for_texture: np.ndarray
) -> list[str]:
    """Why an image does not count: its sources must be what they are said to be."""
    shape = (said["original"].argmax(1) == labels).tolist()
    texture = (said["texture"].argmax(1) == labels).tolist()
    why = []
    for pair in pairs:
        if not fit_for_texture[pair.texture]:
            why.append("no patch of its texture could be cut out")
        elif not shape[pair.shape]:
            why.append("the object is not recognised")
        else:
            why.append("" if texture[pair.texture] else "the texture is not recognised")
    return why


def _surest(said: Mapping[str, Tensor], pairs: tuple[Pair, ...], trials: list[Trial]) -> int:
    """Of the images that count, if any do, and are named by texture, if any is, the surest."""
    counts = [i for i, trial in enumerate(trials) if not trial.excluded]
    among = [i for i in counts if trials[i].cue == "texture"] or counts or range(len(pairs))
    return max(among, key=lambda i: float(said["texture"][pairs[i].texture].max()))


def _three(
    said: Mapping[str, Tensor], pair: Pair, number: int, shown: Mapping[str, Tensor],
    conflicts: Tensor, classes: tuple[str, ...],
) -> tuple[Named, ...]:  # fmt: skip
    def named(what: str, pixels: Tensor, probabilities: Tensor) -> Named:
        best = int(probabilities.argmax())
        return Named(what, pixels, classes[best], float(probabilities[best]))

    texture, shape = classes[pair.texture_class], classes[pair.shape_class]
    return (
        named(f"texture: {texture}", shown["texture"][pair.texture], said["texture"][pair.texture]),
        named(f"object: {shape}", shown["original"][pair.shape], said["original"][pair.shape]),
        named(f"{shape}, in {texture}", conflicts[number], said["conflict"][number]),
    )


def _lecture(network: Classifier, setting: Setting) -> tuple[Named, ...]:
    """The lecture's picture from photographs that are here: a cat with an elephant's skin."""
    splits = open_splits("stamps", seed=setting.seed)
    found = [
        part.subset(np.array([part.names.index(ELEPHANT)]))
        for part in (splits.train, splits.validation, splits.test)
        if ELEPHANT in part.names
    ]
    if not found:
        return ()
    elephant = load(found[0], PixelSpec((SIDE, SIDE), 3, resize="pad")).images
    animal = torch.from_numpy(elephant).float() / 255
    skin = cues.textures(animal, masks.found(animal.numpy()).masks).pixels
    picture = np.asarray(getattr(skimage.data, CAT)())
    cat = torch.from_numpy(fit(picture, PixelSpec((SIDE, SIDE), 3))).permute(2, 0, 1)[None] / 255
    both = textured(cat, skin, seed=setting.seed)
    shown = torch.cat((skin, cat, both))
    with torch.no_grad():
        probabilities = network(shown).softmax(1)
    best = probabilities.max(1)
    whats = ("texture: elephant skin", "object: cat", "cat, in elephant skin")
    return tuple(
        Named(what, image, network.classes[int(k)], float(p))
        for what, image, k, p in zip(whats, shown, best.indices, best.values, strict=True)
    )
