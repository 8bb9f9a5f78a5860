"""hubel look"""

import json
from collections.abc import Mapping
from typing import Annotated

import typer

from hubel.cli import completion
from hubel.cli.newest import settled
from hubel.cli.options import Device, Json, Model, Threads
from hubel.cli.quick import Quick, less
from hubel.figures import percent
from hubel.mistakes import Mistake
from hubel.verbs.watch import say

EXAMPLES = """
\b
Examples:
  hubel look efficientnet-lite0 cat.jpg
  hubel look efficientnet-lite0 cat.jpg --quick
  hubel look cat.jpg                                    # the newest run
  hubel look                                            # its own worst mistakes
  hubel look runs/2026-01-31-digits-small scans/ --target 7 --out sevens
  hubel look efficientnet-lite0 cat.jpg --layer blocks.4 --unit 12 --square 16
  hubel look runs/2026-01-31-digits-small --units conv2
  hubel look efficientnet-lite0 --units blocks.4 --data scans/ --out atlas
"""
ONE_WAY = "--target, --layer, --square, --stride and --no-trust belong to pictures"


def look(
    context: typer.Context,
    model: Model = None,
    images: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders or globs; else the run's own worst mistakes."),
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(
            metavar="LAYER",
            help="Instead of pictures: an atlas of this layer's units",
            autocompletion=completion.layers,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="For --units: a data set or a folder",
            show_default="the run's validation",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    rule: Annotated[
        str, typer.Option(help="For --units: guided, deconvnet or gradient")
    ] = "guided",
    target: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS", help="The class to explain", show_default="the most probable"
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            help="For Grad-CAM, units and their activity",
            show_default="the last maps for Grad-CAM, some at two thirds of the way for units",
            autocompletion=completion.layers,
        ),
    ] = None,
    unit: Annotated[
        int | None,
        typer.Option(help="Of that layer", show_default="the strongest; of --units, all"),
    ] = None,
    square: Annotated[
        int | None, typer.Option(help="The occlusion's square in pixels", show_default="a seventh")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(help="How far it goes at a time", show_default="a twenty-eighth")
    ] = None,
    fill: Annotated[str, typer.Option(help="What it shows: grey, mean or blur")] = "grey",
    trust: Annotated[
        bool, typer.Option("--trust/--no-trust", help="Put the maps on trial; most of the time.")
    ] = True,
    quick: Quick = False,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The folder for the page; an earlier look or atlas in it is replaced, other files "
            "are left alone",
            show_default="a new one in the run, or here",
        ),
    ] = None,
    download: Annotated[
        bool,
        typer.Option("--download", help="Fetch the network's published weights if need be."),
    ] = False,
    device: Device = "auto",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """What a network saw in pictures, by several ways, on one page; or what its units answer to."""
    model, named = settled(model, images or ())
    if units is not None:
        if named:
            raise Mistake("Give pictures to look at, or a layer with --units, not both.")
        if any(each is not None for each in (target, layer, square, stride)) or not trust:
            raise Mistake(f"{ONE_WAY}, not to --units.")
        most, told = less(context, "look --units", {}) if quick else ({}, "")
        _atlas(model, units, data, unit, rule, out, download, device, threads, as_json, most, told)
        return
    if data is not None:
        raise Mistake("--data belongs to --units: name the pictures themselves.")
    from hubel.cli.progress import watching
    from hubel.legible import legible
    from hubel.verbs.look import look as verb

    told = ""
    if quick:
        chosen, told = less(context, "look", {"trust": trust})
        trust = chosen["trust"]
    with watching() as watch:
        if told:
            watch.notice(told)
        found = verb(
            model,
            named or None,
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
        say(f"hubel: could not read {legible(name)}: {reason}.")
    if as_json:
        facts = {"page": str(found.page), "pictures": [each.as_json() for each in found.looks]}
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        for each in found.looks:
            best, p = each.predictions[0]
            explained = legible(each.target)
            print(f"{legible(each.name)}: {legible(best)} {percent(p)}; explained: {explained}")
            for line in each.lines:
                print(f"  {legible(line)}")
        print(f"Page  {legible(str(found.page))}")
    if found.unreadable:
        raise typer.Exit(1)


def _atlas(
    model: str,
    layer: str,
    data: str | None,
    unit: int | None,
    rule: str,
    out: str | None,
    download: bool,
    device: str,
    threads: int | None,
    as_json: bool,
    most: Mapping[str, int],
    told: str,
) -> None:
    from hubel.cli.progress import watching
    from hubel.verbs.atlas import atlas

    with watching() as watch:
        if told:
            watch.notice(told)
        found = atlas(
            model, layer, data, unit=unit, rule=rule, out=out, download=download, device=device,
            threads=threads, watch=watch, **most,
        )  # fmt: skip
    if as_json:
        facts = {"page": str(found.page), "units": [each.as_json() for each in found.units]}
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        print(f"Units {len(found.units)} of {layer}")
        print(f"Page  {found.page}")
    if found.stopped:
        say("hubel: Stopped: the page holds the units that were done.")
        raise typer.Exit(130)


look.__doc__ = f"{look.__doc__}\n{EXAMPLES}"
