"""hubel data list | show | get"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubel.cli import completion
from hubel.cli.options import Json, Workers
from hubel.figures import counted, percent

if TYPE_CHECKING:
    from hubel.results import Inspection

MOST = 10  # pairs and files that are listed; the page and the JSON have them all

app = typer.Typer(help="The data sets at hand, and what is in a folder.", no_args_is_help=True)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The data sets that hubel knows, and whether they are here.

    Example:

      hubel data list
    """
    from hubel.cli.tables import table
    from hubel.verbs.data import list_data

    rows = list_data()
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    cells = [
        (row["name"], "here" if row["here"] else f"hubel data get {row['name']}", row["what"])
        for row in rows
    ]
    print(table(("name", "", "what"), cells))


@app.command()
def show(
    data: Annotated[
        str,
        typer.Argument(
            metavar="NAME|DIR",
            help="A data set or a folder.",
            autocompletion=completion.data_sets,
        ),
    ],
    augment: Annotated[
        bool, typer.Option("--augment", help="Draw every change that training can make to them.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where page and sheet go; an earlier inspection in it is replaced, other files "
            "are left alone",
            show_default="NAME-inspection, or the next free NAME-inspection-2, …",
        ),
    ] = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Look a data set or folder through: counts, sizes, copies, classes that look alike.

    Prints a summary, and writes inspection.html, inspection.json and contact-sheet.png. With
    --augment it writes augmentation.png instead, into NAME-augmentation: each change to training
    pictures, beside the picture as it is.

    \b
    Examples:
      hubel data show photos/
      hubel data show photos/ --augment
    """
    from hubel.cli.progress import watching

    if augment:
        from hubel.verbs.augment import augment_sheet

        sheet = augment_sheet(data, out=out)
        print(json.dumps({"sheet": str(sheet)}, ensure_ascii=False) if as_json else sheet)
        return
    from hubel.verbs.inspection import inspect

    with watching() as watch:
        shown = inspect(data, out=out, workers=workers, watch=watch)
    if as_json:
        facts = shown.found.as_json() | {"page": str(shown.page), "sheet": str(shown.sheet)}
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for line in _lines(shown.found):
        print(line)
    print(f"Page     {shown.page}")
    print(f"Sheet    {shown.sheet}")


def _lines(found: "Inspection") -> Iterator[str]:
    """What was found, for a terminal."""
    from hubel.cli.tables import table
    from hubel.report.drawing import legible

    splits = list(found.counts)
    rows = [(name, *(str(found.counts[s][name]) for s in splits)) for name in found.classes]
    total = ("all", *(str(sum(found.counts[s].values())) for s in splits))
    columns = ("pictures",) if len(splits) == 1 else splits
    yield table(("class", *columns), [*rows, total])
    yield ""
    yield f"Sizes    {found.sizes}"
    if found.formats:
        yield f"Formats  {', '.join(f'{n} × {name}' for name, n in found.formats.items())}"
    yield f"Balance  {legible(found.balance)}"
    for notice in found.notices:
        yield f"Note     {legible(notice)}"
    if found.copies:
        yield f"Copies   {counted(len(found.copies), 'pair')} of (nearly) the same picture"
        for pair in found.copies[:MOST]:
            how = "is" if pair.equal else "is, mirrored," if pair.mirrored else "is nearly"
            like = "" if pair.equal else f" (likeness {pair.likeness:.2f})"
            yield f"  {legible(pair.names[0])} {how} {legible(pair.names[1])}{like}"
    elif found.copies is not None:
        yield "Copies   none"
    for two in found.alike or ():
        a, b = map(legible, two.classes)
        share = percent(two.share, 0)
        yield f"Alike    {a} and {b}: {share} have their nearest picture in the other class"
    if found.unreadable:
        yield f"Unreadable  {len(found.unreadable)} of {found.looked_at}"
        for name, reason in list(found.unreadable.items())[:MOST]:
            yield f"  {legible(name)}: {reason}"


@app.command()
def get(
    name: Annotated[
        str,
        typer.Argument(help="A name from `hubel data list`.", autocompletion=completion.published),
    ],
) -> None:
    """Download a data set from its publisher, check its hash, and keep it under HUBEL_HOME.

    Stopped half way, the same command goes on from there.

    Example:

      hubel data get cifar10
    """
    from hubel.cli.progress import watching
    from hubel.verbs.data import get_data

    with watching() as watch:
        print(get_data(name, watch=watch))
