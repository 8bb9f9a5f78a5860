"""The multi-layer perceptron: z = h(Wx + b), layer after layer."""

from collections import OrderedDict

from torch import nn

from hubel.basics.activations import ACTIVATIONS, Maxout
from hubel.mistakes import Mistake, unknown

PIECES = 2  # of maxout


def mlp(
    *,
    classes: int = 10,
    channels: int = 1,
    size: tuple[int, int] = (28, 28),
    hidden: tuple[int, ...] = (128,),
    activation: str = "relu",
    dropout: float = 0.0,
) -> nn.Sequential:
    """Normalised pixels (N, channels, *size) → logits (N, classes).

    hidden: units of each hidden layer. activation: a name of `ACTIVATIONS`, or "maxout", whose
    layers have two affine pieces a unit. dropout: behind every hidden layer. Children flatten,
    fc1, relu1, dropout1, …, score. Raises Mistake for an unknown activation or no units.
    """
    if activation not in ACTIVATIONS and activation != "maxout":
        raise unknown("activation", activation, [*ACTIVATIONS, "maxout"])
    if not all(isinstance(units, int) and units >= 1 for units in hidden):
        raise Mistake(f"Hidden layers have a whole number of units, 1 or more, not {hidden}.")
    if not 0 <= dropout < 1:
        raise Mistake(f"dropout is in [0, 1), not {dropout}.")
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    features = channels * size[0] * size[1]
    pieces = PIECES if activation == "maxout" else 1
    for i, units in enumerate(hidden, 1):
        layers[f"fc{i}"] = nn.Linear(features, units * pieces)
        name = f"{activation.replace('-', '_')}{i}"
        layers[name] = Maxout(PIECES) if pieces > 1 else ACTIVATIONS[activation].module()
        if dropout:
            layers[f"dropout{i}"] = nn.Dropout(dropout)
        features = units
    layers["score"] = nn.Linear(features, classes)
    return nn.Sequential(layers)
