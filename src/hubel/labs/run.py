"""Run a lab and keep what it showed: its pictures, and everything else as one JSON file."""

import inspect
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import torch

import hubel
from hubel import draws, reading
from hubel.findings import Claim, Drawing, Finding, Shown
from hubel.labs import catalogue
from hubel.labs.lab import Lab, Setting, Size
from hubel.labs.lecture import BEYOND, CLAIMS, labs
from hubel.mistakes import Mistake, unknown
from hubel.report.lecture import entries, lab_page
from hubel.verbs import machine
from hubel.verbs.onward import onward
from hubel.verbs.place import place
from hubel.verbs.watch import Watch

PAGE, FACTS = "lab.html", "numbers.json"


@dataclass(frozen=True)
class _Facts:
    """The file FACTS."""

    lab: str
    size: str
    seed: int
    options: dict[str, Any]
    hubel: str
    torch: str
    seconds: float
    findings: tuple[Finding, ...]
    drawings: dict[str, str]
    lines: tuple[str, ...]
    numbers: dict[str, Any]


@dataclass(frozen=True)
class Ran:
    """A lab that was run: what it showed, how long it took, and the folder that holds it."""

    name: str
    shown: Shown
    seconds: float
    folder: Path


@machine.undisturbed
def run_lab(
    name: str,
    *,
    size: Size = "usual",
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    watch: Watch | None = None,
    options: Mapping[str, Any] | None = None,
) -> Ran:
    """Run the lab `name` and write its page, pictures (PNG) and numbers.json into a folder.

    size: "quick", "usual" (under five minutes on two cores) or "full". out: the folder, where an
    earlier lab is replaced once everything is there; None: a new one, labs/<name>. options: the
    lab's own, by name. Torch's generator is seeded inside and left as found. Raises Mistake for an
    unknown lab, size or option, for a folder that holds something else, and as the lab does;
    RuntimeError for a lab whose findings are not those of its claims.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ran = run_lab("approximation", size="quick", out=f"{folder}/approximation")
    >>> [finding.id for finding in ran.shown.findings]
    ['L7']
    """
    machine.demand_float32()
    lab = catalogue.find(name)
    if size not in get_args(Size):
        raise unknown("size of a lab", size, get_args(Size))
    _check_options(name, lab, options or {})
    results = place(out, Path("labs") / name, FACTS, "lab's result")
    with results.held() as folder:
        began = time.perf_counter()
        with _seeded(draws.integer(seed, "lab", name)):
            shown = lab(Setting(size, seed, watch or Watch()), **(options or {}))
        seconds = time.perf_counter() - began
        _check_findings(name, shown, some=bool(options))
        facts = _facts(name, shown, size, seed, options or {}, seconds)
        page = _page(facts, shown)
        text = json.dumps(plain(facts), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        files = {f"{drawing.name}.png": drawing.png for drawing in shown.drawings}
        folder.write_all({**files, PAGE: page, FACTS: text.encode()})
        folder.finish()
    return Ran(name, shown, seconds, folder.path)


def _facts(
    name: str, shown: Shown, size: Size, seed: int, options: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """All that numbers.json says."""
    return {
        "lab": name,
        "size": size,
        "seed": seed,
        "options": dict(options),
        "hubel": hubel.__version__,
        "torch": torch.__version__,
        "seconds": round(seconds, 1),
        "findings": [_told(finding) for finding in shown.findings],
        "drawings": {drawing.name: drawing.caption for drawing in shown.drawings},
        "lines": list(shown.lines),
        "numbers": shown.numbers,
    }


def _page(facts: dict[str, Any], shown: Shown) -> str:
    """The lab's page: of its claims; of what was asked by options, as it is."""
    names = list(labs())
    following = dict(pairwise(names)).get(facts["lab"])
    return lab_page(
        entries(labs()[facts["lab"]], shown)[: 1 if facts["options"] else None],
        facts=facts | {"date": datetime.now(UTC).strftime("%Y-%m-%d")},
        onward=onward("lab", name=facts["lab"], following=following),
    )


def kept(name: str, folder: Path, *, size: Size, seed: int) -> Ran | None:
    """What an earlier run of the same lab left in the folder; None if another or none did."""
    try:
        facts = reading.record(folder / FACTS, _Facts)
        told = (facts.lab, facts.size, facts.seed, facts.options, facts.hubel, facts.torch)
        if told != (name, size, seed, {}, hubel.__version__, torch.__version__):
            return None
        drawings = tuple(
            Drawing(drawn, reading.content(folder / f"{Path(drawn).name}.png"), caption)
            for drawn, caption in facts.drawings.items()
        )
        shown = Shown(facts.findings, drawings, facts.numbers, facts.lines)
        _check_findings(name, shown)
        return Ran(name, shown, facts.seconds, folder.absolute())
    except RuntimeError:  # Failure among them
        return None


def claim(id_: str) -> Claim:
    """The row of the lecture, or beyond it, with that id."""
    return next(row for row in (*CLAIMS, *BEYOND) if row.id == id_)


def plain(value: Any) -> Any:
    """The value as JSON has it: numbers that are not finite as None, arrays and tensors as lists.

    >>> plain({"a": (1, float("nan")), 2: torch.tensor([0.5])})
    {'a': [1, None], '2': [0.5]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, os.PathLike) else value


def _told(finding: Finding) -> dict[str, Any]:
    row = claim(finding.id)
    told = asdict(finding) | {"verdict": finding.verdict, "claim": row.text}
    return told | ({"erratum": row.erratum} if row.erratum else {})


def _check_options(name: str, lab: Lab, options: Mapping[str, Any]) -> None:
    known = list(inspect.signature(lab).parameters)[1:]  # after the setting
    for option in options:
        if option not in known:
            if not known:
                raise Mistake(f"The lab {name} has no options of its own, not {option!r} either.")
            raise unknown(f"option of the lab {name}", option, known)


def _check_findings(name: str, shown: Shown, *, some: bool = False) -> None:
    """Raises RuntimeError unless there is one finding for each claim of the lab; or for some."""
    found = sorted(finding.id for finding in shown.findings)
    claims = sorted(claim.id for claim in labs()[name])
    if (
        len(set(found)) < len(found)
        or not set(found) <= set(claims)
        or not (some or found == claims)
    ):
        raise RuntimeError(f"The lab {name} has findings {found}, but its claims are {claims}.")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's generator seeded inside; it and the number of threads are put back after."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
