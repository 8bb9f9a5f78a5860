"""Every explanation is the same on a CUDA device as on the processor; run by benchmarks/gpu.sh.

What is drawn is drawn on the processor, so that only arithmetic differs: in float64 by rounding; in
float32 (without TF32) slopes differ more, by the units that stand at a ReLU's corner. There the
tolerances are about ten times what float32 differs from float64 by on the processor.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from skimage.data import astronaut
from torch import Tensor, nn

import hubel
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.tensors import pack
from hubel.training.initialisation import initialise
from hubel.understanding.deconvnet import project
from hubel.understanding.image_parameters import fourier
from hubel.understanding.maximise import maximise
from hubel.understanding.objectives import Objective
from hubel.understanding.occlusion import occlude
from hubel.understanding.patches import strongest
from hubel.understanding.perturbation import perturbation
from hubel.understanding.probes import differentiate
from hubel.understanding.rectifying import RULES
from hubel.understanding.saliency import (
    grad_cam,
    gradient,
    integrated_gradients,
    of_class,
    smooth_gradient,
    to_map,
)
from hubel.understanding.sanity import sanity_check
from hubel.understanding.style import Layers, Step, transfer

DEVICE = "cuda"  # "cpu", by hand: are the tests themselves right, where there is no device?

pytestmark = pytest.mark.skipif(
    DEVICE == "cuda" and not torch.cuda.is_available(), reason="there is no CUDA device"
)


@pytest.fixture(autouse=True)
def _no_tf32() -> Iterator[None]:
    """Products in float32 itself: TF32 has 10 bits behind the point."""
    convolutions, matrices = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, matrices.allow_tf32
    convolutions.allow_tf32 = matrices.allow_tf32 = False
    yield
    convolutions.allow_tf32, matrices.allow_tf32 = before


def drawn(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(2))


def small() -> Classifier:
    """With He's weights and norms that have measured something; pooling, and shortcuts."""
    network = catalogue.build("small", classes=5, channels=3, size=(20, 20))
    initialise(network, "he", seed=1)
    spec = PixelSpec((20, 20), 3, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
    model = Classifier(network, classes=tuple("abcde"), pixels=spec)
    with torch.no_grad():
        model.train()(drawn(8, 3, 20, 20))
    return model.eval()


class Asked:
    """A network and pictures on one device, and what is asked of them."""

    def __init__(self, kind: str, device: str, dtype: torch.dtype = torch.float64) -> None:
        if kind == "trained":  # EfficientNet-Lite0
            self.network = hubel.load("efficientnet-lite0")
            photo = self.network.read(astronaut())
            self.pixels, self.labels = torch.stack((photo, photo.flip(2))), [846, 250]
            self.early, self.late, self.unit = "blocks.3", "blocks.10.depthwise.relu", 7
        else:
            self.network, self.pixels = small(), drawn(2, 3, 20, 20)
            self.labels, self.early, self.late, self.unit = [3, 0], "conv1.relu", "res2", 4
        self.network, self.pixels = (each.to(device, dtype) for each in (self.network, self.pixels))
        self.score = of_class(self.labels)
        self.shape = (3, *self.network.pixels.size)


Found = dict[str, Tensor]


def _slopes(on: Asked) -> Found:
    found = differentiate(on.network, on.pixels, on.score, at=[on.early, on.late])
    parts = {"output": found.output, "score": found.score, "pixels": found.pixels}
    parts |= {f"values {name}": value for name, value in found.values.items()}
    return parts | {f"gradients {name}": value for name, value in found.gradients.items()}


def _projected(rule: str) -> Callable[[Asked], Found]:
    def explain(on: Asked) -> Found:
        found = project(on.network, on.pixels, on.late, [on.unit, on.unit + 1], rule=rule)
        return {"pixels": found.pixels, "values": found.values, "where": found.places}

    return explain


def _integrated(on: Asked) -> Found:
    found = integrated_gradients(on.network, on.pixels, on.score, steps=12, chunk=5)
    return {"attributions": found.attributions, "difference": found.difference}


def _grad_cam(on: Asked) -> Found:
    found = grad_cam(on.network, on.pixels, on.score, layer=on.late, signed=True)
    return {"weights": found.weights, "maps": found.maps, "enlarged": found.enlarged}


def _perturbed(kind: str) -> Callable[[Asked], Found]:
    def explain(on: Asked) -> Found:
        maps = drawn(2, *on.shape[1:])
        found = perturbation(on.network, on.pixels, maps, kind=kind, steps=6, places=2, seed=3)
        curves = found.by_map, found.random, found.moved
        return {
            "areas": torch.stack([curve.area for curve in curves]),
            "scores": torch.stack([curve.scores for curve in curves]),
        }

    return explain


def _maximised(on: Asked) -> Found:
    objectives = [Objective(2), Objective(on.unit, on.late, "centre"), Objective(1, draw=1)]
    found = maximise(on.network, objectives, shape=on.shape, steps=9, seed=5)
    return {"images": found.images, "scores": found.scores, "final": found.final}


def _styled(on: Asked) -> Found:
    layers = Layers(content={on.late: 1.0}, style={on.early: 0.5, on.late: 0.5})
    content, style = on.pixels
    steps = list(transfer(on.network, content, style, layers=layers, steps=5, start="noise"))
    losses = torch.tensor([step.loss for step in steps], dtype=torch.float64)
    return {"image": steps[-1].image, "losses": losses}


EXPLANATIONS: dict[str, Callable[[Asked], Found]] = {
    "slopes": _slopes,
    **{f"project, {rule}": _projected(rule) for rule in RULES},
    "gradient": lambda on: {"pixels": gradient(on.network, on.pixels, on.score)},
    "smooth_gradient": lambda on: {
        "pixels": smooth_gradient(on.network, on.pixels, on.score, samples=7, chunk=4)
    },
    "integrated_gradients": _integrated,
    "grad_cam": _grad_cam,
    "deletion": _perturbed("deletion"),
    "insertion": _perturbed("insertion"),
    "maximise": _maximised,
    "transfer": _styled,
}
STEPWISE = ("maximise", "transfer")  # they go on from what they have rounded: in float64 alone
AT_CORNERS = ("pixels", "attributions", "gradients")  # what these parts' names begin with


def difference(ours: Tensor, theirs: Tensor) -> float:
    """The size of a difference as a share of what it should be; infinite where shapes differ."""
    ours, theirs = ours.cpu().double(), theirs.cpu().double()
    if ours.shape != theirs.shape or not torch.equal(ours.isfinite(), theirs.isfinite()):
        return float("inf")
    keep = theirs.isfinite()
    size = float(theirs[keep].norm())
    return float((ours[keep] - theirs[keep]).norm()) / (size or 1.0)


def _apart(name: str, kind: str, dtype: torch.dtype) -> dict[str, float]:
    theirs, ours = (EXPLANATIONS[name](Asked(kind, device, dtype)) for device in ("cpu", DEVICE))
    return {part: difference(ours[part], theirs[part]) for part in theirs}


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_in_float64_it_differs_by_rounding(name: str) -> None:
    apart = _apart(name, "small", torch.float64)
    assert max(apart.values()) < (1e-9 if name in STEPWISE else 1e-12), apart


@pytest.mark.parametrize("name", [name for name in EXPLANATIONS if name not in STEPWISE])
def test_a_trained_network_answers_alike_in_float32(name: str) -> None:
    for part, apart in _apart(name, "trained", torch.float32).items():
        assert apart < (5e-2 if part.startswith(AT_CORNERS) else 2e-5), part


@pytest.mark.parametrize("name", STEPWISE)
def test_steps_with_a_trained_network_stay_together(name: str) -> None:
    apart = _apart(name, "trained", torch.float64)
    assert max(apart.values()) < 1e-6, apart


@pytest.mark.parametrize("kind", ["small", "trained"])
def test_occlusion_in_boxes_makes_the_same_three_maps(kind: str) -> None:
    found = []
    for device in ("cpu", DEVICE):
        on = Asked(kind, device, torch.float32)
        squares = {"square": 5, "stride": 3} if kind == "small" else {"square": 32, "stride": 24}
        given = on.network, on.pixels[0], on.labels[0]
        found.append(occlude(*given, layer=on.late, fill="blur", fast=True, **squares))
    theirs, ours = found
    assert ours.method.boxes, ours.method.why
    assert ours.method.share < 1e-4
    assert ours.method.work == theirs.method.work
    assert (ours.tops, ours.lefts, ours.unit) == (theirs.tops, theirs.lefts, theirs.unit)
    assert ours.logits.device == torch.device("cpu")
    assert torch.allclose(ours.probability, theirs.probability, rtol=0, atol=1e-5)
    assert ours.activity is not None
    assert theirs.activity is not None
    assert difference(ours.activity, theirs.activity) < 1e-5
    best = theirs.logits.topk(2).values
    clear = best[..., 0] - best[..., 1] > 1e-3  # nearly equal classes may change places
    assert torch.equal(ours.winner[clear], theirs.winner[clear])
    assert clear.double().mean() > 0.9


def test_occlusion_in_full_says_the_same() -> None:
    on = Asked("small", DEVICE, torch.float32)
    full, boxes = (occlude(on.network, on.pixels[0], 3, fast=fast) for fast in (False, True))
    assert not full.method.boxes
    assert difference(boxes.logits, full.logits) < 1e-5


def test_the_sanity_check_randomises_alike() -> None:
    def explain(network: nn.Module, pixels: Tensor) -> Tensor:
        return to_map(gradient(network, pixels, of_class(3)))

    both = Asked("small", "cpu"), Asked("small", DEVICE)
    theirs, ours = (sanity_check(on.network, on.pixels, explain, seed=4, repeats=2) for on in both)
    assert ours.layers == theirs.layers
    for name in ("rank", "similarity", "last"):
        assert torch.allclose(getattr(ours, name), getattr(theirs, name), rtol=0, atol=1e-6), name


def test_a_spectrum_is_the_same_image() -> None:
    """Also where it is no image's: real images have symmetric spectra, and parameters need not."""
    images = []
    for side in (10, 11):
        parameters = torch.randn(2, 3, side, 6, 2, generator=torch.Generator().manual_seed(0))
        for device in ("cpu", DEVICE):
            zero = torch.full((3, 1, 1), 0.5, dtype=torch.float64, device=device)
            rows = fourier((3, side, side), zero)
            images.append(rows.decode(parameters.to(zero)).cpu())
    assert max(difference(images[1], images[0]), difference(images[3], images[2])) < 1e-13


def test_top_patches_are_the_same_pictures_and_places() -> None:
    pictures, found = drawn(60, 3, 20, 20).double(), []
    for device in ("cpu", DEVICE):
        network = small().double().to(device)
        batches = ((range(i, i + 12), pictures[i : i + 12].to(device)) for i in range(0, 60, 12))
        *_, last = strongest(network, batches, ["conv1.relu", "res2", "head"], k=4)
        found.append(last)
    theirs, ours = found
    assert difference(ours.top.values, theirs.top.values) < 1e-12
    for name in ("pictures", "rows", "columns"):
        assert torch.equal(getattr(ours.top, name).cpu(), getattr(theirs.top, name)), name


def test_a_style_transfer_goes_on_from_a_saved_state(tmp_path: Path) -> None:
    """Read from a file, tensors are on the processor."""
    on = Asked("small", DEVICE)
    layers = Layers(content={on.late: 1.0}, style={on.early: 1.0})

    def run(steps: int, state: dict[str, Tensor]) -> Step:
        return [*transfer(on.network, *on.pixels, layers=layers, steps=steps, state=state)][-1]

    whole, state = run(6, {}), dict[str, Tensor]()
    run(3, state)
    file = tmp_path / "state.safetensors"
    file.write_bytes(pack(state))
    resumed = run(6, safetensors.torch.load_file(file))
    assert resumed.number == whole.number == 6
    assert resumed.image.device.type == DEVICE
    assert difference(resumed.image, whole.image) < 1e-9


def _generators() -> list[Tensor]:
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if DEVICE == "cuda" else [])]


def test_the_generators_are_left_as_found() -> None:
    on = Asked("small", DEVICE)
    before = _generators()
    for explain in EXPLANATIONS.values():
        explain(on)
    sanity_check(on.network, on.pixels, lambda net, x: to_map(gradient(net, x, on.score)))
    assert all(map(torch.equal, before, _generators()))


def test_a_look_at_a_picture(tmp_path: Path) -> None:
    """All of them together, with the figures and the drawings, each of them on trial."""
    picture = drawn(24, 20, 3).mul(255).byte().numpy()
    found = hubel.look(small(), [picture], device=DEVICE, layer="res2", out=tmp_path / "look")
    assert found.page.is_file()
    assert not found.unreadable
