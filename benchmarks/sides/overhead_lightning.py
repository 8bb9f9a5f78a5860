"""Epochs of `small` through Lightning's Trainer as shipped: its logger, checkpoints and bar."""

import json
import os
import sys
import tempfile
import time

import clothes
import lightning
import torch
import torch.nn.functional as F
from small_torch import small
from torch.utils.data import DataLoader, TensorDataset

told = json.loads(sys.argv[1])


class Module(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = small()

    def training_step(self, batch, _index):
        x, y = batch
        logits = self.network(x)
        loss = F.cross_entropy(logits, y, label_smoothing=0.05)
        self.log("loss", loss)
        self.log("accuracy", (logits.argmax(1) == y).float().mean(), on_epoch=True)
        return loss

    def validation_step(self, batch, _index):
        x, y = batch
        self.log("validation", (self.network(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, nesterov=True)


class Ends(lightning.Callback):
    """When each epoch ended, validation included."""

    def __init__(self) -> None:
        self.ends = []

    def on_train_epoch_end(self, *_):
        self.ends.append(time.perf_counter())


pixels = torch.from_numpy(clothes.images("train"))[:, None].float().div_(255)
pixels = pixels.sub_(0.286).div_(0.353)
labels = torch.from_numpy(clothes.labels("train"))
train = TensorDataset(pixels[:54_000], labels[:54_000])
validation = TensorDataset(pixels[54_000:], labels[54_000:])
ends = Ends()
torch.manual_seed(0)
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    trainer = lightning.Trainer(max_epochs=told["epochs"], accelerator="cpu", callbacks=[ends])
    trainer.fit(
        Module(),
        DataLoader(train, batch_size=told["batch"], shuffle=True),
        DataLoader(validation, batch_size=256),
    )
    accuracy = float(trainer.callback_metrics["validation"])
    os.chdir("/")
seconds = (ends.ends[-1] - ends.ends[0]) / (told["epochs"] - 1)
print()
print(json.dumps({"seconds": seconds, "validation": accuracy}))
