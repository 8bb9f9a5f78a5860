"""Options that several verbs share, so that they read alike everywhere."""

from typing import Annotated

import typer

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
