"""hubel evaluate"""

import json
from typing import Annotated

import typer

from hubel.cli import completion
from hubel.cli.newest import settled_on_data
from hubel.cli.options import Data, Device, Json, Model, Threads, Workers
from hubel.cli.quick import Quick, less
from hubel.figures import counted, percent, within

EXAMPLES = """
\b
Examples:
  hubel evaluate                        # the newest run, on its test split
  hubel evaluate runs/2026-01-31-digits-small
  hubel evaluate runs/cats photos-from-today/ --json
  hubel evaluate runs/cats --against runs/cats-2      # are they really different?
  hubel evaluate runs/cats --calibrate --flips
"""


def evaluate(
    context: typer.Context,
    model: Model = None,
    data: Data = None,
    split: Annotated[
        str | None, typer.Option(help="train | validation | test | all", show_default="test")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="Pictures at a time", show_default="the fastest"),
    ] = None,
    baselines: Annotated[
        bool, typer.Option(help="Measure shallow methods beside a run, on its own test pictures.")
    ] = True,
    quick: Quick = False,
    flips: Annotated[
        bool, typer.Option("--flips", help="Also with mirrored pictures' answers averaged in.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Compare with another, picture by picture.",
            autocompletion=completion.models,
        ),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="First fit a run's temperature on its validation pictures, and save it.",
        ),
    ] = False,
    device: Device = "auto",
    threads: Threads = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Accuracy with its interval, per class, and what is taken for what."""
    from hubel.verbs.early import check_measured

    model, data = settled_on_data(model, data)
    check_measured(data, split)  # before torch is imported
    from hubel.cli.progress import watching
    from hubel.verbs.evaluate import evaluate as verb

    with watching() as watch:
        if quick:
            chosen, told = less(context, "evaluate", {"baselines": baselines})
            baselines = chosen["baselines"]
            watch.notice(told)
        if calibrate:
            from hubel.verbs.calibrate import calibrate as fit_temperature

            fit_temperature(model, device=device, workers=workers, watch=watch)
        found = verb(
            model,
            data,
            split=split,  # type: ignore[arg-type]  # the verb checks it
            device=device,
            threads=threads,
            workers=workers,
            batch_size=batch_size,
            baselines=baselines,
            flips=flips,
            against=against,
            watch=watch,
        )
    if as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False))
        return
    from hubel.cli.tables import beside_lines, confusions, table
    from hubel.verbs.load import own_run
    from hubel.verbs.report import page_of

    print(
        table(
            ("class", "precision", "recall", "F1", "n"),
            [
                (row.name, percent(row.precision), percent(row.recall), f"{row.f1:.3f}", str(row.n))
                for row in found.classes
            ],
        )
    )
    for line in (*confusions(found), *beside_lines(found)):
        print(line)
    top5 = "" if found.top5 is None else f"; right among the first five: {percent(found.top5, 2)}"
    print(
        f"\nAccuracy {percent(found.accuracy, 2)} ({within(found.interval, 2)}, "
        f"{counted(found.n, 'picture')}){top5}."
    )
    if found.mirrored is not None:
        print(f"With mirrored pictures averaged in: {percent(found.mirrored, 2)}.")
    if found.calibration is not None:
        print(f"Expected calibration error {percent(found.calibration.error)}.")
    if found.strange is not None:
        share = found.strange / found.n
        print(f"Unlike the training pictures: {found.strange:,} of {found.n:,} ({percent(share)}).")
    run = own_run(model)
    if data is None and run is not None and (report := page_of(run)).is_file():
        print(f"Report   {report}")


evaluate.__doc__ = f"{evaluate.__doc__}\n{EXAMPLES}"
