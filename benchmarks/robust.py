"""How near does the default attack come to AutoAttack, and who finds the nearest pictures?

`small` networks of Fashion-MNIST, trained as they come and under attack (ε = 0.1 in L∞), and a run
of test pictures. Within a ball, robust accuracy by `pgd` and `pgd-l2` as they are by default; by
what they were before (from the picture itself, 40 steps by cross-entropy, and of what resists 40 by
the margin); and by AutoAttack (Croce & Hein 2020): the first two attacks of its standard version,
Auto-PGD by cross-entropy and towards nine classes, and all four of them. Looks: gradients asked of
the network for each picture that was right, which a busy machine leaves as they are, unlike
seconds; queries: answers without one. Then the median L2 of the pictures that the minimal attacks
find, and of the nearest of them.

--runs: where the networks are, or are trained, for an hour. --first, --images: which test pictures.
"""

import argparse
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measure
import peers
from measure import Side

import hubel
from hubel.home import home

NARROW = {"arguments": {"widths": [12, 24, 48]}, "lr": 0.004, "optimiser": "adamw"}
# name → recipe and settings; the last is of the network's default width
NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {"recipe": "fast", "epochs": 4} | NARROW,
    "adversarial-fast": {"recipe": "adversarial-fast", "epochs": 4, "epsilon": 0.1} | NARROW,
    "adversarial-pgd": {"recipe": "adversarial-pgd", "epochs": 3, "epsilon": 0.1} | NARROW,
    "adversarial-trades": {"recipe": "adversarial-trades", "epochs": 2, "epsilon": 0.1} | NARROW,
    "adversarial-fast-wide": {
        "recipe": "adversarial-fast", "epochs": 4, "epsilon": 0.1, "optimiser": "adamw",
        "lr": 0.003,
    },
}  # fmt: skip
STRONG = (("linf", 0.125), ("l2", 1.5))
BALLS = {
    "plain": (("linf", 0.02), ("l2", 0.5)),
    "adversarial-fast": STRONG,
    "adversarial-pgd": STRONG,
    "adversarial-trades": STRONG,
    "adversarial-fast-wide": (),
}
THEIRS = ("auto-pgd", "autoattack")
WITHIN = ("hubel", "hubel before", *THEIRS)
MINIMAL = {"adversarial-fast-wide": ("deepfool", "lbfgs", "cw", "ddn")}
COLUMNS = (
    "network", "norm", "epsilon", "side", "images", "right", "robust", "looks", "queries", "fooled",
    "l2", "nearest",
)  # fmt: skip


def main() -> None:
    told = _told()
    for name in told.network:
        if not (told.runs / name).exists():
            setting = {"threads": 1, "precision": "float32"} | NETWORKS[name]
            hubel.train("fashion-mnist", out=told.runs / name, **setting)
    rows = []
    for name in told.network:
        for norm, epsilon in BALLS[name]:
            rows += within(told, name, norm, epsilon) if norm in told.norm else []
        if name in MINIMAL:
            rows += nearest(told, name)
    print(measure.table(rows, COLUMNS))


def within(told: argparse.Namespace, name: str, norm: str, epsilon: float) -> list[dict[str, Any]]:
    setting = {"norm": norm, "epsilon": epsilon}
    rows = []
    for side, found in _found(told, name, told.side, setting):
        right = len(found["away"])
        rows.append(
            _row(told, name, side, found)
            | {"norm": norm, "epsilon": epsilon}
            | {"robust": f"{_resist(found) / told.images:.4f}"}
            | {"looks": f"{found['looks'] / right:.1f}"}
            | {"queries": f"{found['queries'] / right:.1f}", "most": f"{found['most']:.5g}"}
        )
    measure.record("robust", rows)
    return rows


def nearest(told: argparse.Namespace, name: str) -> list[dict[str, Any]]:
    found = _found(told, name, MINIMAL[name], {"norm": "l2", "epsilon": None})
    away = [[float(far) for far in sizes["away"]] for _, sizes in found]
    least = [min(each) for each in zip(*away, strict=True)]
    found.append(("the nearest of these", found[0][1]))
    rows = []
    for (side, result), sizes in zip(found, [*away, least], strict=True):
        best = sum(far <= 1.001 * near for far, near in zip(sizes, least, strict=True))
        rows.append(
            _row(told, name, side, result)
            | {"norm": "l2"}
            | {"fooled": sum(math.isfinite(far) for far in sizes)}
            | {"l2": f"{statistics.median(sizes):.4f}", "nearest": best}
        )
    measure.record("robust", rows)
    return rows


def _resist(found: dict[str, Any]) -> int:
    return sum(far == "inf" for far in found["away"])


def _found(
    told: argparse.Namespace, name: str, sides: Sequence[str], setting: dict[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """What each side gave, each in a process of its own."""
    common = {
        "run": str(told.runs / name), "first": told.first, "images": told.images,
        "packages": str(peers.packages("autoattack")) if {*sides} & {*THEIRS} else "",
    }  # fmt: skip
    return [
        (side, measure.run(Side(side, "robust.py", common | setting | {"side": side}), threads=1))
        for side in sides
    ]


def _row(
    told: argparse.Namespace, name: str, side: str, found: dict[str, Any]
) -> dict[str, object]:
    figures = ("norm", "epsilon", "robust", "looks", "queries", "most", "fooled", "l2", "nearest")
    return (
        measure.surroundings()
        | {"peer": peers.versions("autoattack") if side in THEIRS else "", "network": name}
        | {"side": side, "first": told.first, "images": told.images, "right": len(found["away"])}
        | dict.fromkeys(figures, "")
    )


def _told() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=home() / "benchmarks" / "robust")
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--first", type=int, default=1000, help="the number of a test picture")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--norm", nargs="+", choices=("linf", "l2"), default=("linf", "l2"))
    parser.add_argument("--side", nargs="+", choices=WITHIN, default=WITHIN)
    return parser.parse_args()


if __name__ == "__main__":
    measure.main(main)
