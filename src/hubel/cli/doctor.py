"""hubel doctor"""

import json

import typer

from hubel.cli.options import Json


def doctor(as_json: Json = False) -> None:
    """What hubel finds on this machine: versions, devices, data, and what is amiss.

    Example:

      hubel doctor
    """
    from hubel.cli.tables import table
    from hubel.verbs.doctor import doctor as verb

    rows = verb()
    if as_json:
        print(json.dumps([row._asdict() for row in rows], ensure_ascii=False, indent=2))
    else:
        cells = [("ok" if row.good else "!", row.what, row.found) for row in rows]
        print(table(("", "what", "found"), cells))
        for row in rows:
            if not row.good:
                print(f"\n{row.what}: {row.advice}")
    if not all(row.good for row in rows):
        raise typer.Exit(1)
