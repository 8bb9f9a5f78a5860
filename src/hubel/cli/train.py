"""hubel train"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hubel.cli import completion
from hubel.cli.options import Device, Json, Threads, Workers
from hubel.figures import counted, percent, within
from hubel.mistakes import Mistake
from hubel.verbs.watch import say

EXAMPLES = """
\b
Examples:
  hubel train digits                    # data inside scikit-learn, a minute
  hubel train fashion-mnist --epochs 4 --seed 1
  hubel train photos/                   # from a network that knows photographs
  hubel train photos/ --from runs/2026-01-31-other-photos
  hubel train photos/ --network resnet20 --set size=64 --minutes 30
  hubel train digits --network linear --lr 0.1 --batch-size all
  hubel train digits --network mlp --lr auto
  hubel train --resume runs/2026-01-31-digits-small
"""


def train(
    data: Annotated[
        str | None,
        typer.Argument(
            help="A data set (hubel data list) or a folder of pictures.",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(help="A name from `hubel networks`.", autocompletion=completion.networks),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Weights to begin with: a run, or a network.",
            autocompletion=completion.models,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="fast, finetune, alexnet-2012, resnet-2015, or a TOML file",
            show_default="finetune for photographs in colour, else fast",
            autocompletion=completion.recipes,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override any key of the recipe."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Times every picture is seen.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so long; the run can be resumed.")
    ] = None,
    batch_size: Annotated[
        str | None, typer.Option(metavar="N|all", help="Pictures in a step; all: full batch.")
    ] = None,
    lr: Annotated[
        str | None,
        typer.Option(
            metavar="RATE|auto", help="The peak learning rate; auto: what a range test proposes."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of every random draw.")] = None,
    validation: Annotated[
        float | None, typer.Option(help="Share of the training pictures held out.")
    ] = None,
    test: Annotated[
        float | None, typer.Option(help="Share split off a folder that has no test/.")
    ] = None,
    restarts: Annotated[
        int | None, typer.Option(help="Train so often from other draws, and keep the best.")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            help="Of restarts: the best by validation, or by training error",
            show_default="validation",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with a run that was stopped.",
            autocompletion=completion.runs,
        ),
    ] = None,
    inexact: Annotated[
        bool, typer.Option("--inexact", help="Resume although versions or device changed.")
    ] = False,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="On CUDA: bit-equal runs, slower.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run folder; it must be new.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Train a network on a data set or on a folder of your pictures."""
    from hubel.verbs.early import check_training

    if resume is None:
        check_training(data, out)  # before torch is imported
    from hubel.cli.progress import watching
    from hubel.legible import legible
    from hubel.results import why_kept
    from hubel.run import Run
    from hubel.training.recipe import parse_setting
    from hubel.verbs.report import page_of
    from hubel.verbs.restarts import Restarted, is_unfinished, restart
    from hubel.verbs.train import train as verb

    chosen: dict[str, Any] = {}
    for text in settings or []:
        for key, value in parse_setting(text).items():
            nested = isinstance(value, dict) and isinstance(chosen.get(key), dict)
            chosen[key] = {**chosen[key], **value} if nested else value
    options = {
        "network": network,
        "start": start,
        "epochs": epochs,
        "batch_size": int(batch_size) if batch_size and batch_size.isdigit() else batch_size,
        "lr": lr,
        "seed": seed,
        "validation": validation,
        "test": test,
        "deterministic": deterministic or None,
    }
    given = {key: value for key, value in options.items() if value is not None}
    for key in (*(given.keys() & chosen.keys()), *({"data", "recipe"} & chosen.keys())):
        raise Mistake(f"{key} has a place of its own on the command line: leave it out of --set.")
    chosen |= given
    chosen |= {
        "recipe": recipe, "resume": resume, "minutes": minutes, "out": out, "device": device,
        "threads": threads, "workers": workers, "inexact": inexact,
    }  # fmt: skip
    several: Restarted | None = None
    again = restarts is not None or (resume is not None and is_unfinished(resume))
    if keep and not again:
        raise Mistake("--keep says which of several trainings to keep: give --restarts as well.")
    with watching() as watch:
        if again:
            # the verb checks what it is to keep
            several = restart(data, restarts=restarts, keep=keep, watch=watch, **chosen)  # type: ignore[arg-type]
        trained = several.best if several else verb(data, watch=watch, **chosen)
    found = trained.validation
    run, stopped = (several.run, several.stopped) if several else (trained.run, trained.stopped)
    if as_json:
        facts = {
            "run": str(run),
            "stopped": stopped,
            "seconds": trained.seconds,
            "validation": {
                "accuracy": found.accuracy,
                "interval": list(found.interval),
                "n": found.n,
            },
        }
        if several:
            facts["trials"] = [vars(trial) for trial in several.trials]
        print(json.dumps(facts, ensure_ascii=False))
    else:
        weights = (
            f"kept are the weights of epoch {trained.best_epoch}, "
            f"{why_kept(trained.history, trained.best_epoch)}"
            if trained.best_epoch
            else "weights of the unfinished first epoch"
        )
        print(
            f"Validation accuracy {percent(found.accuracy, 2)} ({within(found.interval, 2)}, "
            f"{counted(found.n, 'picture')}; {weights})."
        )
        if several:
            kept = any(trial.kept for trial in several.trials)
            print(
                f"{'Kept the best' if kept else 'That is the best so far'} of {several.planned} "
                f"trials; the validation accuracy of {'all' if kept else 'these'} "
                f"{len(several.trials)} is {percent(several.mean, 2)} ± "
                f"{percent(several.deviation, 2)} (mean ± standard deviation)."
            )
        print(f"Run     {legible(str(run))}")
        print(f"Report  {legible(str(page_of(Run(trained.run))))}")
    if stopped in ("interrupted", "time limit"):
        say(f"Stopped; go on with: hubel train --resume {run}")
    if stopped == "interrupted":
        raise typer.Exit(130)


train.__doc__ = f"{train.__doc__}\n{EXAMPLES}"
