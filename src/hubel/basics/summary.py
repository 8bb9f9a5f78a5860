"""A network layer by layer: shapes, parameters, multiply-adds, memory, receptive fields.

Any `nn.Module` is run once, on one picture of zeros, and watched; nothing is read from its class.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hubel.basics.layers import Row, rows
from hubel.basics.smallest import misfit
from hubel.basics.tracing import PICTURE, Tracer, watching
from hubel.mistakes import Mistake
from hubel.twins import evaluated

HEAD = ("layer", "kind", "output", "parameters", "multiply-adds", "memory", "sees", "")
NUMBERS = (3, 4, 5)  # columns of numbers


@dataclass(frozen=True)
class Summary:
    """All rows and what they come to. str() of it is the table.

    shape: of the picture, (C, H, W). parameters and trainable: of the whole network, each tensor
    once; unused: names of those that the picture does not meet (heads for training only).
    """

    shape: tuple[int, int, int]
    rows: tuple[Row, ...]
    parameters: int
    trainable: int
    unused: tuple[str, ...]

    @property
    def multiply_adds(self) -> int:
        """Of one picture: convolutions and matrix products, padding multiplied as well."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def memory(self) -> int:
        """Bytes of all outputs together, as training keeps them, for one picture in float32."""
        return sum(row.memory for row in self.rows)

    @property
    def units(self) -> int:
        """Outputs of the weighted layers: the papers' neurons."""
        return sum(math.prod(row.shape) for row in self.rows if row.weighted)

    @property
    def depth(self) -> int:
        """Weighted layers on the longest way through the network."""
        depths: list[int] = []
        for row in self.rows:
            before = max((depths[i] for i in row.inputs if i != PICTURE), default=0)
            depths.append(before + row.weighted)
        return max(depths, default=0)

    @property
    def last_maps(self) -> Row | None:
        """The last row whose units still have places in the picture; None without any."""
        return next((row for row in reversed(self.rows) if _has_places(row)), None)

    @property
    def receptive_field(self) -> tuple[int, int]:
        """Of a unit of the last maps, (height, width); without any, the picture's size."""
        return self.last_maps.sees if self.last_maps else self.shape[1:]

    def as_json(self) -> dict[str, Any]:
        """Everything as plain mappings and lists; a receptive field by its numbers."""
        totals = ("multiply_adds", "memory", "units", "depth", "receptive_field")
        return {
            "picture": list(self.shape),
            "parameters": self.parameters,
            "trainable": self.trainable,
            "unused": list(self.unused),
            **{key: getattr(self, key) for key in totals},
            "rows": [_row_json(row) for row in self.rows],
        }

    @property
    def table(self) -> list[tuple[str, ...]]:
        """All rows as text, below HEAD."""
        return [_cells(row) for row in self.rows]

    def __str__(self) -> str:
        cells = self.table
        widths = [max(map(len, column)) for column in zip(HEAD, *cells, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if i in NUMBERS else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in (HEAD, *cells)
        ]
        return "\n".join([*lines, "", *self.totals()])

    def totals(self) -> list[str]:
        """The last lines of the table."""
        height, width = self.receptive_field
        seen = height > self.shape[1] or width > self.shape[2]
        frozen = "" if self.parameters == self.trainable else f", {self.trainable:,} trainable"
        lines = [
            f"{self.parameters:,} parameters{frozen}; {self.multiply_adds:,} multiply-adds; "
            f"{_bytes(self.memory)} of outputs.",
            f"{self.depth} weighted layers deep, {self.units:,} units; a unit of the last maps "
            f"sees {height}×{width} pixels, of a picture of {self.shape[1]}×{self.shape[2]}"
            f"{' and the padding around it' if seen else ''}.",
        ]
        if self.unused:
            names = ", ".join(sorted({name.split(".")[0] for name in self.unused}))
            used = sum(row.parameters for row in self.rows)
            lines.append(f"The picture meets {used:,} of the parameters; the rest is in {names}.")
        return lines


def trace(network: nn.Module, shape: tuple[int, int, int]) -> Summary:
    """Run the network once on a picture of zeros (1, *shape), shape = (C, H, W), and count.

    It runs on the network's own device, which may be "meta", in evaluation mode, without
    gradients; modes and hooks are left as found. Multiply-adds are those of convolutions and matrix
    products. Raises Mistake where the picture does not fit, naming the layer, what it was given,
    and the smallest square that fits.

    >>> found = trace(nn.Sequential(nn.Conv2d(3, 10, 5, padding=2), nn.ReLU()), (3, 32, 32))
    >>> found.parameters, found.rows[0].shape, found.rows[0].sees
    (760, (10, 32, 32), (5, 5))
    """
    if len(shape) != 3 or not all(isinstance(n, int) and n >= 1 for n in shape):
        raise Mistake(f"A picture is (channels, height, width), each 1 or more, not {shape!r}.")
    pixels = _zeros(network, shape)
    network = evaluated(network)
    tracer = Tracer(network, pixels)
    with torch.no_grad():
        try:
            with watching(network, tracer):
                network(pixels)
        except (Mistake, NotImplementedError, torch.OutOfMemoryError):
            raise
        except (RuntimeError, ValueError, IndexError) as wrong:
            raise misfit(tracer, shape, wrong) from wrong
    parameters = dict(network.named_parameters())
    used = {name for operation in tracer.operations for name in operation.parameters}
    return Summary(
        shape=shape,
        rows=tuple(rows(tracer, {name: p.numel() for name, p in parameters.items()})),
        parameters=sum(p.numel() for p in parameters.values()),
        trainable=sum(p.numel() for p in parameters.values() if p.requires_grad),
        unused=tuple(name for name in parameters if name not in used),
    )


def _zeros(network: nn.Module, shape: tuple[int, int, int]) -> Tensor:
    tensors = [*network.parameters(), *network.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    kinds = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
    return torch.zeros(1, *shape, device=device, dtype=kinds[0] if kinds else torch.float32)


def _has_places(row: Row) -> bool:
    """Whether the units of a row stand beside each other in the picture."""
    axes = [axis for axis in row.field if axis.dim is not None and axis.jump]
    return len(row.shape) == 3 and len(axes) == 2 and max(row.shape[1:]) > 1


def _cells(row: Row) -> tuple[str, ...]:
    bound = "" if all(axis.exact for axis in row.field) else "≤ "
    return (
        row.name,
        f"{row.kind} {row.detail}".rstrip(),
        "×".join(map(str, row.shape)) or "1",
        f"{row.parameters:,}" if row.parameters else "",
        f"{row.multiply_adds:,}" if row.multiply_adds else "",
        _bytes(row.memory) if row.memory else "",
        bound + "×".join(map(str, row.sees)),
        row.rounding,
    )


def _bytes(n: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{n:.0f} B" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} GiB"


def _row_json(row: Row) -> dict[str, Any]:
    facts = asdict(row)
    facts["field"] = {
        side: {"size": axis.size, "jump": float(axis.jump), "low": float(axis.low),
               "high": float(axis.high), "exact": axis.exact}
        for side, axis in row.field._asdict().items()
    }  # fmt: skip
    return facts
