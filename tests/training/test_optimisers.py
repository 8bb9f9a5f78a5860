"""Optimisers against torch's own; Muon's matrices share the kernels; the state survives a file."""

import copy

import pytest
import safetensors.torch
import torch
from torch import nn

from hubel.mistakes import Failure, Mistake
from hubel.training import optimisers
from hubel.training.optimisers import KINDS


def network(layout: torch.memory_format = torch.contiguous_format) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.Flatten(),
        nn.Linear(64, 3),
    )  # fmt: skip
    return model.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]


def train(model: nn.Module, optimiser: object, seeds: range) -> None:
    for seed in seeds:
        pixels = torch.rand(5, 2, 8, 8, generator=torch.Generator().manual_seed(seed))
        optimiser.zero_grad()  # type: ignore[attr-defined]
        model(pixels).square().sum().backward()
        optimiser.step()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "oracle"),
    [
        ("sgd", lambda p: torch.optim.SGD(p, 0.01, momentum=0.9, nesterov=True, weight_decay=0.1)),
        ("adam", lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1)),
        ("adamw", lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1)),
    ],
)
def test_torchs_own_take_the_same_steps(kind: str, oracle: object) -> None:
    ours, theirs = network(), network()
    optimiser = optimisers.build(
        ours.named_parameters(), kind=kind, lr=0.01, nesterov=True, weight_decay=0.1
    )
    train(ours, optimiser, range(4))
    train(theirs, oracle(theirs.parameters()), range(4))  # type: ignore[operator]
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_muon_moves_kernels_as_torchs_moves_matrices(layout: torch.memory_format) -> None:
    model = network(layout)
    optimiser = optimisers.build(model.named_parameters(), kind="muon", lr=0.02)
    before = model[3].weight.detach().clone()
    train(model, optimiser, range(1))
    gradient = model[3].weight.grad
    assert gradient is not None
    matrix = nn.Parameter(before.contiguous().view(4, -1).clone())
    matrix.grad = gradient.contiguous().view(4, -1).clone()
    torch.optim.Muon([matrix], lr=0.02, momentum=0.95, weight_decay=0.0).step()
    # bfloat16 inside Muon's iteration: the order of columns moves its last digits
    assert torch.allclose(model[3].weight, matrix.view(4, 3, 3, 3), rtol=0, atol=2e-4)
    assert not torch.equal(model[3].weight, before)


def test_muon_leaves_head_and_vectors_to_sgd() -> None:
    model, reference = network(), network()
    train(model, optimisers.build(model.named_parameters(), kind="muon", lr=0.02), range(1))
    sgd = optimisers.build(reference.named_parameters(), kind="sgd", lr=0.02)
    train(reference, sgd, range(1))
    for name in ("0.bias", "1.weight", "5.weight", "5.bias"):
        assert torch.equal(model.get_parameter(name), reference.get_parameter(name)), name
    assert not torch.equal(model[0].weight, reference[0].weight)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_saved_through_a_file_and_restored_it_goes_on_bit_equal(
    kind: str, layout: torch.memory_format
) -> None:
    whole = network(layout)
    train(whole, optimisers.build(whole.named_parameters(), kind=kind, lr=0.01), range(10))

    half = network(layout)
    first = optimisers.build(half.named_parameters(), kind=kind, lr=0.01)
    train(half, first, range(5))
    content = safetensors.torch.save({k: v.contiguous() for k, v in first.tensors().items()})
    second_half = network(layout)
    second_half.load_state_dict(copy.deepcopy(half.state_dict()))
    second = optimisers.build(second_half.named_parameters(), kind=kind, lr=0.01)
    second.restore(safetensors.torch.load(content), first.facts())
    train(second_half, second, range(5, 10))
    for a, b in zip(whole.parameters(), second_half.parameters(), strict=True):
        assert torch.equal(a, b)


