"""A folder of fooling images in the making: searched for, saved, and shown."""

import json
import time
from typing import Any

from hubel.breaking.fooling import GOAL, GRADIENT, fool, fooled
from hubel.figures import percent
from hubel.model import Classifier
from hubel.output import Output
from hubel.pixels import as_png
from hubel.report.fooling import Gallery, fooling_page, gallery_sheet, median_curves
from hubel.report.html import Onward
from hubel.verbs.fool_state import STATE, Kept, Search
from hubel.verbs.interrupt import Request
from hubel.verbs.watch import Watch

PAGE, FACTS, CURVES = "fooling.html", "fooling.json", "curves.png"
SAVE_SECONDS = 30  # between two saves


class Work:
    """A folder that the searches of several ways are kept and shown in.

    facts: what fooling.json says besides. end: of the page. fresh: whether what
    stands in the folder is another result, which this one replaces.
    """

    def __init__(
        self, folder: Output, classifier: Classifier, kept: Kept, facts: dict[str, Any], *,
        end: Onward, fresh: bool,
    ) -> None:  # fmt: skip
        self.folder, self.classifier, self.kept = folder, classifier, kept
        self.facts, self.end, self.fresh = facts, end, fresh

    def search(self, search: Search, request: Request, watch: Watch) -> None:
        """Generation by generation, saving; ends after one where a stop was asked for."""
        settings, wanted = self.kept.settings, self.kept.evaluations
        patience = self.kept.patience
        saved = time.monotonic()
        for at in fool(
            self.classifier, search.way, classes=settings["classes"], evaluations=wanted,
            offspring=settings["offspring"], seed=settings["seed"], state=search.state,
            goal=None if patience is None else GOAL, patience=patience, on_step=request.heed,
        ):  # fmt: skip
            known = at.confidences[~at.confidences.isnan()]
            evolved = search.way != GRADIENT
            done, total = (at.evaluations, wanted) if evolved else (len(known), len(at.confidences))
            watch.progress("fool", min(done, total), total, search.way)
            if request.made:
                return
            if time.monotonic() - saved >= SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
        if search.way != GRADIENT and search.evaluations < wanted:
            watch.notice(
                f"{search.way} ends after {search.evaluations:,} images: "
                + (
                    f"every class is at {percent(GOAL, 0)}"
                    if bool((search.state["confidences"] >= GOAL).all())
                    else f"the last {patience:,} changed nothing"
                )
                + ". --evaluations goes on regardless."
            )
        self.save()

    def save(self) -> None:
        """What is needed to go on, in one file."""
        self._write(STATE, self.kept.packed())

    def show(self) -> tuple[Gallery, ...]:
        """Write all that can be shown of what there is; last of all, that it is finished."""
        begun = [each for each in self.kept.searches if each.state]
        if not begun:
            return ()
        self.save()
        made = tuple(self._gallery(each) for each in begun)
        for each in made:
            self._write(each.file, gallery_sheet(each))
            for place in each.shown:
                self._write(each.file_of(place), as_png(each.images[place]))
        curves = {each.way: each.curve for each in made if each.way != GRADIENT}
        drawn = median_curves(curves) if curves else None
        if drawn is not None:
            self._write(CURVES, drawn)
        facts = self.facts | {"stopped": self.kept.unfinished is not None}
        self._write(PAGE, fooling_page(made, drawn, facts, self.end).encode())
        self._write(FACTS, self._told(made))
        if self.kept.unfinished is None:
            self.kept.finished = True
            self.save()
        self.folder.finish()
        return made

    def _gallery(self, search: Search) -> Gallery:
        found = fooled(
            self.classifier, search.way, search.state, classes=self.kept.settings["classes"]
        )
        return Gallery(
            way=found.way,
            numbers=found.classes,
            names=tuple(self.classifier.classes[k] for k in found.classes),
            confidences=tuple(found.confidences.tolist()),
            images=found.images.permute(0, 2, 3, 1).numpy(),
            evaluations=found.evaluations,
            curve=found.curve.numpy(),
        )

    def _write(self, name: str, content: bytes) -> None:
        self.folder.write_all(({FACTS: self._told(())} if self.fresh else {}) | {name: content})
        self.fresh = False

    def _told(self, made: tuple[Gallery, ...]) -> bytes:
        settings = {n: value for n, value in self.kept.settings.items() if n != "network"}
        told = self.facts | settings | {
            "evaluations": self.kept.evaluations,
            "finished": self.kept.unfinished is None,
            "ways": [each.as_json() | {"curve": each.curve.tolist()} for each in made],
        }  # fmt: skip
        return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()
