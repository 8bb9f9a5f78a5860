"""Top patches against sorting everything; and that nothing depends on how pictures come."""

import math
from collections.abc import Iterator, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hubel.mistakes import Failure, Mistake
from hubel.networks import catalogue
from hubel.understanding.patches import Batch, Strongest, TopPatches, restored, strongest
from hubel.understanding.probes import recording

LAYERS = ["conv", "relu", "pool", "flat", "linear"]


class Net(nn.Module):
    """A little of everything that hands on maps or units, its ReLU in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 5, 3)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.flat = nn.Flatten()
        self.linear = nn.Linear(5 * 9, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(self.flat(self.pool(self.relu(self.conv(x)))))
        return y


def _net() -> Net:
    """With whole numbers as weights, so that no rounding depends on how pictures are batched."""
    torch.manual_seed(0)
    network = Net().double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(16).round_()
    return network


def _pixels(n: int, *, levels: int = 1024) -> Tensor:
    """Pictures of few levels have equal activations: ties."""
    drawn = torch.randint(0, levels, (n, 1, 8, 8), generator=torch.Generator().manual_seed(1))
    return drawn.double() / levels


def _batches(pixels: Tensor, order: Sequence[int], size: int) -> Iterator[Batch]:
    for start in range(0, len(order), size):
        chosen = list(order[start : start + size])
        yield chosen, pixels[chosen]


def _brute(network: nn.Module, pixels: Tensor, layer: str, k: int) -> list[list[tuple[float, ...]]]:
    """For each unit (value, picture, row, column), by sorting all pictures: slow and obvious."""
    with torch.no_grad(), recording(network, [layer]) as found:
        network(pixels)
    maps = found[layer]
    maps = maps[..., None, None] if maps.ndim == 2 else maps
    rows: list[list[tuple[float, ...]]] = []
    for unit in range(maps.shape[1]):
        best = []
        for picture in range(len(maps)):
            places = [
                (-float(maps[picture, unit, r, c]), r, c)
                for r in range(maps.shape[2])
                for c in range(maps.shape[3])
            ]
            value, r, c = min(places)
            best.append((value, picture, r, c))
        rows.append([(-v, p, r, c) for v, p, r, c in sorted(best)[:k]])
    return rows


def _rows(top: TopPatches) -> list[list[tuple[float, ...]]]:
    lists = [part.tolist() for part in top]
    return [list(zip(*unit, strict=True)) for unit in zip(*lists, strict=True)]


def _last(found: Iterator[Strongest]) -> Strongest:
    return list(found)[-1]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("levels", [2, 1024])
def test_they_are_those_that_sorting_everything_finds(layer: str, levels: int) -> None:
    network, pixels = _net(), _pixels(40, levels=levels)
    found = _last(strongest(network, _batches(pixels, range(40), 7), LAYERS, k=4))
    assert _rows(found[layer]) == _brute(network, pixels, layer, 4)
    assert found.seen == 40


@pytest.mark.slow
@settings(max_examples=60)
@given(
    order=st.permutations(range(14)), size=st.integers(1, 14), k=st.integers(1, 5),
    levels=st.sampled_from([2, 1024]),
)  # fmt: skip
def test_neither_order_nor_batches_matter(order: list[int], size: int, k: int, levels: int) -> None:
    network, pixels = _net(), _pixels(14, levels=levels)
    found = _last(strongest(network, _batches(pixels, order, size), LAYERS, k=k))
    for layer in LAYERS:
        assert _rows(found[layer]) == _brute(network, pixels, layer, k)


def test_fewer_pictures_than_k_leave_empty_places() -> None:
    found = _last(strongest(_net(), _batches(_pixels(2), range(2), 2), ["conv"], k=3))["conv"]
    assert found.values[:, 2].tolist() == [-math.inf] * 5
    assert found.pictures[:, 2].tolist() == [-1] * 5
    assert bool(found.values[:, :2].isfinite().all())


def test_it_goes_on_from_saved_tensors() -> None:
    network, pixels = _net(), _pixels(30)
    whole = _last(strongest(network, _batches(pixels, range(30), 6), LAYERS))
    half = _last(strongest(network, _batches(pixels, range(12), 6), LAYERS))
    saved = {name: tensor.clone() for name, tensor in half.tensors().items()}
    state = restored(saved, LAYERS)
    rest = list(_batches(pixels, range(30), 6))[2:]
    ended = _last(strongest(network, rest, LAYERS, state=state))
    assert ended.seen == whole.seen
    for layer in LAYERS:
        assert _rows(ended[layer]) == _rows(whole[layer])


def test_pictures_that_are_kept_already_count_once() -> None:
    network, pixels = _net(), _pixels(10)
    once = _last(strongest(network, _batches(pixels, range(10), 5), ["conv"], k=3))
    twice = _last(strongest(network, _batches(pixels, range(10), 5), ["conv"], k=3, state=once))
    assert _rows(once["conv"]) == _rows(twice["conv"])


def test_what_is_kept_does_not_grow() -> None:
    network = _net()
    sizes = [
        sum(tensor.numel() for tensor in state.tensors().values())
        for state in strongest(network, _batches(_pixels(60), range(60), 6), LAYERS)
    ]
    assert len(set(sizes)) == 1


def test_layouts_and_precisions_give_the_same() -> None:
    network, pixels = _net().float(), _pixels(20).float()
    plain = _last(strongest(network, _batches(pixels, range(20), 5), LAYERS))
    network = network.to(memory_format=torch.channels_last)
    other = pixels.contiguous(memory_format=torch.channels_last)
    there = _last(strongest(network, _batches(other, range(20), 5), LAYERS))
    for layer in LAYERS:
        assert torch.equal(there[layer].pictures, plain[layer].pictures)
        torch.testing.assert_close(there[layer].values, plain[layer].values)
    assert plain.top.values.dtype == torch.float32


def test_blocks_have_the_activations_of_their_last_layer() -> None:
    torch.manual_seed(0)
    network = catalogue.build("resnet20", classes=10, channels=3, size=(16, 16))
    parts = dict(network.named_modules())
    # a block, and the layer in it that it ends with
    blocks = [name for name, part in parts.items() if name and list(part.children())]
    pixels = torch.rand(6, 3, 16, 16)
    found = _last(strongest(network, [(range(6), pixels)], blocks, k=2))
    for layer in blocks:
        assert _rows(found[layer]) == _brute(network.eval(), pixels, layer, 2)


class Normed(nn.Module):
    """Norms, of which some turn the order, and every layer that keeps it; one without a scale."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.act = activation
        self.bare = nn.BatchNorm2d(6, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.conv(x)))
        # what is given to a layer may have been written to since it was looked at
        y: Tensor = self.act(self.bare(x).mul_(2.0))
        return y


