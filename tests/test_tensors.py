"""Tensors as bytes: what is read is what was written, or nothing."""

import pickle
from pathlib import Path

import pytest
import torch

from hubel.mistakes import Failure
from hubel.tensors import check_finite, pack, seal, unpack, unseal

TENSORS = {"b": torch.arange(3.0), "a": torch.eye(2).long(), "nothing": torch.empty(0, 2)}
FACTS = {"words": 'quotes " and "sealed":"', "zeros": "0" * 64, "n": 3}


def test_round_trips(tmp_path: Path) -> None:
    found = unpack(pack(TENSORS), "here")
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())
    content = seal(TENSORS, FACTS)
    assert content == seal(TENSORS, FACTS)
    (tmp_path / "sealed").write_bytes(content)
    sealed = unseal(tmp_path / "sealed")
    assert all(torch.equal(sealed.tensors[name], tensor) for name, tensor in TENSORS.items())
    assert '"n": 3' in sealed.facts


def test_no_byte_of_a_sealed_file_changes_unseen(tmp_path: Path) -> None:
    path, whole = tmp_path / "state.safetensors", seal(TENSORS, FACTS)
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1 << i % 8]) + whole[i + 1 :])
        with pytest.raises(Failure, match=r"state\.safetensors (is damaged|holds no)"):
            unseal(path)
    for other in (whole[:-1], whole + b"\0", b"", pack(TENSORS), whole + whole):
        path.write_bytes(other)
        with pytest.raises(Failure, match=r"state\.safetensors is damaged"):
            unseal(path)
    path.write_bytes(whole)
    unseal(path)


def test_what_is_no_tensors_is_named() -> None:
    for content, said in ((b"", "no safetensors"), (pickle.dumps([1]), "it is a pickle")):
        with pytest.raises(Failure, match=f"weights.bin holds .*{said}"):
            unpack(content, "weights.bin")


def test_weights_are_finite_but_masks_need_not_be() -> None:
    check_finite({"w": torch.ones(2), "mask": torch.tensor([-torch.inf])}, {"w"}, "here")
    for name, value in (("w", torch.inf), ("w", torch.nan), ("mask", torch.nan)):
        with pytest.raises(Failure, match=f"here .* {name} holds numbers that are not finite"):
            check_finite({name: torch.tensor([1, value])}, {"w"}, "here")
