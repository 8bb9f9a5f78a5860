"""A model's answers for many pictures: gathered into batches of the size that is fastest."""

import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.inference import batch_size as sizes
from hubel.inference.batch_size import BatchSize
from hubel.inference.folding import folded
from hubel.inference.layout import USUAL, lay_out
from hubel.logits import finite
from hubel.mistakes import Mistake
from hubel.model import Classifier, Model
from hubel.twins import evaluated

Network = TypeVar("Network", bound=Model)
# Folding and a new layout take half a second; that many pictures must be expected to be worth it
# (EfficientNet-Lite0 at 224 gains 3 to 6 ms a picture by them, under the same allocator).
WORTH_PREPARING = 128
FEW = 16  # pictures in a batch when fewer are expected, and there is nothing to find out


class Answers:
    """Logits for pictures that come in one by one or many at once; they leave in that order.

    >>> from hubel.model import Classifier, PixelSpec
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> model = Classifier(net, classes=("cat", "dog"), pixels=PixelSpec((2, 2), channels=1))
    >>> answers = Answers(model, expected=3)
    >>> answers.add(np.zeros((3, 1, 2, 2), np.uint8))
    >>> answers.logits().shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        classifier: Model,
        *,
        expected: int,
        batch_size: int | None = None,
        device: torch.device | str = "cpu",
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """expected: about how many pictures will come; for many, a folded copy answers.

        batch_size: None finds the fastest. progress(answered, expected). The classifier is used as
        it is and left so, mode and layout included; it must be on the device.
        """
        if batch_size is not None and batch_size < 1:
            raise Mistake(f"A batch holds at least one picture, not {batch_size}.")
        self._device = torch.device(device)
        self._expected, self._progress = expected, progress
        self._kind = ""  # of job, for which the best size is remembered; none when it is given
        spec = classifier.pixels
        picture = (spec.channels, *spec.size)
        many = expected >= WORTH_PREPARING
        ready = prepared(classifier) if many else (evaluated(classifier), USUAL)
        self._classifier, self._layout = ready
        if many:
            if batch_size is None:
                self._kind = sizes.kind(classifier, picture, self._device)
                batch_size = sizes.recall(self._kind)
        elif batch_size is None:
            batch_size = FEW
        self._size = BatchSize(picture, batch_size)
        self._waiting: deque[NDArray[np.uint8]] = deque()
        self._count = 0
        self._parts: list[Tensor] = []
        self._answered = 0

    def add(self, images: NDArray[np.uint8]) -> None:
        """images uint8 (n, C, H, W): answered as soon as a batch of them is full."""
        self._waiting.append(images)
        self._count += len(images)
        while self._count >= self._size.next:
            self._answer(self._take(self._size.next))

    @property
    def batch_size(self) -> int:
        """Pictures in a batch: given, remembered, or the best found so far."""
        return self._size.best

    @property
    def settling(self) -> bool:
        """Whether batches of several sizes are still being tried."""
        return self._size.settling

    def logits(self) -> Tensor:
        """float32 (N, K) on the CPU, for all pictures added so far, in their order."""
        found = self.outputs()
        if len(found) or not isinstance(self._classifier, Classifier):
            return found
        return torch.empty(0, len(self._classifier.classes))

    def outputs(self) -> Tensor:
        """The same where the network answers with other things than logits; (0,) of no pictures."""
        while self._count:
            self._answer(self._take(self._size.next))
        self._parts = [torch.cat(self._parts)] if self._parts else []
        return self._parts[0] if self._parts else torch.empty(0)

    def _take(self, wanted: int) -> NDArray[np.uint8]:
        """The next `wanted` pictures in line, or as many as there are."""
        taken: list[NDArray[np.uint8]] = []
        missing = min(wanted, self._count)
        self._count -= missing
        while missing:
            first = self._waiting.popleft()
            taken.append(first[:missing])
            if len(first) > missing:
                self._waiting.appendleft(first[missing:])
            missing -= len(taken[-1])
        return taken[0] if len(taken) == 1 else np.concatenate(taken)

    def _answer(self, images: NDArray[np.uint8]) -> None:
        began = time.perf_counter()
        with torch.inference_mode():
            pixels = torch.from_numpy(images).to(self._device, memory_format=self._layout)
            logits = finite(self._classifier(pixels.float().div_(255)).float().cpu())
        self._parts.append(logits)
        if self._size.took(len(images), time.perf_counter() - began) and self._kind:
            sizes.remember(self._kind, self._size.next)
        self._answered += len(images)
        if self._progress is not None:
            self._progress(self._answered, self._expected)


def prepared(classifier: Network) -> tuple[Network, torch.memory_format]:
    """A copy that answers faster, and the layout that its pixels are to have.

    Batch norms are folded, and kernels have their channels last where the network takes them so.
    What cannot be copied (a network of the user's that holds on to a graph, say) answers itself, in
    evaluation mode.
    """
    spec = classifier.pixels
    pixels = classifier.mean.new_zeros(1, spec.channels, *spec.size)
    try:
        ready = folded(classifier, pixels)
    except (RuntimeError, TypeError):
        return evaluated(classifier), USUAL
    return ready, lay_out(ready, pixels)
