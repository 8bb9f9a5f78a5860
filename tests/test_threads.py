"""Many threads, one classifier in training mode: all is as if each had been alone.

A thread of its own asks a network that has nothing to do with it, all the while. Threads are made
to take turns as often as they can; each thing done is compared with what it gave alone.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import hubel
from hubel.breaking.gradient import pgd
from hubel.breaking.minimal import deepfool
from hubel.breaking.ready import ready
from hubel.inference.folding import folded
from hubel.mistakes import Mistake
from hubel.model import Classifier, PixelSpec, evaluating
from hubel.twins import evaluated
from hubel.understanding.deconvnet import project
from hubel.understanding.occlusion import occlude
from hubel.understanding.outputs import handed_on
from hubel.understanding.patches import strongest
from hubel.understanding.probes import differentiate, recording
from hubel.understanding.saliency import grad_cam, last_maps, of_class
from hubel.understanding.sanity import sanity_check

ROUNDS, THREADS = 2, 4
MODES = pytest.mark.parametrize("training", [True, False], ids=["training", "evaluating"])


@pytest.fixture(autouse=True)
def _quick_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def shared() -> Classifier:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(8, 3),
    )  # fmt: skip
    spec = PixelSpec((12, 12), channels=3)
    made = Classifier(network, classes=("cat", "dog", "eel"), pixels=spec)
    with torch.no_grad():
        for _ in range(20):  # statistics that no batch has
            made(torch.rand(8, 3, 12, 12))
    return made


def pictures(n: int) -> Tensor:
    return torch.rand(n, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def together(works: list[Callable[[], Any]], times: int) -> list[list[Any]]:
    """What each function gives, so many times, in threads that begin at once."""
    barrier, found, wrong = threading.Barrier(len(works)), [[] for _ in works], []

    def run(i: int, work: Callable[[], Any]) -> None:
        try:
            barrier.wait()
            found[i] = [work() for _ in range(times)]
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
    return found


def same(ours: Any, alone: Any) -> bool:
    """Whether two results are alike: tensors up to rounding, as batch sizes may be chosen anew."""
    if isinstance(ours, Tensor):
        return bool(torch.allclose(ours, alone, rtol=1e-4, atol=1e-5, equal_nan=True))
    if isinstance(ours, list | tuple):
        return len(ours) == len(alone) and all(map(same, ours, alone))
    return bool(ours == alone)


def works(shared: Classifier, folder: Path) -> dict[str, Callable[[], Any]]:
    path = folder / "picture.png"
    rows = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    Image.fromarray(rows).save(path)
    x = pictures(4)
    labels = torch.tensor([0, 1, 2, 0])

    def predicted() -> Any:
        rows = [dict(each.classes) for each in hubel.predict(shared, [path] * 130)]
        return torch.tensor([[row[name] for name in shared.classes] for row in rows])

    def kept() -> Any:
        with evaluating(shared) as own, recording(own, ["4.1", "4"]) as found:
            own(x)
        return list(found.values())

    def top() -> Any:
        *_, last = strongest(shared, [(range(4), x)], ["2", "4.1"], k=2)
        return list(last["4.1"])

    def slopes() -> Any:
        found = differentiate(shared, x, of_class(1), at=["4"])
        return [found.output, found.pixels, found.gradients["4"]]

    def trusted() -> Any:
        explain = lambda net, pixels: differentiate(net, pixels, of_class(0)).pixels.abs().amax(1)  # noqa: E731
        return list(sanity_check(shared, x[:2], explain, repeats=2).rank)

    return {
        "predict": predicted,
        "pgd": lambda: pgd(shared, x, labels, epsilon=0.1, steps=3, seed=0),
        "deepfool": lambda: deepfool(ready(shared, x), x, labels=labels).images,
        "occlude": lambda: list(occlude(shared, x[0], 1, square=4, stride=4, layer="4").logits),
        "last maps": lambda: last_maps(shared, x),
        "Grad-CAM": lambda: grad_cam(shared, x, of_class(2)).maps,
        "handed on": lambda: [each[:3] for each in handed_on(shared, x)],
        "summary": lambda: str(hubel.summary(shared, (3, 12, 12))),
        "recording": kept,
        "top patches": top,
        "differentiate": slopes,
        "projection": lambda: project(shared, x, "4", 3).pixels,
        "folding": lambda: folded(shared, x)(x).detach(),
        "sanity": trusted,
    }


NAMES = [
    "predict", "pgd", "deepfool", "occlude", "last maps", "Grad-CAM", "handed on", "summary",
    "recording", "top patches", "differentiate", "projection", "folding", "sanity",
]  # fmt: skip


def state(network: nn.Module) -> list[Any]:
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules()]
    return [
        [m.training for m in network.modules()], hooks,
        {name: value.clone() for name, value in network.state_dict().items()},
        [p.grad for p in network.parameters()],
    ]  # fmt: skip


def unrelated() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).eval()
    x = torch.ones(3, 4)
    with torch.no_grad():
        return network, x, network(x)


@MODES
def test_all_at_once_is_as_each_alone(training: bool, shared: Classifier, tmp_path: Path) -> None:
    shared.train(training)
    rows = works(shared, tmp_path)
    alone = {name: rows[name]() for name in NAMES}
    before = state(shared)
    other, x, expected = unrelated()
    done = threading.Event()
    answers = []

    def ask() -> None:
        while not done.is_set():
            with torch.no_grad():
                answers.append(torch.equal(other(x), expected))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        found = together([rows[name] for name in NAMES], ROUNDS)
    finally:
        done.set()
        asking.join()
    assert answers
    assert all(answers)
    for name, results in zip(NAMES, found, strict=True):
        assert all(same(each, alone[name]) for each in results), name
    after = state(shared)
    assert before[:2] == after[:2]
    assert all(torch.equal(before[2][name], after[2][name]) for name in before[2])
    assert before[3] == after[3]
    assert torch.is_grad_enabled()


@MODES
@pytest.mark.parametrize("name", NAMES)
def test_several_of_one_kind(name: str, training: bool, shared: Classifier, tmp_path: Path) -> None:
    shared.train(training)
    work = works(shared, tmp_path)[name]
    alone, before = work(), state(shared)
    found = together([work] * THREADS, 2)
    assert all(same(each, alone) for results in found for each in results)
    after = state(shared)
    assert before[:2] == after[:2]
    assert all(torch.equal(before[2][key], after[2][key]) for key in before[2])


def test_four_threads_predicting_with_a_classifier_in_training_mode(shared: Classifier) -> None:
    """As it was reported: 64 of 192 answers were wrong, and batch norms had learned."""
    images = [np.asarray(each) for each in
              np.random.default_rng(2).integers(0, 256, (12, 12, 12, 3), np.uint8)]  # fmt: skip
    expected = [each.classes for each in hubel.predict(evaluated(shared), images)]
    before = state(shared)
    found = together([lambda: [each.classes for each in hubel.predict(shared, images)]] * 4, 4)
    for answers in (each for results in found for each in results):
        for ours, alone in zip(answers, expected, strict=True):
            assert dict(ours) == pytest.approx(dict(alone), abs=1e-5)
    assert all(torch.equal(before[2][k], v) for k, v in shared.state_dict().items())


def test_a_misfit_is_found_out_beside_answers(shared: Classifier) -> None:
    """For the smallest size that fits, weights give their places to tensors without numbers."""
    shared.eval()
    with torch.no_grad():
        expected = shared(pictures(2))
    wrong, done = [], threading.Event()

    def run() -> None:
        while not done.is_set():
            try:
                with torch.no_grad():
                    if not torch.equal(shared(pictures(2)), expected):
                        wrong.append("other numbers")
            except Exception as error:
                wrong.append(repr(error))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        for _ in range(5):
            with pytest.raises(Mistake, match="smallest square that fits is 2×2"):
                hubel.summary(shared, (3, 1, 1))
    finally:
        done.set()
        thread.join()
    assert not wrong


def test_a_trace_is_of_this_thread_alone(shared: Classifier) -> None:
    """While one thread runs the classifier without end, the other finds its layers as ever."""
    shared.eval()  # so that it is the very same modules
    expected, done = last_maps(shared, pictures(1)), threading.Event()

    def run() -> None:
        with torch.no_grad():
            while not done.is_set():
                shared(pictures(2))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert {last_maps(shared, pictures(1)) for _ in range(20)} == {expected} == {"4"}
    finally:
        done.set()
        thread.join()
