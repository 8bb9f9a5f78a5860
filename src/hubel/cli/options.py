"""Options that several verbs share, so that they read alike everywhere."""

from typing import Annotated

import typer

from hubel.cli import completion

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for scripts.")]
Device = Annotated[str, typer.Option(help="auto | cpu | cuda | cuda:N | mps", show_default=True)]
Threads = Annotated[
    int | None, typer.Option(help="torch's threads; the default is one for each core.")
]
Workers = Annotated[
    int,
    typer.Option(
        min=0, max=256, help="Processes that decode pictures; 0: threads of this process."
    ),
]
Model = Annotated[
    str | None,
    typer.Argument(
        help="A run, a model folder or a network's name; else the newest run.",
        autocompletion=completion.models,
    ),
]
Data = Annotated[
    str | None,
    typer.Argument(
        help="A data set or a folder; a run has its own.", autocompletion=completion.data_sets
    ),
]
