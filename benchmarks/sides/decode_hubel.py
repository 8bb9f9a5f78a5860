"""All pictures of a folder at 224, as hubel.train gets them; fresh: nothing was kept before."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

from hubel import entrance
from hubel.data.decoding import load
from hubel.data.folder import whole
from hubel.pixels import PixelSpec

told = json.loads(sys.argv[1])
entrance.enter()
if told.get("fresh"):
    shutil.rmtree(os.environ["HUBEL_HOME"], ignore_errors=True)
samples = whole(Path(told["folder"]))
began = time.perf_counter()
loaded = load(samples, PixelSpec((224, 224)))
total = int(loaded.images[:, :, ::8, ::8].sum())  # every page is touched
seconds = time.perf_counter() - began
assert len(loaded.labels) == told["count"], total
print(json.dumps({"seconds": seconds}))
