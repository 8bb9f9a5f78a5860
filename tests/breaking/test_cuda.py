"""Every attack is the same on a CUDA device as on the processor; run by benchmarks/gpu.sh.

What is drawn is drawn on the processor, so that only arithmetic differs. In float64 that is
rounding; a step by the gradient's sign turns with the last bit where a gradient is nearly 0, of
which a smooth network has none.
"""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from hubel.breaking.adversarial_training import robust_accuracy
from hubel.breaking.attacks import ATTACKS
from hubel.breaking.carlini_wagner import carlini_wagner
from hubel.breaking.corruptions.table import CORRUPTIONS, corrupt
from hubel.breaking.eight_bit import rounded, saved
from hubel.breaking.fooling import fool
from hubel.breaking.gradient import fgsm, pgd
from hubel.breaking.minimal import deepfool
from hubel.breaking.norms import L2, LINF
from hubel.breaking.robustness import robustness
from hubel.breaking.search import search
from hubel.breaking.szegedy import box_lbfgs
from hubel.breaking.texturing import textured
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.initialisation import initialise

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


def smooth() -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(4)
        made = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.Softplus(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(8 * 64, 5),
        ).double()  # fmt: skip
        for part in made.parameters():
            part.data *= 3
    return made


def drawn(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.fixture
def pictures() -> tuple[Tensor, Tensor]:
    x = (drawn(16, 3, 16, 16) * 255).round() / 255
    with torch.no_grad():
        return x, smooth()(x).argmax(1)


ALIKE: dict[str, Callable[[nn.Module, Tensor, Tensor], Tensor]] = {
    "fgsm": lambda net, x, y: fgsm(net, x, y, epsilon=0.05),
    "pgd": lambda net, x, y: pgd(net, x, y, epsilon=0.05, steps=10, seed=3, restarts=2),
    "pgd, dropping": lambda net, x, y: pgd(net, x, y, epsilon=0.05, steps=10, drop=True),
    "pgd, L2": lambda net, x, y: pgd(net, x, y, epsilon=0.7, norm=L2, steps=10, loss="margin"),
    "search": lambda net, x, y: search(net, x, y, epsilon=0.1, queries=60),
    "deepfool": lambda net, x, y: deepfool(net, x, labels=y).images,
    "carlini-wagner": lambda net, x, y: carlini_wagner(net, x, y, rounds=2, steps=30).images,
    "box L-BFGS": lambda net, x, y: box_lbfgs(net, x, y, rounds=3, steps=5).images,
    "rounded": lambda _, x, y: rounded((x + 0.03).clamp(0, 1), x, epsilon=0.03 + 0 * len(y)),
    "saved": lambda _, x, y: saved((x + 0.01 + 0 * len(y)).clamp(0, 1)),
}


@pytest.mark.parametrize("name", ALIKE)
def test_attacks_agree_with_the_processor(name: str, pictures: tuple[Tensor, Tensor]) -> None:
    x, labels = pictures
    ours = ALIKE[name](smooth(), x, labels)
    theirs = ALIKE[name](smooth().to(DEVICE), x.to(DEVICE), labels.to(DEVICE))
    assert theirs.device.type == DEVICE
    # L-BFGS divides by small differences: what rounding differs by grows from step to step
    bound = {"box L-BFGS": 1e-4, "carlini-wagner": 1e-6}.get(name, 1e-9)
    torch.testing.assert_close(theirs.cpu(), ours, atol=bound, rtol=0)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruptions_agree_with_the_processor(name: str) -> None:
    x = drawn(3, 3, 32, 32).float()
    ours = corrupt(x, name, 3, seed=1)
    theirs = corrupt(x.to(DEVICE), name, 3, seed=1)
    # a level of a JPEG's, or a pixel at the edge of what it is moved to
    far = ((theirs.cpu() - ours).abs() > 1e-4).double().mean()
    assert float(far) < (0.02 if name in ("jpeg", "posterise", "glass-blur") else 0.002)
    assert float((theirs.cpu() - ours).abs().mean()) < 1e-3


def test_textures_agree_with_the_processor() -> None:
    content, texture = drawn(2, 3, 32, 32).float(), drawn(2, 3, 40, 40).float()
    ours = textured(content, texture, seed=0)
    theirs = textured(content.to(DEVICE), texture.to(DEVICE), seed=0)
    # another patch is the nearest where two are nearly as near
    assert float(((theirs.cpu() - ours).abs() > 1e-4).double().mean()) < 0.05


def test_counts_agree_on_a_real_network() -> None:
    network = catalogue.build("small", classes=6, channels=3, size=(32, 32))
    initialise(network, "he", seed=0)
    made = Classifier(network, classes=tuple("abcdef"), pixels=PixelSpec((32, 32))).eval()
    x = (drawn(40, 3, 32, 32).float() * 255).round() / 255
    with torch.no_grad():
        labels = made(x).argmax(1)
    counts = []
    for device in ("cpu", DEVICE):
        made.to(device)
        found = robustness(made, x.to(device), labels.to(device), ATTACKS["pgd"], [0.002, 0.01])
        counts.append([int(each.fooled.sum()) for each in found])
        counts[-1].append(
            round(40 * robust_accuracy(made, x.to(device), labels.to(device), epsilon=0.004))
        )
    assert counts[0] == pytest.approx(counts[1], abs=1)
    made.to(DEVICE)
    assert float(LINF.size(pgd(made, x.to(DEVICE), labels.to(DEVICE), epsilon=0.01) - x.to(DEVICE))
                 .max()) <= 0.01 + 1e-6  # fmt: skip


@pytest.mark.parametrize("way", ["cppn", "direct"])
def test_evolution_runs_on_the_device_and_goes_on_from_its_state(way: str) -> None:
    network = catalogue.build("small", classes=6, channels=1, size=(28, 28))
    initialise(network, "he", seed=0)
    made = Classifier(network, classes=tuple("abcdef"), pixels=PixelSpec((28, 28), 1)).eval()
    made.to(DEVICE)
    whole = [*fool(made, way, evaluations=300, offspring=100)][-1]
    state: dict[str, Tensor] = {}
    [*fool(made, way, evaluations=200, offspring=100, state=state)]
    again = [*fool(made, way, evaluations=300, offspring=100, state=state)][-1]
    torch.testing.assert_close(again.confidences, whole.confidences, atol=1e-6, rtol=0)
