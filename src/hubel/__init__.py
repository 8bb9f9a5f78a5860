"""hubel: train a convolutional network on your pictures, see what it learned, how it breaks.

The public surface, loaded when first used: importing hubel imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hubel.labs.run import run_lab as run_lab
    from hubel.mistakes import Failure as Failure
    from hubel.mistakes import Mistake as Mistake
    from hubel.model import Blueprint as Blueprint
    from hubel.model import Classifier as Classifier
    from hubel.model import Model as Model
    from hubel.pixels import PixelSpec as PixelSpec
    from hubel.training.recipe import Recipe as Recipe
    from hubel.verbs.atlas import atlas as atlas
    from hubel.verbs.attack import attack as attack
    from hubel.verbs.calibrate import calibrate as calibrate
    from hubel.verbs.corrupt import corrupt as corrupt
    from hubel.verbs.evaluate import evaluate as evaluate
    from hubel.verbs.fool import fool as fool
    from hubel.verbs.inspection import inspect as inspect
    from hubel.verbs.load import load as load
    from hubel.verbs.look import look as look
    from hubel.verbs.predict import predict as predict
    from hubel.verbs.restarts import restart as restart
    from hubel.verbs.shape import shape_bias as shape_bias
    from hubel.verbs.style import style as style
    from hubel.verbs.summary import summary as summary
    from hubel.verbs.train import train as train

# public name → the module that defines it
_PLACES = {
    "Blueprint": "hubel.model",
    "Classifier": "hubel.model",
    "Failure": "hubel.mistakes",
    "Mistake": "hubel.mistakes",
    "Model": "hubel.model",
    "PixelSpec": "hubel.pixels",
    "Recipe": "hubel.training.recipe",
    "atlas": "hubel.verbs.atlas",
    "attack": "hubel.verbs.attack",
    "calibrate": "hubel.verbs.calibrate",
    "corrupt": "hubel.verbs.corrupt",
    "evaluate": "hubel.verbs.evaluate",
    "fool": "hubel.verbs.fool",
    "inspect": "hubel.verbs.inspection",
    "load": "hubel.verbs.load",
    "look": "hubel.verbs.look",
    "predict": "hubel.verbs.predict",
    "restart": "hubel.verbs.restarts",
    "run_lab": "hubel.labs.run",
    "shape_bias": "hubel.verbs.shape",
    "style": "hubel.verbs.style",
    "summary": "hubel.verbs.summary",
    "train": "hubel.verbs.train",
}

__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'hubel' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
