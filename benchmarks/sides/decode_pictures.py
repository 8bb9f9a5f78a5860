"""JPEGs of 1600×1200 cut from photographs, each from another place and of another size."""

import json
import sys
from pathlib import Path

import numpy as np
import skimage.data
import sklearn.datasets
from PIL import Image

told = json.loads(sys.argv[1])
sources = [
    skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket(),
    skimage.data.stereo_motorcycle()[0],
    *(sklearn.datasets.load_sample_image(name) for name in ("china.jpg", "flower.jpg")),
]  # fmt: skip
draw = np.random.default_rng(0)
for k in range(told["count"]):
    source = Image.fromarray(sources[k % len(sources)])
    width = int(draw.integers(source.width // 2, source.width))
    height = min(source.height, width * 3 // 4)
    left = int(draw.integers(source.width - width + 1))
    top = int(draw.integers(source.height - height + 1))
    cut = source.crop((left, top, left + width, top + height)).resize((1600, 1200))
    # a camera's grain: enlarged pictures alone would decode faster than real ones
    grain = draw.normal(0, 6, (1200, 1600, 1))
    image = Image.fromarray((np.asarray(cut) + grain).clip(0, 255).astype(np.uint8))
    where = Path(told["folder"]) / f"class{k % 2}"
    where.mkdir(parents=True, exist_ok=True)
    image.save(where / f"{k}.jpg", quality=88)
print(json.dumps({"count": told["count"]}))
