"""hubel look"""

import json
import sys
from typing import Annotated

import typer

from hubel.cli.options import Device, Json, Threads

EXAMPLES = """
\b
Examples:
  hubel look efficientnet-lite0 cat.jpg
  hubel look runs/2026-01-31-digits-small scans/ --target 7 --out sevens
  hubel look efficientnet-lite0 cat.jpg --layer blocks.4 --unit 12 --square 16
"""


def look(
    model: Annotated[str, typer.Argument(help="A run, a model folder or a network's name.")],
    images: Annotated[list[str], typer.Argument(help="Files, folders or globs.")],
    target: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="The class to explain  [default: the most probable]"),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(help="For Grad-CAM, units and their activity  [default: the last maps]"),
    ] = None,
    unit: Annotated[
        int | None, typer.Option(help="Of that layer  [default: the strongest]")
    ] = None,
    square: Annotated[
        int | None, typer.Option(help="The occlusion's square in pixels  [default: a seventh]")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(help="How far it goes at a time  [default: a twenty-eighth]")
    ] = None,
    fill: Annotated[str, typer.Option(help="What it shows: grey, mean or blur")] = "grey",
    trust: Annotated[
        bool, typer.Option("--trust/--no-trust", help="Put the maps on trial; most of the time.")
    ] = True,
    out: Annotated[str, typer.Option(metavar="DIR", help="The folder for the page")] = "look",
    download: Annotated[
        bool,
        typer.Option("--download", help="Fetch the network's published weights if need be."),
    ] = False,
    device: Device = "auto",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """What a network saw in pictures, by several ways, on one page."""
    from hubel.cli.progress import watching
    from hubel.report.drawing import legible
    from hubel.verbs.look import look as verb

    with watching() as watch:
        found = verb(
            model,
            images,
            target=target,
            layer=layer,
            unit=unit,
            square=square,
            stride=stride,
            fill=fill,
            trust=trust,
            out=out,
            device=device,
            threads=threads,
            download=download,
            watch=watch,
        )
    for name, reason in found.unreadable:
        print(f"hubel: could not read {legible(name)}: {reason}.", file=sys.stderr)
    if as_json:
        told = {"page": str(found.page), "pictures": [each.as_json() for each in found.looks]}
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for each in found.looks:
            best, p = each.predictions[0]
            print(
                f"{legible(each.name)}: {legible(best)} {p:.1%}; explained: {legible(each.target)}"
            )
            for line in each.lines:
                print(f"  {line}")
        print(f"Page  {found.page}")
    if found.unreadable:
        raise typer.Exit(1)


look.__doc__ = f"{look.__doc__}\n{EXAMPLES}"
