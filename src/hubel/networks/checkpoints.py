"""A checkpoint file in its publisher's layout: read without running anything, and put into a
network of ours, or refused with what differs.

torch's files are pickles inside: torch's restricted unpickler builds tensors, numbers and
collections of them, and stops at anything else.
"""

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from hubel import reading
from hubel.mistakes import Failure
from hubel.networks.checkpoint_names import Names, published_name
from hubel.tensors import check_finite, unpack

SHOWN = 5  # of the names that differ
COUNTER = ".num_batches_tracked"  # of batches that a norm has seen: no answer depends on it


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a state dict by name, on the CPU: torch's files, new and old, or safetensors.

    What kind of file it is, its content says. Raises Failure for a file that cannot be read, is
    damaged, asks for more than tensors (nothing of it is run), or is no state dict.
    """
    try:
        with reading.opened(path) as file:
            beginning = file.read(9)
            # safetensors begin with eight bytes of length and a JSON object
            safe = beginning[8:] == b"{"
            content = unpack(beginning + file.read(), path) if safe else _torch(path)
    except OSError as wrong:
        raise Failure(f"The weights {path} cannot be read: {wrong.strerror or wrong}.") from None
    if not isinstance(content, dict) or not content:
        raise Failure(
            f"{path} holds a {type(content).__name__} and no tensors by name: expected what "
            "torch.save(network.state_dict(), …) writes."
        )
    other = [str(key) for key, value in content.items() if not _plain(value)]
    if other:
        nested = [key for key in other if isinstance(content.get(key), dict)]
        advice = f": save its {nested[0]!r} alone" if nested else ""
        raise Failure(
            f"{path} is no state dict: expected a tensor of numbers under every name, found "
            f"something else under {_first([repr(key) for key in other], ', ')}{advice}."
        )
    return {str(key): value.detach() for key, value in content.items()}


def fill(
    network: nn.Module, state: Mapping[str, Tensor], names: Names, *, source: Path, called: str
) -> None:
    """Put a checkpoint's tensors, under its publisher's names, into a network, which may be hollow
    (on the meta device).

    They become of the network's type, and its own: nothing is shared with `state`. Counters of
    batches may be missing, as in files from before torch 0.4.1. Raises Failure, saying what
    differs, for a checkpoint of another network, and for weights that are not finite. called: our
    network's name.
    """
    own = network.state_dict()
    published = {ours: published_name(ours, names) for ours in own}
    expected = {published[ours]: tensor for ours, tensor in own.items()}
    wrong = list(_differences(expected, state))
    if wrong:
        head = next(reversed(published.values())).rpartition(".")[0]
        tuned = all(each.startswith(f"{head}.") for each in wrong)
        advice = f" It seems trained on other classes; {called} has ImageNet's." if tuned else ""
        raise Failure(f"{source} is no checkpoint of {called}: {_first(wrong)}.{advice}")
    filled = {
        ours: state[published[ours]].to(tensor.dtype).clone(memory_format=torch.contiguous_format)
        if published[ours] in state
        else torch.zeros((), dtype=tensor.dtype)
        for ours, tensor in own.items()
    }
    check_finite(filled, dict(network.named_parameters()), source)
    network.load_state_dict(filled, assign=True)


def _differences(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Iterator[str]:
    """What is missing, unknown, of another shape or another kind, a phrase each."""
    for name in expected:
        if name not in found and not name.endswith(COUNTER):
            yield f"{name} is missing"
    for name in found:
        if name not in expected:
            yield f"{name} is unknown"
    for name, tensor in expected.items():
        if name not in found:
            continue
        if found[name].shape != tensor.shape:
            yield f"{name} is {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
        elif found[name].is_floating_point() != tensor.is_floating_point():
            yield f"{name} holds {found[name].dtype}, expected {tensor.dtype}"


def _first(phrases: list[str], between: str = "; ") -> str:
    more = f" (and {len(phrases) - SHOWN} more)" if len(phrases) > SHOWN else ""
    return between.join(phrases[:SHOWN]) + more


def _plain(value: object) -> bool:
    """Whether it is a tensor that holds its numbers, one beside the other."""
    return (
        type(value) in (Tensor, nn.Parameter)
        and isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and not value.is_nested
    )


def _torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise Failure(
            f"{path} asks for more than tensors, or is no checkpoint; nothing of it was run. "
            "Expected what torch.save(network.state_dict(), …) writes."
        ) from None
    except (OSError, Warning):  # it warns of old files; whoever made that an error is told
        raise
    except Exception:  # whatever torch stumbles over; what it says of that helps nobody
        raise Failure(
            f"{path} is damaged, or no checkpoint of torch: expected what "
            "torch.save(network.state_dict(), …) writes."
        ) from None
