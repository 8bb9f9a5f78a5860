"""What the first use of hubel's names adds to `import torch`, in seconds."""

import json
import time

import torch  # noqa: F401

began = time.perf_counter()
import hubel  # noqa: E402

hubel.Classifier  # noqa: B018
classifier = time.perf_counter() - began
hubel.train  # noqa: B018
print(json.dumps({"classifier": classifier, "train": time.perf_counter() - began}))
