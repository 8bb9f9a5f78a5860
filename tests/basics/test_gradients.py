"""Numerical gradients by the lecture's numbers; the check finds what is wrong, and only that."""

import pytest
import torch
from torch import Tensor, nn

from hubel.basics.convolution import (
    convolution,
    convolution_backward,
)
from hubel.basics.gradients import check_layers, gradient_check, numerical_gradient
from hubel.mistakes import Mistake
from hubel.networks.lenet import lenet5
from hubel.training.losses import LOSSES

W = torch.tensor([0.34, -1.11, 0.78, 1.0], dtype=torch.float64)
PIXELS = torch.tensor([2.5, -0.6, 0.0, -1.76947], dtype=torch.float64)


def lecture(w: Tensor) -> Tensor:
    """A hinge loss of one picture that is 1.25347 at W and falls and rises as the lecture's."""
    return (1 - w @ PIXELS).clamp(min=0)


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_numbers_of_the_lecture() -> None:
    assert round(float(lecture(W)), 5) == 1.25347
    moved = [float(lecture(W + 1e-4 * torch.eye(4, dtype=torch.float64)[i])) for i in range(3)]
    assert [round(loss, 5) for loss in moved] == [1.25322, 1.25353, 1.25347]
    for differences in ("forward", "central"):
        gradient = numerical_gradient(lecture, W, step=1e-4, differences=differences)
        assert [round(g, 6) for g in gradient[:3].tolist()] == [-2.5, 0.6, 0.0]
    # from the five digits that the slide prints, too
    printed = [(loss - 1.25347) / 1e-4 for loss in (1.25322, 1.25353, 1.25347)]
    assert [round(g, 6) for g in printed] == [-2.5, 0.6, 0.0]


def test_numerical_gradients_are_those_of_a_slow_loop() -> None:
    x = normal(2, 3).T  # not contiguous
    before = x.clone()

    def function(x: Tensor) -> float:
        return float((x.sin() * x).sum())

    for differences in ("central", "forward"):
        found = numerical_gradient(function, x, step=1e-5, differences=differences)
        for i in range(3):
            for j in range(2):
                h = torch.zeros(3, 2, dtype=torch.float64)
                h[i, j] = 1e-5
                if differences == "central":
                    slow = (function(x + h) - function(x - h)) / 2e-5
                else:
                    slow = (function(x + h) - function(x)) / 1e-5
                assert float(found[i, j]) == pytest.approx(slow, abs=1e-9)
    assert torch.equal(x, before)
    exact = x.sin() + x * x.cos()
    central = numerical_gradient(function, x, step=1e-3)
    forward = numerical_gradient(function, x, step=1e-3, differences="forward")
    assert float((central - exact).abs().max()) < 1e-6 < float((forward - exact).abs().max())


def test_numerical_gradients_of_what_has_none() -> None:
    with pytest.raises(Mistake, match="'central'"):
        numerical_gradient(lecture, W, differences="centre")
    with pytest.raises(Mistake, match="int64"):
        numerical_gradient(lecture, torch.tensor([1, 2]))
    with pytest.raises(Mistake, match="above 0, not 0"):
        numerical_gradient(lecture, W, step=0)
    assert numerical_gradient(lambda x: x.sum(), W[:0]).shape == (0,)


