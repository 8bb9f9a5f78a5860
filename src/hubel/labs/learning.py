"""What the labs that train share: pictures in memory, and one short training with its curves.

The loop is `hubel.training.loop.fit`; nothing is written to disk. Labs do not tune: their figures
are on pictures that were not trained on, taken once.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hubel import draws
from hubel.data import scenes as scene
from hubel.data.augment.compose import Augmentation
from hubel.data.batches import Batches
from hubel.data.decoding import load
from hubel.data.samples import Arrays, Samples
from hubel.data.sources import is_here, open_splits
from hubel.model import Classifier, evaluating
from hubel.pixels import PixelSpec
from hubel.training import losses, optimisers, schedule
from hubel.training.loop import Epoch, LossFunction, Step, TrainingState, fit
from hubel.verbs import machine
from hubel.verbs.prepare import statistics

BATCH = 500  # pictures at a time where only answers are wanted


@dataclass(frozen=True)
class Pictures:
    """images uint8 (N, C, H, W) and labels int64 (N,), to learn from and to test on; classes.

    what: the data in words, for captions and findings.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    what: str

    @property
    def spec(self) -> PixelSpec:
        """The pixels that a network trained on these expects, standardised by their statistics."""
        _, channels, height, width = self.train.shape
        mean, std = statistics(self.train.numpy())
        return PixelSpec((height, width), channels, mean, tuple(max(s, 1e-6) for s in std))


def grey_pictures(train: int, test: int, *, seed: int = 0, side: int | None = None) -> Pictures:
    """Fashion-MNIST where it is, else scikit-learn's digits; so many pictures, drawn by the seed.

    side: resized to side × side; None: as they are (28 or 8). The numbers are what there is at
    most. The test pictures are the data's own test split.
    """
    name = "fashion-mnist" if is_here("fashion-mnist") else "digits"
    return pictures(name, train, test, seed=seed, side=side)


def colour_pictures(train: int, test: int, *, seed: int = 0, side: int = 32) -> Pictures:
    """CIFAR-10 where its files are, else articles of clothing in colour before photographs.

    Without either (no Fashion-MNIST) a Failure says how to get one.
    """
    if is_here("cifar10"):
        return pictures("cifar10", train, test, seed=seed, side=side)
    splits = open_splits("fashion-mnist", seed=seed)
    parts: list[tuple[Tensor, Tensor]] = []
    for n, (part, samples, wanted) in enumerate(
        (("train", splits.train, train), ("test", splits.test, test))
    ):
        chosen = draws.order(seed, 0, len(samples))[:wanted]
        articles = samples.subset(chosen)
        if not isinstance(articles, Arrays):
            raise TypeError(f"the {part} articles are not in memory")
        scenes = scene.compose(articles, side=max(side, 32), seed=draws.integer(seed, "scenes", n))
        spec = PixelSpec((side, side), 3)
        loaded = load(scenes, spec)
        parts.append((torch.from_numpy(loaded.images), torch.from_numpy(loaded.labels)))
    what = "clothing in colour before photographs"
    return Pictures(*parts[0], *parts[1], splits.train.classes, what)


def pictures(
    name: str, train: int, test: int, *, seed: int = 0, side: int | None = None
) -> Pictures:
    """So many pictures of a data set that is here. Raises as `open_splits` does."""
    splits = open_splits(name, seed=seed)
    shape = splits.train.image_shape or (64, 64, 3)
    spec = PixelSpec((side, side) if side else shape[:2], shape[2])
    images: dict[str, tuple[Tensor, Tensor]] = {}
    parts: tuple[tuple[str, Samples, int], ...] = (
        ("train", splits.train, train),
        ("test", splits.test, test),
    )
    for part, samples, n in parts:
        chosen = draws.order(seed, 0, len(samples))[:n]
        loaded = load(samples.subset(chosen), spec)
        images[part] = torch.from_numpy(loaded.images), torch.from_numpy(loaded.labels)
    return Pictures(*images["train"], *images["test"], splits.train.classes, name)


