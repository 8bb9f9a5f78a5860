"""Make the pictures of README and docs from the code itself: `make docs`.

    python docs/make_pictures.py [lecture | scenes | architectures | look | atlas | style |
                                  breaking | report | own_pictures]

The report's picture needs Chromium, and is left as it is where there is none.
"""

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from skimage.data import chelsea, immunohistochemistry, rocket

import hubel
from hubel.data.sources import is_here
from hubel.labs.learning import colour_pictures
from hubel.labs.page import run_all
from hubel.report.sheet import contact_sheet
from hubel.verbs.augment import augment_sheet
from hubel.verbs.networks import draw, layers
from hubel.verbs.watch import Lines

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"


def lecture() -> None:
    """The labs' pictures as lab-NAME-PICTURE.png; those that ran in build/ are taken over."""
    for ran in run_all(out=ROOT / "build" / "lecture", watch=Lines()).ran:
        for drawing in ran.shown.drawings:
            with Image.open(io.BytesIO(drawing.png)) as image:
                small = image.convert("RGB").quantize(128)
            small.save(IMAGES / f"lab-{ran.name}-{drawing.name}.png", optimize=True)


def scenes() -> None:
    """Forty of the colour pictures that labs train on."""
    data = colour_pictures(40, 1)
    images = [image.permute(1, 2, 0).numpy() for image in data.train]
    sheet = contact_sheet(images, columns=10, cell=64)
    (IMAGES / "scenes.png").write_bytes(sheet)


def architectures() -> None:
    """The drawn networks of docs/networks.md."""
    for name in ("alexnet-2012", "googlenet-2014", "resnet18"):
        draw(name, layers(name), IMAGES / f"network-{name}.png")


def look() -> None:
    """What a network saw in a photograph: the top of the page, and what docs/understanding.md
    shows of it."""
    with tempfile.TemporaryDirectory() as folder:
        found = hubel.look(
            "efficientnet-lite0", chelsea(), square=48, stride=16, trust=False, out=f"{folder}/look"
        )
        screenshot(found.page, IMAGES / "look.png", height=1130)
    drawings = {each.name: each.png for each in found.looks[0].drawings}
    for name, parts in {
        "units": ["units"],
        "occlusion": ["occlusion", "costliest", "winners"],
    }.items():
        images = [Image.open(io.BytesIO(drawings[part])) for part in parts]
        pitch = images[0].width + 24
        row = Image.new("RGB", (pitch * len(images) - 24, images[0].height), "white")
        for i, image in enumerate(images):
            row.paste(image, (i * pitch, 0))
        row.quantize(256).save(IMAGES / f"look-{name}.png", optimize=True)


def atlas() -> None:
    """Six units of a layer: docs/understanding.md."""
    if not is_here("stamps"):
        print("no stamps: atlas.png is left as it is")
        return
    with tempfile.TemporaryDirectory() as folder:
        found = hubel.atlas("efficientnet-lite0", "blocks.4", "stamps", out=f"{folder}/atlas")
    sheets = [Image.open(io.BytesIO(unit.sheet)) for unit in found.units[::7]]
    width, height = (side + 24 for side in sheets[0].size)
    whole = Image.new("RGB", (2 * width - 24, 3 * height - 24), "white")
    for i, sheet in enumerate(sheets):
        whole.paste(sheet, (i % 2 * width, i // 2 * height))
    whole.reduce(2).save(IMAGES / "atlas.png", optimize=True)


def style() -> None:
    """A rocket in the style of stained tissue: docs/understanding.md."""
    with tempfile.TemporaryDirectory() as folder:
        found = hubel.style(rocket(), immunohistochemistry(), out=f"{folder}/style")
        with Image.open(found.grid) as image:
            image.convert("RGB").save(IMAGES / "style-grid.png", optimize=True)


def breaking() -> None:
    """A network of clothing under attack and corrupted: docs/breaking.md.

    break-nonsense.png is a part of what benchmarks/nonsense.py makes on a GPU, and left as it is.
    """
    if not is_here("fashion-mnist"):
        print("no Fashion-MNIST: the pictures of breaking.md are left as they are")
        return
    with tempfile.TemporaryDirectory() as folder:
        run = hubel.train("fashion-mnist", epochs=1, out=f"{folder}/run").run
        robust = hubel.train(
            "fashion-mnist",
            recipe="adversarial-fast",
            epsilon=0.1,
            epochs=3,
            out=f"{folder}/robust",
        ).run
        attacks = ["fgsm", "pgd", "deepfool"]
        own = hubel.attack(run, attacks=attacks, checks=False, out=f"{folder}/a").found
        both = hubel.attack(
            run, attacks=["pgd"], against=[robust], checks=False, out=f"{folder}/b"
        ).found
        corrupted = hubel.corrupt(run, images=200, out=f"{folder}/c").found
    shown = {each.name: each.png for each in (*own.drawings, *corrupted.drawings)}
    shown["defence"] = both.drawings[0].png
    for name in ("curves", "examples-pgd", "sheet", "defence"):
        with Image.open(io.BytesIO(shown[name])) as image:
            small = image.convert("RGB").quantize(128)
        small.save(IMAGES / f"break-{name}.png", optimize=True)


def report() -> None:
    """The top of a real run's report, at desktop width."""
    with tempfile.TemporaryDirectory() as folder:
        run = hubel.train("digits", out=f"{folder}/run").run
        hubel.evaluate(run)
        screenshot(run / "report.html", IMAGES / "report.png", height=1500)


def own_pictures() -> None:
    """What docs/your-own-pictures.md shows: the inspection, the changes, the report of stamps."""
    if not is_here("stamps"):
        print("no stamps: the pictures of your-own-pictures.md are left as they are")
        return
    with tempfile.TemporaryDirectory() as folder:
        page = hubel.inspect("stamps", out=f"{folder}/inspection").page
        screenshot(page, IMAGES / "inspection.png", height=2050)
        sheet = augment_sheet("stamps", out=f"{folder}/inspection")
        with Image.open(sheet) as image:
            small = image.convert("RGB").reduce(2)
            small.quantize(128).save(IMAGES / "augmentation.png", optimize=True)
        run = hubel.train("stamps", out=f"{folder}/run").run
        hubel.evaluate(run)
        screenshot(run / "report.html", IMAGES / "own-report.png", height=2900)


def screenshot(page: Path, picture: Path, *, height: int) -> None:
    """The top of a page at desktop width, in few colours."""
    browser = shutil.which("chromium")
    if browser is None:
        print(f"no Chromium: {picture.name} is left as it is")
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-background-networking", f"--user-data-dir={folder}/profile",
             f"--window-size=1280,{height}", f"--screenshot={folder}/shot.png", f"file://{page}"],
            check=True,
        )  # fmt: skip
        with Image.open(f"{folder}/shot.png") as image:
            image.convert("RGB").quantize(128).save(picture, optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    pictures = (
        lecture, scenes, architectures, look, atlas, style, breaking, report, own_pictures
    )  # fmt: skip
    for picture in pictures:
        if sys.argv[1:] in ([], [picture.__name__]):
            picture()
