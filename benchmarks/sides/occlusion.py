"""An occlusion map of one picture: ours, or captum's in one of three settings."""

import itertools
import json
import sys
import time

import torch
from skimage.data import astronaut
from torch import Tensor, nn

import hubel
from hubel import entrance
from hubel.inference.folding import folded
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.initialisation import initialise

SIDE = 224
BATCHES = (1, 2, 4, 8, 16, 32)  # tried for captum, on a coarse grid
CHECKED = 64  # positions that are computed in full for the error

told = json.loads(sys.argv[1])
if told["allocator"]:
    entrance.enter()


def model() -> Classifier:
    """Pretrained, or He's weights; norms have measured real pictures, so that effects are real."""
    if told["network"] == "efficientnet-lite0":
        return hubel.load("efficientnet-lite0")
    network = catalogue.build(told["network"], classes=1000, channels=3, size=(SIDE, SIDE))
    initialise(network, "he", seed=0)
    spec = PixelSpec((SIDE, SIDE), 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    made = Classifier(network, classes=tuple(map(str, range(1000))), pixels=spec)
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        photo = made.read(astronaut())
        views = [photo.roll((int(n) * 28, int(n) * 40), (1, 2)) for n in range(8)]
        with torch.no_grad():
            made.train()(torch.stack(views))
    return made.eval()


def captum_map(
    network: nn.Module, pixels: Tensor, target: int, square: int, stride: int, batch: int
) -> Tensor:
    from captum.attr import Occlusion

    found: Tensor = Occlusion(network).attribute(
        pixels[None],
        sliding_window_shapes=(3, square, square),
        strides=(3, stride, stride),
        target=target,
        baselines=0.5,
        perturbations_per_eval=batch,
    )
    return found


def best_for_captum(classifier: Classifier, pixels: Tensor, target: int) -> tuple[str, int]:
    """The layout and batch with the least time; as shipped there is only one layout."""
    layouts = ["plain", "folded, channels-last"] if told["tuned"] else ["plain"]
    times = {}
    for layout, batch in itertools.product(layouts, BATCHES):
        network = prepared(classifier, pixels, layout)
        captum_map(network, pixels, target, 112, 112, batch)
        began = time.perf_counter()
        captum_map(network, pixels, target, 40, 40, batch)
        times[layout, batch] = time.perf_counter() - began
    return min(times, key=times.__getitem__)


def prepared(classifier: Classifier, pixels: Tensor, layout: str) -> nn.Module:
    if layout == "plain":
        return classifier
    return folded(classifier, pixels[None]).to(memory_format=torch.channels_last)


classifier = model()
pixels = classifier.read(astronaut())
with torch.inference_mode():
    target = int(classifier(pixels[None]).argmax())
    if told["side"] == "captum":
        tuned = best_for_captum(classifier, pixels, target) if told["batch"] is None else None
        layout, batch = tuned or ("plain", told["batch"])
        network = prepared(classifier, pixels, layout)
        began = time.perf_counter()
        captum_map(network, pixels, target, told["square"], told["stride"], batch)
        seconds = time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "layout": layout, "batch": batch}))
        sys.exit()

from hubel.understanding.occlusion import occlude  # noqa: E402 - ours alone
from hubel.understanding.positions import Squares, occluded  # noqa: E402

# what a process pays for once is not to count
occlude(catalogue.build("lenet5", classes=10, channels=3, size=(28, 28)), torch.rand(3, 28, 28))
began = time.perf_counter()
found = occlude(
    classifier, pixels, target, square=told["square"], stride=told["stride"], fill="grey"
)
seconds = time.perf_counter() - began
squares = Squares(found.square, found.tops, found.lefts)
total = len(found.tops) * len(found.lefts)
chosen = torch.randperm(total, generator=torch.Generator().manual_seed(0))[:CHECKED].tolist()
grey = torch.full_like(pixels, 0.5)
with torch.inference_mode():
    full = torch.cat([
        classifier(occluded(pixels, grey, squares, chosen[i : i + 8]))[:, target]
        for i in range(0, len(chosen), 8)
    ])  # fmt: skip
ours = found.logits[..., target].flatten()
span = float(ours.max() - ours.min())
print(json.dumps({
    "seconds": seconds, "work": found.method.work, "boxes": found.method.boxes,
    "error": float((ours[chosen] - full).abs().max()) / span, "range": span, "positions": total,
}))  # fmt: skip
