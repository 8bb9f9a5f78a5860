"""hubel lab, hubel lab NAME, hubel lab --all"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from hubel.cli.options import Json
from hubel.labs.lecture import labs
from hubel.mistakes import Mistake, unknown

if TYPE_CHECKING:
    from hubel.labs.lab import Size
    from hubel.labs.run import Ran

EXAMPLES = """
\b
Examples:
  hubel lab                                   # what there is, in the lecture's order
  hubel lab losses
  hubel lab convolution --size 32 --filter 5 --stride 1 --pad 2 --filters 10 --channels 3
  hubel lab backprop "(x + y) * z" x=-2 y=5 z=-4
  hubel lab backprop --network lenet5
  hubel lab --all --out lecture               # the whole lecture as one page
"""

Full = Annotated[bool, typer.Option("--full", help="The long version.")]
Quick = Annotated[bool, typer.Option("--quick", help="Seconds; its verdicts mean little.")]
Seed = Annotated[int, typer.Option(help="Of every draw.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where pictures and numbers go  [default: labs/NAME]"),
]


class Labs(TyperGroup):
    """The group of labs: a mistyped name is told like every other."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # types of typer's own click
        if args and args[0] not in self.commands:
            raise unknown("lab", args[0], self.commands)
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
        Path | None, typer.Option(metavar="DIR", help="With --all: its folder  [default: labs]")
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


def _all(*, size: "Size", seed: int, out: Path | None, fresh: bool, as_json: bool) -> None:
    from hubel.cli.progress import watching
    from hubel.labs.page import run_all

    with watching() as watch:
        lecture = run_all(size=size, seed=seed, out=out, fresh=fresh, watch=watch)
    found = [(ran, finding) for ran in lecture.ran for finding in ran.shown.findings]
    if as_json:
        facts = {
            "page": str(lecture.page),
            "verdicts": {finding.id: finding.verdict for _, finding in found},
            "failed": lecture.failed,
        }
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        from hubel.cli.tables import table

        cells = [(finding.id, ran.name, finding.verdict) for ran, finding in found]
        print(table(("claim", "lab", "verdict"), sorted(cells, key=lambda row: int(row[0][1:]))))
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
            name, size=_size(full, quick), seed=seed, out=out, watch=watch, options=options
        )
    if as_json:
        print((ran.folder / "numbers.json").read_text(encoding="utf-8"), end="")
    else:
        _tell(ran, findings=not options)


def _tell(ran: "Ran", *, findings: bool) -> None:
    """What the lab prints, then each claim with its measurement; a calculator was asked no claim."""
    from hubel.labs.run import claim

    for line in ran.shown.lines:
        print(line)
    for finding in ran.shown.findings if findings else ():
        row = claim(finding.id)
        print(f"\n{finding.id}  {row.text}")
        print(f"  measured  {finding.measured}")
        print(f"  on        {finding.n}; spread: {finding.spread}")
        print(f"  verdict   {finding.verdict}")
        if row.erratum:
            print(f"  erratum   {row.erratum}")
    print()
    for drawing in ran.shown.drawings:
        print(f"Picture {ran.folder / drawing.name}.png")
    print(f"Numbers {ran.folder / 'numbers.json'}")


def _plain(name: str) -> Callable[..., None]:
    """The command of a lab that has no options of its own."""

    def command(
        full: Full = False, quick: Quick = False, seed: Seed = 0, out: Out = None,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        _run(name, full=full, quick=quick, seed=seed, out=out, as_json=as_json)

    command.__doc__ = "\n\n".join(f"{claim.id}: {claim.text}" for claim in labs()[name])
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
    """
    layer = {"size": size, "filter": filter, "stride": stride, "pad": pad, "filters": filters,
             "channels": channels}  # fmt: skip
    told = {key: value for key, value in layer.items() if value is not None}
    _run("convolution", full=full, quick=quick, seed=seed, out=out, as_json=as_json, options=told)


def backprop(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXPRESSION NAME=VALUE...|IMAGE]",
            help='An expression and its values, as "(x + y) * z" x=-2 y=5 z=-4; with --network '
            "a picture.",
        ),
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="A small network in place of an expression: lenet5, mlp, …")
    ] = None,
    full: Full = False,
    quick: Quick = False,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Backpropagation step by step: on an expression, or through a network on a picture.

    L20, L21. Without words: the lecture's (x + y)z at −2, 5, −4.
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
    app.command(_name)(_OWN.get(_name) or _plain(_name))
