"""A model: a network that knows its own pixels and, as a classifier, its classes.

Called with pixels in [0, 1]; normalisation happens inside, so that an attack's ε and an
explanation's grey square are in pixel units everywhere. Saved as a folder of two files,
`model.safetensors` and `model.json`, and of a classifier that was trained here a third,
`familiar.safetensors`, which it can do without; nothing is ever unpickled and nothing is imported
by a name that stands in a file.
"""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from hubel import atomic, reading
from hubel import pixels as px
from hubel.logits import checked, finite
from hubel.mistakes import Failure, Mistake
from hubel.pixels import Picture, PixelSpec
from hubel.strangeness import Reference
from hubel.tensors import check_finite, pack, unpack
from hubel.twins import Network, evaluated

WEIGHTS, FACTS = "model.safetensors", "model.json"
FAMILIAR = "familiar.safetensors"  # what pictures are held against, see `hubel.strangeness`
MOST_FAMILIAR = 100_000_000  # bytes: several times what is ever written
Build = Callable[..., nn.Module]  # (name, **arguments) → network
# what a builder meets odd arguments with
ODD = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


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
        for name in ("mean", "std"):
            values = torch.tensor(getattr(pixels, name), dtype=torch.float32).view(-1, 1, 1)
            self.register_buffer(name, values, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """The network's output; pixels of any precision are turned into that of its weights."""
        weights = (each.dtype for each in self.network.parameters() if each.is_floating_point())
        normalised = (pixels - self.mean) / self.std
        output: Tensor = self.network(normalised.to(next(weights, normalised.dtype)))
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

        It is called twice, first on torch's "meta" device, where nothing takes memory, to compare
        shapes. Raises Failure, naming the file, for what is missing, damaged, or not ours: weights
        of another network or that are not finite, another number of classes than of outputs.
        """
        folder = Path(folder)
        facts, weights = _read_folder(folder)
        if facts.task != cls.task:
            raise Failure(f"{folder / FACTS} holds a {facts.task[:40]!r}, not a {cls.task!r}.")
        blueprint = facts.network
        try:
            arguments = cls._arguments(facts)
            _agree(blueprint, arguments)
            # what it says of itself is all looked at before its network is built
            cls(nn.Identity(), **arguments)
        except (Failure, Mistake) as wrong:
            raise reading.damaged(folder / FACTS, str(wrong)) from None
        arguments |= cls._beside(facts, folder)
        network = _built(build, blueprint or Blueprint(""), weights, folder)
        return cls(network, blueprint=blueprint, **arguments).eval()

    @classmethod
    def _arguments(cls, facts: "_Facts") -> dict[str, Any]:
        return {"pixels": PixelSpec.from_json(facts.pixels), "provenance": facts.provenance}

    @classmethod
    def _beside(cls, _facts: "_Facts", _folder: Path) -> dict[str, Any]:
        """What further files of the folder hold."""
        return {}


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
        reference: Reference | None = None,
    ) -> None:
        """temperature: what the network's logits are divided by, so that they are calibrated.
        reference: of which pictures its features are known, for the strangeness of others; it is of
        the weights as they are, and of no use for others.
        """
        super().__init__(network, pixels=pixels, blueprint=blueprint, provenance=provenance)
        self.classes = tuple(classes)
        self.temperature = float(temperature)
        self.reference = reference
        if not 0 < self.temperature < math.inf:
            raise Mistake(f"A temperature is above 0 and finite, not {temperature}.")
        if len(self.classes) < 2:
            raise Mistake(f"A classifier tells at least two classes apart; got {self.classes}.")
        if len(set(self.classes)) < len(self.classes):
            twice = sorted({c for c in self.classes if self.classes.count(c) > 1})
            raise Mistake(f"Class names must differ; found twice: {', '.join(twice)}.")

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (N, C, H, W) in [0, 1] → logits (N, K), float32, or float64 of such pixels.

        Raises Mistake where the network answers with anything else, see `hubel.logits`.
        """
        output: Any = super().forward(pixels)

        def logits(given: Any) -> Tensor:
            found = checked(given, len(pixels), classes=len(self.classes))
            return found.to(torch.promote_types(pixels.dtype, torch.float32))

        if isinstance(output, Heads):
            others = tuple(map(logits, output.auxiliary))
            return Heads(logits(output.logits), others, output.weight)  # type: ignore[return-value]
        return logits(output) if self.temperature == 1 else logits(output) / self.temperature

    @torch.no_grad()
    def probabilities(self, pixels: Tensor) -> Tensor:
        """pixels (N, C, H, W) in [0, 1] → probabilities (N, K), in the mode the model is in.

        Raises Failure for logits that are not finite.
        """
        return torch.softmax(finite(self(pixels)), dim=1)

    def facts(self) -> dict[str, Any]:
        facts = super().facts() | {"classes": list(self.classes)}
        if self.temperature != 1:
            facts["temperature"] = self.temperature
        if self.reference is not None:
            facts["familiar"] = hashlib.sha256(self.reference.packed()).hexdigest()
        return facts

    def files(self) -> dict[str, bytes]:
        more = {} if self.reference is None else {FAMILIAR: self.reference.packed()}
        return super().files() | more

    @classmethod
    def _arguments(cls, facts: "_Facts") -> dict[str, Any]:
        more = {"classes": facts.classes, "temperature": facts.temperature}
        return super()._arguments(facts) | more

    @classmethod
    def _beside(cls, facts: "_Facts", folder: Path) -> dict[str, Any]:
        return {"reference": _familiar(folder / FAMILIAR, facts.familiar)}


def _agree(blueprint: Blueprint | None, arguments: Mapping[str, Any]) -> None:
    """Raises Failure for a network that is to be built for other classes or channels than ours."""
    built = blueprint.arguments if blueprint is not None else {}
    ours = {"channels": arguments["pixels"].channels, "classes": len(arguments.get("classes", ()))}
    for key, number in ours.items():
        if key in built and number and built[key] != number:
            found = reading.shown(built[key])
            raise Failure(f"network.arguments.{key} is {found}, and the model has {number} {key}")


@dataclass(frozen=True)
class _Facts:
    """`model.json`, as it is read; of a classifier: classes, temperature, SHA-256 of FAMILIAR."""

    task: str
    sha256: str
    pixels: dict[str, Any]
    network: Blueprint | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    temperature: float = 1.0
    familiar: str | None = None


def _read_folder(folder: Path) -> tuple[_Facts, dict[str, Tensor]]:
    try:
        facts = reading.record(folder / FACTS, _Facts)
        content = reading.content(folder / WEIGHTS)
    except reading.Missing as missing:
        raise Failure(
            f"{folder} is no model folder: {missing.path.name} is missing "
            f"(a model folder holds {FACTS} and {WEIGHTS})."
        ) from None
    weights = unpack(content, folder / WEIGHTS)
    _check_whole(folder / WEIGHTS, content, facts.sha256)
    return facts, weights


def _familiar(path: Path, sha256: str | None) -> Reference | None:
    """None where there is none, or where somebody took it away, as a model can do without."""
    if sha256 is None:
        return None
    try:
        content = reading.content(path, most=MOST_FAMILIAR)
    except reading.Missing:
        return None
    _check_whole(path, content, sha256)
    return Reference.unpacked(content, path)


def _check_whole(path: Path, content: bytes, sha256: str) -> None:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Failure(
            f"{path} is damaged: its SHA-256 is not the one in {FACTS}. Restore it from a copy."
        )


def _built(
    build: Build, blueprint: Blueprint, weights: Mapping[str, Tensor], folder: Path
) -> nn.Module:
    """The network of the blueprint with these weights.

    It is built without numbers first, where it can be: one of other shapes than the weights', which
    might be of any size, is refused before it takes memory or time.
    """
    hollow = None
    with contextlib.suppress(*ODD), torch.device("meta"):
        hollow = build(blueprint.name, **blueprint.arguments)
    if hollow is not None:
        _compare(hollow, weights, folder / WEIGHTS)
    try:
        network = build(blueprint.name, **blueprint.arguments)
    except ODD as wrong:
        why = next(iter(str(wrong).splitlines()), type(wrong).__name__)  # torch's have many
        raise Failure(
            f"{folder / FACTS} names the network {reading.shown(blueprint.name)}, which cannot be "
            f"built: {why[: reading.MOST_SAID]} For a network of your own, pass its builder: "
            "Classifier.load(folder, build=…)."
        ) from wrong
    _compare(network, weights, folder / WEIGHTS)
    check_finite(weights, dict(network.named_parameters()), folder / WEIGHTS)
    network.load_state_dict(weights)
    return network


def _compare(network: nn.Module, weights: Mapping[str, Tensor], source: Path) -> None:
    """Raises Failure that says which names or shapes differ, the first five of them."""
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
        raise Failure(
            f"{source} belongs to another network than {FACTS} names: {'; '.join(wrong[:5])}{more}."
        )


@contextmanager
def evaluating(network: Network) -> Iterator[Network]:
    """The network in evaluation mode, and no gradients inside the block.

    It is the network itself if that is in evaluation mode, else a twin: no mode is ever changed, as
    other threads may be answering with the network, or training it.
    """
    with torch.no_grad():
        yield evaluated(network)
