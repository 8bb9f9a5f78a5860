"""How many planted copies does the inspection find, how many strangers does it pair, how fast?

Photographs: Tux Paint's photographic stamps over white and tiles of scikit-image's and
scikit-learn's photographs with something on them (a luma deviation of 0.08). Planted: so many
copies of drawn ones, each with a drawn set of changes out of mirroring, resizing to 50 to 150 %,
JPEG quality 40, cutting off up to 18 % of each side, and shifted colours. The method and its
threshold were fixed on every other picture and another seed; --short takes that tuning set. Held
out are the pictures of which no other part was in it. Strangers are pairs of pictures of different
photographs: originals, and what was planted of them; a pair of photographs counts once.
Then 10,000 JPEGs of 640×480 are made of pieces of the photographs and looked through.
"""

import io
import tempfile
from pathlib import Path

import measure
import numpy as np
import skimage.data
import sklearn.datasets
from measure import Figure, Side
from numpy.typing import NDArray
from PIL import Image

from hubel.data.duplicates import SQUARE, copies
from hubel.pixels import decode, fit

STAMPS = Path("/usr/share/tuxpaint/stamps")
DRAWN = ("cartoon", "symbols", "roadsigns", "flags")  # folders of drawings
TILE = 160
TUNED_WITH, FINAL = 1, 20261123  # seeds
COLUMNS = (
    "question",
    "n",
    "found",
    "false_pairs",
    "with_planted",
    "photographs",
    "seconds",
)
Picture = NDArray[np.uint8]


def photographs() -> list[tuple[str, Picture]]:
    """(name, RGB) of every photograph; the same one twice under two names only once."""
    found = []
    for path in sorted(STAMPS.rglob("*.png")):
        drawn = any(part in DRAWN for part in path.parts)
        if drawn or path.stem.endswith("_mirror"):
            continue
        image = decode(path, channels=3)
        if min(image.shape[:2]) >= 100:
            found.append((path.relative_to(STAMPS).as_posix(), image))
    names = ("astronaut", "coffee", "chelsea", "rocket", "retina", "hubble_deep_field")
    names += ("immunohistochemistry", "brick", "grass", "gravel", "camera", "cell", "coins", "moon")
    for name in names:
        found += tiles(name, decode(getattr(skimage.data, name)(), channels=3))
    found += tiles("motorcycle", skimage.data.stereo_motorcycle()[0])
    for name in ("china.jpg", "flower.jpg"):
        found += tiles(name, sklearn.datasets.load_sample_image(name))
    grey = np.array([0.299, 0.587, 0.114]) / 255
    kept = {image.tobytes(): (name, image) for name, image in found if (image @ grey).std() >= 0.08}
    return list(kept.values())


def photograph(name: str) -> str:
    """Of which photograph a picture is a part; a stamp is one by itself."""
    return name if name.endswith(".png") else name.partition("/")[0]


