"""Deconvnets against one that is written out, and against captum's where ReLUs are modules."""

from collections.abc import Callable

import pytest
import torch
from captum.attr import Deconvolution, GuidedBackprop
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.mistakes import Mistake
from hubel.networks import catalogue
from hubel.understanding.deconvnet import answer, project
from hubel.understanding.rectifying import RULES, rectifying


def undone(layers: list[nn.Module], pixels: Tensor, unit: int) -> Tensor:
    """Layer by layer forward with its switches kept, then layer by layer back; one picture.

    Unpooling adds where windows overlap; a response normalisation divides by what it divided by.
    """
    x, kept = pixels, []
    for layer in layers:
        kept.append(x)
        x = layer(x)
    maps = x[0, unit]
    back = torch.zeros_like(x)
    flat = int(maps.argmax())
    back[0, unit].view(-1)[flat] = maps.reshape(-1)[flat]
    for layer, before in zip(layers[::-1], kept[::-1], strict=True):
        if isinstance(layer, nn.Conv2d):
            shape = before.shape[2:]
            extra = [
                n - ((m - 1) * s - 2 * p + d * (k - 1) + 1)
                for n, m, s, p, d, k in zip(
                    shape, back.shape[2:], layer.stride, layer.padding, layer.dilation,
                    layer.kernel_size, strict=True,
                )
            ]  # fmt: skip
            back = F.conv_transpose2d(
                back, layer.weight, None, layer.stride, layer.padding, extra, layer.groups,
                layer.dilation,
            )  # fmt: skip
        elif isinstance(layer, nn.ReLU):
            back = back.clamp(min=0)
        elif isinstance(layer, nn.MaxPool2d):
            _, switches = F.max_pool2d(
                before, layer.kernel_size, layer.stride, layer.padding, return_indices=True
            )
            wide = torch.zeros_like(before).flatten(2)
            back = wide.scatter_add_(2, switches.flatten(2), back.flatten(2)).view_as(before)
        elif isinstance(layer, nn.LocalResponseNorm):
            ones = torch.where(before == 0, 1e-20, before)
            back = back * layer(ones) / ones
        else:
            raise TypeError(layer)
    return back


NETWORKS = {
    "lenet": lambda: [
        nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 9, 5), nn.ReLU(),
        nn.MaxPool2d(2),
    ],
    "alexnet": lambda: [
        nn.Conv2d(3, 8, 7, 3), nn.ReLU(inplace=True), nn.LocalResponseNorm(5, 0.5, 0.75, 2.0),
        nn.MaxPool2d(3, 2), nn.Conv2d(8, 8, 5, padding=2, groups=2), nn.ReLU(),
        nn.LocalResponseNorm(3, 0.1), nn.MaxPool2d(3, 2), nn.Conv2d(8, 6, 3, padding=1), nn.ReLU(),
    ],
    "vgg": lambda: [
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_the_projection_is_that_of_a_deconvnet_written_out(name: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(*NETWORKS[name]()).double()
    for module in network:
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.bias, 0.2)  # so that no unit is off everywhere
    x = torch.rand(2, 3, 36, 36, dtype=torch.float64)
    found = project(network, x, str(len(network) - 1), [1, 4])
    for i, unit in enumerate((1, 4)):
        with torch.no_grad():
            expected = undone(list(network), x[i : i + 1].clone(), unit)
        assert expected.abs().max() > 0
        assert torch.allclose(found.pixels[i : i + 1], expected, rtol=1e-9, atol=1e-15)


@pytest.mark.filterwarnings("ignore:Setting backward hooks")  # captum's way
@pytest.mark.parametrize(
    ("rule", "theirs"), [("deconvnet", Deconvolution), ("guided", GuidedBackprop)]
)
def test_captum_says_the_same_of_relu_modules(rule: str, theirs: type) -> None:
    torch.manual_seed(0)
    network = catalogue.build("vgg11", classes=5, channels=3, size=(32, 32)).eval()
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    x = torch.rand(2, 3, 32, 32)
    expected = theirs(network).attribute(x.clone().requires_grad_(), target=3)
    ours = answer(network, x, lambda y: y[:, 3], rule=rule)
    assert torch.allclose(ours, expected, rtol=1e-4, atol=float(expected.abs().max()) * 1e-5)


class Forms(nn.Module):
    """One network, its ReLUs written in one of many ways, one of them reused, with a skip."""

    def __init__(self, form: str) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.a, self.b = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.pool, self.score = nn.AvgPool2d(2), nn.Linear(8 * 9, 3)
        self.form, self.module, self.there = form, nn.ReLU(), nn.ReLU(inplace=True)

    def relu(self, x: Tensor) -> Tensor:
        zeros = torch.zeros_like(x)
        match self.form:
            case "module":
                return self.module(x)
            case "in place":
                return self.there(x)
            case "in place, result dropped":
                F.relu(x, True)
                return x
            case "functional":
                return F.relu(x)
            case "method":
                return x.relu()
            case "method in place":
                return x.relu_()
            case "clamp":
                return x.clamp(min=0)
            case "clamp_min":
                return torch.clamp_min(x, 0.0)
            case "maximum":
                return torch.maximum(zeros, x)
            case _:
                return torch.max(x, zeros)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.a(x))
        y = self.relu(self.b(x))
        y = torch.cat((self.relu(y + x), x), 1)
        logits: Tensor = self.score(self.pool(y).flatten(1))
        return logits


