"""How every page ends: the commands to go on with, and the pages beside it that are there."""

import os
import shlex
from pathlib import Path
from string import Formatter
from urllib.parse import quote

from hubel.model import Classifier
from hubel.report.html import Onward
from hubel.training.recipe import from_run
from hubel.verbs.load import own_run

_UNITS = "shows what each unit of that layer answers to"
_BREAK = ("hubel break {model}", "tells how little it takes to fool it")
_CORRUPTIONS = ("hubel break {model} --by corruptions", "tries noise, blur and bad weather")
_SHAPE = ("hubel break {model} --by shape", "tells whether it goes by shape or by texture")
_FOOLING = ("hubel break {model} --by fooling", "makes images of nothing that it is sure of")
_LOOK = (
    ("hubel look {run}", "shows what its worst mistakes rest on"),
    ("hubel look {network} PICTURE", "shows what an answer rests on"),
)

# page → (command, what it does); one with a word that is not known of the page is left out. Known
# are model, run where the model is one, else network; data, where the run's is known; and what the
# page's verb says.
NEXT: dict[str, tuple[tuple[str, str], ...]] = {
    "report": (
        ("hubel evaluate {run}{untested}", "measures it on pictures that it has never seen"),
        *_LOOK,
        _BREAK,
    ),
    "look": (
        ("hubel look {run} --units {layer}", _UNITS),
        ("hubel look {network} --units {layer} --data FOLDER", _UNITS),
        _BREAK,
    ),
    "atlas": (*_LOOK, _BREAK),
    "predict": (
        ("hubel look {model} PICTURE", "shows what an answer rests on"),
        ("hubel evaluate {model} FOLDER", "counts what is right, given a folder for each class"),
    ),
    "attack": (
        _CORRUPTIONS,
        _SHAPE,
        _FOOLING,
        ("hubel train {data} --recipe adversarial-fast", "learns to withstand such changes"),
    ),
    "corruptions": (_SHAPE, _FOOLING, _BREAK),
    "shape": (
        ("hubel train {data} --set stylised=0.5", "learns with textures that mean nothing"),
        _FOOLING,
        _BREAK,
    ),
    "fooling": (_BREAK, _CORRUPTIONS, ("hubel lab fooling-images", "holds it against the paper")),
    "inspection": (("hubel train {data}", "learns to tell them apart"),),
    "style": (
        ("hubel style {content} {style} --weight 300,1000", "paints with more of the style"),
        ("hubel style {content} {style} --network vgg19 --download", "paints by the paper's"),
    ),
    "networks": (
        ("hubel networks {paper} --verify", "holds it against its paper"),
        ("hubel train DATA --network {name}", "trains it"),
    ),
    "lab": (
        ("hubel lab {following}", "goes on with the lecture"),
        ("hubel lab {name} --full", "measures the same on more"),
        ("hubel lab --all", "makes one page of the whole lecture"),
    ),
    "lecture": (
        ("hubel lab NAME --full", "measures a claim on more"),
        ("hubel train digits", "trains a network of your own"),
    ),
}

# the file of a page about a model → what to call it
PAGES = {
    "report.html": "its training",
    "look.html": "what its answers rest on",
    "atlas.html": "its units",
    "attack.html": "attacks",
    "corruptions.html": "corruptions",
    "shape.html": "shape or texture",
    "fooling.html": "fooling images",
    "predict.html": "answers",
}


def onward(
    kind: str,
    model: str | os.PathLike[str] | Classifier | None = None,
    page: Path | None = None,
    **words: str | None,
) -> Onward:
    """The end of a page: a row of NEXT, of which model; the pages beside the file that it will be.

    words: what else the row's commands may name, as a shell takes it; None where there is none.
    """
    of_the_model, above = _of(model)
    known = {name: word for name, word in (of_the_model | words).items() if word is not None}
    commands = [
        (words.format_map(known), what)
        for words, what in NEXT[kind]
        if {field for _, field, _, _ in Formatter().parse(words) if field} <= known.keys()
    ]
    run = None if model is None else own_run(model)
    return Onward(commands, beside(page, run.path) if page and run else [], above)


def beside(page: Path, run: Path) -> list[tuple[str, str]]:
    """(address, name) of the newest page of each other kind in the run's folder.

    None for a page that lies elsewhere: what is moved alone would lead nowhere.
    """
    if not page.is_relative_to(run):
        return []
    found = []
    for file, name in PAGES.items():
        there = [each for each in (run / file, *run.glob(f"*/{file}")) if each.is_file()]
        if there and file != page.name:
            newest = max(there, key=lambda each: (each.stat().st_mtime_ns, each))
            address = os.path.relpath(newest, page.parent)
            found.append((quote(os.fsencode(address)), name))
    return found


def spelled(path: str | os.PathLike[str]) -> str | None:
    """A path as one types it: from here on where it lies here, from home on where it lies there.

    The name of what is no file or folder stays as it is. None for what lies elsewhere: a page tells
    nobody what the machine looks like.

    >>> spelled("digits"), spelled("two words")
    ('digits', "'two words'")
    """
    if not os.path.exists(path):
        return shlex.quote(os.fspath(path))
    whole = Path(path).absolute()
    if whole.is_relative_to(Path.cwd()):
        return shlex.quote(str(whole.relative_to(Path.cwd())))
    try:
        return f"~/{shlex.quote(str(whole.relative_to(Path.home())))}"
    except (RuntimeError, ValueError):  # nobody's home, or not in it
        return None


def _of(model: str | os.PathLike[str] | Classifier | None) -> tuple[dict[str, str | None], str]:
    """What commands can say of a model; its name where they must be typed in the folder above."""
    if model is None or isinstance(model, Classifier):
        return {}, ""
    run = own_run(model)
    path = run.path if run else Path(model)
    name = spelled(path if run else model)
    words = {"model": name or shlex.quote(path.resolve().name)}
    words["run" if run else "network"] = words["model"]
    data = from_run(run.path).data if run and name else None
    return words | {"data": data and spelled(data)}, "" if name else path.resolve().name
