"""Keras 3's documented simple convnet on Fashion-MNIST, on its torch backend.

Two convolutions of 32 and 64 maps, each with max pooling, dropout 0.5 and a softmax; batches of
128, Adam, a tenth of the training pictures held out, as in its "Simple MNIST convnet".
"""

import json
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "torch"
import clothes
import keras
from keras import layers

told = json.loads(sys.argv[1])
pixels = (clothes.images("train").astype("float32") / 255)[..., None]
labels = keras.utils.to_categorical(clothes.labels("train"), 10)
test = (clothes.images("t10k").astype("float32") / 255)[..., None]
keras.utils.set_random_seed(told["seed"])
network = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]
)
epochs, batch = told["epochs"], told["batch"]
rate = told["rate"]
if told["decay"]:
    rate = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-54_000 // batch))
network.compile("adam" if rate == 1e-3 else keras.optimizers.Adam(rate),
                loss="categorical_crossentropy", metrics=["accuracy"])  # fmt: skip
began = time.perf_counter()
network.fit(pixels, labels, batch_size=batch, epochs=epochs, validation_split=0.1, verbose=2)
seconds = time.perf_counter() - began
_, accuracy = network.evaluate(
    test, keras.utils.to_categorical(clothes.labels("t10k"), 10), verbose=0
)
print(json.dumps({"seconds": seconds, "accuracy": accuracy, "epochs": epochs}))
