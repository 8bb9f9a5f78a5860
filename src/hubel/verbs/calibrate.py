"""Temperature scaling: a run's probabilities made to mean what they say."""

import os
from pathlib import Path

import torch

from hubel.data.samples import Row
from hubel.figures import percent
from hubel.inference.answers import Answers
from hubel.mistakes import Failure
from hubel.run import Run
from hubel.training.calibration import calibration, temperature
from hubel.training.recipe import from_run
from hubel.verbs import machine
from hubel.verbs.load import load
from hubel.verbs.prepare import decode, open_data
from hubel.verbs.resume import check_data
from hubel.verbs.watch import Watch


@machine.undisturbed
def calibrate(
    run: str | os.PathLike[str],
    *,
    device: str = "auto",
    workers: int = 0,
    watch: Watch | None = None,
) -> float:
    """Fit the temperature on the run's validation pictures and save it with its model.

    Gives the temperature: above 1 the network had been too sure. No answer changes, only how sure
    they are; calibrating again starts from the network's own logits. Raises Mistake for what is no
    run, and Failure for a run without validation pictures.
    """
    watch = watch or Watch()
    own = Run.find(Path(run))
    with own.locked():
        where = machine.device(device)
        classifier = load(own.path)
        splits = open_data(from_run(own.path), before=own.read_table("splits.csv", Row))
        check_data(own, splits, "Train anew, or put the data back.")
        if not len(splits.validation):
            raise Failure(f"{own.path} has no validation pictures to calibrate on.")
        classifier.temperature = 1.0
        answers = Answers(classifier.to(where), expected=len(splits.validation), device=where)
        loaded = decode(
            splits.validation, classifier.pixels, "validation",
            workers=workers, watch=watch, each=answers.add,
        )  # fmt: skip
        logits, labels = answers.logits(), torch.from_numpy(loaded.labels)
        found = temperature(logits, labels)
        before, after = (calibration(logits / t, labels).error for t in (1.0, found))
        classifier.temperature = found
        classifier.provenance |= {"calibrated on": len(labels)}
        own.write_folder("model", classifier.to("cpu").files())
        own.log(f"calibrated: temperature {found:.3f}, validation ECE {before:.4f} → {after:.4f}")
        watch.notice(
            f"Temperature {found:.2f}, fitted on {len(labels):,} validation pictures: expected "
            f"calibration error {percent(before)} before, {percent(after)} after, saved with the "
            "model."
        )
    return found
