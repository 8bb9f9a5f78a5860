"""--quick: what a command does in less time, and says what it leaves out."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import typer

Quick = Annotated[
    bool,
    typer.Option("--quick", help="Less of everything, in less time; what is left out is said."),
]


class Less(NamedTuple):
    """settings: of the command, in place of its usual ones; left_out: in words."""

    settings: Mapping[str, Any]
    left_out: str


LESS: Mapping[str, Less] = {
    "evaluate": Less({"baselines": False}, "no shallow methods are measured beside the model"),
    "look": Less({"trust": False}, "the maps are not put on trial"),
    "look --units": Less(
        {"most": 16, "images": 1_000},
        "the first 16 units at most, over 1,000 of the pictures at most",
    ),
    "style": Less(
        {"weight": "10", "size": 128, "steps": 60}, "one style weight, 128 pixels, 60 steps"
    ),
    "break --by attacks": Less(
        {"images": 40, "checks": False}, "40 pictures at most, and the attacks are not put on trial"
    ),
    "break --by corruptions": Less(
        {"images": 100, "severity": [1, 3, 5]}, "100 pictures at most, at severities 1, 3 and 5"
    ),
    "break --by shape": Less(
        {"images": 100, "pairs": 12}, "100 pictures and 12 images at most: wide intervals"
    ),
    "break --by fooling": Less(
        {"evaluations": 2_000}, "2,000 images at most are tried by each way that evolves"
    ),
}


def less(context: typer.Context, command: str, given: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The settings of a quick run, but those asked for by name; and a sentence."""
    row = LESS[command]
    asked = {
        name for name in row.settings
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    }  # fmt: skip
    settings = {name: value for name, value in row.settings.items() if name not in asked}
    return (
        given | settings,
        f"Quick: {row.left_out}{' (but for what you asked for)' * bool(asked)}.",
    )
