"""How fast are training, occlusion maps and class images on a GPU, and in which precision and form?

ResNet-50 at 224 × 224 and `small` at 28 × 28: float32, TF32 and bfloat16, the plain and the
channels-last layout, and compiled. Occlusion maps of EfficientNet-Lite0 and ResNet-50: ours in
boxes and in full, plain torch and captum. 64 class images at once and one after another. With
--device cpu everything is tiny: whether it runs.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import measure
from measure import Figure, Side

RESNET = {"network": "resnet50", "side": 224, "channels": 3, "classes": 1000, "batch": 128}
SMALL = {"network": "small", "side": 28, "channels": 1, "classes": 10, "batch": 1024}
Kind = tuple[str, bool, bool]  # precision, channels-last, compiled
# the first is what the others are compared with
KINDS = [(p, last, False) for p in ("float32", "tf32", "bfloat16") for last in (False, True)]
COMPILED = [("bfloat16", True, False), ("bfloat16", True, True)]
COMPILING, LONGEST = 75, 90  # seconds that a side may take, where it compiles and where not
TINY = {
    "batch": 4, "side": 32, "seconds": 0.1, "rounds": 1, "steps": 1, "square": 104, "stride": 104,
    "images": 3, "alone": 1,
}  # fmt: skip
COLUMNS = (
    "network", "way", "precision", "amount", "unit", "n", "median", "ratio", "error", "peak_mib",
    "note",
)  # fmt: skip

Row = dict[str, Any]
Numbers = Mapping[str, Any]
Run = Callable[[str, Numbers], Row]


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    packages = ["torch", "numpy", *(["captum"] if find_spec("captum") else [])]
    own = measure.surroundings(packages, told.device)

    def run(script: str, work: Numbers) -> Row:
        """The side's result, or nothing, if it has none."""
        tiny = {key: value for key, value in TINY.items() if key in work and told.device == "cpu"}
        given = {**work, **tiny, "device": told.device}
        compiled = any(each for *_, each in work.get("kinds", ()))
        side = Side(f"{script} {work['network']}", script, given)
        try:
            done = measure.run(
                side, threads=told.threads[-1], timeout=COMPILING if compiled else LONGEST
            )
        except measure.SideFailed as wrong:
            print(f"left out: {wrong}", file=sys.stderr, flush=True)
            return {}
        print(f"{side.name}: {done['wall']:.0f} s", file=sys.stderr, flush=True)
        return done | {"given": given}

    measured = 0
    for question, section in SECTIONS:
        rows = section(run)
        if rows:  # what is known stays, should a later one not end
            measure.record("cuda", [own | {"question": question} | row for row in rows])
            print(f"{question}\n{measure.table(rows, COLUMNS)}", flush=True)
            measured += len(rows)
    if not measured:
        raise SystemExit("Nothing was measured.")


def trained(network: Numbers, kinds: Sequence[Kind], run: Run) -> list[Row]:
    work = {"kinds": kinds, "seconds": 0.7, "rounds": 3, "steps": 5}
    done = run("cuda_train.py", {**network, **work})
    rows = []
    for (precision, last, compile_), found in zip(kinds, done.get("kinds", []), strict=False):
        beside = done["kinds"][0]["images"]
        way = f"{'channels-last' if last else 'plain'}{', compiled' if compile_ else ''}"
        rows.append(
            {"network": network["network"], "way": way, "precision": precision}
            | {"amount": done["given"]["batch"], "unit": "images/s"}
            | Figure.of(found["images"]).columns()
            | {"ratio": f"{Figure.of(found['images']).median / Figure.of(beside).median:.2f}"}
            | {"error": f"{found['error']:.2g}", "peak_mib": f"{found['peak_mib']:.0f}"}
            | {"note": f"first step {found['first']:.1f} s"}
        )
    return rows


def occluded(network: str, run: Run) -> list[Row]:
    work = {"network": network, "size": 224, "square": 16, "stride": 8}
    work["boxes"] = network == "resnet50"  # by boxes EfficientNet takes minutes there
    done = run("cuda_occlusion.py", work)
    rows = []
    for found in done.get("ways", []):
        figure = Figure.of(found["seconds"])
        ours = next(
            row for row in done["ways"]
            if (row["way"], row["precision"]) == ("ours", found["precision"])
        )  # fmt: skip
        error = found.get("error")
        rows.append(
            {"network": network, "way": found["way"], "precision": found["precision"]}
            | {"amount": done["positions"], "unit": "s/map"} | figure.columns()
            | {"ratio": f"{figure.median / Figure.of(ours['seconds']).median:.2f}"}
            | {"error": "" if error is None else f"{error:.2g}", "peak_mib": ""}
            | {"note": found.get("note", "")}
        )  # fmt: skip
    return rows


def imagined(run: Run) -> list[Row]:
    work = {
        "network": "efficientnet-lite0",
        "images": 64,
        "size": 224,
        "steps": 32,
        "rounds": 3,
        "alone": 6,
    }
    done = run("cuda_images.py", work)
    if not done:
        return []
    together, alone = Figure.of(done["together"]), Figure.of(done["alone"])
    shared = {"network": work["network"], "precision": "tf32", "unit": "s/image"}
    note = f"{done['given']['steps']} steps; alone, in float64, {done['difference']:.2g} apart"
    return [
        shared | {"way": "at once", "amount": done["given"]["images"]} | together.columns()
        | {"ratio": "1.00", "error": "", "peak_mib": f"{done['peak_mib']:.0f}", "note": note},
        shared | {"way": "one after another", "amount": 1} | alone.columns()
        | {"ratio": f"{alone.median / together.median:.2f}", "error": "", "peak_mib": ""}
        | {"note": ""},
    ]  # fmt: skip


SECTIONS: tuple[tuple[str, Callable[[Run], list[Row]]], ...] = (
    ("training", partial(trained, RESNET, KINDS)),
    ("training", partial(trained, SMALL, KINDS)),
    ("class images", imagined),
    ("occlusion", partial(occluded, "efficientnet-lite0")),
    ("occlusion", partial(occluded, "resnet50")),
    ("training, compiled", partial(trained, RESNET, COMPILED)),
    ("training, compiled", partial(trained, SMALL, COMPILED)),
)

if __name__ == "__main__":
    measure.main(main)
