"""hubel lab, hubel lab NAME, hubel lab --all"""

import json
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from hubel.cli import completion
from hubel.cli.options import Json
from hubel.labs.lecture import CLAIMS, labs
from hubel.mistakes import Mistake, unknown

if TYPE_CHECKING:
    from hubel.labs.lab import Size
    from hubel.labs.run import Ran

EXAMPLES = """
\b
Examples:
  hubel lab                         # what there is
  hubel lab losses
  hubel lab depth --full --seed 1 --out depth-full
  hubel lab convolution --size 32 --filter 5 --pad 2 --filters 10
  hubel lab backprop "(x + y) * z" x=-2 y=5 z=-4
  hubel lab --all --out lecture     # the whole lecture as one page
"""

Full = Annotated[bool, typer.Option("--full", help="More data and seeds; may take hours.")]
Quick = Annotated[bool, typer.Option("--quick", help="Seconds; its verdicts mean little.")]
Seed = Annotated[int, typer.Option(help="Of every random draw.")]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where pictures and numbers go; an earlier lab in it is replaced, other files are "
        "left alone",
        show_default="labs/NAME, or the next free labs/NAME-2, …",
    ),
]


class Labs(TyperGroup):
    """The group of labs: a mistyped name is told like every other, later work as what it is."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # types of typer's own click
        name = args[0] if args else ""
        later = [claim for claim in CLAIMS if claim.later == f"hubel lab {name}"]
        if later:
            ids = " and ".join(claim.id for claim in later)
            raise Mistake(f"The lab {name} is later work and not here yet: it will show {ids}.")
        if args and name not in self.commands:
            raise unknown("lab", name, self.commands)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Labs,
    invoke_without_command=True,
    subcommand_metavar="[NAME] [ARGS]...",
    help=f"The lecture's figures made live, each claim measured, with a verdict.\n{EXAMPLES}",
)


@app.callback()
def _labs(
    context: typer.Context,
    every: Annotated[
        bool, typer.Option("--all", help="Run every lab and write the whole lecture as a page.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="With --all: also those that ran before.")
    ] = False,
    full: Full = False,
    quick: Quick = False,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="With --all: its folder",
            show_default="lecture, or the next free lecture-2, …",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    if context.invoked_subcommand is not None:
        if every or fresh or full or quick or seed or out or as_json:
            name = context.invoked_subcommand
            raise Mistake(f"Options of a lab stand behind its name: hubel lab {name} --full.")
        return
    if every:
        _all(size=_size(full, quick), seed=seed, out=out, fresh=fresh, as_json=as_json)
        return
    if fresh or full or quick or seed or out:
        raise Mistake("Name a lab (hubel lab lists them), or give --all.")
    rows = [
        {"lab": name, "claims": {claim.id: claim.text for claim in claims}}
        for name, claims in labs().items()
    ]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    from hubel.cli.tables import table

    cells = [
        (name if i == 0 else "", claim.id, claim.text)
        for name, claims in labs().items()
        for i, claim in enumerate(claims)
    ]
    print(table(("lab", "claim", "what the lecture says"), cells))
    later = ", ".join(claim.id for claim in CLAIMS if claim.lab is None)
    print(f"\nLater work: {later}")


def _all(*, size: "Size", seed: int, out: Path | None, fresh: bool, as_json: bool) -> None:
    from hubel.cli.progress import watching
    from hubel.labs.page import run_all

    with watching() as watch:
        lecture = run_all(size=size, seed=seed, out=out, fresh=fresh, watch=watch)
    if as_json:
        facts = {
            "page": str(lecture.page),
            "verdicts": {entry.claim.id: entry.verdict for entry in lecture.entries},
            "failed": lecture.failed,
        }
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        from hubel.cli.tables import table

        cells = [(row.claim.id, row.claim.lab or "", row.verdict) for row in lecture.entries]
        print(table(("claim", "lab", "verdict"), cells))
        print(f"\nPage    {lecture.page}")
    if lecture.failed:
        raise typer.Exit(1)


def _size(full: bool, quick: bool) -> "Size":
    if full and quick:
        raise Mistake("--full and --quick exclude each other: give one of them.")
    return "full" if full else "quick" if quick else "usual"


def _run(
    name: str,
    *,
    full: bool,
    quick: bool,
    seed: int,
    out: Path | None,
    as_json: bool,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Run one lab, and print what it found."""
    from hubel.cli.progress import watching
    from hubel.labs.run import run_lab

    with watching() as watch:
        ran = run_lab(
            name,
            size=_size(full, quick),
            seed=seed,
            out=out,
            watch=watch,
            options=options,
        )
    if as_json:
        print((ran.folder / "numbers.json").read_text(encoding="utf-8"), end="")
    else:
        _tell(ran, findings=not options)


