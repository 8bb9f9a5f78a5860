"""hubel data list | show | get"""

import json
from pathlib import Path
from typing import Annotated

import typer

from hubel.cli.options import Json

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
    data: Annotated[str, typer.Argument(metavar="NAME|DIR", help="A data set or a folder.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the contact sheet goes.")] = Path(
        "contact-sheet.png"
    ),
    as_json: Json = False,
) -> None:
    """Counts, sizes and balance of a data set or folder, and a contact sheet.

    Example:

      hubel data show photos/
    """
    from hubel.cli.progress import watching
    from hubel.cli.tables import table
    from hubel.verbs.data import show_data

    with watching() as watch:
        found = show_data(data, sheet=out, watch=watch)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    splits = list(found["splits"])
    rows = [(name, *(str(found["splits"][s][name]) for s in splits)) for name in found["classes"]]
    total = ("all", *(str(sum(found["splits"][s].values())) for s in splits))
    print(table(("class", *splits), [*rows, total]))
    print(f"\nSizes    {found['sizes']}")
    print(f"Balance  {found['balance']}")
    if found["unreadable"]:
        print(f"Unreadable, of those looked at: {len(found['unreadable'])}")
        for name, reason in found["unreadable"].items():
            print(f"  {name}: {reason}")
    print(f"Sheet    {found['sheet']}")


@app.command()
def get(name: Annotated[str, typer.Argument(help="A name from `hubel data list`.")]) -> None:
    """Download a data set from its publisher, check its hash, and keep it under HUBEL_HOME.

    Stopped half way, the same command goes on from there.

    Example:

      hubel data get cifar10
    """
    from hubel.cli.progress import watching
    from hubel.verbs.data import get_data

    with watching() as watch:
        print(get_data(name, watch=watch))
