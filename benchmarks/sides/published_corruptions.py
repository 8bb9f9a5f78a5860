"""ImageNet-C's published corruptions of pictures, by its authors' package (imagenet_c).

Arguments: pictures (an .npy of uint8 (N, 224, 224, 3)), out (a folder), names (ours → theirs).
Writes out/NAME-SEVERITY.npy, alike, where it is not there yet. The package wants a Python of its
own: numpy 1, scipy before 1.12, Wand and ImageMagick 6.
"""

import json
import sys
from pathlib import Path

import numpy as np
from imagenet_c import corrupt, corruptions  # type: ignore[import-not-found]
from skimage.filters import gaussian


def smooth(
    image: np.ndarray, sigma: float = 1, *, multichannel: bool = False, **options: object
) -> np.ndarray:
    """scikit-image's Gaussian by the arguments that it had when the package was published."""
    return gaussian(image, sigma, channel_axis=-1 if multichannel else None, **options)


corruptions.gaussian = smooth  # in this process, which does nothing else
told = json.loads(sys.argv[1])
pictures, out = np.load(told["pictures"]), Path(told["out"])
out.mkdir(parents=True, exist_ok=True)
for name, theirs in told["names"].items():
    for severity in range(1, 6):
        path = out / f"{name}-{severity}.npy"
        if path.exists():
            continue
        np.random.seed(severity)
        made = [corrupt(picture, severity, corruption_name=theirs) for picture in pictures]
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.save(file, np.stack(made))
        unfinished.rename(path)
print(json.dumps({"pictures": len(pictures)}))
