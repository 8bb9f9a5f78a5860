"""The named recipes, and what suits each data set: tables of what differs from the defaults."""

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    # For small pictures and little time: our own; on known data with what `SUITED` says of them.
    "fast": {},
    # From weights learned elsewhere, for some hundreds or thousands of photographs: the first epoch
    # fits the last layer alone, on features computed once; the others train more and more of it.
    "finetune": {
        "start": "efficientnet-lite0",
        "resize": "squash",
        "epochs": 13,
        "thaw": 0.35,
        "batch_size": 8,
        "optimiser": "adamw",
        "lr": 5e-5,
        "weight_decay": 0.01,
        "smoothing": 0.1,
        "class_weights": "auto",
        "resized_crop": 0.5,
        "brightness": 0.2,
        "contrast": 0.2,
        "saturation": 0.2,
    },
    # Krizhevsky et al. 2012, sections 4 and 5: about 90 times through the pictures, whose shorter
    # side is 256 and of which 227×227 are seen, cut out anywhere; the rate is divided by 10 where
    # validation accuracy stops rising, which was done by hand. Dropout of 0.5 is the network's own.
    # Departures: of a test picture the middle is taken, not the mean of ten views; pixels are
    # standardised per channel, where the paper subtracts the mean picture.
    "alexnet-2012": {
        "network": "alexnet-2012",
        "size": 227,
        "margin": 29,
        "epochs": 90,
        "batch_size": 128,
        "optimiser": "sgd",
        "lr": 0.01,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 5e-4,
        "schedule": "plateau",
        "flip": True,
        "lighting": 0.1,
    },
    # Against small changes of small pictures. ε is 8 levels of 255, as all three papers have it for
    # CIFAR-10 (for MNIST they have 0.3). Departures: our own network, optimiser and number of
    # epochs, where the papers take SGD and residual networks; steps are of 2.5 ε / adversary_steps;
    # of all epochs the one is kept that is best under attack on validation pictures.
    # Wong, Rice & Kolter 2020, "Fast is better than free": one step of 1.25 ε, 15 epochs.
    "adversarial-fast": {"adversary": "fast", "epochs": 15},
    # Madry et al. 2018, section 5: 7 steps (there some 200 epochs).
    "adversarial-pgd": {"adversary": "pgd", "adversary_steps": 7, "epochs": 15},
    # Zhang et al. 2019, section 5: 10 steps, β = 6, which they call 1/λ (there some 100 epochs).
    "adversarial-trades": {
        "adversary": "trades",
        "adversary_steps": 10,
        "trades_beta": 6.0,
        "epochs": 15,
    },
    # He et al. 2015, section 4.2: 64,000 steps of 128 on 45,000 pictures, i.e. 182 epochs.
    "resnet-2015": {
        "network": "resnet20",
        "initialisation": "he",
        "epochs": 182,
        "batch_size": 128,
        "optimiser": "sgd",
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 1e-4,
        "schedule": "step",
        "milestones": (0.5, 0.75),
        "crop": 4,
    },
}

# What suits a data set, under the recipe `fast` alone: how often it must be seen, and which changes
# to a picture leave its label as it is. Chosen on validation pictures.
SUITED: dict[str, dict[str, Any]] = {
    "digits": {
        "epochs": 28,
        "batch_size": 64,
        "smoothing": 0.1,
        "arguments": {"widths": [32, 64, 128], "dropout": 0.2},
        "rotate": 12.0,
        "scale": 0.15,
        "shift": 0.8,
    },
    # mirrored pictures pay only in longer trainings
    "fashion-mnist": {
        "epochs": 5,
        "lr": 0.04,
        "smoothing": 0.05,
        "flip": False,
        "arguments": {"widths": [24, 48, 96]},
    },
    "mnist": {"epochs": 4, "smoothing": 0.05, "shift": 1.5},
    "cifar10": {"epochs": 10, "smoothing": 0.1, "crop": 4},
    "cifar100": {"epochs": 15, "smoothing": 0.1, "crop": 4},
    # any folder of photographs
    "": {"epochs": 30, "batch_size": 32, "smoothing": 0.1, "crop": 4, "rotate": 8.0, "scale": 0.1},
}
