"""A recipe: everything that decides how a network is trained, in one typed, validated record.

Named recipes are rows of `presets.RECIPES`. A recipe is read from TOML, overridden by
`--set key=value`, and written resolved into the run folder, from where the same training can be run
again.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hubel import draws, reading
from hubel.figures import counted
from hubel.mistakes import Failure, Mistake, unknown
from hubel.training.initialisation import SCHEMES
from hubel.training.losses import LOSSES
from hubel.training.optimisers import KINDS
from hubel.training.presets import RECIPES, SUITED
from hubel.training.schedule import NAMES

# The names that a field may have, from the files that know them.
TABLES: dict[str, Iterable[str]] = {
    "initialisation": SCHEMES,
    "loss": LOSSES,
    "optimiser": KINDS,
    "schedule": NAMES,
}


# Beyond these, float32 overflows or a training never ends; no use of more is known.
MOST, MOST_COUNT = 1e6, 10**9
MOST_SHOWN = 300  # characters of one thing that is wrong


class Recipe(BaseModel):
    """Defaults are those of the recipe `fast`; the comment behind a field says what it decides.

    >>> Recipe(network="mlp", lr=0.1).lr
    0.1
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)

    recipe: str = "fast"  # the row of RECIPES that this one began as
    data: str | None = None  # a data set's name or a folder
    validation: float | None = Field(None, gt=0, lt=1)  # share held out; None: the data's own
    test: float | None = Field(None, ge=0, lt=1)  # share split off a folder without a test split
    group_duplicates: bool = True  # copies of a picture on one side, where hubel splits a folder

    start: str | None = None  # a network with weights, or a run: what to begin with
    thaw: float = Field(1.0, ge=0, le=1)  # share of a start's layers that learn in the end
    first_rate: float = Field(0.1, gt=0, le=1)  # of a start's first layer, as a share of lr

    network: str = "small"
    arguments: dict[str, Any] = {}  # of the network's builder: dropout, hidden, widths, …
    size: int | None = Field(
        None, gt=0, le=4096
    )  # side of the square the network sees; None: the data's
    resize: Literal["squash", "crop", "pad"] = "crop"
    initialisation: str = "default"

    epochs: int = Field(10, gt=0, le=MOST_COUNT)
    batch_size: int | Literal["all"] = 128  # "all": gradient descent on the full batch
    optimiser: str = "muon"
    lr: float = Field(0.02, gt=0, le=MOST)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(0.0, ge=0, le=MOST)
    schedule: str = "one-cycle"
    warmup: float = Field(0.0, ge=0, le=MOST)  # epochs of linear growth
    milestones: tuple[float, ...] = (0.5, 0.75)  # of schedule "step": shares of the run
    plateau_patience: int = Field(3, gt=0, le=MOST_COUNT)  # of schedule "plateau": epochs
    # stop early after so many epochs without a better
    patience: int | None = Field(None, gt=0, le=MOST_COUNT)

    loss: str = "cross-entropy"
    smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced", "auto"] = "none"  # auto: balanced from 2 to 1 on
    l1: float = Field(0.0, ge=0, le=MOST)  # strength λ of Σ|W|, added to the loss
    l2: float = Field(0.0, ge=0, le=MOST)  # strength λ of ΣW², added to the loss

    # who attacks the pictures that are learned from (`hubel.breaking.adversarial_training`)
    adversary: Literal["none", "fast", "pgd", "trades"] = "none"
    epsilon: float = Field(8 / 255, gt=0)  # of an adversary, in L∞; 1 is white
    adversary_steps: int = Field(10, gt=0, le=10_000)  # of pgd and trades
    trades_beta: float = Field(6.0, ge=0, le=MOST)  # agreement's weight in trades

    flip: bool | None = None  # mirror half of the pictures; None: where the data's labels allow
    crop: int = Field(0, ge=0, le=1024)  # pixels of random crop after padding by as many
    margin: int = Field(0, ge=0, le=1024)  # pictures are so much larger, and cut at random
    rotate: float = Field(0.0, ge=0, le=180)  # degrees, either way
    scale: float = Field(0.0, ge=0, lt=1)  # relative, either way
    shift: float = Field(0.0, ge=0, le=1024)  # pixels, either way
    resized_crop: float = Field(0.0, ge=0, lt=1)  # share of the area that may be cut off
    shear: float = Field(0.0, ge=0, lt=90)  # degrees along each axis, either way
    perspective: float = Field(0.0, ge=0, lt=1)  # of half a side, for each corner
    elastic: float = Field(0.0, ge=0, le=1024)  # pixels of smooth random shifts
    brightness: float = Field(0.0, ge=0, le=1000)  # factors from 1 / (1 + it) to 1 + it
    contrast: float = Field(0.0, ge=0, le=1000)  # the same
    saturation: float = Field(0.0, ge=0, le=1000)  # the same
    hue: float = Field(0.0, ge=0, le=180)  # degrees, either way
    # AlexNet's, in deviations of the data's colours (0.1)
    lighting: float = Field(0.0, ge=0, le=1000)
    greyscale: float = Field(0.0, ge=0, le=1)  # probability
    trivial: float = Field(0.0, ge=0, le=1)  # probability of TrivialAugment's one change
    blur: float = Field(0.0, ge=0, le=1024)  # pixels of the largest deviation; half of the pictures
    erase: float = Field(0.0, ge=0, le=1)  # probability
    stylised: float = Field(0.0, ge=0, le=1)  # probability of a photograph's surface on the shape
    mixup: float = Field(0.0, ge=0, le=1000)  # α of two pictures mixed: 0.2 mildly, 1 evenly
    cutmix: float = Field(0.0, ge=0, le=1000)  # α of a box from another picture: 1

    seed: int = Field(0, ge=0, le=2**63 - 1)
    # of restarts: other draws than its neighbours, the same split
    trial: int = Field(0, ge=0, le=10**6)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where hardware
    channels_last: bool = True
    deterministic: bool = False  # on CUDA: deterministic kernels, for bit-equal resumes
    checkpoint_seconds: float = Field(60.0, ge=0, le=MOST)  # also saved after every epoch

    @field_validator("batch_size")
    @classmethod
    def _some(cls, size: int | str) -> int | str:
        if isinstance(size, int) and not 1 <= size <= MOST_COUNT:
            raise ValueError("must be at least 1, or 'all'")
        return size

    @field_validator("epsilon")
    @classmethod
    def _in_pixels(cls, epsilon: float) -> float:
        if epsilon > 1:
            raise ValueError(
                "is in units of pixels from 0 to 1"
                + (f"; of 255 levels that is {epsilon / 255:.4g}" if epsilon <= 255 else "")
            )
        return epsilon

    @field_validator(*TABLES)
    @classmethod
    def _known(cls, name: str, info: ValidationInfo) -> str:
        kind = info.field_name or ""
        if name not in TABLES[kind]:
            raise unknown(kind, name, TABLES[kind])
        return name

    @field_validator("milestones")
    @classmethod
    def _rising(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if list(shares) != sorted(set(shares)) or not all(0 < share < 1 for share in shares):
            raise ValueError("must be rising shares of the run, between 0 and 1")
        return shares

    @field_validator("arguments")
    @classmethod
    def _the_networks_own(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        taken = sorted({"classes", "channels", "size"} & arguments.keys())
        if taken:
            follow = "follows" if len(taken) == 1 else "follow"
            raise ValueError(f"{', '.join(taken)} {follow} from the data and from the key size")
        try:
            json.dumps(arguments, allow_nan=False)  # as they are kept with the model
        except (TypeError, ValueError):
            raise ValueError("must be texts, finite numbers, and lists of them") from None
        return arguments

    @model_validator(mode="after")
    def _together(self) -> "Recipe":
        balanced = self.class_weights == "balanced"
        if self.thaw < 1 and self.start is None:
            raise ValueError("thaw is of a start: name one (--from)")
        if (self.smoothing or balanced or self.mixup or self.cutmix) and (
            self.loss != "cross-entropy"
        ):
            raise ValueError(
                "Smoothing, class weights and mixed pictures are for the loss cross-entropy, not "
                f"for {self.loss}"
            )
        if self.adversary != "none" and (self.mixup or self.cutmix or self.loss != "cross-entropy"):
            raise ValueError(
                "An adversary is for the loss cross-entropy and for pictures of one class: set "
                "adversary=none, or mixup=0 and cutmix=0"
            )
        if self.margin and (self.start is not None or self.resize != "crop"):
            raise ValueError(
                "margin is for trainings that begin from nothing, and for resize=crop: set margin=0"
            )
        if self.nesterov and not self.momentum and self.optimiser in ("sgd", "muon"):
            raise ValueError("Nesterov needs momentum above 0: set nesterov=false or momentum")
        return self

    @property
    def drawn_from(self) -> int:
        """The seed of all draws but the split's."""
        return draws.integer(self.seed, "trial", self.trial) if self.trial else self.seed

    def as_toml(self) -> str:
        """The resolved recipe; what is None is left out (TOML has no null)."""
        return tomli_w.dumps(self.model_dump(exclude_none=True, mode="json"))


def resolve(name: str, overrides: Mapping[str, Any]) -> Recipe:
    """The recipe `name` (a row, or a TOML file's path) with overrides laid over it.

    Raises Mistake listing everything that is wrong.
    """
    if not name.endswith(".toml"):
        return _resolved(name, {}, overrides)
    told = read_toml(Path(name))
    try:
        return _resolved(str(told.get("recipe", "fast")), told, overrides)
    except Mistake as wrong:
        raise Mistake(f"{name}: {wrong}") from None


def _resolved(name: str, told: Mapping[str, Any], overrides: Mapping[str, Any]) -> Recipe:
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    data = str(overrides.get("data") or told.get("data") or "")
    network = overrides.get("network") or told.get("network")
    suited = dict(SUITED.get(data, SUITED[""])) if name == "fast" else {}
    if network not in (None, "small"):
        suited.pop("arguments", None)  # another network's dropout is its own affair
    if (overrides.get("loss") or told.get("loss") or "cross-entropy") != "cross-entropy":
        suited.pop("smoothing", None)  # which only cross-entropy knows
    layers = [RECIPES[name], suited, told, overrides]
    values: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    for layer in layers:
        nested |= _mapping(layer.get("arguments"))
        values |= layer
        values |= {"arguments": nested} if nested else {}
    try:
        return Recipe(**values | {"recipe": name})
    except ValidationError as wrong:
        raise Mistake(_sentence(wrong)) from None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def read_toml(path: Path) -> dict[str, Any]:
    """A recipe file's keys. Raises Mistake for what is missing or no TOML."""
    try:
        return reading.from_toml(reading.text(path))
    except reading.Wrong as wrong:
        raise Mistake(f"The recipe {path} cannot be taken: {wrong}.") from None
    except Failure as wrong:
        raise Mistake(f"The recipe {wrong}") from None


def parse_setting(text: str) -> dict[str, Any]:
    """One `key=value` of `--set`: the value as TOML, or as the bare text that it is.

    >>> parse_setting("lr=0.1"), parse_setting("loss=hinge"), parse_setting("arguments.dropout=0.5")
    ({'lr': 0.1}, {'loss': 'hinge'}, {'arguments': {'dropout': 0.5}})
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise Mistake(f"--set takes key=value, not {text!r}.")
    if "\n" in value:
        raise Mistake(f"--set takes one key=value, not {text!r}.")
    parsed: Any = value
    try:
        parsed = reading.from_toml(f"value = {value}")["value"]
    except reading.TooDeep as wrong:
        raise Mistake(f"--set {key}=… cannot be taken: {wrong}.") from None
    except reading.Wrong:
        pass
    outer, dot, inner = key.strip().partition(".")
    return {outer: {inner: parsed}} if dot else {outer: parsed}


def from_run(path: Path) -> Recipe:
    """The resolved recipe of a run folder. Raises Failure when it was damaged."""
    try:
        recipe = Recipe(**read_toml(path / "recipe.toml"))
        if recipe.data is None:
            raise Mistake("it names no data.")
        return recipe
    except (Mistake, ValidationError) as wrong:
        text = _sentence(wrong) if isinstance(wrong, ValidationError) else str(wrong)
        raise Failure(f"{path / 'recipe.toml'} is damaged: {text}") from None


def _sentence(wrong: ValidationError) -> str:
    """All of a recipe's errors in one sentence, with the nearest names for unknown keys."""
    parts = []
    for error in wrong.errors():
        key = ".".join(str(part)[:MOST_SHOWN] for part in error["loc"][:1]) or "recipe"
        if error["type"] == "extra_forbidden":
            guess = unknown("key", key, Recipe.model_fields)
            near = str(guess).partition("Did you mean ")[2].partition("?")[0]
            parts.append(f"there is no key {key!r}" + (f" (did you mean {near}?)" if near else ""))
        else:
            message = error["msg"].removeprefix("Value error, ").rstrip(".")
            message = message if len(message) <= MOST_SHOWN else f"{message[:MOST_SHOWN]} …"
            if error["loc"]:
                found = reading.shown(error["input"])
                message = f"{key}: {message[:1].lower()}{message[1:]}, found {found}"
            parts.append(message)
    return (
        f"The recipe is wrong in {counted(len(parts), 'place')}: {'; '.join(dict.fromkeys(parts))}."
    )
