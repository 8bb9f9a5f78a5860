"""An attack on a trained network by hubel, foolbox, torchattacks or ART, as shipped.

The time is the attack's alone, batch by batch; who was fooled is asked of the bare network after.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import attacked_networks
import numpy as np
import torch
from torch import Tensor, nn

Attack = Callable[[Tensor, Tensor], Tensor]  # pixels (N, C, H, W), labels (N,) → pixels

told = json.loads(sys.argv[1])
STEPS = 40
step = 2.5 * (told["epsilon"] or 0) / STEPS


def hubel_attack(network: nn.Module) -> Attack:
    from hubel import entrance

    entrance.enter()
    from hubel.breaking.carlini_wagner import carlini_wagner
    from hubel.breaking.ddn import ddn
    from hubel.breaking.gradient import pgd
    from hubel.breaking.minimal import deepfool
    from hubel.breaking.ready import ready
    from hubel.breaking.szegedy import box_lbfgs

    network = ready(network, pixels)
    return {
        "pgd": lambda x, y: pgd(
            network, x, y, epsilon=told["epsilon"], steps=STEPS, drop=told["drop"]
        ),
        "deepfool": lambda x, y: deepfool(network, x, labels=y).images,
        "l-bfgs": lambda x, y: box_lbfgs(network, x, y).images,
        "c&w": lambda x, y: carlini_wagner(network, x, y).images,
        "ddn": lambda x, y: ddn(network, x, y).images,
    }[told["work"]]


def foolbox_attack(network: nn.Module) -> Attack:
    import foolbox

    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    if told["work"] == "pgd":
        ascent = foolbox.attacks.LinfPGD(steps=STEPS, abs_stepsize=step, random_start=False)
        return lambda x, y: ascent(model, x, y, epsilons=told["epsilon"])[1]
    attacks = {"deepfool": foolbox.attacks.L2DeepFoolAttack, "ddn": foolbox.attacks.DDNAttack}
    attack = attacks[told["work"]]()
    return lambda x, y: attack(model, x, y, epsilons=None)[1]


def torchattacks_attack(network: nn.Module) -> Attack:
    import torchvision_operators  # noqa: F401 - before torchvision

    import torchattacks  # isort: skip

    if told["work"] == "pgd":
        return torchattacks.PGD(
            network, eps=told["epsilon"], alpha=step, steps=STEPS, random_start=False
        )
    return torchattacks.DeepFool(network)


def art_attack(network: nn.Module) -> Attack:
    from art.attacks.evasion import DeepFool, ProjectedGradientDescent
    from art.estimators.classification import PyTorchClassifier

    model = PyTorchClassifier(
        network, nn.CrossEntropyLoss(), (1, 28, 28), 10, clip_values=(0, 1), device_type="cpu"
    )
    common = {"batch_size": told["batch"], "verbose": False}
    attack = (
        ProjectedGradientDescent(
            model, norm=np.inf, eps=told["epsilon"], eps_step=step, max_iter=STEPS, **common
        )
        if told["work"] == "pgd"
        else DeepFool(model, **common)
    )
    return lambda x, y: torch.from_numpy(attack.generate(x.numpy(), y.numpy()))


SIDES = {
    "hubel": hubel_attack,
    "foolbox": foolbox_attack,
    "torchattacks": torchattacks_attack,
    "art": art_attack,
}

network = attacked_networks.trained(told["network"], Path(told["weights"]))
pixels, labels = (part[: told["images"]] for part in attacked_networks.pictures("t10k"))
attack = SIDES[told["side"]](network)
clean = attacked_networks.named(network, pixels)
# within ε the right class is to be left; a minimal attack begins at the boundary of the named one
leave = labels if told["work"] == "pgd" else clean
attack(pixels[:2].clone(), leave[:2].clone())  # what is prepared once
found = []
began = time.perf_counter()
for x, y in zip(pixels.split(told["batch"]), leave.split(told["batch"]), strict=True):
    found.append(attack(x.clone(), y.clone()).detach())
seconds = time.perf_counter() - began
images = torch.cat(found)
fooled = attacked_networks.named(network, images) != leave
change = images - pixels
size = change.flatten(1).norm(dim=1)
print(json.dumps({
    "seconds": seconds,
    "robust": float((~fooled).double().mean()),
    "success": float(fooled.double().mean()),
    "size": float(size[fooled].median()) if bool(fooled.any()) else None,
    "largest": float(change.abs().max()),
    "inside": bool(images.min() >= 0) and bool(images.max() <= 1),
    "accuracy": float((clean == labels).double().mean()),
}))  # fmt: skip
