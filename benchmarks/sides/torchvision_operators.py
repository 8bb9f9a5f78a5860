"""Declares the operators that torchvision's wheel misses beside the CPU build of torch.

Importing this before torchvision lets it import; the operators themselves are never called here.
"""

import torch

library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
