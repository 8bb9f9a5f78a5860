"""What a test of shape against texture found, in sentences."""

from collections.abc import Sequence
from typing import Any

from hubel.breaking.shape_bias import SHAPE, TEXTURE, Trial
from hubel.figures import percent
from hubel.report.shape import BiasRow, Shape
from hubel.training.evaluate import wilson


def lead(found: Shape, chance: float) -> str:
    """The page's first sentences. chance: of naming one of two cues by guessing."""
    overall = found.overall
    if overall is None:
        return "No cue-conflict images could be made; below is what the five stimuli say."
    if overall.value is None:
        return found.why_none
    n = overall.shape + overall.texture + overall.other
    kind = "more by the texture" if overall.value < 0.5 else "more by the shape"
    kind = "as much by one as by the other" if overall.value == 0.5 else kind
    if overall.interval is None or overall.interval[0] <= 0.5 <= overall.interval[1]:
        kind += ", though chance explains that"
    told = (
        f"Of {n} images with the shape of one class and the texture of another, it names "
        f"{overall.shape} by the shape, {overall.texture} by the texture and {overall.other} "
        f"otherwise: a shape bias of {percent(overall.value)}. It goes {kind}."
    )
    if chance < 1 and wilson(n - overall.other, n)[0] <= chance:
        told += (
            f" But by guessing it would name one of both in {percent(chance, 0)}, which is not "
            "clearly less: in these images it recognises little, and the figure says little."
        )
    return told


def why_none(overall: BiasRow, trials: Sequence[Trial]) -> str:
    """Why there is no shape bias, in a sentence; "" where there is one."""
    if overall.value is not None:
        return ""
    cues = [trial.cue for trial in trials]
    shape, texture = cues.count(SHAPE), cues.count(TEXTURE)
    if all(trial.excluded for trial in trials):
        reasons = {trial.excluded for trial in trials}
        because = next(iter(reasons)) if len(reasons) == 1 else "the referee vouches for none"
        return (
            f"There is no shape bias, as no image counts: {because}. Of the {len(trials)} images, "
            f"{shape} {'was' if shape == 1 else 'were'} named by the shape and {texture} by the "
            "texture."
        )
    return "There is no shape bias: no image that counts was named by its shape or its texture."


def counted(found: Shape, facts: dict[str, Any]) -> str:
    out = sum(bool(row.excluded) for row in found.trials)
    said = f"Images by {facts['method']}; answers among {facts['protocol']}. "
    if facts["referee"] is not None:
        said += f"Counted are images of whose two pictures {facts['referee']} is right, too. "
    return said + (f"{out} of {len(found.trials)} do not count. " if out else "")
