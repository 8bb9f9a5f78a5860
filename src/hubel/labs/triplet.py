"""An embedding learned by the triplet loss: neighbours before and after."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubel import draws
from hubel.figures import percent
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import Pictures, answers, grey_pictures, learn, spread
from hubel.model import Classifier, Model
from hubel.networks.small import small
from hubel.report.drawing import ACCENT, INK, panels, png, style
from hubel.training.initialisation import initialise
from hubel.training.triplet import MARGIN, Retrieval, retrieval, semi_hard_loss

DIMENSIONS, K = 32, 10


class UnitNorm(nn.Module):
    """Each row of (N, D) divided by its norm."""

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x)


class Embedder(Classifier):
    """A network that answers with an embedding (N, D) in place of logits."""

    def forward(self, pixels: Tensor) -> Tensor:
        return Model.forward(self, pixels)


def triplet(setting: Setting) -> Shown:
    """A small network trained on semi-hard triplets, and retrieval on pictures it has not seen."""
    data = grey_pictures(setting.pick(300, 6000, 20000), setting.pick(200, 2000, 10000))
    starts, epochs = setting.pick(1, 3, 5), setting.pick(1, 10, 20)
    raw = retrieval(data.test.flatten(1).float() / 255, data.test_labels, k=K)
    before: list[dict[str, float]] = []
    after: list[dict[str, float]] = []
    for start in range(starts):

        def progress(done: int, total: int, start: int = start) -> None:
            setting.watch.progress("train", start * total + done, starts * total)

        seed = draws.integer(setting.seed, "triplet", start)
        net = Embedder(embedding(data, seed), classes=data.classes, pixels=data.spec)
        x0 = answers(net, data.test)
        learned = learn(net, data, epochs=epochs, lr=0.1, loss=semi_hard_loss, batch_size=100,
                        planned="cosine", seed=seed, on_train=0, progress=progress)  # fmt: skip
        x1 = answers(learned.classifier, data.test)
        before.append(figures(x0, data.test_labels))
        after.append(figures(x1, data.test_labels))
        if start == 0:
            pair = x0, x1

    def told(name: str, written: Callable[[float], str] = lambda v: percent(v)) -> str:
        means = (sum(row[name] for row in rows) / starts for rows in (before, after))
        return " → ".join(map(written, means))

    def better(name: str) -> bool:
        return min(row[name] for row in after) > max(row[name] for row in before)

    finding = Finding(
        "L15",
        "Squared distances on the unit sphere, before → after: to the same class "
        f"{told('same', '{:.2g}'.format)}, to others {told('other', '{:.2g}'.format)}, their ratio "
        f"{told('ratio', '{:.2g}'.format)}; the first is smaller by the margin of {MARGIN} in "
        f"{told('apart')} of triplets. The nearest neighbour of a test picture is of its class in "
        f"{told('recall_at_1')}, of the {K} nearest {told('precision_at_k')} are; mean average "
        f"precision {told('mean_average_precision', '{:.2f}'.format)}.",
        all(map(better, ("ratio", "apart", "recall_at_1", "mean_average_precision"))),
        f"{len(data.train)} {data.what} pictures, {epochs} epochs, {starts} starts; "
        f"{len(data.test)} test pictures",
        f"nearest neighbour after: {spread(row['recall_at_1'] for row in after)}; by the raw "
        f"pixels it is {raw.recall_at_1:.3g}, mean average precision "
        f"{raw.mean_average_precision:.2f}",
    )
    return Shown(
        (finding,),
        (_scatter(*pair, data), _neighbours(*pair, data)),
        {"before": before, "after": after, "pixels": raw._asdict()},
    )


def embedding(data: Pictures, seed: int) -> nn.Sequential:
    """Normalised pixels → 32 numbers of unit norm."""
    _, channels, height, width = data.train.shape
    body = small(classes=DIMENSIONS, channels=channels, size=(height, width), widths=(8, 16, 32))
    initialise(body, "he", seed=seed)
    return nn.Sequential(body, UnitNorm())


def figures(x: Tensor, labels: Tensor) -> dict[str, float]:
    """Retrieval by embeddings x (N, D); of random triplets, one for each picture that has a second
    of its class: the mean squared distances, the ratio of those, and the share set apart.
    """
    found: Retrieval = retrieval(x, labels, k=K)
    generator = torch.Generator().manual_seed(0)
    same = labels[:, None] == labels
    positives = same & ~torch.eye(len(x), dtype=torch.bool)
    some = positives.any(1) & ~same.all(1)
    p = torch.multinomial(positives[some].float(), 1, generator=generator)[:, 0]
    n = torch.multinomial((~same[some]).float(), 1, generator=generator)[:, 0]
    near, far = (x[some] - x[p]).square().sum(1), (x[some] - x[n]).square().sum(1)
    return {
        "recall_at_1": found.recall_at_1,
        "precision_at_k": found.precision_at_k,
        "mean_average_precision": found.mean_average_precision,
        "same": float(near.mean()),
        "other": float(far.mean()),
        "ratio": float(far.mean() / near.mean()),
        "apart": float((far - near > MARGIN).double().mean()),
    }


def _scatter(before: Tensor, after: Tensor, data: Pictures) -> Drawing:
    """Both embeddings on the two directions in which each varies most."""
    from matplotlib import colormaps

    labels = data.test_labels[:1000]
    colours = colormaps["tab10"]
    with style():
        figure, places = panels(1, 2, width=330, height=330)
        for place, x, title in zip(places, (before, after), ("before", "after"), strict=True):
            centred = x - x.mean(0)
            flat = (centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T)[:1000]
            for k, name in enumerate(data.classes):
                across, up = flat[labels == k].T.numpy()
                place.scatter(across, up, s=8, lw=0, color=colours(k % 10), alpha=0.7, label=name)
            place.set_title(title, fontsize=10)
            place.set(xticks=[], yticks=[])
        figure.legend(*places[0].get_legend_handles_labels(), loc="outside lower center", ncols=5,
                      frameon=False, fontsize=8.5, markerscale=2)  # fmt: skip
        text = "Test pictures by their embedding, on the two directions in which it varies most."
        return Drawing("embedding", png(figure), text)


def _neighbours(before: Tensor, after: Tensor, data: Pictures) -> Drawing:
    """A query a row, its five nearest before and after; those of another class are outlined."""
    from matplotlib.patches import Rectangle

    rows, side = 5, data.test.shape[2]
    with style():
        figure, places = panels(1, 2, width=330, height=300)
        for place, x, title in zip(places, (before, after), ("before", "after"), strict=True):
            nearest = torch.cdist(x[:rows], x).argsort(1)[:, :6]
            nearest[:, 0] = torch.arange(rows)  # the query, also where others are as near
            tiles = data.test[nearest, 0].permute(0, 2, 1, 3).reshape(rows * side, 6 * side)
            place.imshow(tiles.numpy(), cmap="gray_r")
            for i, j in (data.test_labels[nearest] != data.test_labels[:rows, None]).nonzero():
                corner = (int(j) * side, int(i) * side)
                place.add_patch(Rectangle(corner, side - 1, side - 1, fill=False, ec=ACCENT))
            place.axvline(side - 0.5, color=INK, lw=1.5)
            place.set_title(f"{title}: a picture, its five nearest", fontsize=10)
            place.set(xticks=[], yticks=[])
            place.spines[:].set_visible(False)
        text = "Test pictures and their nearest neighbours; those of another class are outlined."
        return Drawing("neighbours", png(figure), text)