def tiles(name: str, image: Picture) -> list[tuple[str, Picture]]:
    down, across = (max(1, side // TILE) for side in image.shape[:2])
    return [
        (f"{name}/{i}-{j}", np.ascontiguousarray(piece))
        for i, row in enumerate(np.array_split(image, down))
        for j, piece in enumerate(np.array_split(row, across, axis=1))
    ]


def changed(picture: Picture, draw: np.random.Generator) -> Picture:
    """The picture after one to all of the changes, in their usual order."""
    kinds = draw.choice(5, size=draw.integers(1, 6), replace=False)
    image = Image.fromarray(picture)
    if 0 in kinds:
        kept = draw.uniform(0.82, 0.98, 2)
        left, top = draw.uniform(0, 1 - kept) * image.size
        width, height = kept * image.size
        image = image.crop((int(left), int(top), int(left + width), int(top + height)))
    if 1 in kinds:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if 2 in kinds:
        factor = draw.uniform(0.5, 1.5)
        image = image.resize([max(1, round(side * factor)) for side in image.size])
    if 3 in kinds:
        values = np.asarray(image) / 255 * draw.uniform(0.85, 1.15, 3) * draw.uniform(0.8, 1.2)
        values = np.clip(values + draw.uniform(-0.06, 0.06), 0, 1) ** draw.uniform(0.8, 1.25)
        image = Image.fromarray((values * 255).round().astype(np.uint8))
    if 4 in kinds:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=40)
        image = Image.open(file)
    return np.asarray(image.convert("RGB"))


def planted(own: list[tuple[str, Picture]], n: int, seed: int) -> dict[str, object]:
    """How many of n planted copies are found, and how many pairs of strangers are."""
    draw = np.random.default_rng(seed)
    sources = draw.integers(len(own), size=n)
    pictures = [image for _, image in own]
    pictures += [changed(pictures[i], draw) for i in sources]
    truth = np.concatenate((np.arange(len(own)), sources))
    squares = np.stack([fit(picture, SQUARE).transpose(2, 0, 1) for picture in pictures])
    pairs = [(pair.first, pair.second) for pair in copies(squares)]
    direct = {(int(i), len(own) + k) for k, i in enumerate(sources)}
    strangers = [(i, j) for i, j in pairs if truth[i] != truth[j]]
    apart = sorted({tuple(sorted((own[truth[i]][0], own[truth[j]][0]))) for i, j in strangers})
    for a, b in apart:
        print(f"  a pair of strangers: {a}, {b}")
    originals = {(i, j) for i, j in strangers if j < len(own)}
    return {
        "n": n,
        "photographs": len(own),
        "found": f"{len(direct & set(pairs)) / n:.4f}",
        "false_pairs": f"{len(originals)}",
        "with_planted": f"{len(apart)}",
    }


def inspected(own: list[tuple[str, Picture]], n: int, threads: int) -> dict[str, object]:
    """Seconds to look n JPEGs of 640×480 through, in a fresh process, from files to pairs."""
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for k in range(n):
            # two pictures side by side, each cut and turned at random: no two files are alike
            halves = [own[i][1] for i in draw.integers(len(own), size=2)]
            image = Image.new("RGB", (640, 480))
            for side, half in enumerate(halves):
                h, w = half.shape[:2]
                top, left = int(draw.integers(h // 3 + 1)), int(draw.integers(w // 3 + 1))
                cut = Image.fromarray(half[top : top + h // 2, left : left + w // 2])
                image.paste(cut.resize((320, 480)), (320 * side, 0))
            where = Path(folder) / "pictures" / f"class{k % 10}"
            where.mkdir(parents=True, exist_ok=True)
            image.save(where / f"{k}.jpg", quality=85)
        side = Side("inspection", "inspect_folder.py", {"folder": f"{folder}/pictures"})
        result = measure.run(side, threads=threads)
    return {"n": n, "seconds": f"{Figure.of([result['seconds']]).median:.1f}"}


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    own = photographs()
    # every other one was for tuning; the final figure is of the others, and of all
    sets = {"tuning set": (own[::2], TUNED_WITH)}
    if not told.short:
        known = {photograph(name) for name, _ in own[::2]}
        unseen = [(name, image) for name, image in own if photograph(name) not in known]
        sets = {"held-out photographs": (unseen, FINAL), "all": (own, FINAL + 1)}
    rows = [
        measure.surroundings() | {"question": f"1,000 planted, {name}", "seconds": ""}
        | planted(pictures, 1_000, seed)
        for name, (pictures, seed) in sets.items()
    ]  # fmt: skip
    threads, count = told.threads[-1], 1_000 if told.short else 10_000
    rows.append(
        measure.surroundings()
        | {"question": f"looked through, {threads} threads"}
        | inspected(own, count, threads)
    )
    measure.record("duplicates", rows)
    print(measure.table(rows, COLUMNS))


if __name__ == "__main__":
    measure.main(main)
