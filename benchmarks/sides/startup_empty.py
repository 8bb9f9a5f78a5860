"""The help page of an empty program of typer and rich."""

import sys

import typer
from rich.console import Console

app = typer.Typer(rich_markup_mode="rich", no_args_is_help=True)
console = Console()


@app.command()
def one() -> None:
    """Nothing."""


@app.callback()
def _all() -> None:
    """An empty program."""


sys.argv = ["empty", "--help"]
try:
    app()
except SystemExit:
    print("{}")
