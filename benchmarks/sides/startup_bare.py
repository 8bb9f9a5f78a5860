"""One picture through EfficientNet-Lite0 with as little as possible: torch, weights, forward."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from hubel.networks.efficientnet_lite import efficientnet_lite

told = json.loads(sys.argv[1])
weights = torch.load(Path(told["weights"]), weights_only=True)
network = efficientnet_lite().eval()
# the file's own order is the network's
network.load_state_dict(dict(zip(network.state_dict(), weights.values(), strict=True)))
with torch.inference_mode():
    picture = (
        Image.open(told["picture"]).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
    )
    pixels = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None].float()
    best = network((pixels / 255 - 0.498) / 0.502).softmax(1).topk(5)
print(json.dumps({"classes": best.indices.tolist()}))
