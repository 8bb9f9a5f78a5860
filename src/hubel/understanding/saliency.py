"""Which pixels a score answers to: gradient, SmoothGrad, integrated gradients, Grad-CAM.

Of a network, pixels (N, C, H, W) in [0, 1] and a score, one number a picture; positive values are
what the score grows with. A pretty map is not yet a right one: see `sanity` and `perturbation`.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from hubel import draws
from hubel.logits import checked
from hubel.mistakes import Failure, Mistake, unknown
from hubel.model import evaluating
from hubel.understanding.arrangement import MAPS_FIRST, arranged, order
from hubel.understanding.outputs import Handed, handed_on
from hubel.understanding.probes import Score, Slopes, differentiate, recording

CHUNK = 16  # pictures that are differentiated at once
RESOLVED = 4  # places along a side, from which on a map says where
# steps → places on the way from the baseline (−1) to the picture (1), and their weights
RULES: dict[str, Callable[[int], tuple[NDArray[np.float64], NDArray[np.float64]]]] = {
    "gauss-legendre": np.polynomial.legendre.leggauss,
    "midpoint": lambda steps: ((2 * np.arange(steps) + 1) / steps - 1, np.full(steps, 2 / steps)),
}


class Integrated(NamedTuple):
    """attributions: (N, C, H, W), of each pixel value to the score. difference: (N,), score of the
    picture minus that of the baseline, which the attributions should sum to. error: (N,), by how
    much they miss it, ≥ 0; relative: (N,), as a share of the difference's size.
    """

    attributions: Tensor
    difference: Tensor
    error: Tensor
    relative: Tensor


class GradCam(NamedTuple):
    """layer: whose maps. weights: (N, K), of each of them. maps: (N, h, w) in the layer's size;
    enlarged: (N, H, W) in the picture's, bilinearly. Both ≥ 0 unless signed.
    """

    layer: str
    weights: Tensor
    maps: Tensor
    enlarged: Tensor


def of_class(labels: int | Sequence[int] | Tensor, *, probability: bool = False) -> Score:
    """The score of a class: its logit, or its probability by softmax; output (N, K) → (N,).

    labels: one class for all pictures, or one for each. The score raises Mistake for a label that
    is not among the K classes and for a number of labels that is not the pictures'.

    >>> float(of_class(1)(torch.tensor([[0.5, 2.0]])))
    2.0
    """
    given: Any = labels.tolist() if isinstance(labels, Tensor) else labels
    alone = not isinstance(given, Sequence)
    try:
        wanted = [operator.index(k) for k in ([given] if alone else given)]
    except TypeError:
        raise Mistake(f"A class is given by its number, not by {labels!r}.") from None

    def score(output: Tensor) -> Tensor:
        n, classes = checked(output, len(output)).shape
        if outside := [k for k in wanted if not 0 <= k < classes]:
            raise Mistake(f"There are the classes 0 to {classes - 1}, and no class {outside[0]}.")
        if not alone and len(wanted) != n:
            raise Mistake(f"There are {n} pictures and labels for {len(wanted)}.")
        # made here and not outside: one made in inference mode could not be differentiated
        index = torch.tensor(wanted, dtype=torch.long, device=output.device)
        values = output.softmax(1) if probability else output
        return values.gather(1, index.expand(n)[:, None])[:, 0]

    return score


def to_map(attributions: Tensor, *, signed: bool = False) -> Tensor:
    """(N, C, H, W) → maps (N, H, W): of each pixel the largest size among its channels, ≥ 0
    (Simonyan et al. 2014, section 3.1); or signed, their sum, by which attributions stay complete.
    """
    return attributions.sum(1) if signed else attributions.abs().amax(1)


def gradient(network: nn.Module, pixels: Tensor, score: Score) -> Tensor:
    """The score's gradient by the pixels, (N, C, H, W), signed (Simonyan et al. 2014, section 3).

    Raises Mistake for what are no pixels, Failure where something is not finite, as all here do.
    """
    _check(pixels)
    return _slopes(network, pixels, score, 0, len(pixels)).pixels


def smooth_gradient(
    network: nn.Module,
    pixels: Tensor,
    score: Score,
    *,
    noise: float = 0.15,
    samples: int = 50,
    seed: int = 0,
    chunk: int = CHUNK,
) -> Tensor:
    """SmoothGrad (Smilkov et al. 2017): the mean gradient over noisy copies, (N, C, H, W), signed.

    noise: normal, its standard deviation a share of each picture's range, max − min (the paper: 0.1
    to 0.2). It is the same for all pictures but for its size, so that a map does not depend on its
    company, and may leave [0, 1], as in the paper. chunk: copies differentiated at once.
    """
    _check(pixels, samples=samples, chunk=chunk)
    if not 0 <= noise < float("inf"):
        raise Mistake(f"noise is a share of the picture's range, 0 or more, not {noise}.")
    n, total = len(pixels), torch.zeros_like(pixels, dtype=torch.float64)
    ranges = pixels.amax((1, 2, 3), keepdim=True) - pixels.amin((1, 2, 3), keepdim=True)
    deviation = noise * ranges.detach()
    for start, copy, which in _jobs(samples, pixels, chunk):
        seeds = [draws.integer(seed, "smooth gradient", int(number)) for number in copy]
        own = torch.Generator()
        normal = [torch.randn(pixels.shape[1:], generator=own.manual_seed(one)) for one in seeds]
        noisy = pixels.detach()[which] + deviation[which] * torch.stack(normal).to(pixels)
        slopes = _slopes(network, noisy, score, start, n)
        total.index_add_(0, which, slopes.pixels.double())
    return (total / samples).to(pixels)


def integrated_gradients(
    network: nn.Module,
    pixels: Tensor,
    score: Score,
    *,
    baseline: Tensor | float = 0.0,
    steps: int = 50,
    rule: str = "gauss-legendre",
    chunk: int = CHUNK,
) -> Integrated:
    """Integrated gradients (Sundararajan et al. 2017, equation 1), and by how much they miss.

    baseline: a grey value (0, black, is the paper's), or pixels that go with (N, C, H, W). The
    integral along the straight way from there to the picture is approximated at `steps` points:
    "gauss-legendre", or "midpoint", which is the paper's equation 3 at better places. Exact
    attributions sum to the difference in score (proposition 1): the error tells whether the steps
    were enough. chunk: points differentiated at once.
    """
    _check(pixels, steps=steps, chunk=chunk)
    if rule not in RULES:
        raise unknown("rule of integration", rule, RULES)
    end, n = pixels.detach(), len(pixels)
    given = torch.as_tensor(baseline, dtype=pixels.dtype, device=pixels.device)
    try:
        begin = given.detach().expand(pixels.shape)
    except RuntimeError:
        raise Mistake(f"A baseline {tuple(given.shape)} is none of {tuple(end.shape)}.") from None
    # the two ends weigh nothing: they are there for their scores
    nodes, shares = RULES[rule](steps)
    total = torch.zeros_like(pixels, dtype=torch.float64)
    places, weights = (
        total.new_tensor([0, *(nodes + 1) / 2, 1]),
        total.new_tensor([0, *shares / 2, 0]),
    )
    scores = [total.new_zeros(0)]
    for start, step, which in _jobs(steps + 2, pixels, chunk):
        place, weight = (row[step].view(-1, 1, 1, 1) for row in (places, weights))
        between = torch.lerp(begin[which], end[which], place.to(pixels))
        slopes = _slopes(network, between, score, start, n)
        scores.append(slopes.score.double())
        total.index_add_(0, which, weight * slopes.pixels)
    attributions = total * (end - begin)
    low, *_, high = torch.cat(scores).view(steps + 2, n)
    difference = high - low
    error = (attributions.sum((1, 2, 3)) - difference).abs()
    relative = torch.where(error == 0, 0, error / difference.abs())
    return Integrated(*(x.to(pixels) for x in (attributions, difference, error, relative)))


def grad_cam(
    network: nn.Module,
    pixels: Tensor,
    score: Score,
    *,
    layer: str | None = None,
    signed: bool = False,
) -> GradCam:
    """Grad-CAM (Selvaraju et al. 2017, equations 1 and 2) at a layer; None: at the last maps.

    Each of the layer's maps is weighted by the mean of the score's gradient by it; their sum is cut
    off at 0, unless signed, where what speaks against the class is negative. A layer may hand on
    its channels last, (N, h, w, K), which is recognised. Raises Mistake for one without maps.
    """
    _check(pixels)
    layer = last_maps(network, pixels) if layer is None else layer
    slopes = _slopes(network, pixels, score, 0, len(pixels), at=[layer])
    values = slopes.values[layer]
    if values.ndim != 4:
        shape = tuple(values.shape)
        raise Mistake(f"Grad-CAM needs a layer of maps (N, K, h, w); {layer} hands on {shape}.")
    way = order(network, pixels, layer)
    values = values.permute(way)
    weights = slopes.gradients[layer].permute(way).mean((2, 3))
    summed = torch.einsum("nk,nkhw->nhw", weights, values)
    maps = summed if signed else summed.relu()
    enlarged = F.interpolate(maps[:, None], size=pixels.shape[2:], mode="bilinear")[:, 0]
    return GradCam(layer, weights, maps, enlarged)


def last_maps(network: nn.Module, pixels: Tensor) -> str:
    """The module that is the last to hand on maps (N, K, h, w) of more than one position.

    Found on the first picture; of a Model the name is its network's. Raises Mistake without any.
    """
    return _maps(network, pixels)[-1].name


def middle_maps(network: nn.Module, pixels: Tensor) -> str:
    """The module about two thirds of the way through the maps whose own are worth looking at.

    Early ones answer to edges, late ones to all of the picture. Its maps have RESOLVED places or
    more along each side and nothing below 0, as behind a ReLU, where a place that answers to
    nothing is 0; a condition that no module meets is left out. Found on the first picture, N ≥ 1.
    Raises Mistake without any.
    """
    found = _maps(network, pixels)
    last = len(found) - 1
    # of a block and the last of its modules, which hand on the same, the block is named
    inner = {a.name for a, b in pairwise(found) if a.name.startswith(f"{b.name}.")}
    way = {each.name: abs(i / max(last, 1) - 2 / 3) for i, each in enumerate(found)}
    order = [each for each in sorted(found, key=lambda each: way[each.name])
             if each.name not in inner]  # fmt: skip
    order = [each for each in order if min(each.shape[2:]) >= RESOLVED] or order
    order = [each for each in order if way[each.name] < 1 / 6] or order
    with evaluating(network) as own, torch.no_grad():
        names = [each.name for each in order]
        with recording(own, names) as values:
            own(pixels[:1])
    return next((name for name in names if float(values[name].min()) >= 0), names[0])


def _maps(network: nn.Module, pixels: Tensor) -> list[Handed]:
    """All that hand on maps (N, K, h, w) of more than one position, in their order."""
    _check(pixels)
    one = pixels[:1] if len(pixels) else pixels.new_zeros(1, *pixels.shape[1:])
    found = [
        each
        for each in handed_on(network, one)
        if len(each.shape) == 4
        and each.shape[2] * each.shape[3] > 1
        and arranged(each, one.shape[2:]) == MAPS_FIRST
    ]
    if not found:
        raise Mistake("This network has no convolution: no layer of it hands on maps (N, K, h, w).")
    return found


def _slopes(
    network: nn.Module, pixels: Tensor, score: Score, start: int, n: int, at: Sequence[str] = ()
) -> Slopes:
    """Differentiate, and insist that all is finite. Of n pictures these are, going round, those
    from number `start` on; the score is given all n at once."""
    every = _of_rows(score, start % n, n, len(pixels)) if n else score
    slopes = differentiate(network, pixels, every, at=at)
    found = {"output": slopes.output, "score": slopes.score, "gradient by pixels": slopes.pixels}
    found |= {f"activation of {name}": value for name, value in slopes.values.items()}
    found |= {f"gradient by {name}": value for name, value in slopes.gradients.items()}
    for what, tensor in found.items():
        for i in (~tensor.isfinite()).nonzero()[:1, 0].tolist():
            rows = handed_on(network, pixels[i : i + 1])
            first = next((f", first in {row.name}" for row in rows if not row.finite), "")
            raise Failure(f"The {what} of picture {(start + i) % n} is not finite{first}.")
    return slopes


def _of_rows(score: Score, before: int, n: int, here: int) -> Score:
    """A score of n pictures at once, of `here` rows that begin at picture `before` and go round."""

    def of(output: Tensor) -> Tensor:
        if not isinstance(output, Tensor) or len(output) != here:
            checked(output, here)
        after = -(before + len(output)) % n
        # others stand in for the pictures that are not here, and their scores are dropped
        rows = torch.cat((output[:1].expand(before, *output.shape[1:]), output,
                          output[:1].expand(after, *output.shape[1:])))  # fmt: skip
        scores = [score(block) for block in torch.split(rows, n)]
        if any(each.shape != (n,) for each in scores):
            raise Mistake(f"A score is one number a picture, ({n},), not {tuple(scores[0].shape)}.")
        return torch.cat(scores)[before : before + len(output)]

    return of


def _jobs(times: int, pixels: Tensor, chunk: int) -> Iterator[tuple[int, Tensor, Tensor]]:
    """All pictures so many times, in chunks: where it starts, and the time and picture of each."""
    n = len(pixels)
    for start in range(0, times * n, chunk):
        number = torch.arange(start, min(start + chunk, times * n), device=pixels.device)
        yield start, number // n, number % n


def _check(pixels: Tensor, **counts: int) -> None:
    if pixels.ndim != 4 or not pixels.is_floating_point():
        found = f"{pixels.dtype} {tuple(pixels.shape)}"
        raise Mistake(f"Pixels are floating-point (N, C, H, W) in [0, 1], not {found}.")
    if not pixels.isfinite().all():
        raise Mistake("The pixels are not all finite.")
    for name, value in counts.items():
        if value < 1:
            raise Mistake(f"{name} is 1 or more, not {value}.")