def started(kind: str, layout: torch.memory_format) -> optimisers.Optimiser:
    model = network(layout)
    optimiser = optimisers.build(model.named_parameters(), kind=kind, lr=0.01)
    train(model, optimiser, range(3))
    return optimiser


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_state_means_the_same_weights_in_either_layout(
    kind: str, layout: torch.memory_format
) -> None:
    source = started(kind, layout)
    other = {torch.contiguous_format: torch.channels_last}.get(layout, torch.contiguous_format)
    model = network(other)
    target = optimisers.build(model.named_parameters(), kind=kind, lr=0.01)
    target.restore(source.tensors(), source.facts())
    shapes = {name: p.shape for name, p in model.named_parameters()}
    for key, value in source.tensors().items():
        assert torch.equal(target.tensors()[key], value), key
        assert value.ndim == 0 or value.shape == shapes[key.partition("|")[0]], key


def test_a_restored_optimiser_shares_nothing_with_its_source() -> None:
    for kind in KINDS:
        source = started(kind, torch.contiguous_format)
        before = {key: value.clone() for key, value in source.tensors().items()}
        model = network()
        target = optimisers.build(model.named_parameters(), kind=kind, lr=0.01)
        target.restore(source.tensors(), source.facts())
        train(model, target, range(1))
        assert all(torch.equal(source.tensors()[key], before[key]) for key in before)


def test_without_gradients_muon_moves_nothing() -> None:
    model = network()
    optimiser = optimisers.build(model.named_parameters(), kind="muon", lr=0.02)
    train(model, optimiser, range(1))
    before = model[3].weight.detach().clone()
    model.zero_grad()  # the network's own, which does not know Muon's matrices
    optimiser.step()
    assert torch.equal(model[3].weight, before)


def test_scale_multiplies_the_base_rate() -> None:
    optimiser = optimisers.build(network().named_parameters(), kind="muon", lr=0.1)
    optimiser.scale(0.5)
    optimiser.scale(0.25)
    assert optimiser.rates() == pytest.approx([0.025] * len(optimiser.rates()))


def test_frozen_parameters_are_left_out() -> None:
    model = network()
    model[0].weight.requires_grad_(False)
    before = model[0].weight.clone()
    train(model, optimisers.build(model.named_parameters(), kind="adam", lr=0.1), range(2))
    assert torch.equal(model[0].weight, before)


def test_mistakes_and_foreign_states() -> None:
    model = network()
    with pytest.raises(Mistake, match="adamw"):
        optimisers.build(model.named_parameters(), kind="adamww", lr=0.1)
    for lr in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(Mistake, match=str(lr)):
            optimisers.build(model.named_parameters(), kind="sgd", lr=lr)
    for momentum in (-0.5, 1.0, float("nan")):
        with pytest.raises(Mistake, match=str(momentum)):
            optimisers.build(model.named_parameters(), kind="sgd", lr=0.1, momentum=momentum)
    for decay in (-0.5, float("nan"), float("inf")):
        with pytest.raises(Mistake, match=str(decay)):
            optimisers.build(model.named_parameters(), kind="adam", lr=0.1, weight_decay=decay)
    with pytest.raises(Mistake, match="Nesterov"):
        optimisers.build(model.named_parameters(), kind="sgd", lr=0.1, momentum=0.0, nesterov=True)
    with pytest.raises(Mistake, match="no parameters"):
        optimisers.build([], kind="sgd", lr=0.1)
    optimiser = optimisers.build(model.named_parameters(), kind="sgd", lr=0.1)
    with pytest.raises(Failure, match="9\\.weight"):
        optimiser.restore({"9.weight|momentum_buffer": torch.zeros(2)}, optimiser.facts())
    with pytest.raises(Failure, match=r"\(2,\)"):
        optimiser.restore({"0.weight|momentum_buffer": torch.zeros(2)}, optimiser.facts())


@pytest.mark.parametrize("kind", KINDS)
def test_another_optimisers_state_is_refused_and_changes_nothing(kind: str) -> None:
    for other in KINDS:
        source = started(other, torch.contiguous_format)
        model = network()
        target = optimisers.build(model.named_parameters(), kind=kind, lr=0.01)
        if other == kind:
            target.restore(source.tensors(), source.facts())  # the positive control
            continue
        with pytest.raises(Failure, match=kind):
            target.restore(source.tensors(), source.facts())
        assert target.tensors() == {}
    for facts in ({}, {"kind": kind, "rates": []}):
        with pytest.raises(Failure, match="another optimiser"):
            target.restore({}, facts)
