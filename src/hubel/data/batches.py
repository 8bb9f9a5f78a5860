"""Batches of an epoch, cut from pictures in memory by whole-batch indexing."""

from collections.abc import Iterator

import torch
from torch import Tensor

from hubel import draws
from hubel.data.augment.compose import Augmentation
from hubel.data.augment.mixing import Mixing
from hubel.mistakes import Failure, Mistake


class Batches:
    """The batches of any epoch, from any step on: order and augmentation are pure draws.

    images uint8 (N, C, H, W) and labels int64 (N,) stay where they are; a batch is float32 in
    [0, 1] on the device. A last batch of one picture is joined to the one before it, because batch
    normalisation cannot standardise a single value.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        batch_size: int,
        seed: int,
        augment: Augmentation | None = None,
        mix: Mixing | None = None,
        device: torch.device | str = "cpu",
        channels_last: bool = False,
    ) -> None:
        if batch_size < 1:
            raise Mistake(f"A batch holds at least one picture, not {batch_size}.")
        if len(images) == 0:
            raise Failure("There are no pictures to train on.")
        self._images, self._labels = images, labels
        self._seed, self._augment, self._mix = seed, augment, mix
        self._device = torch.device(device)
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        n = len(images)
        alone = batch_size > 1 and n > batch_size and n % batch_size == 1
        self._bounds = [*range(0, n, batch_size), n]
        if alone:
            del self._bounds[-2]

    def __len__(self) -> int:
        """Steps in an epoch."""
        return len(self._bounds) - 1

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """(pixels float32 (n, C, H, W), labels (n,)) of the epoch's steps from `start` on.

        Where pictures are mixed, the labels are shares of the classes, float32 (n, K).
        """
        order = torch.from_numpy(draws.order(self._seed, epoch, len(self._images)))
        for step in range(start, len(self)):
            chosen = order[self._bounds[step] : self._bounds[step + 1]]
            images, labels = self._images[chosen], self._labels[chosen]
            if self._device.type == "cuda":
                images = images.pin_memory().to(self._device, non_blocking=True)
                labels = labels.pin_memory().to(self._device, non_blocking=True)
            else:
                images, labels = images.to(self._device), labels.to(self._device)
            pixels = images.float().div_(255)
            if self._augment is not None:
                pixels = self._augment(pixels, chosen.numpy(), self._seed, epoch)
            if self._mix is not None:
                pixels, labels = self._mix(pixels, labels, chosen.numpy(), self._seed, epoch)
            yield pixels.contiguous(memory_format=self._layout), labels
