"""What must hold on a CUDA device: answers, training, resuming; run by benchmarks/gpu.sh."""

from pathlib import Path

import numpy as np
import pytest
import torch

import hubel
from hubel.data.augment.compose import augmentation
from hubel.inference.answers import Answers

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.mark.parametrize(("tf32", "bound"), [(False, 1e-4), (True, 1e-2)])
def test_answers_agree_with_the_processor(
    tf32: bool, bound: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products in TF32, torch's usual for convolutions, keep ten bits of every factor."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", tf32)
    images = np.random.default_rng(0).integers(0, 256, (100, 3, 224, 224), dtype=np.uint8)
    logits = []
    for device in ("cpu", "cuda"):
        model = hubel.load("efficientnet-lite0").to(device)
        answers = Answers(model, expected=100, device=device)
        answers.add(images)
        logits.append(answers.logits())
    spread = float(logits[0].max() - logits[0].min())
    assert float((logits[0] - logits[1]).abs().max()) < bound * spread


def test_augmentation_is_the_same() -> None:
    pixels = torch.rand(16, 3, 32, 32)
    effect = augmentation({"flip": 1, "crop": 4, "rotate": 10, "scale": 0.1, "shift": 2})
    assert effect is not None
    indices = np.arange(16)
    ours, theirs = effect(pixels, indices, 0, 1), effect(pixels.cuda(), indices, 0, 1)
    torch.testing.assert_close(theirs.cpu(), ours, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns(precision: str, tmp_path: Path) -> None:
    trained = hubel.train("digits", device="cuda", precision=precision, out=tmp_path / "run")
    assert trained.validation.accuracy > 0.95


def test_deterministic_resumes_are_bit_equal(tmp_path: Path) -> None:
    settings = {"device": "cuda", "deterministic": True, "epochs": 4, "precision": "float32"}
    whole = hubel.train("digits", out=tmp_path / "whole", **settings)
    hubel.train("digits", out=tmp_path / "parts", minutes=1e-4, **settings)
    resumed = hubel.train(resume=tmp_path / "parts", device="cuda")
    for name, tensor in whole.classifier.state_dict().items():
        assert torch.equal(tensor.cpu(), resumed.classifier.state_dict()[name].cpu()), name
