"""hubel style"""

import json
from typing import Annotated, Any

import typer

from hubel.cli import completion
from hubel.cli.options import Device, Json, Threads
from hubel.cli.quick import Quick, less
from hubel.mistakes import Mistake
from hubel.verbs.watch import say

EXAMPLES = """
\b
Examples:
  hubel style cat.jpg waves.jpg
  hubel style cat.jpg waves.jpg --weight 3,30 --size 320 --out cat-waves
  hubel style cat.jpg waves.jpg --network vgg19 --download
  hubel style cat.jpg waves.jpg --style-layers stem,blocks.2=2
  hubel style cat.jpg waves.jpg --steps 400 --resume
"""


def style(
    context: typer.Context,
    content: Annotated[str, typer.Argument(help="The picture whose content stays.")],
    style: Annotated[str, typer.Argument(help="The picture whose style is taken over.")],
    network: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="A run, a model folder or a network's name",
            autocompletion=completion.models,
        ),
    ] = "efficientnet-lite0",
    weight: Annotated[
        str, typer.Option(metavar="W,…", help="Of the style; a picture for each")
    ] = "1,10,100",
    content_layers: Annotated[
        str | None,
        typer.Option(
            "--content",
            metavar="LAYER[=W],…",
            help="What holds content",
            show_default="chosen, and said",
        ),
    ] = None,
    style_layers: Annotated[
        str | None,
        typer.Option(
            metavar="LAYER[=W],…", help="What holds style", show_default="chosen, and said"
        ),
    ] = None,
    size: Annotated[
        int, typer.Option(metavar="PIXELS", help="Of both pictures' longer side")
    ] = 224,
    steps: Annotated[int, typer.Option(help="Of L-BFGS")] = 200,
    quick: Quick = False,
    start: Annotated[str, typer.Option(help="content, style or noise")] = "content",
    variation: Annotated[
        float, typer.Option(metavar="W", help="Of the total variation: the higher, the smoother")
    ] = 20.0,
    seed: Annotated[int, typer.Option(help="Of the noise")] = 0,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The folder for the pictures; an earlier transfer in it is replaced, other files "
            "are left alone",
            show_default="style, style-2, …",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with the last one, or that in --out, for more steps or weights."
        ),
    ] = False,
    download: Annotated[
        bool,
        typer.Option("--download", help="Fetch the network's published weights if need be."),
    ] = False,
    device: Device = "auto",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """One picture in the style of another, for each style weight. Interrupted, it can go on."""
    told = ""
    if quick:
        usual: dict[str, Any] = {"weight": weight, "size": size, "steps": steps}
        usual, told = less(context, "style", usual)
        weight, size, steps = usual["weight"], usual["size"], usual["steps"]
    weights = [_number(word, "--weight") for word in weight.split(",")]
    content_names = _layers(content_layers, "--content")
    style_names = _layers(style_layers, "--style-layers")
    from hubel.cli.progress import watching
    from hubel.verbs.style import style as verb

    with watching() as watch:
        if told:
            watch.notice(told)
        found = verb(
            content,
            style,
            network=network,
            style_weights=weights,
            content_layers=content_names,
            style_layers=style_names,
            size=size,
            steps=steps,
            start=start,
            variation_weight=variation,
            seed=seed,
            out=out,
            resume=resume,
            device=device,
            threads=threads,
            download=download,
            watch=watch,
        )
    if as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
    else:
        print(
            f"Layers  content: {', '.join(found.layers.content)}; "
            f"style: {', '.join(found.layers.style)} ({found.chose})"
        )
        for each in found.pictures:
            print(
                f"Style weight {each.weight:g}: content {each.content:.3g}, style "
                f"{each.style:.3g}, total variation {each.total_variation:.3g} after "
                f"{each.steps} steps"
            )
        if found.pictures:
            print(f"Grid  {found.grid}\nPage  {found.page}")
        else:
            print("No picture was begun.")
    if found.stopped:
        say("hubel: Stopped; the same command goes on.")
        raise typer.Exit(130)


def _number(word: str, option: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise Mistake(f"{option} takes numbers, as in 1,10,100; not {word.strip()!r}.") from None


def _layers(text: str | None, option: str) -> dict[str, float] | None:
    """LAYER[=W],… as names with their weights, 1 where none is given."""
    if text is None:
        return None
    found: dict[str, float] = {}
    for word in text.split(","):
        name, equals, weight = (part.strip() for part in word.partition("="))
        if not name:
            raise Mistake(f"{option} takes names of layers, as in conv1=0.5,conv2; not {text!r}.")
        if name in found:
            raise Mistake(f"{option} names {name} twice.")
        found[name] = _number(weight, f"{option} {name}=") if equals else 1.0
    return found


style.__doc__ = f"{style.__doc__}\n{EXAMPLES}"
