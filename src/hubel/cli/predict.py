"""hubel predict"""

import csv
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hubel.cli.newest import STANDARD_INPUT, settled
from hubel.cli.options import Device, Json, Model, Threads
from hubel.mistakes import Mistake
from hubel.verbs.watch import say

MOST_PIPED = 200_000_000

EXAMPLES = """
\b
Examples:
  hubel predict cat.jpg                                 # the newest run answers
  hubel predict efficientnet-lite0 cat.jpg
  hubel predict runs/2026-01-31-digits-small scans/ --csv > answers.csv
  hubel predict runs/cats 'photos/**/*.jpg' --top 1 --json
  hubel predict runs/cats photos/ --out answers         # a page: the pictures by class
  hubel predict efficientnet-lite0 - < cat.jpg          # standard input
  hubel predict resnet18 cat.jpg --download             # its weights are fetched once
"""


def predict(
    model: Model = None,
    images: Annotated[
        list[str] | None, typer.Argument(help="Files, folders, globs, or - for standard input.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many classes for each picture.")] = 5,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="Pictures at a time", show_default="the fastest"),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: image, rank, class, …")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write a page of the pictures by class there."),
    ] = None,
    download: Annotated[
        bool,
        typer.Option("--download", help="Fetch the network's published weights if need be."),
    ] = False,
    device: Device = "auto",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """What is on these pictures; of several, also how many each class has.

    --json prints a list of answers; with --out an object of page, totals and pictures. Of a
    model that was trained here each picture has its strangeness: the share of the validation
    pictures that are nearer to the training pictures; from 99 % on it is called unlike them.
    """
    if as_csv and as_json:
        raise Mistake("--csv and --json are two forms of one answer: give one of them.")
    model, named = settled(model, images or ())
    if not named:
        raise Mistake("Name pictures to answer for: files, folders, globs, or - for one piped in.")
    from hubel.cli.progress import watching
    from hubel.legible import cell, legible
    from hubel.results import strange, totals
    from hubel.verbs.gallery import PAGE
    from hubel.verbs.predict import predict as verb

    pictures = [_piped() if image == STANDARD_INPUT else image for image in named]
    with watching() as watch:
        found = verb(
            model,
            pictures,
            top=top,
            device=device,
            threads=threads,
            batch_size=batch_size,
            out=out,
            download=download,
            watch=watch,
        )
    page = None if out is None else (out / PAGE).resolve()
    for prediction in found:
        if prediction.error is not None:
            say(f"hubel: could not read {legible(prediction.image)}: {prediction.error}.")
    if as_json:
        answers: Any = [p.as_json() for p in found]
        if page is not None:
            answers = {
                "page": str(page),
                "totals": totals(found),
                "strange": strange(found),
                "pictures": answers,
            }
        print(json.dumps(answers, ensure_ascii=False, indent=2))
    elif as_csv:
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(("image", "rank", "class", "probability", "error", "strangeness"))
        for prediction in found:
            image = cell(legible(prediction.image))
            far = "" if prediction.nearer is None else f"{prediction.strangeness:.4f}"
            for rank, (name, probability) in enumerate(prediction.classes, 1):
                rows.writerow((image, rank, cell(legible(name)), f"{probability:.6f}", "", far))
            if prediction.error is not None:
                rows.writerow((image, "", "", "", cell(legible(prediction.error)), ""))
    else:
        for prediction in found:
            if prediction.classes:
                print("  ".join(filter(None, (legible(prediction.image), prediction.unlike))))
            for name, probability in prediction.classes:
                print(f"  {100 * probability:6.2f} %  {legible(name)}")
        answered = sum(bool(prediction.classes) for prediction in found)
        if answered > 1:
            print(f"Totals of {answered:,} pictures")
            for name, n in totals(found).items():
                print(f"  {n:>7,}  {legible(name)}")
            if strange(found):
                print(f"  {strange(found):>7,}  of these are unlike the training pictures")
        if page is not None:
            print(f"Page  {page}")
    if any(prediction.error is not None for prediction in found):
        raise typer.Exit(1)


def _piped() -> bytes:
    """A picture from standard input; more than 200 MB are no picture."""
    content = sys.stdin.buffer.read(MOST_PIPED + 1)
    if len(content) > MOST_PIPED:
        raise Mistake(f"Standard input holds more than {MOST_PIPED:,} bytes, which is no picture.")
    return content


predict.__doc__ = f"{predict.__doc__}\n{EXAMPLES}"
