"""The training loop without a run folder: one's own data, network and loss, in thirty lines."""

import torch
from torch import nn

from hubel.data.batches import Batches
from hubel.data.sources import open_splits
from hubel.training import losses, optimisers
from hubel.training.loop import Epoch, TrainingState, fit
from hubel.training.schedule import schedule

train = open_splits("digits").train
images = torch.stack([torch.from_numpy(train.image(i)).permute(2, 0, 1) for i in range(len(train))])
labels = torch.from_numpy(train.labels)

network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
events = fit(
    network,
    Batches(images, labels, batch_size=50, seed=0),
    loss=losses.cross_entropy,
    optimiser=optimisers.build(network.named_parameters(), kind="sgd", lr=0.1),
    schedule=schedule("cosine"),
    epochs=5,
    state=TrainingState(),
)
for event in events:
    if isinstance(event, Epoch):
        print(f"epoch {event.number}: accuracy {event.figures['accuracy']:.1%}")
