"""Muon: torch's own as the oracle where bfloat16 is multiplied, float64 where it is not."""

import pytest
import torch
from torch import Tensor, nn

from hubel.training import muon, precision
from hubel.training.muon import Muon, orthogonalised

SHAPES = [(4, 27), (32, 9), (8, 8), (1, 5)]


def matrices(seed: int) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def walk(optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
    for step in range(4):
        generator = torch.Generator().manual_seed(step)
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimiser.step()


def test_where_bfloat16_is_multiplied_it_is_torchs_to_the_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(muon, "multiplies_bfloat16", lambda device: True)
    ours, theirs = matrices(0), matrices(0)
    walk(Muon([{"params": ours}], lr=0.02, momentum=0.95, weight_decay=0.1), ours)
    walk(torch.optim.Muon(theirs, lr=0.02, momentum=0.95, weight_decay=0.1), theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a, b)


def test_elsewhere_it_is_the_same_steps_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "multiplies_bfloat16", lambda device: False)
    ours, theirs = matrices(0), matrices(0)
    walk(Muon([{"params": ours}], lr=0.02, momentum=0.95, weight_decay=0.1), ours)
    walk(torch.optim.Muon(theirs, lr=0.02, momentum=0.95, weight_decay=0.1), theirs)
    for a, b in zip(ours, theirs, strict=True):
        # four steps of 0.02 × sqrt(32 / 9), each off by bfloat16's three digits, on five multiplied
        assert torch.allclose(a, b, rtol=0, atol=0.02)
        assert a.dtype == torch.float32


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (12, 12)])
def test_orthogonalised_is_the_quintic_of_every_singular_value(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = orthogonalised(matrix, torch.float64)
    assert torch.allclose(found, slowly(matrix), rtol=0, atol=1e-10)
    close = orthogonalised(matrix.float(), torch.float32)
    assert torch.allclose(close.double(), found, rtol=0, atol=1e-4)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.5
    assert values.max() < 1.3


def slowly(matrix: Tensor) -> Tensor:
    """The same by the singular values themselves, of which it is a polynomial."""
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    s = s / s.norm()
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return u @ torch.diag(s) @ vt


def test_a_matrix_without_a_gradient_stays_and_a_zero_one_is_no_nan() -> None:
    still, zero = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(2, 3))
    zero.grad = torch.zeros(2, 3)
    Muon([{"params": [still, zero]}], lr=0.1, momentum=0.95, weight_decay=0.0).step()
    assert torch.equal(still, torch.ones(2, 3))
    assert torch.equal(zero, torch.ones(2, 3))


@pytest.mark.parametrize(
    ("limit", "able", "answer"),
    [
        (None, {"avx512_bf16": True}, True),
        (None, {"amx_bf16": True}, True),
        (None, {"avx2": True}, False),
        ("AVX2", {"avx512_bf16": True, "amx_bf16": True}, False),
        ("avx512_core_bf16", {"avx512_bf16": True}, True),
        ("AVX512_CORE_AMX", {"avx512_bf16": False}, False),
    ],
)
def test_bfloat16_is_asked_of_the_processor_and_of_the_user(
    monkeypatch: pytest.MonkeyPatch, limit: str | None, able: dict[str, bool], answer: bool
) -> None:
    for name in precision.LIMITS:
        monkeypatch.delenv(name, raising=False)
    if limit is not None:
        monkeypatch.setenv(precision.LIMITS[0], limit)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert precision.multiplies_bfloat16(torch.device("cpu")) is answer
