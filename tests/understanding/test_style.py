"""Style transfer: losses by hand, gradients by finite differences, going on from a state."""

import math

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.mistakes import Failure, Mistake
from hubel.tensors import pack
from hubel.understanding.style import EDGE, LAYERS, Layers, Step, transfer
from hubel.understanding.style_losses import LOSSES, gram, total_variation
from hubel.understanding.style_starts import CONTRAST


class Net(nn.Module):
    """In-place ReLUs behind what is recorded, dropout, and a last layer that wants 12×12 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 5, 3, padding=1, stride=2)
        self.drop = nn.Dropout(0.5)
        self.score = nn.Linear(5 * 36, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        x = self.drop(F.elu(self.second(x), inplace=True))
        logits: Tensor = self.score(x.flatten(1))
        return logits


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().double().eval()


def picture(seed: int, height: int = 12, width: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, height, width, generator=generator, dtype=torch.float64)


CONTENT, STYLE = picture(1), picture(2) ** 3
BOTH = Layers(content={"second": 1.0}, style={"first": 0.25, "second": 0.75})


def by_hand(net: Net, image: Tensor, losses: str) -> tuple[float, float, float]:
    def maps(x: Tensor) -> tuple[Tensor, Tensor]:
        first = F.conv2d(x[None], net.first.weight, net.first.bias, padding=1)
        second = F.conv2d(first.relu(), net.second.weight, net.second.bias, padding=1, stride=2)
        return first[0], second[0]

    with torch.no_grad():
        (own1, own2), (_, content2), (style1, style2) = maps(image), maps(CONTENT), maps(STYLE)
        content = LOSSES[losses].content(own2, content2)
        first = LOSSES[losses].style(gram(own1), gram(style1))
        second = LOSSES[losses].style(gram(own2), gram(style2))
    return float(content), float(0.25 * first + 0.75 * second), float(total_variation(image))


@pytest.mark.parametrize("losses", LOSSES)
def test_the_steps_say_what_their_pictures_lose_and_go_down(net: Net, losses: str) -> None:
    steps = list(
        transfer(net, CONTENT, STYLE, layers=BOTH, losses=losses, style_weight=3, content_weight=2,
                 variation_weight=0.5, steps=25)
    )  # fmt: skip
    assert [step.number for step in steps] == list(range(26))
    for step in steps:
        content, style, variation = by_hand(net, step.image, losses)
        assert step.content == pytest.approx(content, rel=1e-9, abs=1e-12)
        assert step.style == pytest.approx(style, rel=1e-9, abs=1e-12)
        assert step.total_variation == pytest.approx(variation, rel=1e-12)
        assert step.loss == pytest.approx(2 * content + 3 * style + 0.5 * variation, rel=1e-9)
        assert 0 <= float(step.image.min()) <= float(step.image.max()) <= 1
        assert step.image.dtype == torch.float64
    losses_found = [step.loss for step in steps]
    assert losses_found == sorted(losses_found, reverse=True)
    assert losses_found[-1] < losses_found[0] / 2
    softened = 0.5 + CONTRAST * (CONTENT - 0.5)
    torch.testing.assert_close(steps[0].image, softened, rtol=0, atol=1e-12)
    # the line search's last look is the next step's first: about one run a step
    assert sum(step.evaluations for step in steps) <= 26 * 1.5


def test_with_style_alone_the_style_is_reached(net: Net) -> None:
    layers = Layers(content={}, style={"first": 1.0})
    steps = transfer(net, CONTENT, STYLE, layers=layers, steps=300, start="noise",
                     variation_weight=0)  # fmt: skip
    *_, last = steps
    assert last.style < 1e-8
    assert last.content == 0


def test_at_the_optimum_it_ends(net: Net) -> None:
    layers = Layers(content={"first": 1.0}, style={})
    inside = CONTENT.clamp(0.1, 0.9)
    found = list(transfer(net, inside, STYLE, layers=layers, variation_weight=0, start=inside))
    assert len(found) < 60  # of 200: what is left is rounding
    assert found[-1].content < 1e-25


def same(a: Step, b: Step) -> bool:
    return torch.equal(a.image, b.image) and a[2:6] == b[2:6] and a.number == b.number


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("stop", [0, 1, 2, 9])
def test_goes_on_bit_equal_from_a_saved_state(dtype: torch.dtype, stop: int) -> None:
    torch.manual_seed(0)
    net = Net().to(dtype).eval()
    content, style = CONTENT.to(dtype), STYLE.to(dtype)
    whole = list(transfer(net, content, style, layers=BOTH, steps=14, memory=5))
    state: dict[str, Tensor] = {}
    for step in transfer(net, content, style, layers=BOTH, steps=14, memory=5, state=state):
        if step.number == stop:
            break
    again = safetensors.torch.load(pack(state))
    rest = list(transfer(net, content, style, layers=BOTH, steps=14, memory=5, state=again))
    assert [step.number for step in rest] == list(range(stop + 1, 15))
    assert all(same(a, b) for a, b in zip(rest, whole[stop + 1 :], strict=True))
    assert int(again["number"]) == 14
    assert not list(transfer(net, content, style, layers=BOTH, steps=14, memory=5, state=again))


def test_from_the_picture_alone_it_goes_on_with_an_empty_memory(net: Net) -> None:
    state: dict[str, Tensor] = {}
    *_, last = transfer(net, CONTENT, STYLE, layers=BOTH, steps=8, state=state)
    bare = {"parameters": state["parameters"].clone()}
    first, *_ = transfer(net, CONTENT, STYLE, layers=BOTH, steps=1, state=bare)
    assert first.number == 1
    assert first.loss < last.loss
    straight, *_ = transfer(net, CONTENT, STYLE, layers=BOTH, steps=1, start=last.image)
    assert straight.loss == pytest.approx(last.loss, rel=1e-9)


def test_the_style_is_stretched_to_the_contents_size(net: Net) -> None:
    ramp = ((torch.arange(36, dtype=torch.float64) + 0.5) / 36).expand(3, 24, 36)
    first = next(transfer(net, CONTENT, ramp, layers=BOTH, start="style")).image
    expected = ((torch.arange(12, dtype=torch.float64) + 0.5) / 12).expand(3, 12, 12)
    expected = 0.5 + CONTRAST * (expected - 0.5)
    torch.testing.assert_close(first[:, :, 1:-1], expected[:, :, 1:-1], rtol=0, atol=1e-12)


def test_a_picture_is_started_from_as_it_is_but_for_black_and_white(net: Net) -> None:
    harsh = (CONTENT * 3 - 1).clamp(0, 1)
    first = next(transfer(net, CONTENT, STYLE, layers=BOTH, start=harsh)).image
    torch.testing.assert_close(first, harsh.clamp(EDGE, 1 - EDGE), rtol=0, atol=1e-12)


def test_noise_is_the_seeds(net: Net) -> None:
    state = torch.random.get_rng_state()
    a, b, c = (
        next(transfer(net, CONTENT, STYLE, layers=BOTH, start="noise", seed=s)).image
        for s in (1, 1, 2)
    )
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert float((a - 0.5).abs().max()) <= 0.05 + 1e-12
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_leaves_all_as_found_also_between_the_steps(net: Net, off: type) -> None:
    expected = list(transfer(net, CONTENT, STYLE, layers=BOTH, steps=4))
    net.train()
    net.second.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    content, style = CONTENT.clone(), STYLE.clone()
    with off():
        gradients = torch.is_grad_enabled()
        for step, other in zip(
            transfer(net, content, style, layers=BOTH, steps=4), expected, strict=True
        ):
            torch.testing.assert_close(step.image, other.image, rtol=0, atol=1e-12)
            assert [net.training, net.second.training, net.drop.training] == [True, False, True]
            assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
            assert torch.is_grad_enabled() == gradients
            assert not step.image.requires_grad
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(content, CONTENT)
    assert torch.equal(style, STYLE)


def test_pictures_of_other_sizes_than_the_last_layer_takes(net: Net) -> None:
    with pytest.raises(RuntimeError):
        net(picture(1, 9, 17)[None])
    *_, last = transfer(net, picture(1, 9, 17), picture(2, 30, 8), layers=BOTH, steps=3)
    assert last.image.shape == (3, 9, 17)


def test_rows_name_layers_that_the_catalogue_has() -> None:
    from hubel.networks.efficientnet_lite import efficientnet_lite
    from hubel.networks.vgg import vgg

    with torch.device("meta"):
        networks = {"vgg": vgg("E"), "efficientnet-lite": efficientnet_lite()}
    for name, layers in LAYERS.items():
        known = dict(networks[name].named_modules())
        assert {*layers.content, *layers.style} <= known.keys()
        assert sum(layers.content.values()) == pytest.approx(1)
        assert sum(layers.style.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"layers": Layers({"frist": 1.0}, {})}, "no layer 'frist'. Did you mean 'first'"),
        ({"layers": Layers({}, {})}, "at least one layer"),
        ({"layers": Layers({"score": 1.0}, {})}, r"score hands on \(1, 2\), not maps"),
        ({"layers": Layers({"first": -1.0}, {})}, "not -1"),
        ({"style_weight": math.nan}, "not nan"),
        ({"losses": "relativ"}, "Did you mean 'relative'"),
        ({"start": "contnet"}, "Did you mean 'content'"),
        ({"start": picture(1, 5, 5)}, r"not \(3, 5, 5\)"),
        ({"steps": 0}, "not 0"),
        ({"content": CONTENT * 255}, "found .* to 25"),
        ({"content": CONTENT[None]}, "one picture"),
        ({"content": CONTENT[:1]}, "content has 1, the style 3"),
    ],
)
def test_refuses(net: Net, wrong: dict, said: str) -> None:
    asked = {"content": CONTENT, "style": STYLE, "layers": BOTH} | wrong
    with pytest.raises(Mistake, match=said):
        transfer(net, **asked)  # at once, before a step is asked for


def test_refuses_other_states_and_losses_that_are_not_finite(net: Net) -> None:
    state: dict[str, Tensor] = {}
    list(transfer(net, CONTENT, STYLE, layers=BOTH, steps=2, state=state))
    other = picture(1, 12, 14)
    with pytest.raises(Failure, match=r"not that of a picture of \(3, 12, 14\): it has \(3, 12"):
        list(transfer(net, other, STYLE, layers=BOTH, state=dict(state)))
    for lost, said in (("d", "it lacks d"), ("ro.0", "not complete")):
        broken = {name: value for name, value in state.items() if name != lost}
        with pytest.raises(Failure, match=said):
            list(transfer(net, CONTENT, STYLE, layers=BOTH, state=broken))
    net.second.weight.data.fill_(math.inf)
    with pytest.raises(Failure, match="not finite"):
        list(transfer(net, CONTENT, STYLE, layers=BOTH, steps=2))
