"""hubel networks"""

import json
from typing import Annotated

import typer

from hubel.cli.options import Json

EXAMPLES = """
\b
Examples:
  hubel networks
  hubel networks resnet20 --json
"""


def networks(
    name: Annotated[str | None, typer.Argument(help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """The networks that can be trained or asked, with their parameters and papers."""
    from hubel.cli.tables import table
    from hubel.verbs.networks import networks as verb

    rows = verb(name)
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    cells = [
        (
            row["name"],
            f"{row['parameters']:,}",
            "×".join(str(n) for n in row["pixels"]),
            "yes" if row["weights"] else "",
            row["source"],
        )
        for row in rows
    ]
    print(table(("name", "parameters", "pixels", "weights", "source"), cells))
    if name is not None and rows[0]["note"]:
        print(f"\n{rows[0]['note']}")


networks.__doc__ = f"{networks.__doc__}\n{EXAMPLES}"
