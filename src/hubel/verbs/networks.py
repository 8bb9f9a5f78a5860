"""The networks that hubel knows, as facts counted on the networks themselves."""

import os
from pathlib import Path
from typing import Any

from hubel import atomic
from hubel.basics.summary import Summary, trace
from hubel.mistakes import Mistake
from hubel.networks import catalogue, weights
from hubel.networks.paper import Published
from hubel.networks.papers import PAPERS
from hubel.report.network import Layer, drawn, network_page
from hubel.verbs.onward import onward
from hubel.verbs.verify import built


def networks(name: str | None = None) -> list[dict[str, Any]]:
    """One mapping for each network, or for the named one alone.

    Keys: name, parameters (trainable), multiply_adds, depth (weighted layers), receptive_field (of
    the last maps, [height, width]), all counted on a network built for its own pixels and classes;
    classes, pixels [channels, height, width], weights (whether published ones can be had),
    published (errors in percent: top1, top5, on), source, note. Raises Mistake for an unknown name.

    >>> import hubel.verbs.networks
    >>> hubel.verbs.networks.networks("lenet5-1998")[0]["parameters"]
    60000
    """
    names = [name] if name is not None else list(catalogue.CATALOGUE)
    return [facts(name, layers(name)) for name in names]


def layers(name: str) -> Summary:
    """A network of the catalogue layer by layer, for its own pixels and classes.

    It is built without numbers, so that even VGG takes no memory. Raises Mistake as `networks`.
    """
    entry = catalogue.entry(name)
    return trace(built(name), (entry.channels, *entry.usual_size))


def facts(name: str, summary: Summary) -> dict[str, Any]:
    """What `networks` lists of one network, given its layers."""
    entry = catalogue.entry(name)
    return {
        "name": name,
        "parameters": summary.trainable,
        "multiply_adds": summary.multiply_adds,
        "depth": summary.depth,
        "receptive_field": list(summary.receptive_field),
        "classes": entry.classes,
        "pixels": list(summary.shape),
        "weights": name in weights.PUBLISHED,
        "published": [row._asdict() for row in published(name)],
        "source": entry.source,
        "note": entry.note,
    }


def published(name: str) -> list[Published]:
    """Errors that were published: those of the paper first, then those of the weights at hand."""
    rows = list(PAPERS[name].published) if name in PAPERS else []
    found = weights.PUBLISHED.get(name)
    if found is not None and found.top1 is not None and found.top5 is not None:
        weights_of = found.source.partition(" (")[0]  # without its licence
        on = f"ImageNet 2012 validation, one crop, the weights of {weights_of}"
        rows.append(Published(round(100 - found.top1, 2), round(100 - found.top5, 2), on))
    return rows


def draw(name: str, summary: Summary, out: str | os.PathLike[str], *, page: bool = False) -> Path:
    """Write the network as a PNG to out, a file, or as NAME.png into out, a folder.

    page: also with the table of its layers as a page, of the same name but for its .html. Raises
    Mistake for a file that is no PNG or is there already, Failure where it cannot be written.
    """
    path = Path(out)
    if path.is_dir():
        path = path / f"{name}.png"
    elif path.suffix.lower() != ".png":
        if path.exists() or path.suffix:
            raise Mistake(f"The picture is a PNG: {path} does not end in .png and is no folder.")
        path = path / f"{name}.png"
    html = path.with_suffix(".html")
    for each in (path, html) if page else (path,):
        if os.path.lexists(each):
            raise Mistake(f"{each} is there already: remove it, or draw elsewhere with --out.")
    rows = [
        Layer(row.name, row.kind, row.detail, row.shape, row.inputs, row.weighted, row.parameters)
        for row in summary.rows
    ]
    note = (
        f"{summary.depth} weighted layers deep, {summary.trainable:,} parameters, "
        f"{summary.multiply_adds:,} multiply-adds"
    )
    picture = drawn(rows, title=name, picture=summary.shape, note=note)
    if page:
        end = onward("networks", name=name, paper=name if name in PAPERS else None)
        told = network_page(picture, summary.table, summary.totals(), facts(name, summary), end)
        atomic.write(html, told)
    return atomic.write(path, picture)
