"""Strangeness: by sorting all distances, and of what is nothing like the training pictures."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hubel import strangeness
from hubel.mistakes import Failure
from hubel.results import STRANGE, is_strange
from hubel.strangeness import NEIGHBOURS, Reference, reference, some
from hubel.tensors import pack


def cloud(n: int, seed: int, *, at: int = 0, d: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    middle = torch.zeros(d)
    middle[at] = 5.0
    return middle + torch.randn(n, d, generator=generator)


def slowly(features: Tensor, training: Tensor, validation: Tensor) -> list[float]:
    def distance(one: Tensor) -> float:
        apart = sorted(
            float((one / one.norm() - each / each.norm()).norm()) for each in training.double()
        )
        return apart[min(NEIGHBOURS, len(apart)) - 1]

    known = [distance(one) for one in validation.double()]
    found = [distance(one) for one in features.double()]
    return [sum(k < f - 1e-6 for k in known) / len(known) for f in found]


@given(st.integers(2, 30), st.integers(1, 20), st.integers(1, 8))
@settings(max_examples=20)
def test_it_is_the_share_of_nearer_validation_pictures(m: int, v: int, n: int) -> None:
    training, validation, features = cloud(m, 0), cloud(v, 1), cloud(n, 2, at=1)
    made = reference(training, validation)
    assert made is not None
    assert made.strangeness(features).tolist() == pytest.approx(
        slowly(features, training, validation), abs=1e-9
    )


def test_what_is_elsewhere_is_strange_and_what_is_like_them_is_not() -> None:
    made = reference(cloud(200, 0), cloud(100, 1))
    assert made is not None
    assert made.strangeness(cloud(20, 2, at=3)).min() == 1
    like = made.strangeness(cloud(400, 3))
    assert abs(float(like.mean()) - 0.5) < 0.1  # as many are nearer as are farther
    assert float((like >= STRANGE).double().mean()) < 0.1


def test_the_scale_of_features_does_not_matter_and_zeros_are_no_nan() -> None:
    made = reference(cloud(50, 0), cloud(50, 1))
    assert made is not None
    x = cloud(5, 2)
    assert torch.equal(made.strangeness(x), made.strangeness(4 * x))
    assert made.strangeness(torch.zeros(1, 12)).isfinite().all()
    assert made.strangeness(torch.zeros(0, 12)).shape == (0,)


def test_too_few_pictures_say_nothing() -> None:
    assert reference(cloud(1, 0), cloud(5, 1)) is None
    assert reference(cloud(5, 0), cloud(0, 1)) is None
    assert isinstance(reference(cloud(2, 0), cloud(1, 1)), Reference)


def test_of_many_some_are_kept_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangeness, "MOST", 10)
    assert some(5, 0) == [0, 1, 2, 3, 4]
    assert len(some(100, 0)) == 10
    assert some(100, 0) == some(100, 0) != some(100, 1)
    monkeypatch.setattr(strangeness, "NUMBERS", 1000)
    monkeypatch.setattr(strangeness, "MOST", 50)
    assert [len(some(100, 0, width=w)) for w in (1, 20, 40, 10**6)] == [50, 50, 25, 10]


def test_packed_and_unpacked_it_says_the_same_bit_by_bit() -> None:
    made = reference(cloud(50, 0), cloud(30, 1))
    assert made is not None
    again = Reference.unpacked(made.packed(), "a file")
    assert torch.equal(again.features, made.features)
    assert torch.equal(again.distances, made.distances)
    assert again.packed() == made.packed()
    assert copy.deepcopy(made) is made


UNIT = torch.eye(3, 4).half()
RISING = torch.tensor([0.1, 0.2])
WRONG = {
    "distances is missing": {"features": UNIT},
    "features is missing": {"distances": RISING},
    "types": {"features": UNIT.float(), "distances": RISING},
    "our types": {"features": UNIT[None], "distances": RISING},
    "of our types": {"features": UNIT, "distances": RISING.double()},
    "none": {"features": UNIT[:1], "distances": RISING},
    "are none": {"features": UNIT, "distances": RISING[:0]},
    "not finite": {"features": UNIT / 0, "distances": RISING},
    "ascending": {"features": UNIT, "distances": RISING.flip(0)},
    "those of unit vectors": {"features": UNIT, "distances": 20 * RISING},
    "unit vectors": {"features": UNIT, "distances": RISING / 0 * 0},
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_no_reference_is_refused(said: str) -> None:
    with pytest.raises(Failure, match=f"a file is damaged: .*{said}"):
        Reference.unpacked(pack(WRONG[said]), "a file")
    Reference.unpacked(pack({"features": UNIT, "distances": RISING}), "a file")


def test_features_that_are_not_finite_are_refused() -> None:
    bad = cloud(5, 0)
    bad[2, 3] = torch.inf
    for training, validation in ((bad, cloud(5, 1)), (cloud(5, 1), bad)):
        with pytest.raises(Failure, match="not finite"):
            reference(training, validation)


def test_of_few_validation_pictures_nothing_is_called_strange() -> None:
    assert not is_strange(19, 19)
    assert is_strange(20, 20)
    assert not is_strange(19, 20)
    assert is_strange(990, 1000)
    assert not is_strange(989, 1000)
