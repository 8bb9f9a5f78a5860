"""EfficientNet-Lite0 through hubel's own answering, as `hubel evaluate` does for many pictures."""

import json
import sys
import time

import numpy as np
from pictures import cuts

import hubel
from hubel import entrance

told = json.loads(sys.argv[1])
if told.get("allocator", True):
    entrance.enter()

from hubel.inference.answers import Answers  # noqa: E402

device = told.get("device", "cpu")
model = hubel.load("efficientnet-lite0").to(device)
images = cuts(told["n"])
MANY = 1_000  # pictures expected: a long job, of which these are a part
first = Answers(model, expected=MANY, batch_size=told.get("batch"), device=device)
while told.get("batch") is None and first.settling:  # a machine's first long job finds the size
    first.add(images)
best = float("inf")
for _ in range(told["passes"]):
    # making the ready copy is left out: half a second, once, however many pictures follow
    answers = Answers(model, expected=MANY, batch_size=told.get("batch"), device=device)
    began = time.perf_counter()
    answers.add(images)
    logits = answers.logits()
    best = min(best, time.perf_counter() - began)
if "logits" in told:
    np.save(told["logits"], logits.numpy())
print(json.dumps({"ms": 1000 * best / told["n"], "batch": answers.batch_size}))
