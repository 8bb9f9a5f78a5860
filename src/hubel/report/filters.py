"""The weights that meet the pixels, as pictures: a convolution's filters, a linear map's templates.

Zeiler & Fergus 2014 (section 4.1) show first-layer filters this way, and the lecture the rows of
a linear classifier. Unlike many such figures, every filter has its own scale, symmetric about
zero: mid-grey is always weight 0, lighter wants light there, darker wants dark.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hubel.mistakes import Mistake
from hubel.report.sheet import contact_sheet

ZERO = 128  # the grey of weight 0


def filter_pictures(weights: NDArray[np.floating]) -> list[NDArray[np.uint8]]:
    """weights (F, C, h, w), C 1 or 3 → F pictures uint8 (h, w, C), in [1, 255] about 128.

    The largest absolute weight of a filter, over all its colours, is full black or white; a
    filter of zeros is flat mid-grey. Raises Mistake for other shapes and weights not finite.

    >>> filter_pictures(np.array([[[[-2.0, 0.0, 1.0]]]]))[0][..., 0]
    array([[  1, 128, 192]], dtype=uint8)
    """
    if weights.ndim != 4 or weights.shape[1] not in (1, 3) or not weights.size:
        raise Mistake(
            f"Filters have the shape (F, C, h, w) with C 1 or 3, not {weights.shape}: only weights "
            "that meet grey or colour pixels can be shown as pictures."
        )
    if not np.isfinite(weights).all():
        raise Mistake("Filters are to be finite numbers, and some of these are NaN or infinite.")
    largest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True).astype(np.float64)
    scaled = weights / np.where(largest == 0, 1, largest)
    grey = np.rint(ZERO + (255 - ZERO) * scaled).astype(np.uint8)
    return list(grey.transpose(0, 2, 3, 1))


def filters(weights: NDArray[np.floating], labels: Sequence[str] = ()) -> bytes:
    """All filters, or the templates of all classes with their names, on one sheet: PNG.

    weights as for `filter_pictures`; labels: one for each, or none.
    """
    cell = 96.0 if labels else 48.0
    return contact_sheet(filter_pictures(weights), labels, cell=cell)