FORMS = (
    "module", "in place", "in place, result dropped", "functional", "method", "method in place",
    "clamp", "clamp_min", "maximum", "max",
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_relu_is_a_relu_however_it_is_written(rule: str) -> None:
    x = torch.rand(2, 2, 6, 6, generator=torch.Generator().manual_seed(3))
    found = [answer(Forms(form), x, lambda y: y[:, 1], rule=rule) for form in FORMS]
    for each in found[1:]:
        assert torch.allclose(each, found[0], atol=1e-7)
    plain = answer(Forms("module"), x, lambda y: y[:, 1], rule="gradient")
    assert torch.equal(found[0], plain) == (rule == "gradient")


@pytest.mark.parametrize(
    "make",
    [nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.SiLU, nn.GELU, nn.Mish, nn.Hardswish,
     nn.PReLU, nn.Softplus, lambda: nn.Hardtanh(0.0, 1.0, inplace=True)],
)  # fmt: skip
def test_relatives_of_the_relu(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 8), make(), nn.Linear(8, 3)).double()
    x = torch.randn(3, 6, dtype=torch.float64)
    guided = answer(network, x, lambda y: y[:, 0], rule="guided")
    deconvnet = answer(network, x, lambda y: y[:, 0], rule="deconvnet")
    before = network[0](x).detach().requires_grad_()
    value = network[1](before.clone())
    (slope,) = torch.autograd.grad(value.sum(), before)
    slope[(slope == 0) & (value > 0)] = 1  # a cap is passed
    above = network[2].weight[0].clamp(min=0)
    assert torch.allclose(deconvnet, above.expand(3, 8) @ network[0].weight)
    assert torch.allclose(guided, (above * slope) @ network[0].weight)
    assert torch.allclose(network(x), network[2](network[1](network[0](x))))


def test_places_units_and_one_of_many() -> None:
    torch.manual_seed(0)
    network = catalogue.build("resnet20", classes=4, channels=3, size=(16, 16))
    x = torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        many = project(network, x, "stage2", 5)
    network.eval()
    assert many.told == ()
    one = project(network, x[1:2], "stage2", [5], places=[tuple(many.places[1].tolist())])
    assert torch.allclose(many.pixels[1:2], one.pixels, atol=1e-6)
    assert torch.equal(many.places[1:2], one.places)
    assert project(network, x[:0], "stage2", 5).pixels.shape == (0, 3, 16, 16)
    logits = project(network, x, "fc", 2, rule="gradient")
    assert torch.allclose(logits.values, network(x)[:, 2], atol=1e-5)


def test_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    x = torch.rand(1, 1, 6, 6)
    for options, message in (
        ({"layer": "2", "units": 0}, "no layer '2'"),
        ({"layer": "0", "units": 2}, "0 has no unit 2: they are 0 to 1"),
        ({"layer": "0", "units": [0, 1]}, "1 pictures and 2 units"),
        ({"layer": "0", "units": 0, "places": [(4, 0)]}, r"maps are 4×4: no place \(4, 0\)"),
        ({"layer": "0", "units": 0, "rule": "deconv"}, "no rule for ReLUs 'deconv'. Did you mean"),
    ):
        with pytest.raises(Mistake, match=message):
            project(network, x, **options)  # type: ignore[arg-type]


def zeroed(x: Tensor) -> Tensor:
    x = x.clone()
    x[x < 0] = 0
    return x


DISGUISES = {
    "x * (x > 0)": [
        lambda x: x * (x > 0),
        lambda x: (x > 0) * x,
        lambda x: x * (x > 0).float(),
        lambda x: x.clone().mul_(x > 0),
        lambda x: torch.heaviside(x.detach(), torch.zeros(())) * x,
    ],
    "masked_fill": [lambda x: x.masked_fill(x < 0, 0)],
    "x[x < 0] = 0": [zeroed],
}  # fmt: skip


@pytest.mark.parametrize("name", DISGUISES)
def test_relus_in_disguise_are_told(name: str) -> None:
    x = torch.rand(1, 2, 7, 7, generator=torch.Generator().manual_seed(0)) - 0.5
    for write in DISGUISES[name]:
        assert project(Written(write), x, "last", 0).told == (name,)


def test_other_products_are_none() -> None:
    x = torch.rand(1, 2, 7, 7, generator=torch.Generator().manual_seed(0)) - 0.5
    for write in (lambda x: x * x.sigmoid(), lambda x: x * 2, lambda x: x * torch.ones_like(x)):
        assert project(Written(write), x, "last", 0).told == ()


class Written(nn.Module):
    def __init__(self, write: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.write = nn.Identity(), nn.Conv2d(2, 2, 3), write

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(self.write(self.first(x)))
        return y


def test_where_is_told_and_torchscript_is_refused() -> None:
    class Chooses(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(x > 0, x, 0.0).sum((2, 3))

    with rectifying(Chooses(), "guided") as told, torch.enable_grad():
        Chooses()(torch.rand(1, 1, 2, 2))
    assert told == ["where"]
    with pytest.warns(DeprecationWarning, match="script"):
        script = torch.jit.script(nn.Sequential(nn.ReLU()))
    with pytest.raises(Mistake, match="TorchScript"), rectifying(script, "guided"):
        pass
