"""Tables as text, and the sentences under them."""

import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hubel.figures import interval, percent
from hubel.legible import legible
from hubel.report.wording import unbeaten
from hubel.results import Evaluation


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> str:
    """Aligned text, numbers to the right: the first column is text, the others as they look."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        cells = [row[i] for row in rows]
        numeric = bool(cells) and all(cell[:1].isdigit() or cell in ("", "–") for cell in cells)
        made.add_column(
            Text(legible(name)), justify="right" if numeric else "left", overflow="fold"
        )
    for row in rows:
        made.add_row(*(Text(legible(cell)) for cell in row))
    out = io.StringIO()
    Console(file=out, width=110, highlight=False).print(made)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def confusions(found: Evaluation, most: int = 5) -> list[str]:
    """The pairs of classes taken for each other most often, as lines."""
    names = [legible(row.name) for row in found.classes]
    pairs = [
        (int(found.confusion[i, j]), names[i], names[j])
        for i in range(len(names))
        for j in range(len(names))
        if i != j and found.confusion[i, j] > 0
    ]
    pairs.sort(key=lambda pair: -pair[0])
    lines = [f"  {count:4d} × {true} taken for {called}" for count, true, called in pairs[:most]]
    return ["", "Most often mistaken:", *lines] if lines else []


def beside_lines(found: Evaluation) -> list[str]:
    """The others that were measured on the same pictures, as lines, and whether they are beaten."""
    others = [*([found.against] if found.against else []), *found.besides]
    if not others:
        return []
    width = max(len(row.name) for row in others)
    lines = ["", "On the same pictures:"]
    for row in others:
        lines.append(
            f"  {legible(row.name):{width}}  {percent(row.accuracy)} ({interval(row.interval)}); "
            f"alone right on {row.only_theirs}, this network on {row.only_ours} (p = {row.p:.2g})"
        )
    return [*lines, *(f"! {sentence}" for sentence in unbeaten(found, others))]
