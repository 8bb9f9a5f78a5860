"""What HOG sees: the grey picture that is the likeliest, linearly, behind HOG features.

Vondrick et al. 2013, "HOGgles", compare several inversions; this is their simplest, the ridge
regression from features to pixels, fitted on training pictures. (Their best is a pair of sparse
dictionaries.) It knows nothing of a picture but its features: neither how light it was nor how
strong; and not even whether it was its own negative, because the orientations are unsigned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hubel.baselines import features
from hubel.report.drawing import panels, png, style

STRENGTHS = (1e-1, 1e0, 1e1, 1e2, 1e3)  # of the ridge, in units of the features' mean variance

Images = NDArray[np.uint8]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Inversion:
    """HOG (N, D) → relative brightness (N, pixels): (x − centre) · weights + mean."""

    centre: Matrix
    weights: Matrix
    mean: Matrix
    strength: float

    def __call__(self, x: NDArray[np.floating]) -> Matrix:
        made: Matrix = (x - self.centre) @ self.weights + self.mean
        return made


def inversion(train: Images, validation: Images) -> Inversion:
    """The ridge regression from HOG to relative brightness, fitted on training pictures.

    Images uint8 (N, C, H, W); the strength is the best on the validation pictures.
    """
    x, y = features.hog(train).astype(np.float64), brightness(train)
    centre, mean = x.mean(0), y.mean(0)
    x, y = x - centre, y - mean
    outside, wanted = features.hog(validation), brightness(validation)
    # one decomposition serves every strength: weights = V (s² + λ)⁻¹ Vᵀ Xᵀ Y
    values, vectors = np.linalg.eigh(x.T @ x)
    along = vectors.T @ (x.T @ y)
    unit = float(values.clip(min=0).mean())
    fits = []
    for strength in STRENGTHS:
        weights = vectors @ (along / (values.clip(min=0) + strength * unit)[:, None])
        fits.append(Inversion(centre, weights, mean, strength))
    errors = [float(np.square(fit(outside) - wanted).mean()) for fit in fits]
    return fits[int(np.argmin(errors))]


def brightness(images: Images) -> Matrix:
    """uint8 (N, C, H, W) → (N, H·W), the mean of the channels without what a HOG cannot know.

    Each picture is brought to mean 0 and deviation 1, and is taken as its negative where that is
    the lighter one towards the middle.
    """
    height, width = images.shape[2:]
    rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    middle = np.exp(-2 * (rows**2 + columns**2)).ravel()
    grey: Matrix = images.mean(1).reshape(len(images), -1) / 255
    grey -= grey.mean(1, keepdims=True)
    grey /= np.maximum(grey.std(1, keepdims=True), 1e-3)
    grey *= np.where(grey @ middle < 0, -1, 1)[:, None]
    return grey


def likeness(fit: Inversion, images: Images) -> tuple[float, float]:
    """The mean correlation of pictures' brightness with what is given back; 1: equal.

    The second number is that with the mean training picture, which needs no features.
    """
    wanted = brightness(images)
    return _correlation(wanted, fit(features.hog(images))), _correlation(wanted, fit.mean[None])


def _correlation(wanted: Matrix, made: Matrix) -> float:
    made = made - made.mean(1, keepdims=True)
    made /= np.maximum(made.std(1, keepdims=True), 1e-9)
    return float((wanted * made).mean())


def stars(image: Images) -> tuple[Matrix, NDArray[np.float64]]:
    """uint8 (C, H, W) → a HOG's lines (n, 2, 2), end points (x, y) in pixels; their weights (n,).

    A line runs along an edge, across its gradient. A cell's weights are the mean of those that it
    has in the blocks it belongs to; the largest is 1.
    """
    cell = max(2, min(image.shape[1:]) // features.CELLS)  # as `features.hog` has it
    down, across = (side // cell - 1 for side in image.shape[1:])
    blocks = features.hog(image[None]).reshape(down, across, 2, 2, -1)
    orientations = blocks.shape[-1]
    cells, counts = np.zeros((down + 1, across + 1, orientations)), np.zeros((down + 1, across + 1))
    for i in range(2):
        for j in range(2):
            cells[i : down + i, j : across + j] += blocks[:, :, i, j]
            counts[i : down + i, j : across + j] += 1
    cells /= counts[..., None]
    rows, columns, bins = (n.ravel() for n in np.indices(cells.shape))
    middle = np.stack((columns, rows), 1) * cell + (cell - 1) / 2
    angle = (bins + 0.5) * np.pi / orientations  # of the gradient, from the x axis to the y axis
    half = 0.48 * cell * np.stack((-np.sin(angle), np.cos(angle)), 1)
    return np.stack((middle - half, middle + half), 1), cells.ravel() / max(cells.max(), 1e-9)


def inversion_picture(fit: Inversion, images: Images, names: Sequence[str]) -> bytes:
    """Pictures, their HOG and its inversion, one column each, as PNG."""
    from matplotlib.collections import LineCollection

    made = fit(features.hog(images)).reshape(len(images), *images.shape[2:])
    with style():
        figure, axes = panels(3, len(images), width=74, height=76)
        for i, image in enumerate(images):
            above, between, below = axes[i :: len(images)]
            above.imshow(image.transpose(1, 2, 0).squeeze(), cmap="gray", vmin=0, vmax=255)
            lines, weights = stars(image)
            between.imshow(np.zeros(image.shape[1:]), cmap="gray", vmin=0, vmax=1)
            between.add_collection(LineCollection(list(lines), colors="white", alpha=weights, lw=1))
            below.imshow(made[i], cmap="gray", vmin=-1.3, vmax=1.3)  # deviations: a ridge is shy
            above.set_title(names[i], fontsize=8)
        for axis in axes:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        for k, word in enumerate(("picture", "HOG", "inverted")):
            axes[k * len(images)].set_ylabel(word, fontsize=9)
        return png(figure)
