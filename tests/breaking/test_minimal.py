"""DeepFool: a linear network in closed form, a slow one beside it, foolbox, and the contract."""

import foolbox
import pytest
import torch
from torch import Tensor, nn

from hubel.breaking.minimal import TIE, WAYS, Minimal, deepfool
from hubel.mistakes import Failure, Mistake


class Net(nn.Module):
    """Two convolutions, a batch norm, an in-place ReLU, dropout; five classes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, stride=2)
        self.drop = nn.Dropout(0.5)
        self.score = nn.Linear(8 * 9, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.norm(self.first(x)))
        x = torch.tanh(self.second(x))
        logits: Tensor = self.score(self.drop(x.flatten(1)))
        return 3 * logits


class Viewing(Net):
    """Takes its maps apart by `view`, which refuses channels last."""

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.second(torch.relu(self.norm(self.first(x)))))
        logits: Tensor = self.score(x.view(len(x), -1))
        return 3 * logits


def net(kind: type[Net] = Net) -> Net:
    torch.manual_seed(3)
    return kind().double().eval()


def pictures(n: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 2, 8, 8, generator=generator, dtype=torch.float64)


def linear(weights: Tensor, bias: Tensor) -> nn.Module:
    layer = nn.Linear(weights.shape[1], len(weights)).to(weights.dtype)
    layer.weight.data.copy_(weights)
    layer.bias.data.copy_(bias)
    return nn.Sequential(nn.Flatten(), layer)


def slowly(network: nn.Module, x: Tensor, norm: str, overshoot: float = 0.02) -> Tensor:
    """Algorithm 2 on one picture (C, H, W), all classes at every step, clipped to the box."""
    first = network(x[None])[0].detach()
    own, least = int(first.argmax()), TIE * float(first.max() - first.min())
    for _ in range(50):
        leaf = x.detach().requires_grad_()
        logits = network(leaf[None])[0]
        if int(logits.argmax()) != own:
            return x
        steps = []
        for k in range(len(logits)):
            if k == own:
                continue
            (w,) = torch.autograd.grad(logits[k] - logits[own], leaf, retain_graph=True)
            # DeepFool takes a boundary to be at least so far away, lest a step be lost in rounding
            f = max(float((logits[own] - logits[k]).detach()), least)
            if norm == "l2":
                steps.append((f / float(w.norm()), f / float(w.square().sum()) * w))
            else:
                steps.append((f / float(w.abs().sum()), f / float(w.abs().sum()) * w.sign()))
        step = min(steps, key=lambda each: each[0])[1]
        x = (x + (1 + overshoot) * step).clamp(0, 1)
    return x


def linear_case() -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """Network, pixels well within the box, their weights, their logits."""
    generator = torch.Generator().manual_seed(5)
    weights = torch.randn(4, 2 * 5 * 5, generator=generator, dtype=torch.float64)
    bias = 0.1 * torch.randn(4, generator=generator, dtype=torch.float64)
    pixels = 0.5 + 0.02 * torch.randn(9, 2, 5, 5, generator=generator, dtype=torch.float64)
    network = linear(weights, bias)
    return network, pixels, weights, network(pixels).detach()


@pytest.mark.parametrize("norm", WAYS)
def test_a_linear_boundary_is_reached_in_one_step_of_known_length(norm: str) -> None:
    network, pixels, weights, logits = linear_case()
    found = deepfool(network, pixels, norm=norm, overshoot=1e-6)
    own = logits.argmax(1)
    for i in range(len(pixels)):
        gaps = [(logits[i, own[i]] - logits[i, k], weights[k] - weights[own[i]])
                for k in range(4) if k != own[i]]  # fmt: skip
        dual = {"l2": 2, "linf": 1}[norm]
        expected = min(float(gap / w.norm(p=dual)) for gap, w in gaps)
        change = (found.images[i] - pixels[i]).flatten()
        size = float(change.norm() if norm == "l2" else change.abs().max())
        assert size == pytest.approx(expected * (1 + 1e-6), rel=1e-9)
        assert float(found.size[i]) == pytest.approx(float(change.norm()), rel=1e-12)
    assert bool(found.fooled.all())
    assert found.steps.tolist() == [1] * len(pixels)


@pytest.mark.parametrize("norm", WAYS)
def test_as_one_picture_at_a_time_with_all_classes(norm: str) -> None:
    network, pixels = net(), pictures(12)
    found = deepfool(network, pixels, norm=norm)
    assert bool(found.fooled.all())
    slow = torch.stack([slowly(network, each, norm) for each in pixels])
    torch.testing.assert_close(found.images, slow, rtol=0, atol=1e-9)


def test_foolbox_needs_no_smaller_change() -> None:
    network, pixels = net().float(), pictures(24).float()
    own = network(pixels).argmax(1).detach()
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.L2DeepFoolAttack(overshoot=0.02)
    _, theirs, fooled = attack(model, pixels, own, epsilons=None)
    ours = deepfool(network, pixels)
    assert bool(fooled.all())
    assert bool(ours.fooled.all())
    beside = (theirs - pixels).flatten(1).norm(dim=1)
    assert float(ours.size.median()) <= 1.02 * float(beside.median())


def test_the_batch_is_as_if_each_were_alone() -> None:
    network, pixels = net(), pictures(7, seed=1)
    together = deepfool(network, pixels)
    for i in range(len(pixels)):
        alone = deepfool(network, pixels[i : i + 1])
        torch.testing.assert_close(alone.images[0], together.images[i], rtol=0, atol=1e-10)
        assert int(alone.steps) == int(together.steps[i])


def test_what_comes_back_is_in_the_box_and_fools() -> None:
    network, pixels = net().float(), pictures(16).float().round()  # every pixel at a border
    given = pixels.clone()
    found = deepfool(network, pixels)
    assert found.images.dtype == torch.float32
    assert found.images.is_contiguous()
    assert float(found.images.min()) >= 0
    assert float(found.images.max()) <= 1
    assert torch.equal(pixels, given)
    fooled = network(found.images).argmax(1) != network(pixels).argmax(1)
    assert torch.equal(fooled, found.fooled)
    assert bool(fooled.any())
    size = (found.images - pixels).flatten(1).norm(dim=1)
    torch.testing.assert_close(found.size, size)


def test_labels_are_what_is_left_and_a_wrong_picture_is_fooled_already() -> None:
    network, pixels = net(), pictures(6)
    own = network(pixels).argmax(1).detach()
    labels = own.clone()
    labels[2] = (own[2] + 1) % 5
    found = deepfool(network, pixels, labels=labels)
    assert bool(found.fooled.all())
    assert float(found.size[2]) == 0
    assert int(found.steps[2]) == 0
    assert torch.equal(found.images[2], pixels[2])
    assert bool((found.size[labels == own] > 0).all())


def test_few_steps_leave_some_unfooled_and_say_so() -> None:
    found = deepfool(net(), pictures(12).round(), steps=1)
    assert not bool(found.fooled.all())
    assert int(found.steps.max()) == 1
    fooled = net()(found.images).argmax(1) != net()(pictures(12).round()).argmax(1)
    assert torch.equal(fooled, found.fooled)


def test_a_network_that_takes_views_gets_the_usual_layout() -> None:
    plain, viewing, pixels = net(), net(Viewing), pictures(5)
    torch.testing.assert_close(
        deepfool(viewing, pixels).images, deepfool(plain, pixels).images, rtol=0, atol=1e-10
    )


def test_a_flat_network_is_left_unfooled() -> None:
    network = linear(torch.zeros(3, 50), torch.tensor([1.0, 0.0, 0.0]))
    pixels = torch.rand(2, 2, 5, 5)
    found = deepfool(network, pixels)
    assert not bool(found.fooled.any())
    assert torch.equal(found.images, pixels)


def test_no_pictures_and_two_classes() -> None:
    network = net()
    empty: Minimal = deepfool(network, pictures(0))
    assert empty.images.shape == (0, 2, 8, 8)
    assert [len(part) for part in empty] == [0, 0, 0, 0]
    two = linear(torch.randn(2, 128, dtype=torch.float64), torch.zeros(2).double())
    assert bool(deepfool(two, pictures(3)).fooled.all())


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise OverflowError


@pytest.mark.parametrize("raises", [False, True])
def test_the_network_is_left_as_it_was(raises: bool) -> None:
    network = nn.Sequential(net(), Broken() if raises else nn.Identity()).train()
    first = next(network.parameters()).requires_grad_(False)
    before, state = torch.get_rng_state(), {k: v.clone() for k, v in network.state_dict().items()}
    if raises:
        with pytest.raises(OverflowError):
            deepfool(network, pictures(3))
    else:
        with torch.inference_mode():
            inside = deepfool(network, pictures(3))
        assert bool(inside.fooled.all())
    assert all(part.training for part in network.modules())
    assert not first.requires_grad
    assert all(p.grad is None for p in network.parameters())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(state[k], v) for k, v in network.state_dict().items())


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"norm": "l3"}, "no norm of DeepFool 'l3'"),
        ({"steps": 0}, "1 step and 2 candidates"),
        ({"candidates": 1}, "1 step and 2 candidates"),
        ({"overshoot": 0.0}, "overshoot is above 0"),
        ({"labels": torch.tensor([0, 1])}, "one int64 label"),
        ({"labels": torch.tensor([0, 1, 5])}, "Labels are 0 to 4"),
    ],
)
def test_what_cannot_be_asked(how: dict[str, object], said: str) -> None:
    with pytest.raises(Mistake, match=said):
        deepfool(net(), pictures(3), **how)  # type: ignore[arg-type]


def test_pixels_outside_the_box_and_networks_without_a_way() -> None:
    with pytest.raises(Mistake, match="from 0 to 1"):
        deepfool(net(), 255 * pictures(2))

    class Rounding(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.detach().flatten(1)[:, :3]

    with pytest.raises(Failure, match="no gradient"):
        deepfool(Rounding(), pictures(2))
    endless = linear(torch.full((3, 128), torch.inf).double(), torch.zeros(3).double())
    with pytest.raises(Failure, match="not finite"):
        deepfool(endless, pictures(2))


def test_two_classes_are_crossed_like_any() -> None:
    generator = torch.Generator().manual_seed(0)
    for seed in range(8):
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            two = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(60, 2))
        pixels = torch.rand(20, 1, 6, 10, generator=generator)
        found = deepfool(two, pixels)
        assert bool(found.fooled.all())
        assert torch.equal(two(found.images).argmax(1) != two(pixels).argmax(1), found.fooled)


def test_a_network_that_detaches_its_pixels_is_a_failure() -> None:
    class Detaches(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.last(x.detach().flatten(1))
            return logits

    with pytest.raises(Failure, match="hands no gradient back"):
        deepfool(Detaches(), torch.rand(2, 1, 2, 2))
