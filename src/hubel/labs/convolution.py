"""Sizes and weights of convolutions: told a layer, a calculator; else also what a stride saves."""

import torch
from torch import Tensor, nn

from hubel.basics import arithmetic
from hubel.basics.convolution import convolution as convolved
from hubel.data.scenes import photographs
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.strides import strides
from hubel.report.drawing import ACCENT, INK, MUTED, panels, png, style

# size, filter, stride, padding and what the lecture says; None: it does not fit
CASES: tuple[tuple[int, int, int, int, int | None], ...] = (
    (7, 3, 1, 0, 5), (7, 3, 2, 0, 3), (7, 3, 3, 0, None), (7, 3, 1, 1, 7), (32, 5, 1, 2, 32),
    (224, 11, 4, 0, None), (227, 11, 4, 0, 55),
)  # fmt: skip


def convolution(
    setting: Setting,
    *,
    size: int | None = None,
    filter: int | None = None,
    stride: int | None = None,
    pad: int | None = None,
    filters: int | None = None,
    channels: int | None = None,
) -> Shown:
    """The size and weights of one layer, the lecture's cases, and what its stride costs and saves.

    What is not told is the lecture's: 32×32×3, ten 5×5 filters, stride 1; padding 2 where nothing
    is told and else 0; a layer that is told is calculated, and nothing trained. Raises Mistake,
    with the fraction, for what does not fit.
    """
    told = any(x is not None for x in (size, filter, stride, pad, filters, channels))
    size, filter = 32 if size is None else size, 5 if filter is None else filter
    stride, pad = 1 if stride is None else stride, (0 if told else 2) if pad is None else pad
    filters, channels = 10 if filters is None else filters, 3 if channels is None else channels
    side = arithmetic.fitting_size(size, filter, stride=stride, pad=pad)
    weights = arithmetic.parameters(filter, channels=channels, filters=filters)
    picture = nn.functional.interpolate(
        torch.tensor(photographs()[1]).permute(2, 0, 1)[None].float(), (size, size), mode="area"
    )  # (1, 3, size, size)
    edges = torch.ones(1, 3, filter, filter).where(torch.arange(filter) * 2 >= filter, -1.0)
    made = convolved(picture, edges, stride=stride, pad=pad)[0, 0]
    lines = (
        f"{size}×{size}×{channels}, {filters} filters of {filter}×{filter}×{channels}, stride "
        f"{stride}, padding {pad} → {side}×{side}×{filters}",
        arithmetic.written(size, filter, stride=stride, pad=pad),
        f"({filter}·{filter}·{channels} + 1)·{filters} = {weights} parameters",
    )
    caption = (
        f"Where a {filter}×{filter} filter stands on {size}×{size} pixels with padding {pad} at "
        f"stride {stride}, and what an edge filter makes of them: {made.shape[0]}×{made.shape[1]}."
    )
    drawing = Drawing("positions", _positions(picture[0], made, filter, stride, pad), caption)
    numbers = {"side": side, "filters": filters, "parameters": weights}
    if told:
        return Shown((_shapes(), _cases()), (drawing,), numbers, lines)
    measured = strides(setting)
    return Shown(
        (*measured.findings, _shapes(), _cases()),
        (drawing, *measured.drawings),
        {**numbers, **measured.numbers},
        lines,
    )


def _shapes() -> Finding:
    """L25, on a real picture, and whether the filter is mirrored, by scipy's two operations."""
    from scipy import signal  # takes a second to import

    picture = torch.tensor(photographs()[1][:32, :32]).permute(2, 0, 1)[None].double() / 255
    filters = torch.randn(6, 3, 5, 5, generator=torch.Generator().manual_seed(0)).double()
    one, six = convolved(picture, filters[:1])[0], convolved(picture, filters)[0]

    def off(operation: str) -> float:
        maps = [
            getattr(signal, operation)(x, w, "valid")
            for x, w in zip(picture[0].numpy(), filters[0].numpy(), strict=True)
        ]
        return float((one[0] - torch.from_numpy(sum(maps))).abs().max())

    correlation, mirrored = off("correlate2d"), off("convolve2d")
    (k1, h1, w1), (k6, h6, w6) = one.shape, six.shape
    return Finding(
        "L25",
        f"One filter gives {h1}×{w1}×{k1}, six {h6}×{w6}×{k6}. The values are those of a "
        f"cross-correlation (apart by at most {correlation:.0e}), not of a convolution, which "
        f"mirrors the filter (apart by {mirrored:.2g}).",
        (one.shape, six.shape) == ((1, 28, 28), (6, 28, 28)) and correlation < 1e-9 < mirrored,
        "one photograph, 7 random filters",
    )


def _cases() -> Finding:
    """L26, by the calculator."""
    told, agree = [], True
    for size, filter, stride, pad, said in CASES:
        exact = arithmetic.output_size(size, filter, stride=stride, pad=pad)
        fits = exact.denominator == 1
        agree &= (int(exact) if fits else None) == said
        padded = f", padding {pad}" if pad else ""
        found = arithmetic.decimal(exact) + ("" if fits else " (does not fit)")
        told.append(f"{size} under {filter}×{filter} at stride {stride}{padded}: {found}")
    same = [arithmetic.same_padding(f) for f in (3, 5, 7)]
    weights = arithmetic.parameters(5, channels=3, filters=10)
    return Finding(
        "L26",
        f"{'; '.join(told)}. Padding {', '.join(map(str, same))} keeps the size under 3×3, 5×5, "
        f"7×7; ten 5×5×3 filters have {weights} parameters.",
        agree and same == [1, 2, 3] and weights == 760,
        f"{len(CASES)} sizes",
    )


def _positions(picture: Tensor, made: Tensor, filter: int, stride: int, pad: int) -> bytes:
    """The padded picture with the filter at the first places, the last, and a dot at each."""
    from matplotlib.patches import Rectangle

    size, (down, across) = picture.shape[1], made.shape
    with style():
        figure, (left, right) = panels(1, 2, width=300, height=335)
        grey = picture.new_full((3, size + 2 * pad, size + 2 * pad), 235.0)
        grey[:, pad : pad + size, pad : pad + size] = picture * 0.6 + 102  # paler, to draw on
        end = size + 2 * pad
        left.imshow(
            (grey.permute(1, 2, 0) / 255).numpy(), extent=(0, end, end, 0), interpolation="nearest"
        )
        left.add_patch(Rectangle((pad, pad), size, size, fill=False, ec=MUTED, lw=0.8))
        places = [(0, 0), (0, min(1, across - 1)), (0, min(2, across - 1)), (down - 1, across - 1)]
        for (i, j), dashes in zip(places, ("-", "--", ":", "-"), strict=True):
            corner = (j * stride, i * stride)
            box = Rectangle(corner, filter, filter, fill=False, ec=ACCENT, lw=1.6, ls=dashes)
            left.add_patch(box)
            box.set_clip_on(False)
        middle = torch.arange(down * across)
        x, y = (middle % across) * stride + filter / 2, (middle // across) * stride + filter / 2
        dot = max(0.3, min(9.0, (90 / max(down, across)) ** 2))
        left.scatter(x, y, s=dot, color=INK, lw=0)
        padded = f", padded to {end}×{end}" if pad else ""
        left.set_title(f"{size}×{size}{padded}", fontsize=10)
        right.imshow(made.numpy(), cmap="gray", interpolation="nearest")
        right.set_title(f"{down}×{across} for each filter", fontsize=10)
        for axes in (left, right):
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        return png(figure)
