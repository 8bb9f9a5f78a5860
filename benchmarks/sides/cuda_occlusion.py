"""Occlusion maps of one picture on a GPU: ours in boxes and in full, plain torch, and captum's.

Each way with TF32 in convolutions, which is torch's default, and without; the errors are from plain
torch without, as a share of the target's range over all positions.
"""

import copy
import importlib.util
import json
import sys
import time
from collections.abc import Callable

import torch
from skimage.data import astronaut
from torch import Tensor, nn

import hubel
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.initialisation import initialise
from hubel.understanding.occlusion import Occlusion, occlude

MANY = 256  # pictures at a time
REPEATS, SECONDS = 3, 2.0  # of each way: so often, and no longer

told = json.loads(sys.argv[1])
device, size = torch.device(told["device"]), told["size"]
square, stride = told["square"], told["stride"]


def model() -> Classifier:
    """Pretrained, or He's weights with norms that have measured views of the photograph."""
    if told["network"] == "efficientnet-lite0":
        return hubel.load("efficientnet-lite0")
    network = catalogue.build(told["network"], classes=1000, channels=3, size=(size, size))
    initialise(network, "he", seed=0)
    spec = PixelSpec((size, size), 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    made = Classifier(network, classes=tuple(map(str, range(1000))), pixels=spec)
    for norm in (part for part in network.modules() if isinstance(part, nn.BatchNorm2d)):
        norm.momentum = 1.0
    photo = made.read(astronaut())
    with torch.no_grad():
        made.train()(torch.stack([photo.roll((28 * n, 40 * n), (1, 2)) for n in range(8)]))
    return made.eval()


def plain(tops: tuple[int, ...], lefts: tuple[int, ...]) -> Tensor:
    """The target's logits, as anybody writes it: the squares as masks, many pictures at a time."""
    down = torch.tensor(tops, device=device).repeat_interleave(len(lefts))
    across = torch.tensor(lefts, device=device).repeat(len(tops))
    rows = torch.arange(pixels.shape[1], device=device)[None, :, None]
    columns = torch.arange(pixels.shape[2], device=device)[None, None, :]
    found = []
    for top, left in zip(down.split(MANY), across.split(MANY), strict=True):
        top, left = top[:, None, None], left[:, None, None]
        inside = (rows >= top) & (rows < top + square) & (columns >= left)
        inside = (inside & (columns < left + square))[:, None]
        found.append(classifier(torch.where(inside, 0.5, pixels[None]))[:, target])
    return torch.cat(found).cpu()


def captum() -> None:
    from captum.attr import Occlusion as TheirOcclusion

    TheirOcclusion(classifier).attribute(
        pixels[None], sliding_window_shapes=(3, square, square), strides=(3, stride, stride),
        target=target, baselines=0.5, perturbations_per_eval=MANY,
    ).cpu()  # fmt: skip


def ours(fast: bool | None = None) -> Occlusion:
    return occlude(classifier, pixels, target, square=square, stride=stride, fast=fast)


def timed(work: Callable[[], object]) -> tuple[list[float], object]:
    """Seconds of each time, and what came of the last; every way ends on the processor."""
    work()
    times: list[float] = []
    result: object = None
    while len(times) < REPEATS and sum(times) < SECONDS:
        began = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - began)
    return times, result


def described(result: object, expected: Tensor) -> dict[str, object]:
    """Error and method of a result, as far as it has them."""
    logits = result
    row: dict[str, object] = {}
    if isinstance(result, Occlusion):
        method, logits = result.method, result.logits[..., target].flatten()
        row = {"note": method.why or f"{method.work:.0%} of the work"}
    if isinstance(logits, Tensor):
        row["error"] = float((logits - expected).abs().max() / (expected.max() - expected.min()))
    return row


classifier = copy.deepcopy(model()).to(device)
pixels = classifier.read(astronaut()).to(device)
rows = []
with torch.inference_mode():
    torch.backends.cudnn.allow_tf32 = False
    target = int(classifier(pixels[None]).argmax())
    first = ours(fast=False)
    tops, lefts = first.tops, first.lefts
    ways: dict[str, Callable[[], object]] = {
        "ours": ours,
        f"plain torch, {MANY} at a time": lambda: plain(tops, lefts),
    }
    if importlib.util.find_spec("captum"):
        ways[f"captum, {MANY} at a time"] = captum
    if told["boxes"]:
        ways["ours, by boxes"] = lambda: ours(fast=True)
    expected = plain(tops, lefts)
    for precision in ("float32", "tf32"):
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        for way, work in ways.items():
            times, result = timed(work)
            row = {"way": way, "precision": precision, "seconds": times}
            rows.append(row | described(result, expected))
print(json.dumps({"ways": rows, "positions": len(tops) * len(lefts)}))
