"""The last layer of a network that was learned elsewhere, fitted to new classes at once."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hubel.model import Classifier
from hubel.results import Evaluation
from hubel.training import evaluate
from hubel.training.recipe import Recipe
from hubel.transfer.features import head, pooled
from hubel.transfer.probe import probe
from hubel.verbs.prepare import Prepared
from hubel.verbs.watch import Watch


def fit_head(
    recipe: Recipe, prepared: Prepared, classifier: Classifier, where: torch.device, watch: Watch
) -> dict[str, Evaluation]:
    """Fit the classifier's last layer in place, and measure it on "train" and "validation".

    It stays as it is where it names more of the validation pictures than the new one.
    """
    features, labels = {}, {}
    for name in ("train", "validation"):
        loaded = getattr(prepared, name)
        labels[name] = torch.from_numpy(loaded.labels)
        features[name] = pooled(
            classifier,
            loaded.images,
            device=where,
            progress=lambda done, total: watch.progress("features", done, total),
        )
    weights, biases = probe(
        features["train"],
        labels["train"],
        classes=len(classifier.classes),
        balanced=prepared.balanced,
        validation=(features["validation"], labels["validation"]),
        seed=recipe.drawn_from,
    )
    layer = classifier.network.get_submodule(head(classifier.network, len(classifier.classes)))
    before = [parameter.detach().clone() for parameter in layer.parameters()]

    def on(name: str) -> Evaluation:
        with torch.no_grad():
            logits = layer(features[name].to(where)).cpu()
        return evaluate.evaluation(logits, labels[name], classifier.classes)

    old = on("validation")
    _fill(layer, (weights, biases))
    if on("validation").accuracy < old.accuracy:
        _fill(layer, before)
    return {name: on(name) for name in features}


def _fill(layer: nn.Module, values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), values, strict=False):
            parameter.copy_(value)