def _tell(ran: "Ran", *, findings: bool) -> None:
    """What the lab prints, then each claim with its measurement; a calculator has none."""
    from hubel.labs.run import claim

    for line in ran.shown.lines:
        print(line)
    for finding in ran.shown.findings if findings else ():
        row = claim(finding.id)
        print(f"\n{_wrapped(finding.id, row.text, indent=5)}")
        print(_wrapped("  measured", finding.measured))
        spread = "" if finding.holds is None else f"; spread: {finding.spread}"
        print(_wrapped("  on", f"{finding.n}{spread}"))
        print(_wrapped("  verdict", finding.verdict))
        if row.erratum:
            print(_wrapped("  erratum", row.erratum))
    print()
    for drawing in ran.shown.drawings:
        print(f"Picture  {ran.folder / drawing.name}.png")
    print(f"Page     {ran.folder / 'lab.html'}")
    print(f"Numbers  {ran.folder / 'numbers.json'}")


def _wrapped(word: str, text: str, *, indent: int = 12) -> str:
    """A word and the text beside it, in lines of 100."""
    space = " " * indent
    return textwrap.fill(f"{word:{indent}}{text}", 100, subsequent_indent=space,
                         break_on_hyphens=False, break_long_words=False)  # fmt: skip


def _plain(name: str) -> Callable[..., None]:
    """The command of a lab that has no options of its own."""

    def command(
        full: Full = False, quick: Quick = False, seed: Seed = 0, out: Out = None,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        _run(name, full=full, quick=quick, seed=seed, out=out, as_json=as_json)

    said = "\n\n".join(f"{claim.id}: {claim.text}" for claim in labs()[name])
    command.__doc__ = f"{said}\n\n\b\nExamples:\n  hubel lab {name}\n  hubel lab {name} --full"
    return command


def _whole(what: str) -> Any:
    return typer.Option(min=0, help=what, show_default=False)


def convolution(
    size: Annotated[int | None, _whole("Side of the picture.")] = None,
    filter: Annotated[int | None, _whole("Side of the filter.")] = None,
    stride: Annotated[int | None, _whole("Steps from one position to the next.")] = None,
    pad: Annotated[int | None, _whole("Pixels of zeros around the picture.")] = None,
    filters: Annotated[int | None, _whole("How many filters.")] = None,
    channels: Annotated[int | None, _whole("Channels of the picture.")] = None,
    full: Full = False,
    quick: Quick = False,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Sizes and weights of a convolution. Told a layer, it calculates and draws it.

    L22, L25, L26. Without options: the lecture's cases, and what a stride costs and saves.

    \b
    Examples:
      hubel lab convolution
      hubel lab convolution --size 32 --filter 5 --stride 1 --pad 2
          --filters 10 --channels 3
    """
    layer = {"size": size, "filter": filter, "stride": stride, "pad": pad, "filters": filters,
             "channels": channels}  # fmt: skip
    told = {key: value for key, value in layer.items() if value is not None}
    _run("convolution", full=full, quick=quick, seed=seed, out=out, as_json=as_json, options=told)


def backprop(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EXPRESSION|NAME=VALUE|IMAGE",
            help="An expression and its values; with --network: a picture.",
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="In place of an expression: a network, a run, a model.",
            autocompletion=completion.networks,
        ),
    ] = None,
    full: Full = False,
    quick: Quick = False,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Backpropagation step by step: on an expression, or through a network on a picture.

    L20, L21. Without words: the lecture's (x + y)z at −2, 5, −4.

    \b
    Examples:
      hubel lab backprop
      hubel lab backprop "(x + y) * z" x=-2 y=5 z=-4
      hubel lab backprop --network mlp
      hubel lab backprop --network lenet5 digit.png
    """
    told: dict[str, Any] = {}
    given = list(words or [])
    if network is not None:
        if len(given) > 1:
            raise Mistake(f"--network takes one picture, not {len(given)}: {' '.join(given)}.")
        told = {"network": network} | ({"image": given[0]} if given else {})
    elif given:
        told = {"expression": given[0], "values": given[1:]}
    _run("backprop", full=full, quick=quick, seed=seed, out=out, as_json=as_json, options=told)


_OWN: dict[str, Callable[..., None]] = {"convolution": convolution, "backprop": backprop}
for _name in labs():
    # an expression may begin with a minus sign
    _settings = {"ignore_unknown_options": True} if _name == "backprop" else None
    app.command(_name, context_settings=_settings)(_OWN.get(_name) or _plain(_name))
