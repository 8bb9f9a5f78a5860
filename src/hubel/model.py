"""A model: a network that knows its own pixels and, as a classifier, its classes.

Called with pixels in [0, 1]; normalisation happens inside, so that an attack's ε and an
explanation's grey square are in pixel units everywhere. Saved as a folder of two files,
`model.safetensors` and `model.json`; nothing is ever unpickled and nothing is imported by a name
that stands in a file.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from hubel import atomic
from hubel import pixels as px
from hubel.mistakes import Failure, Mistake
from hubel.pixels import Picture, PixelSpec
from hubel.twins import Network, evaluated

WEIGHTS, FACTS = "model.safetensors", "model.json"
Build = Callable[..., nn.Module]  # (name, **arguments) → network


@dataclass(frozen=True)
class Blueprint:
    """How to build a network again: its name and the arguments of its builder (JSON values).

    >>> Blueprint("mlp", {"classes": 10, "hidden": [64]}).name
    'mlp'
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class Heads(NamedTuple):
    """What a network with auxiliary classifiers gives while it trains, in place of its logits.

    logits and each of auxiliary: (N, K). weight: that of each auxiliary loss in the objective.
    In evaluation mode such a network gives its logits alone.
    """

    logits: Tensor
    auxiliary: tuple[Tensor, ...]
    weight: float


