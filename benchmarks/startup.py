"""How long until hubel answers: its help, the first use of its names, one picture?

Three comparisons in fresh processes, each beside the least that could be: `hubel --help` beside
the help of an empty program of typer and rich (wall-clock); `hubel predict` on one picture beside
torch, the weights and one forward (wall-clock); what `hubel.Classifier` and `hubel.train` add to an
`import torch` that has happened (seconds).
"""

import tempfile
from pathlib import Path

import measure
from measure import Figure, Side

COLUMNS = ("question", "side", "n", "median", "low", "high", "ratio", "ratio_low", "ratio_high")


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    rounds = told.rounds or (3 if told.short else 15)
    threads = told.threads[-1]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        picture = str(Path(folder) / "cat.png")
        made = Side("", "startup_picture.py", {"picture": picture})
        weights = measure.run(made, threads=1)["weights"]
        pairs = {
            "help": (Side("hubel --help", "startup_help.py"),
                     Side("empty program", "startup_empty.py")),
            "predict": (Side("hubel predict", "startup_predict.py", {"picture": picture}),
                        Side("bare", "startup_bare.py", {"picture": picture, "weights": weights})),
        }  # fmt: skip
        for question, (ours, theirs) in pairs.items():
            found = measure.interleaved((ours, theirs), rounds=rounds, threads=threads, key="wall")
            against = measure.ratio(found[ours.name], found[theirs.name], "wall")
            for side in (ours, theirs):
                figure = Figure.of([result["wall"] for result in found[side.name]])
                rows.append(_row(question, side.name, threads, figure))
            rows[-2] |= {"ratio": f"{against.median:.3f}", "ratio_low": f"{against.low:.3f}",
                         "ratio_high": f"{against.high:.3f}"}  # fmt: skip
        first = Side("first use", "startup_import.py")
        found = measure.interleaved([first], rounds=rounds, threads=threads, key="train")
    for name in ("classifier", "train"):
        figure = Figure.of([result[name] for result in found["first use"]])
        rows.append(_row("beyond import torch", f"hubel.{name}", threads, figure))
    measure.record("startup", rows)
    print(measure.table(rows, COLUMNS))


def _row(question: str, side: str, threads: int, figure: Figure) -> dict[str, object]:
    packages = ("torch", "typer", "rich")
    return (
        measure.surroundings(packages)
        | {"question": question, "side": side, "threads": threads, "unit": "s"}
        | figure.columns()
        | {"ratio": "", "ratio_low": "", "ratio_high": ""}
    )


if __name__ == "__main__":
    measure.main(main)
