"""hubel networks"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubel.cli import completion
from hubel.cli.options import Json
from hubel.verbs.watch import say

if TYPE_CHECKING:
    from hubel.basics.summary import Summary
    from hubel.verbs.verify import Verification

EXAMPLES = """
\b
Examples:
  hubel networks
  hubel networks resnet50                       # layer by layer, and resnet50.png
  hubel networks googlenet-2014 --out pictures/ # its picture, and a page
  hubel networks alexnet-2012 --verify          # against its paper
  hubel networks vgg16 --json
"""


def networks(
    name: Annotated[
        str | None,
        typer.Argument(help="Only this one, layer by layer.", autocompletion=completion.networks),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Hold it, or all of them, against what the papers state."),
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Where its picture goes, a new file, and its page beside it",
            show_default="NAME.png",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """The networks that can be built, their figures and papers; or one, layer by layer."""
    if verify:
        _verify(name, out, as_json)
    elif name is None:
        _list(out, as_json)
    else:
        _show(name, out, as_json)


def _list(out: str | None, as_json: bool) -> None:
    from hubel.cli.tables import table
    from hubel.networks import listed

    _need_name(out)
    rows = listed.rows()
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    head = ("name", "parameters", "multiply-adds", "layers", "sees", "top-1", "top-5", "source")
    print(table(head, [_cells(row) for row in rows]))
    print(
        "\nlayers: with weights, on the longest way. sees: pixels across that a unit of the last "
        "maps sees.\ntop-1, top-5: a published error in percent, of one network alone; "
        "hubel networks NAME says on what."
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    first = row["published"][0] if row["published"] else {"top1": None, "top5": None}
    return (
        row["name"],
        f"{row['parameters']:,}",
        f"{row['multiply_adds'] / 1e6:,.1f} M",
        str(row["depth"]),
        "×".join(map(str, dict.fromkeys(row["receptive_field"]))),
        *("–" if first[key] is None else f"{first[key]:.2f}" for key in ("top1", "top5")),
        row["source"],
    )


def _show(name: str, out: str | None, as_json: bool) -> None:
    from hubel.verbs import networks as verb

    summary = verb.layers(name)
    row = verb.facts(name, summary)
    if as_json:
        picture = _drawn(name, summary, out) if out else {}
        found = [row | {"layers": summary.as_json()["rows"]} | picture]
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    print(f"{name}: {row['source']}. {row['note']}".rstrip())
    for error in row["published"]:
        print(f"Published: {_errors(error)} ({error['on']}).")
    print(f"\n{summary}")
    if out is not None:
        made = _drawn(name, summary, out)
        say(f"Drawn in {made['picture']}")
        say(f"Page     {made['page']}")
    elif Path(f"{name}.png").exists():
        say(f"{name}.png is there already and was left as it is; --out draws elsewhere.")
    else:
        say(f"Drawn in {verb.draw(name, summary, f'{name}.png').resolve()}")


def _drawn(name: str, summary: "Summary", out: str) -> dict[str, str]:
    """The picture and the page of a network, which are written."""
    from hubel.verbs import networks as verb

    path = verb.draw(name, summary, out, page=True).resolve()
    return {"picture": str(path), "page": str(path.with_suffix(".html"))}


def _errors(error: dict[str, Any]) -> str:
    rows = (("top-1", error["top1"]), ("top-5", error["top5"]))
    return ", ".join(f"{value} % {what}" for what, value in rows if value is not None) + " error"


def _verify(name: str | None, out: str | None, as_json: bool) -> None:
    from hubel.cli.tables import table
    from hubel.networks.papers import PAPERS
    from hubel.verbs.verify import verify

    _need_name(out if name is None else None)
    found = [verify(each) for each in ([name] if name else PAPERS)]
    if as_json:
        print(json.dumps([each.as_json() for each in found], ensure_ascii=False, indent=2))
    elif name is None:
        rows = [(each.name, _verdict(each), each.source) for each in found]
        print(table(("name", "checks", "source"), rows))
    else:
        [one] = found
        cells = [
            ("yes" if check.agrees else "NO", check.what, check.stated, check.counted)
            for check in one.checks
        ]
        print(f"{one.name}: {one.source}\n")
        print(table(("agrees", "what", "stated", "counted"), cells))
        for head, sentences in (("Departures:", one.departures), ("Errata:", one.errata)):
            if sentences:
                print("\n".join(["", head, *(f"  {sentence}" for sentence in sentences)]))
        print(f"\n{_verdict(one)}.")
    if out is not None and name is not None:
        from hubel.verbs import networks as verb

        made = _drawn(name, verb.layers(name), out)
        say(f"Drawn in {made['picture']}")
        say(f"Page     {made['page']}")
    if not all(each.agrees for each in found):
        raise typer.Exit(1)


def _verdict(found: "Verification") -> str:
    wrong = [check.what for check in found.checks if not check.agrees]
    if wrong:
        return f"{len(wrong)} of {len(found.checks)} differ: {', '.join(wrong)}"
    return f"All {len(found.checks)} agree"


def _need_name(out: str | None) -> None:
    from hubel.mistakes import Mistake

    if out is not None:
        raise Mistake(f"--out {out} is where one network's picture goes: name the network.")


networks.__doc__ = f"{networks.__doc__}\n{EXAMPLES}"