@pytest.mark.parametrize(
    "activation",
    [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.Hardtanh(-0.5, 0.5), nn.LeakyReLU(0.1),
     nn.LeakyReLU(-0.1), nn.Sigmoid()],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_layers_that_keep_the_order_are_found_all_the_same(
    activation: nn.Module, layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    network = Normed(activation).eval().to(memory_format=layout)
    with torch.no_grad():
        for norm in (network.norm, network.bare):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.1, 2)
        network.norm.weight.normal_()
        network.norm.bias.normal_()
    assert bool((network.norm.weight < 0).any())
    pixels = _pixels(40).float().contiguous(memory_format=layout)
    layers = ["conv", "norm", "act", "bare", "act#2"]
    found = _last(strongest(network, _batches(pixels, range(40), 40), layers, k=5))
    state = _last(strongest(network, _batches(pixels, range(40), 40), layers, k=2))
    for layer in layers:
        assert _rows(found[layer]) == _brute(network, pixels, layer, 5)
        assert _rows(state[layer]) == [unit[:2] for unit in _brute(network, pixels, layer, 5)]
    halves = _last(strongest(network, _batches(pixels, range(40), 20), layers, k=5))
    for layer in layers:
        torch.testing.assert_close(halves[layer].values, found[layer].values)


def test_no_graph_is_kept() -> None:
    found = _last(strongest(_net(), _batches(_pixels(4), range(4), 4), LAYERS, k=2))
    assert not any(part.requires_grad for part in found.top)


def test_everything_is_left_as_it_was_found() -> None:
    network = _net().train()
    for _ in strongest(network, _batches(_pixels(6), range(6), 3), LAYERS):
        assert network.training
        assert not any(module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_inference_mode_is_no_obstacle() -> None:
    with torch.inference_mode():
        pixels = _pixels(9)
        found = _last(strongest(_net(), _batches(pixels, range(9), 3), LAYERS, k=2))
    assert _rows(found["relu"]) == _brute(_net(), _pixels(9), "relu", 2)


def test_a_layer_that_writes_into_anothers_output_is_not_taken_for_it() -> None:
    network, pixels = _net(), _pixels(12)
    found = _last(strongest(network, _batches(pixels, range(12), 4), ["conv", "relu"], k=3))
    assert _rows(found["conv"]) == _brute(network, pixels, "conv", 3)
    assert _rows(found["relu"]) == _brute(network, pixels, "relu", 3)


def test_bad_wishes_are_told() -> None:
    network, pixels = _net(), _pixels(4)
    batches = list(_batches(pixels, range(4), 2))
    with pytest.raises(Mistake, match="no pictures"):
        list(strongest(network, [], ["conv"]))
    with pytest.raises(Mistake, match="No layer"):
        list(strongest(network, batches, []))
    with pytest.raises(Mistake, match="conv"):
        list(strongest(network, batches, ["convv"]))
    with pytest.raises(Mistake, match="1 or more"):
        list(strongest(network, batches, ["conv"], k=0))
    with pytest.raises(Mistake, match="numbered by whole numbers"):
        list(strongest(network, [([-1], pixels[:1])], ["conv"]))
    with pytest.raises(Mistake, match="twice"):
        list(strongest(network, [([1, 1], pixels[:2])], ["conv"]))
    with pytest.raises(Mistake, match="numbers"):
        list(strongest(network, [([1], pixels[:2])], ["conv"]))
    state = _last(strongest(network, batches, ["conv"]))
    with pytest.raises(Mistake, match="The state holds"):
        list(strongest(network, batches, ["relu"], state=state))
    with pytest.raises(Mistake, match="layer"):
        state["relu"]


def test_a_state_of_another_network_is_told() -> None:
    network, pixels = _net(), _pixels(4)
    state = _last(strongest(network, _batches(pixels, range(4), 2), ["conv"]))
    other = _net()
    other.conv = nn.Conv2d(1, 6, 3).double()
    other.linear = nn.Linear(6 * 9, 4).double()
    with pytest.raises(Mistake, match="6 units, and in the state 5"):
        list(strongest(other, _batches(pixels, range(4), 2), ["conv"], state=state))


def test_activations_that_are_not_finite_name_their_layer() -> None:
    network, pixels = _net(), _pixels(4)
    pixels[2, 0, 4, 4] = math.nan
    with pytest.raises(Failure, match="conv is not finite"):
        list(strongest(network, _batches(pixels, range(4), 4), ["conv", "linear"]))


def test_damaged_states_are_told() -> None:
    tensors = _last(strongest(_net(), _batches(_pixels(4), range(4), 4), ["conv"])).tensors()
    with pytest.raises(Failure, match="conv/rows is missing"):
        restored({name: each for name, each in tensors.items() if name != "conv/rows"}, ["conv"])
    with pytest.raises(Failure, match="do not fit"):
        restored(tensors | {"conv/rows": torch.zeros(5, 2)}, ["conv"])
