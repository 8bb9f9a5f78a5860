"""inspection.html: what is in a folder, as one page to look through before training."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hubel.report.html import HERE, Onward, render
from hubel.results import Inspection

_MOST_PAIRS = 60
_MOST_CLASSES = 20  # with more, the table shows the largest and folds the rest away


def inspection_page(
    found: Inspection,
    *,
    pictures: Mapping[str, NDArray[np.uint8]],
    samples: Sequence[tuple[str, str]],
    onward: Onward = HERE,
) -> str:
    """The whole page as HTML. pictures: name → uint8 (H, W, C) of all that the page shows.

    samples: (name, class) of the pictures to show of each class. Of the pairs of copies the first
    60 are shown; all are in the JSON.
    """
    totals = Counter[str]()
    for counts in found.counts.values():
        totals.update(counts)
    return render(
        "inspection.html",
        onward=onward,
        found=found,
        totals=totals,
        classes=sorted(found.classes, key=lambda name: -totals[name]),
        most=max(totals.values(), default=1) or 1,
        most_classes=_MOST_CLASSES,
        splits=[split for split, counts in found.counts.items() if any(counts.values())],
        pairs=[pair for pair in found.copies or () if set(pair.names) <= pictures.keys()][
            :_MOST_PAIRS
        ],
        pictures=pictures,
        samples=[row for row in samples if row[0] in pictures],
    )
