"""One epoch over so many pictures through hubel's Batches and fit, in memory or memory-mapped.

The pictures are Fashion-MNIST's 60,000, repeated where more are asked for.
"""

import json
import sys
import tempfile
import time

from hubel import entrance

entrance.enter()

import clothes  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from hubel.data.batches import Batches  # noqa: E402
from hubel.model import Classifier, PixelSpec  # noqa: E402
from hubel.networks import catalogue  # noqa: E402
from hubel.training import losses, optimisers, schedule  # noqa: E402
from hubel.training.loop import TrainingState, fit  # noqa: E402


def memory(kind: str) -> float:
    """MB of this process's memory: RssAnon is its own, RssFile what it has mapped and touched."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(kind)) / 1000


told = json.loads(sys.argv[1])
n, batch, device = told["images"], told["batch"], told.get("device", "cpu")
before = memory("RssAnon")
images, labels = clothes.images("train")[:, None], clothes.labels("train")
labels = np.resize(labels, n)
if told["mapped"]:
    with tempfile.TemporaryFile() as file:
        for start in range(0, n, len(images)):
            file.write(images[: n - start].tobytes())
        file.flush()
        images = np.memmap(file, np.uint8, mode="r+", shape=(n, *images.shape[1:]))
else:
    images = np.resize(images, (n, *images.shape[1:]))
torch.manual_seed(0)
classifier = Classifier(
    catalogue.build(told["network"], classes=10, channels=1, size=(28, 28)),
    classes=tuple("0123456789"),
    pixels=PixelSpec((28, 28), channels=1, mean=(0.286,), std=(0.353,)),
).to(device, memory_format=torch.channels_last)
optimiser = optimisers.build(
    classifier.network.named_parameters(), kind="sgd", lr=0.01, momentum=0.9, nesterov=True
)
batches = Batches(
    torch.from_numpy(images), torch.from_numpy(labels),
    batch_size=batch, seed=0, device=device, channels_last=True,
)  # fmt: skip
events = fit(
    classifier, batches, loss=losses.loss("cross-entropy"), optimiser=optimiser,
    schedule=schedule.schedule("constant"), epochs=1, state=TrainingState(), device=device,
)  # fmt: skip
for _ in range(3):  # the kernels set up
    next(events)
began = time.perf_counter()
for _ in events:
    pass
seconds = time.perf_counter() - began
print(
    json.dumps(
        {
            "us": 1e6 * seconds / (n - 3 * batch),  # a picture
            "own_mb": memory("RssAnon") - before,
            "mapped_mb": memory("RssFile"),
        }
    )
)
