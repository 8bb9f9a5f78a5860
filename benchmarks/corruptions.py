"""How close are our corruptions to ImageNet-C's published ones, in pixels and in what they cost?

Photographs of ImageNet's classes at 224 × 224: the mean difference from the photograph, of ours and
of its authors' (Hendrycks & Dietterich 2019), and how often EfficientNet-Lite0 is wrong under each.

$HUBEL_REAL_DATA: a folder of photographs whose names begin with their class's number (000_… to
999_…). --published: a Python that can import `imagenet_c`, the authors' package. Without both
nothing is measured.
"""

import argparse
import os
import tempfile
from pathlib import Path

import measure
import numpy as np
import torch
from measure import Side
from numpy.typing import NDArray

import hubel
from hubel.breaking.corruptions.table import SEVERITIES, corrupt
from hubel.inference.answers import Answers
from hubel.model import Classifier

PUBLISHED = {
    "gaussian-noise": "gaussian_noise",
    "shot-noise": "shot_noise",
    "impulse-noise": "impulse_noise",
    "defocus-blur": "defocus_blur",
    "glass-blur": "glass_blur",
    "motion-blur": "motion_blur",
    "zoom-blur": "zoom_blur",
    "fog": "fog",
    "frost": "frost",
    "snow": "snow",
    "brightness": "brightness",
    "contrast": "contrast",
    "jpeg": "jpeg_compression",
    "pixelate": "pixelate",
    "elastic": "elastic_transform",
}
AT_ONCE = 25
COLUMNS = (
    "corruption",
    "severity",
    "n",
    "difference",
    "published",
    "ratio",
    "error",
    "their_error",
)


def main() -> None:
    told = _told()
    paths = photographs(told.photographs)
    classifier = hubel.load("efficientnet-lite0").eval()
    labels = np.array([int(path.name.split("_")[0]) for path in paths])
    own = measure.surroundings()
    rows = []
    with tempfile.TemporaryDirectory() as made:
        kept = Path(told.kept or made)
        kept.mkdir(parents=True, exist_ok=True)
        pictures = before(classifier, paths, kept / "pictures.npy")
        for name in told.corruption or PUBLISHED:
            published(told.published, kept, name)
            found = [
                compared(
                    None if told.pixels else classifier, pictures, labels, name, severity, kept
                )
                for severity in SEVERITIES
            ]
            measure.record("corruptions", [own | row for row in found])
            rows += found
    print(measure.table(rows, COLUMNS))


def photographs(most: int) -> list[Path]:
    """So many of them, from all over the classes."""
    folder = os.environ.get("HUBEL_REAL_DATA", "")
    found = sorted(Path(folder).glob("[0-9][0-9][0-9]_*")) if folder else []
    if len(found) < most:
        raise SystemExit(
            f"Nothing was measured: $HUBEL_REAL_DATA should be a folder of at least {most} "
            f"photographs called 000_… to 999_… by their ImageNet class; {folder or 'it is unset'}"
            f"{f' has {len(found)}' if folder else ''}."
        )
    return [found[i * len(found) // most] for i in range(most)]


def before(classifier: Classifier, paths: list[Path], kept: Path) -> torch.Tensor:
    """The photographs, uint8 (N, 3, 224, 224): those that published ones were made of, if any."""
    if not kept.exists():
        pixels = [(classifier.read(str(path)) * 255).round().byte() for path in paths]
        np.save(kept, torch.stack(pixels).permute(0, 2, 3, 1).numpy())
    return torch.from_numpy(np.load(kept)).permute(0, 3, 1, 2).contiguous()


def published(python: Path, kept: Path, name: str) -> None:
    """Have the authors' code make kept/NAME-1.npy to NAME-5.npy, where they are not there."""
    told = {"pictures": str(kept / "pictures.npy"), "out": str(kept)}
    told |= {"names": {name: PUBLISHED[name]}}
    measure.run(Side("published", "published_corruptions.py", told, python), threads=1)


def compared(
    classifier: Classifier | None,
    pictures: torch.Tensor,
    labels: NDArray[np.int64],
    name: str,
    severity: int,
    kept: Path,
) -> dict[str, object]:
    parts = [
        corrupt(pictures[k : k + AT_ONCE].float() / 255, name, severity, indices=range(k, end))
        for k in range(0, len(pictures), AT_ONCE)
        for end in [min(k + AT_ONCE, len(pictures))]
    ]
    ours = (torch.cat(parts) * 255).round().byte().numpy()
    theirs = np.ascontiguousarray(np.load(kept / f"{name}-{severity}.npy").transpose(0, 3, 1, 2))
    before = pictures.numpy().astype(np.int16)
    far, published_far = (float(np.abs(made - before).mean()) / 255 for made in (ours, theirs))
    return {
        "corruption": name,
        "severity": severity,
        "n": len(labels),
        "difference": f"{far:.4f}",
        "published": f"{published_far:.4f}",
        "ratio": f"{far / published_far:.3f}",
        "error": f"{wrong(classifier, ours, labels):.4f}" if classifier else "",
        "their_error": f"{wrong(classifier, theirs, labels):.4f}" if classifier else "",
    }


def wrong(classifier: Classifier, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    answers = Answers(classifier, expected=len(images), batch_size=AT_ONCE)
    answers.add(images)
    return float((answers.logits().argmax(1).numpy() != labels).mean())


def _told() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--published", type=Path, help="a Python that can import imagenet_c")
    parser.add_argument("--photographs", type=int, default=200)
    parser.add_argument("--corruption", nargs="+", choices=PUBLISHED)
    parser.add_argument("--pixels", action="store_true", help="the differences alone, no errors")
    parser.add_argument("--kept", type=Path, help="where pictures and published ones are kept")
    told = parser.parse_args()
    if told.published is None:
        parser.error("--published PYTHON is needed, a Python that can import imagenet_c")
    return told


if __name__ == "__main__":
    measure.main(main)
