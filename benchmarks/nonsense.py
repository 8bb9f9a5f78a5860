"""How sure is EfficientNet-Lite0 of nonsense, over all 1,000 classes of ImageNet?

Images evolved by CPPNs and pixel by pixel, and by gradient ascent, with so many images looked at.
Published medians, of AlexNet: 88 % by CPPN, 22 % pixel by pixel (Nguyen et al. 2015).
"""

import time

import measure

import hubel

# way → images that are looked at on a GPU; on a processor a hundredth
LOOKS = {"gradient": None, "direct": 400_000, "cppn": 800_000}
COLUMNS = ("way", "classes", "evaluations", "seconds", "median", "least", "sure")


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    own = measure.surroundings(device=told.device)
    rows = []
    for way, looks in LOOKS.items():
        if looks and told.device == "cpu":
            looks //= 100
        began = time.perf_counter()
        out = measure.RESULTS.parent.parent / "build" / f"nonsense-{way}"
        found = hubel.fool(
            "efficientnet-lite0", encodings=[way], evaluations=looks, offspring=400,
            device=told.device, threads=told.threads[-1], out=out,
            classes=list(range(8)) if told.device == "cpu" and way == "gradient" else None,
        )  # fmt: skip
        (gallery,) = found.galleries
        rows.append(
            {"way": way, "classes": len(gallery.names), "evaluations": gallery.evaluations}
            | {"threads": told.threads[-1], "seconds": f"{time.perf_counter() - began:.0f}"}
            | {"median": f"{gallery.median:.4f}", "least": f"{gallery.least:.4f}"}
            | {"sure": sum(p >= 0.99 for p in gallery.confidences)}
        )
        measure.record("nonsense", [own | rows[-1]])
        print(measure.table(rows[-1:], COLUMNS), flush=True)
    print(measure.table(rows, COLUMNS))


if __name__ == "__main__":
    measure.main(main)