@dataclass(frozen=True)
class Learned:
    """A trained classifier; its curves, one mapping an epoch; and whether the loss stayed finite.

    history: loss and accuracy as they ran over the epoch's training pictures; train_loss,
    train_accuracy, test_loss, test_accuracy measured after it; seconds so far. steps: the loss of
    every step.
    """

    classifier: Classifier
    history: tuple[Mapping[str, float], ...]
    steps: tuple[float, ...]
    finite: bool


def learn(
    network: nn.Module,
    data: Pictures,
    *,
    epochs: int,
    lr: float,
    optimiser: str = "sgd",
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    batch_size: int = 128,
    planned: str = "constant",
    loss: str | LossFunction = "cross-entropy",
    penalty: Callable[[nn.Module], Tensor] | None = None,
    augment: Augmentation | None = None,
    seed: int = 0,
    on_train: int = 2000,
    measured: Literal["each", "last"] = "each",
    precision: str = "float32",
    progress: Callable[[int, int], None] | None = None,
) -> Learned:
    """Train a network on pictures, in place, and measure it after every epoch.

    network: one that answers with logits of the classes, or a Classifier already.
    planned: a name of `hubel.training.schedule.NAMES`. on_train: how many training pictures the
    error after an epoch is measured on (0: none). measured: after each epoch, or the last alone.
    progress: (steps done, steps in all). A loss that
    is not finite ends the training and is no error here: a learning rate may be shown too high.
    """
    classifier = (
        network
        if isinstance(network, Classifier)
        else Classifier(network, classes=data.classes, pixels=data.spec)
    )
    batches = Batches(
        data.train, data.train_labels, batch_size=batch_size, seed=seed, augment=augment
    )
    made = optimisers.build(
        classifier.network.named_parameters(), kind=optimiser, lr=lr, momentum=momentum,
        nesterov=nesterov, weight_decay=weight_decay,
    )  # fmt: skip
    state = TrainingState()
    events = fit(
        classifier,
        batches,
        loss=losses.loss(loss) if isinstance(loss, str) else loss,
        optimiser=made,
        schedule=schedule.schedule(planned),
        epochs=epochs,
        state=state,
        seed=seed,
        penalty=penalty,
        autocast=machine.autocast(precision, torch.device("cpu")),
    )
    history: list[Mapping[str, float]] = []
    steps: list[float] = []
    finite = True
    try:
        for event in events:
            if isinstance(event, Step):
                steps.append(float(event.loss))
                if progress is not None:
                    progress(event.number, epochs * len(batches))
            elif isinstance(event, Epoch):
                wanted = measured == "each" or event.number == epochs
                errors = _errors(classifier, data, on_train) if wanted else {}
                history.append(dict(event.figures) | errors)
    except FloatingPointError:
        finite = False
    classifier.eval()
    return Learned(classifier, tuple(history), tuple(steps), finite)


def _errors(classifier: Classifier, data: Pictures, on_train: int) -> dict[str, float]:
    found: dict[str, float] = {}
    parts = [("test", data.test, data.test_labels)]
    if on_train:
        parts.append(("train", data.train[:on_train], data.train_labels[:on_train]))
    for name, images, labels in parts:
        logits = answers(classifier, images)
        found[f"{name}_loss"] = float(nn.functional.cross_entropy(logits, labels))
        found[f"{name}_accuracy"] = float((logits.argmax(1) == labels).double().mean())
    if not math.isfinite(found["test_loss"]):
        raise FloatingPointError
    return found


def answers(classifier: nn.Module, images: Tensor) -> Tensor:
    """The outputs for images uint8 (N, C, H, W), in evaluation mode; the mode is put back."""
    with evaluating(classifier) as classifier:
        parts = [classifier(part) for part in pixels(images)]
    return torch.cat(parts)


def pixels(images: Tensor) -> Iterator[Tensor]:
    """uint8 (N, C, H, W) as float pixels in [0, 1], some at a time."""
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH].float() / 255


def accuracy(classifier: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images uint8 (N, C, H, W) that is answered rightly."""
    return float((answers(classifier, images).argmax(1) == labels).double().mean())


def spread(values: Any) -> str:
    """Several values as "low to high", with three digits that count.

    >>> spread([0.91234, 0.9])
    '0.9 to 0.912'
    """
    found = [float(value) for value in values]
    return f"{min(found):.3g} to {max(found):.3g}"
