"""What a minimal attack looks for, and the nearest picture so far that is it."""

import torch
from torch import Tensor, nn

from hubel.breaking.gradient import check_labels, check_pixels
from hubel.breaking.layout import best_layout, laid_out
from hubel.breaking.minimal import Minimal, seen, slope_of
from hubel.logits import answered
from hubel.mistakes import Mistake


class Nearest:
    """N pictures, where each is to go, and the nearest picture found that is there.

    pixels (N, C, H, W) in [0, 1]. rivals (N,): the classes that they are pulled to: the targets,
    or the most likely wrong ones. leave (N,): the labels that they are to leave; with targets it is
    not enough to leave them. images like pixels, size (N,): the best so far, and the L2 of its
    change; infinite where there is none. Gradients must be on.
    """

    def __init__(
        self, network: nn.Module, pixels: Tensor, labels: Tensor, targets: Tensor | None
    ) -> None:
        _check(pixels, labels, targets)
        self.network, self.pixels, self.leave = network, pixels.detach(), labels.clone()
        self.targeted = targets is not None
        self.images = self.pixels.clone()
        self.size = self.pixels.new_full((len(pixels),), torch.inf)
        self.layout = best_layout(network, self.pixels)
        self.steps = torch.zeros_like(self.leave)
        everyone = torch.arange(len(pixels), device=pixels.device)
        with torch.no_grad():
            logits = answered(network, laid_out(self.pixels, self.layout))
        check_labels(logits, labels)
        self.rivals = _second(logits, labels) if targets is None else targets.clone()
        check_labels(logits, self.rivals)
        self.offer(self.pixels, logits, everyone)

    def left(self) -> Tensor:
        """The numbers of the pictures that are not fooled as they are."""
        return (self.size > 0).nonzero()[:, 0]

    def look(self, x: Tensor, numbers: Tensor, confidence: float = 0.0) -> tuple[Tensor, Tensor]:
        """Leaf and logits of changed pictures (n, …), with the graph; keeps those that are nearer.

        confidence: by how much the logits have to be beyond the boundary.
        """
        leaf, logits = seen(self.network, x, self.layout)
        self.offer(x.detach(), logits.detach(), numbers, confidence)
        return leaf, logits

    def offer(self, x: Tensor, logits: Tensor, numbers: Tensor, confidence: float = 0.0) -> None:
        size = (x - self.pixels[numbers]).flatten(1).norm(dim=1)
        nearer = self.there(logits, numbers, confidence) & (size < self.size[numbers])
        which = numbers[nearer]
        self.images[which], self.size[which] = x[nearer], size[nearer]

    def there(self, logits: Tensor, numbers: Tensor, confidence: float = 0.0) -> Tensor:
        """Which of these logits (n, K) are what is looked for, (n,)."""
        short = self.missing(logits, numbers)
        named = logits.argmax(1)
        met = named == self.rivals[numbers] if self.targeted else named != self.leave[numbers]
        return met & (short <= -confidence)

    def missing(self, logits: Tensor, numbers: Tensor) -> Tensor:
        """By how much each falls short, (n,): below 0 where it is what is looked for."""
        own = (self.rivals if self.targeted else self.leave)[numbers][:, None]
        others = logits.scatter(1, own, -torch.inf).amax(1)
        gap: Tensor = others - logits.gather(1, own)[:, 0]
        return gap if self.targeted else -gap

    def boundary(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Of these pictures as they are: the logits to the rival, and that gap's slope's square.

        Both (n,), above 0: a slope of none counts as 1.
        """
        leaf, logits = seen(self.network, self.pixels[numbers], self.layout)
        own, rival = logits.argmax(1)[:, None], self.rivals[numbers][:, None]
        gap = (logits.gather(1, own) - logits.gather(1, rival))[:, 0]
        slope = slope_of(gap.sum(), leaf)
        square = slope.flatten(1).square().sum(1)
        tiny = torch.finfo(square.dtype).tiny
        return gap.detach().clamp_min(1e-6), torch.where(square > tiny, square, 1.0)

    def found(self) -> Minimal:
        """The result; what was never fooled comes back as it was given, with size 0."""
        fooled = self.size.isfinite()
        size = torch.where(fooled, self.size, 0)
        return Minimal(self.images, fooled, size, self.steps)


def _second(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.scatter(1, labels[:, None], -torch.inf).argmax(1)


def _check(pixels: Tensor, labels: Tensor, targets: Tensor | None) -> None:
    check_pixels(pixels, labels)
    if targets is not None:
        check_pixels(pixels, targets)
        if bool((targets == labels).any()):
            raise Mistake("A target is another class than the picture's own; found the same.")
