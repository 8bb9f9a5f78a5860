"""Epochs of `small` through Keras 3's fit on its torch backend, from arrays, as shipped."""

import json
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "torch"
import clothes
import keras
from keras import layers

told = json.loads(sys.argv[1])


def conv(x, width):
    x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def small():
    pixels = keras.Input((28, 28, 1))
    x = layers.MaxPooling2D()(conv(pixels, 16))
    x = conv(x, 32)
    x = layers.MaxPooling2D()(x + conv(x, 32))
    x = conv(x, 64)
    x = x + conv(x, 64)
    both = [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)]
    return keras.Model(pixels, layers.Dense(10)(layers.Concatenate()(both)))


class Ends(keras.callbacks.Callback):
    """When each epoch ended, validation included."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = []

    def on_epoch_end(self, _epoch, _logs=None):
        self.ends.append(time.perf_counter())


pixels = ((clothes.images("train") / 255 - 0.286) / 0.353).astype("float32")[..., None]
labels = clothes.labels("train")
keras.utils.set_random_seed(0)
network = small()
network.compile(
    optimizer=keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
ends = Ends()
history = network.fit(
    pixels[:54_000], labels[:54_000], batch_size=told["batch"], epochs=told["epochs"],
    validation_data=(pixels[54_000:], labels[54_000:]), callbacks=[ends], verbose=2,
)  # fmt: skip
seconds = (ends.ends[-1] - ends.ends[0]) / (told["epochs"] - 1)
print(json.dumps({"seconds": seconds, "validation": history.history["val_accuracy"][-1]}))
