"""Every kind of layer, activation and loss of the product against numerical gradients, to 1e-6."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel.basics.activations import ACTIVATIONS, Maxout, ScaledTanh
from hubel.basics.convolution import (
    convolution,
    convolution_backward,
    pool,
    pool_backward,
    transposed_backward,
    transposed_convolution,
)
from hubel.basics.gradients import gradient_check
from hubel.networks.catalogue import CATALOGUE
from hubel.networks.lenet import CONNECTIONS, RBF, PartialConv2d, Subsampling, codes
from hubel.networks.small import MeanAndMax
from hubel.training.losses import LOSSES
from hubel.training.triplet import semi_hard_loss, triplet_loss


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _random(module: nn.Module) -> nn.Module:
    """Norms begin at 1 and 0, where a wrong gradient may hide: all parameters at random."""
    for i, parameter in enumerate(module.parameters()):
        parameter.data = normal(*parameter.shape, seed=i + 1)
    return module


# layer, shape of what it takes
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(5, 4), (3, 5)),
    "convolution": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 2, 5, 6)),
    "groups": (lambda: nn.Conv2d(4, 6, 3, groups=2, dilation=2, bias=False), (2, 4, 5, 5)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1), (2, 3, 3, 4)),
    "batch norm": (lambda: nn.BatchNorm2d(3), (4, 3, 3, 2)),
    "batch norm, evaluating": (lambda: nn.BatchNorm2d(3).eval(), (4, 3, 3, 2)),
    "response norm": (lambda: nn.LocalResponseNorm(5, alpha=0.5), (2, 7, 2, 2)),
    "max pooling": (lambda: nn.MaxPool2d(2), (2, 2, 4, 6)),
    "overlapping max pooling": (lambda: nn.MaxPool2d(3, 2, padding=1), (2, 2, 5, 5)),
    "max pooling, rounded up": (lambda: nn.MaxPool2d(3, 2, ceil_mode=True), (2, 2, 6, 6)),
    "average pooling": (lambda: nn.AvgPool2d(3, 2, padding=1), (2, 2, 5, 5)),
    "mean of maps": (lambda: nn.AdaptiveAvgPool2d(1), (2, 3, 4, 4)),
    "mean and maximum": (MeanAndMax, (2, 3, 4, 4)),
    "flatten": (nn.Flatten, (2, 3, 2, 2)),
    "identity": (nn.Identity, (2, 3)),
    "dropout, evaluating": (lambda: nn.Dropout(0.5).eval(), (3, 5)),
    "ReLU6": (nn.ReLU6, (20, 5)),
    "maxout": (lambda: Maxout(3), (4, 6, 2)),
    "scaled tanh": (ScaledTanh, (4, 6)),
    "sub-sampling": (lambda: Subsampling(3), (2, 3, 4, 4)),
    "partial": (lambda: PartialConv2d(6, CONNECTIONS[:7], 3), (2, 6, 4, 4)),
    "RBF": (lambda: RBF(codes(10)), (3, 84)),
    "lenet5-1998": (
        lambda: nn.Sequential(Subsampling(2), ScaledTanh(), nn.Flatten()),
        (2, 2, 4, 4),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_every_layer(name: str) -> None:
    build, shape = LAYERS[name]
    report = gradient_check(_random(build()), normal(*shape))
    assert report.right, report
    assert report.error < 1e-6
    assert report.kinks == 0
    assert all(part.checked == part.entries > 0 for part in report.parts)


@pytest.mark.slow
def test_gradients_of_every_block_and_that_no_kind_of_layer_is_left_out() -> None:
    checked = {type(build()) for build, _ in LAYERS.values()} | {nn.ReLU, nn.Sequential}
    blocks: dict[type[nn.Module], nn.Module] = {}
    for entry in CATALOGUE.values():
        with torch.device("meta"):
            network = entry.build(classes=2, channels=entry.channels, size=entry.usual_size)
        for name, module in network.named_modules():
            kind = type(module)
            if name and kind not in checked and _size(module) < _size(blocks.get(kind, network)):
                blocks[kind] = module
    assert len(blocks) >= 5
    for kind, block in blocks.items():
        assert kind.__module__.startswith("hubel.networks"), f"{kind} is not in the table"
        convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
        channels = convolutions[0].in_channels if convolutions else 3
        block = _random(block.to_empty(device="cpu").train())
        report = gradient_check(block, normal(2, channels, 4, 5), most=5)
        assert report.right, f"{kind}\n{report}"


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_of_every_activation(name: str) -> None:
    row, x = ACTIVATIONS[name], normal(40) * 3
    for report in (
        gradient_check(row.module(), x),
        gradient_check(row.value, x, backward=lambda dy, x: [dy * row.derivative(x)]),
    ):
        assert report.right, report
        assert report.parts[0].checked == 40


LABELS = torch.tensor([0, 3, 1, 1, 2])


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_every_loss(name: str) -> None:
    report = gradient_check(LOSSES[name], normal(5, 4), LABELS)
    assert report.right, report
    assert report.parts[0].checked == 20
    assert len(report.parts) == 1  # labels have no gradient


def test_gradients_of_the_triplet_losses() -> None:
    def mined(x: Tensor) -> Tensor:
        return semi_hard_loss(F.normalize(x), torch.tensor([0, 0, 1, 1, 2, 2]), margin=0.5)

    assert gradient_check(mined, normal(6, 3)).right
    report = gradient_check(
        lambda a, p, n: triplet_loss(*map(F.normalize, (a, p, n))),
        normal(6, 3, seed=1), normal(6, 3, seed=2), normal(6, 3, seed=3),
    )  # fmt: skip
    assert report.right, report
    assert any(part.analytic for part in report.parts)


def test_our_own_backward_passes() -> None:
    how = {"stride": 2, "pad": (1, 2), "groups": 2}
    x, w, b = normal(2, 4, 5, 4), normal(6, 2, 3, 2, seed=1), normal(6, seed=2)
    report = gradient_check(
        lambda x, w, b: convolution(x, w, b, **how), x, w, b,
        backward=lambda dy, x, w, b: convolution_backward(dy, x, w, **how),
    )  # fmt: skip
    assert report.right, report
    back = normal(4, 3, 3, 2, seed=1)
    report = gradient_check(
        lambda x, w, b: transposed_convolution(x, w, b, output_pad=1, **how), x, back, b,
        backward=lambda dy, x, w, b: transposed_backward(dy, x, w, **how),
    )  # fmt: skip
    assert report.right, report
    for kind in ("max", "average", "sum"):
        window = {"kind": kind, "stride": 2, "pad": 1}
        report = gradient_check(
            lambda x, window=window: pool(x, 3, **window), x,
            backward=lambda dy, x, window=window: [pool_backward(dy, x, 3, **window)],
        )  # fmt: skip
        assert report.right, report