def test_a_wrong_backward_is_found_and_where() -> None:
    def mirrored(dy: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        right = convolution_backward(dy, x, w)
        return right.input, right.weight.flip(2)

    report = gradient_check(convolution, normal(2, 1, 4, 4), normal(2, 1, 2, 2), backward=mirrored)
    assert not report.right
    assert [part.name for part in report.wrong] == ["input 1"]
    (part,) = report.wrong
    assert part.error > 0.1
    assert "input 1: 8 of 8, relative error" in str(report)
    assert f"at {part.at}: {part.analytic:.6g} claimed, {part.numeric:.6g} measured" in str(report)


@pytest.mark.parametrize("by", [1e-3, 3e-6, -3e-6])
def test_one_entry_that_is_slightly_wrong(by: float) -> None:
    def backward(dy: Tensor, x: Tensor) -> list[Tensor]:
        gradient = dy * x.cos()
        gradient[1, 2] *= 1 + by
        return [gradient]

    report = gradient_check(torch.sin, normal(3, 4), backward=backward)
    assert [part.at for part in report.wrong] == [(1, 2)]
    assert report.error == pytest.approx(abs(by), rel=0.01)


class Wrong(torch.autograd.Function):
    """A tanh whose slope forgets a factor."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, dy: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return dy * (1 - x.tanh())


class WrongTanh(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Wrong.apply(x)


def test_the_wrong_layer_is_named() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3), WrongTanh(), nn.Linear(3, 2), nn.ReLU(inplace=True))
    x = normal(5, 4).float()
    before = [p.clone() for p in network.parameters()]
    layers = check_layers(network, x)
    assert [name for name, report in layers.items() if not report.right] == ["1"]
    # of the whole it is seen in all that stands before
    wrong = [part.name for part in gradient_check(network, x).wrong]
    assert wrong == ["input 0", "0.weight", "0.bias"]
    assert all(map(torch.equal, before, network.parameters()))
    assert network[0].weight.dtype == torch.float32
    assert all(not module._forward_pre_hooks for module in network.modules())


def test_what_autograd_was_kept_from_seeing_is_an_error() -> None:
    report = gradient_check(lambda x: x.detach() ** 2, torch.ones(2))
    assert not report.right
    assert gradient_check(lambda x: x.detach() ** 2 * 0, torch.ones(2)).right
    report = gradient_check(lambda x, y: x * y.detach(), normal(3), normal(3, seed=1))
    assert [part.name for part in report.wrong] == ["input 1"]


def test_kinks_are_listed_apart() -> None:
    x = torch.tensor([0.0, 1.0, -1.0, 0.0, 1e-9])
    (part,) = gradient_check(torch.relu, x).parts
    assert (part.checked, part.error) == (2, 0.0)
    assert [kink.at for kink in part.kinks] == [(0,), (3,), (4,)]
    for kink in part.kinks[:2]:
        assert kink.analytic == 0.0
        assert min(abs(kink.left), abs(kink.right)) == pytest.approx(0, abs=1e-9)
        assert abs(kink.left - kink.right) > 0.1
    tied = torch.tensor([[[[1.0, 1.0], [0.0, 0.5]]]])
    (part,) = gradient_check(nn.MaxPool2d(2), tied).parts
    assert [kink.at for kink in part.kinks] == [(0, 0, 0, 0), (0, 0, 0, 1)]
    logits = torch.tensor([[2.0, 1.0, -4.0]])  # at the margin of the first two
    (part,) = gradient_check(LOSSES["hinge"], logits, torch.tensor([0])).parts
    assert [kink.at for kink in part.kinks] == [(0, 0), (0, 1)]
    assert part.checked == 1


def test_a_kink_nearby_is_stepped_around() -> None:
    for distance in (3e-4, 3e-5, 3.3e-6):  # within the first step, but not within the last
        (part,) = gradient_check(torch.relu, torch.tensor([distance, -distance])).parts
        assert part.checked == 2
        assert part.error < 1e-6


def test_curves_are_no_kinks() -> None:
    (part,) = gradient_check(torch.log, torch.tensor([2e-3, 0.1, 3.0])).parts
    assert part.checked == 3
    assert part.error < 1e-6
    (part,) = gradient_check(
        lambda x: x.log(), torch.tensor([2e-3]), backward=lambda dy, x: [1.001 * dy / x]
    ).parts
    assert part.error == pytest.approx(1e-3, rel=0.01)


def test_an_error_among_kinks_is_still_found_and_kinks_alone_prove_nothing() -> None:
    x = torch.tensor([0.0, 1.0])
    report = gradient_check(torch.relu, x, backward=lambda dy, x: [2 * dy * (x > 0)])
    assert not report.right
    assert report.wrong[0].at == (1,)
    alone = gradient_check(torch.relu, torch.zeros(3))
    assert not alone.right
    assert "nothing but kinks; 3 kinks" in str(alone)


def test_networks_by_layer_with_real_kinks() -> None:
    torch.manual_seed(0)
    network, x = lenet5(), torch.zeros(2, 1, 32, 32)  # all windows of a black picture are equal
    x[:, :, 12:20, 12:20] = normal(2, 1, 8, 8).float()
    whole = gradient_check(network, x, most=6)
    assert whole.right, whole
    layers = check_layers(network, x, most=20)
    assert list(layers)[:4] == ["C1", "C1_relu", "S2", "C3"]
    assert sum(report.kinks for report in layers.values()) > 0
    for name, report in layers.items():
        assert report.error < 1e-6, (name, report)


def test_nothing_to_check_and_what_cannot_be() -> None:
    assert gradient_check(nn.Conv2d(1, 2, 3), torch.rand(0, 1, 5, 5)).error == 0
    with pytest.raises(Mistake, match=r"eval\(\)"):
        gradient_check(nn.Dropout(0.5), normal(50))
    with pytest.raises(Mistake, match=r"not torch\.int64"):
        gradient_check(lambda x: x.argmax(), normal(3))
    with pytest.raises(Mistake, match="not tuple"):
        gradient_check(lambda x: (x, x), normal(3))
    with pytest.raises(Mistake, match=r"\(3,\), not \(1, 3\)"):
        gradient_check(torch.sin, normal(3), backward=lambda dy, x: [dy[None]])