class Model(nn.Module):
    """A network and the pixels it expects: float32 (N, C, H, W) in [0, 1] → its output."""

    task = "model"
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        pixels: PixelSpec,
        blueprint: Blueprint | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.pixels = pixels
        self.blueprint = blueprint
        self.provenance = dict(provenance or {})
        # not persistent: they belong to the specification, which is saved as text
        self.register_buffer("mean", torch.tensor(pixels.mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(pixels.std).view(-1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        output: Tensor = self.network((pixels - self.mean) / self.std)
        return output

    def read(self, picture: Picture, *, name: str = "") -> Tensor:
        """One picture as this model's pixels: float32 (C, H, W) in [0, 1], upright, resized.

        picture: a path, a PIL image, the bytes of a file, or an array (H, W[, C]). Transparency is
        laid over the specification's background. Raises `hubel.pixels.Unreadable`.
        """
        spec = self.pixels
        array = px.read(picture, spec, name=name)
        return torch.from_numpy(array).permute(2, 0, 1).contiguous().float().div_(255)

    def facts(self) -> dict[str, Any]:
        """What `model.json` says beside the hash of the weights."""
        made = self.blueprint
        return {
            "task": self.task,
            "network": made and {"name": made.name, "arguments": dict(made.arguments)},
            "pixels": self.pixels.as_json(),
            "provenance": self.provenance,
        }

    def files(self) -> dict[str, bytes]:
        """The model folder's files, name → content."""
        weights = pack(self.network.state_dict())
        facts = self.facts() | {"sha256": hashlib.sha256(weights).hexdigest()}
        text = json.dumps(facts, indent=2, ensure_ascii=False)
        return {WEIGHTS: weights, FACTS: (text + "\n").encode()}

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the model folder; an earlier model there is replaced once all is written.

        Other files in it stay. Raises Mistake for a folder that holds something else than a model.
        """
        path = Path(folder).resolve()
        if path.is_dir() and any(path.iterdir()) and not (path / FACTS).is_file():
            raise Mistake(f"{folder} holds something that is no model: save into another folder.")
        return atomic.write_folder(path, self.files())

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, build: Build) -> Self:
        """The model in a folder, in evaluation mode; `build(name, **arguments)` makes the network.

        Raises Failure, naming the file, for what is missing, damaged, or not ours.
        """
        folder = Path(folder)
        facts, weights = _read_folder(folder)
        if facts.get("task") != cls.task:
            raise Failure(f"{folder / FACTS} holds a {facts.get('task')!r}, not a {cls.task!r}.")
        try:
            made = facts.get("network") or {"name": "", "arguments": {}}
            blueprint = Blueprint(str(made["name"]), dict(made["arguments"]))
            arguments = cls._arguments(facts)
        except (KeyError, TypeError, ValueError) as wrong:
            raise Failure(f"{folder / FACTS} is damaged: {wrong}") from None
        try:
            network = build(blueprint.name, **blueprint.arguments)
        except (TypeError, ValueError) as wrong:
            raise Failure(
                f"{folder / FACTS} names the network {blueprint.name!r}, which cannot be built: "
                f"{wrong} For a network of your own, pass its builder: "
                "Classifier.load(folder, build=…)."
            ) from None
        _fill(network, weights, folder / WEIGHTS)
        return cls(network, blueprint=blueprint if blueprint.name else None, **arguments).eval()

    @classmethod
    def _arguments(cls, facts: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "pixels": PixelSpec.from_json(facts["pixels"]),
            "provenance": dict(facts.get("provenance", {})),
        }


class Classifier(Model):
    """A model whose output are logits (N, K), one for each of its K named classes.

    >>> spec = PixelSpec(size=(8, 8), channels=1)
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    >>> classifier = Classifier(net, classes=("cat", "dog"), pixels=spec)
    >>> classifier(torch.rand(5, 1, 8, 8)).shape
    torch.Size([5, 2])
    """

    task = "classify"

    def __init__(
        self,
        network: nn.Module,
        *,
        classes: Sequence[str],
        pixels: PixelSpec,
        blueprint: Blueprint | None = None,
        provenance: Mapping[str, Any] | None = None,
        temperature: float = 1.0,
    ) -> None:
        """temperature: what the network's logits are divided by, so that they are calibrated."""
        super().__init__(network, pixels=pixels, blueprint=blueprint, provenance=provenance)
        self.classes = tuple(classes)
        self.temperature = float(temperature)
        if not 0 < self.temperature < math.inf:
            raise Mistake(f"A temperature is above 0 and finite, not {temperature}.")
        if len(self.classes) < 2:
            raise Mistake(f"A classifier tells at least two classes apart; got {self.classes}.")
        if len(set(self.classes)) < len(self.classes):
            twice = sorted({c for c in self.classes if self.classes.count(c) > 1})
            raise Mistake(f"Class names must differ; found twice: {', '.join(twice)}.")

    def forward(self, pixels: Tensor) -> Tensor:
        logits = super().forward(pixels)
        if self.temperature == 1 or isinstance(logits, Heads):
            return logits
        return logits / self.temperature

    @torch.no_grad()
    def probabilities(self, pixels: Tensor) -> Tensor:
        """pixels (N, C, H, W) in [0, 1] → probabilities (N, K), in the mode the model is in."""
        return torch.softmax(self(pixels), dim=1)

    def facts(self) -> dict[str, Any]:
        facts = super().facts() | {"classes": list(self.classes)}
        return facts if self.temperature == 1 else facts | {"temperature": self.temperature}

    @classmethod
    def _arguments(cls, facts: Mapping[str, Any]) -> dict[str, Any]:
        names = facts["classes"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"classes are {names!r}, not a list of names")
        temperature = facts.get("temperature", 1.0)
        if not isinstance(temperature, int | float) or not 0 < temperature < math.inf:
            raise TypeError(f"the temperature is {temperature!r}, not a number above 0")
        return super()._arguments(facts) | {"classes": names, "temperature": temperature}


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors by name as safetensors; each owns its memory (two names may share one tensor)."""
    own = {
        k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()
    }
    return safetensors.torch.save(own)


def _read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        content = (folder / WEIGHTS).read_bytes()
    except FileNotFoundError as missing:
        raise Failure(
            f"{folder} is no model folder: {Path(missing.filename).name} is missing "
            f"(a model folder holds {FACTS} and {WEIGHTS})."
        ) from None
    except OSError as wrong:
        raise Failure(f"{wrong.filename} cannot be read: {wrong.strerror}.") from None
    except ValueError as wrong:
        raise Failure(f"{folder / FACTS} is damaged: {wrong}.") from None
    if not isinstance(facts, dict):
        raise Failure(f"{folder / FACTS} is not a model's description.")
    try:
        weights = safetensors.torch.load(content)
    except safetensors.SafetensorError as wrong:
        pickled = content[:2] in (b"\x80\x02", b"\x80\x04", b"\x80\x05", b"PK")
        why = "it is a pickle, which could run any code; it was not opened" if pickled else wrong
        raise Failure(f"{folder / WEIGHTS} holds no safetensors weights: {why}.") from None
    if hashlib.sha256(content).hexdigest() != facts.get("sha256"):
        raise Failure(
            f"{folder / WEIGHTS} is damaged: its SHA-256 is not the one in {FACTS}. "
            "Restore it from a copy."
        )
    return facts, weights


def _fill(network: nn.Module, weights: Mapping[str, Tensor], source: Path) -> None:
    """Load weights by name; says which names or shapes differ, the first five of them."""
    own = network.state_dict()
    wrong = [f"{n} is missing" for n in own if n not in weights]
    wrong += [f"{n} is unknown" for n in weights if n not in own]
    wrong += [
        f"{n} is {tuple(weights[n].shape)}, expected {tuple(own[n].shape)}"
        for n in own
        if n in weights and weights[n].shape != own[n].shape
    ]
    if wrong:
        more = f" (and {len(wrong) - 5} more)" if len(wrong) > 5 else ""
        raise Failure(f"{source} belongs to another network: {'; '.join(wrong[:5])}{more}.")
    network.load_state_dict(weights)


@contextmanager
def evaluating(network: Network) -> Iterator[Network]:
    """The network in evaluation mode, and no gradients inside the block.

    It is the network itself if that is in evaluation mode, else a twin: no mode is ever changed, as
    other threads may be answering with the network, or training it.
    """
    with torch.no_grad():
        yield evaluated(network)
