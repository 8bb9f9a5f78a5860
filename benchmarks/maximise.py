"""How much faster are 64 class images at once than one after another?

The same settings on both sides: Fourier, jitter, a blur, one thread. One after another is timed on
some of the 64, eight or more, and both are told per image: 64 single runs differ by nothing but the
objective. In float64 both sides make the same images; in float32 a batch is rounded otherwise, and
Adam's first steps, which are of one size whatever the gradient, make more of that.
"""

import measure
from measure import Figure, Side

IMAGES = 64
CASES = (  # network, side of the picture, channels, steps, how many are made singly
    ("lenet5", 28, 1, 128, 16),
    ("small", 28, 1, 64, 16),
    ("efficientnet-lite0", 64, 3, 8, 8),
    ("efficientnet-lite0", 224, 3, 3, 8),
)
SHORT = (("lenet5", 28, 1, 16, 8), ("small", 28, 1, 8, 8), ("efficientnet-lite0", 64, 3, 2, 8))
COLUMNS = (
    "network", "pixels", "steps", "side", "threads", "n", "median", "low", "high", "ratio",
    "ratio_low", "ratio_high", "difference",
)  # fmt: skip


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    rows = []
    for threads, _ in measure.each_thread_count((1,)):
        for case in SHORT if told.short else CASES:
            rows += compared(*case, threads, told.rounds or (1 if told.short else 5))
    measure.record("maximise", rows)
    print(measure.table(rows, COLUMNS))


def compared(
    network: str, pixels: int, channels: int, steps: int, singly: int, threads: int, rounds: int
) -> list[dict[str, object]]:
    shape = {"network": network, "pixels": pixels, "channels": channels, "steps": steps}
    sides = [
        Side(f"{network} {pixels}: {name}", "maximise.py", shape | {"images": images, "each": each})
        for name, images, each in (("at once", IMAGES, IMAGES), ("one by one", singly, 1))
    ]
    found = measure.interleaved(sides, rounds=rounds, threads=threads, key="per_image")
    once = found[sides[0].name]
    rows = []
    for side in sides:
        results = found[side.name]
        beside = measure.ratio(results, once, "per_image")
        # of the scores that both sides reached, the first images' being of the same objectives
        pairs = zip(results[-1]["scores"], once[-1]["scores"], strict=False)
        difference = max(abs(a - b) / max(1.0, abs(b)) for a, b in pairs)
        rows.append(
            measure.surroundings()
            | shape
            | {"side": side.name.partition(": ")[2], "images": side.arguments["images"]}
            | {"threads": threads, "unit": "s/image"}
            | Figure.of([result["per_image"] for result in results]).columns()
            | {"ratio": f"{beside.median:.2f}", "ratio_low": f"{beside.low:.2f}"}
            | {"ratio_high": f"{beside.high:.2f}", "difference": f"{difference:.1g}"}
        )
    return rows


if __name__ == "__main__":
    measure.main(main)
