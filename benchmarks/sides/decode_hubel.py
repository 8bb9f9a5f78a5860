"""An epoch over a folder at 224 as hubel.train has it: the first, one after it, another training's.

first: from a HUBEL_HOME that keeps nothing yet. second: batches of 32 in a new order, from the
pictures that the first left in memory. third: the same as the network gets them, as floats.
another: from what an earlier process kept.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import torch

from hubel import draws, entrance
from hubel.data.batches import Batches
from hubel.data.decoding import load
from hubel.data.folder import whole
from hubel.pixels import PixelSpec

told = json.loads(sys.argv[1])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(os.environ["OMP_NUM_THREADS"])])
entrance.enter()
if told["epoch"] == "first":
    shutil.rmtree(os.environ["HUBEL_HOME"], ignore_errors=True)
samples = whole(Path(told["folder"]))
began = time.perf_counter()
loaded = load(samples, PixelSpec((224, 224)))
total = int(loaded.images[:, :, ::8, ::8].sum())  # every page is touched
images, labels = torch.from_numpy(loaded.images), torch.from_numpy(loaded.labels)
if told["epoch"] == "second":
    began = time.perf_counter()
    for chosen in torch.from_numpy(draws.order(0, 1, len(images))).split(32):
        total += len(images[chosen])
elif told["epoch"] == "third":
    began = time.perf_counter()
    for pixels, _ in Batches(images, labels, batch_size=32, seed=0, channels_last=True).epoch(1):
        total += len(pixels)
seconds = time.perf_counter() - began
assert len(loaded.labels) == told["count"], total
print(json.dumps({"seconds": seconds}))
