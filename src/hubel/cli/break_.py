"""hubel break"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubel.cli import completion
from hubel.cli.newest import settled, settled_on_data
from hubel.cli.options import Data, Device, Json, Model, Threads, Workers
from hubel.cli.quick import Quick, less
from hubel.mistakes import Mistake, unknown
from hubel.verbs.afford import MINUTES
from hubel.verbs.watch import say

if TYPE_CHECKING:
    from hubel.verbs.watch import Watch

EXAMPLES = """
\b
Examples:
  hubel break                                            # the newest run
  hubel break runs/2026-01-31-digits-small
  hubel break runs/cats scans/ --attack pgd --epsilon 4/255 --epsilon 8/255 --against runs/cats-2
  hubel break runs/cats --attack pgd --epsilon 8/255 --save --out hard
  hubel break runs/cats --quick
  hubel break runs/cats --by corruptions --corruption fog --corruption jpeg
  hubel break runs/cats --by shape --referee runs/cats-2
  hubel break efficientnet-lite0 stimuli --by shape      # airplane1-bicycle2.png, …
  hubel break runs/cats --by fooling --encoding cppn
"""
# What each way of breaking takes beside MODEL, --out, --seed, --device, --threads and --json.
PICTURES = {"data", "split", "images", "workers"}
OWN: dict[str, set[str]] = {
    "attacks": PICTURES
    | {"minutes", "attack", "epsilon", "target", "steps", "restarts", "against", "checks", "save"},
    "corruptions": PICTURES | {"minutes", "corruption", "severity", "against", "save"},
    "shape": PICTURES | {"minutes", "referee", "pairs", "method"},
    "fooling": {"encoding", "classes", "evaluations", "resume"},
}
ATTACKS, CORRUPTIONS, SHAPE, FOOLING = (f"--by {name}" for name in OWN)


def break_(
    context: typer.Context,
    model: Model = None,
    data: Data = None,
    by: Annotated[str, typer.Option(help="attacks | corruptions | shape | fooling")] = "attacks",
    split: Annotated[
        str | None, typer.Option(help="train | validation | test | all", show_default="test")
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="At most so many pictures, drawn by --seed",
            show_default="200; corruptions 1000; shape 500, of ready-made images all; of attacks "
            "and corruptions as many as --minutes lets it",
        ),
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(
            help="Not of fooling: pictures, checks and images are so many as take so long"
        ),
    ] = MINUTES,
    quick: Quick = False,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="Another model: is it fooled by the same? "
            "Of corruptions: the one whose errors are the measure. Repeatable.",
            autocompletion=completion.models,
        ),
    ] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Also write the changed pictures as a data set.")
    ] = False,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            help="In L∞ fgsm, pgd, apgd or search; in L2 pgd-l2, apgd-l2, search-l2, deepfool, "
            "lbfgs, cw or ddn; repeatable",
            show_default="fgsm and pgd",
            rich_help_panel=ATTACKS,
        ),
    ] = None,
    epsilon: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ε",
            help="The largest change, as 8/255 or 0.03; pixels are 0 to 1; repeatable",
            show_default="1, 2, 4, 8, 16, 32 of 255",
            rich_help_panel=ATTACKS,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="What pictures are to be taken for",
            show_default="any wrong class",
            rich_help_panel=ATTACKS,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(help="Of PGD's ascents", rich_help_panel=ATTACKS)] = 40,
    restarts: Annotated[
        int,
        typer.Option(
            help="Times all ascents of PGD, from other random starts", rich_help_panel=ATTACKS
        ),
    ] = 1,
    checks: Annotated[
        bool,
        typer.Option(
            "--checks/--no-checks",
            help="Put the attacks themselves on trial; where one fails, go on with a stronger.",
            rich_help_panel=ATTACKS,
        ),
    ] = True,
    corruption: Annotated[
        list[str] | None,
        typer.Option(help="Repeatable", show_default="all", rich_help_panel=CORRUPTIONS),
    ] = None,
    severity: Annotated[
        list[int] | None,
        typer.Option(help="1 to 5, repeatable", show_default="all", rich_help_panel=CORRUPTIONS),
    ] = None,
    referee: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Another model, that has to know both pictures",
            autocompletion=completion.models,
            rich_help_panel=SHAPE,
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Pictures with one's shape and the other's texture",
            show_default="40, or as many as --minutes lets it",
            rich_help_panel=SHAPE,
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="How they are made: style or patch", rich_help_panel=SHAPE)
    ] = "style",
    encoding: Annotated[
        list[str] | None,
        typer.Option(
            help="cppn, direct or gradient; repeatable", show_default="all", rich_help_panel=FOOLING
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="CLASS",
            help="Only these; repeatable",
            show_default="all",
            rich_help_panel=FOOLING,
        ),
    ] = None,
    evaluations: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Images that are tried, of each encoding",
            show_default="until no more are needed, or nothing changes",
            rich_help_panel=FOOLING,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a finished search, for more evaluations.",
            rich_help_panel=FOOLING,
        ),
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The folder for the page; an earlier result of the same way in it is replaced, "
            "other files are left alone",
            show_default="a new one in the run, or here",
        ),
    ] = None,
    download: Annotated[
        bool,
        typer.Option("--download", help="Fetch the network's published weights if need be."),
    ] = False,
    device: Device = "auto",
    threads: Threads = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """How a model breaks: by small changes, in bad weather, by what it goes by, by nonsense."""
    if by not in OWN:
        raise unknown("way to break a model", by, OWN)
    _check_own(context, by)
    from hubel.verbs.early import check_measured

    if by == "fooling":
        model, _ = settled(model)
    else:
        model, data = settled_on_data(model, data)
    check_measured(data, split)  # before torch is imported
    from hubel.cli.progress import watching
    from hubel.legible import legible

    common: dict[str, Any] = {
        "seed": seed, "out": out, "device": device, "threads": threads,
        "download": download,
    }  # fmt: skip
    told = ""
    usual: dict[str, Any] = {
        "images": images, "checks": checks, "severity": severity, "pairs": pairs,
        "evaluations": evaluations,
    }  # fmt: skip
    if quick:
        usual, told = less(context, f"break --by {by}", usual)
    if by != "fooling":
        common |= {"data": data, "split": split, "workers": workers}
        common |= {"images": usual["images"]} if usual["images"] is not None else {}
        common |= {"minutes": minutes}
    run: Callable[[Watch], Any]
    if by == "attacks":
        run = _attacks(
            model, common, attack, epsilon, save=save, against=against, target=target,
            steps=steps, restarts=restarts, checks=usual["checks"],
        )  # fmt: skip
    elif by == "corruptions":
        run = _corruptions(model, common, corruption, usual["severity"], against, save=save)
    elif by == "shape":
        run = _shape(model, common, referee=referee, pairs=usual["pairs"], method=method)
    else:
        run = _fooling(model, common, encoding, classes, usual["evaluations"], resume=resume)
    with watching() as watch:
        if told:
            watch.notice(told)
        found = run(watch)
    if as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
    else:
        for line in found.lines:
            print(legible(line))
        print(f"Page  {legible(str(found.page))}")
    if found.stopped:
        say("hubel: Stopped: the page holds what was done.")
        raise typer.Exit(130)


def _check_own(context: typer.Context, by: str) -> None:
    """Raises Mistake for an option that belongs to another way of breaking."""
    for name in sorted(set().union(*OWN.values()) - OWN[by]):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            ways = " and ".join(way for way, names in OWN.items() if name in names)
            shown = "DATA" if name == "data" else f"--{ {'classes': 'class'}.get(name, name) }"
            raise Mistake(f"{shown} belongs to --by {ways}, not to --by {by}.")


def _attacks(
    model: str, common: dict[str, Any], attack: list[str] | None, epsilon: list[str] | None,
    *, against: list[str] | None, **given: Any,
) -> "Callable[[Watch], Any]":  # fmt: skip
    from hubel.verbs.attack import attack as verb

    given |= {"attacks": attack} if attack else {}
    given |= {"epsilons": [_epsilon(text) for text in epsilon]} if epsilon else {}
    return lambda watch: verb(model, **common, **given, against=against or (), watch=watch)


def _epsilon(text: str) -> float:
    """A number, or a fraction of 255."""
    over, slash, under = text.partition("/")
    try:
        found = float(over) / float(under) if slash else float(over)
    except (ValueError, ZeroDivisionError):
        raise Mistake(f"--epsilon is a number such as 0.03 or 8/255, not {text!r}.") from None
    return found


def _corruptions(
    model: str, common: dict[str, Any], corruption: list[str] | None, severity: list[int] | None,
    against: list[str] | None, *, save: bool,
) -> "Callable[[Watch], Any]":  # fmt: skip
    from hubel.verbs.corrupt import corrupt as verb

    if len(against or ()) > 1:
        raise Mistake("Of corruptions one model is the measure: give --against once.")
    given: dict[str, Any] = {"corruptions": corruption} if corruption else {}
    given |= {"severities": severity} if severity else {}
    given |= {"against": against[0]} if against else {}
    return lambda watch: verb(model, **common, **given, save=save, watch=watch)


def _shape(model: str, common: dict[str, Any], **given: Any) -> "Callable[[Watch], Any]":
    from hubel.verbs.shape import shape_bias as verb

    asked = {name: value for name, value in given.items() if value is not None}
    return lambda watch: verb(model, **common, **asked, watch=watch)


def _fooling(
    model: str, common: dict[str, Any], encoding: list[str] | None, classes: list[str] | None,
    evaluations: int | None, *, resume: bool,
) -> "Callable[[Watch], Any]":  # fmt: skip
    from hubel.verbs.fool import fool as verb

    given: dict[str, Any] = {"encodings": encoding} if encoding else {}
    given |= {"classes": classes, "evaluations": evaluations, "resume": resume}
    return lambda watch: verb(model, **common, **given, watch=watch)


break_.__doc__ = f"{break_.__doc__}\n{EXAMPLES}"
