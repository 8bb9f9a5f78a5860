"""Shape or texture: what a network names a picture by, and what training on stylised copies does.

Geirhos et al. 2019, "ImageNet-trained CNNs are biased towards texture; increasing shape bias
improves accuracy and robustness". Two experiments: photographs, by a network with published weights
(`photo_surfaces`); and one of the lab's own, in which shape and texture say the same of the class
and the two can be told apart (`filled`, `restyled`).
"""

import numpy as np
from torch import Tensor

from hubel.breaking.shape_bias import PUBLISHED, Bias
from hubel.figures import interval, percent, tells
from hubel.labs.filled import CLASSES
from hubel.labs.lab import Drawing, Finding, Setting, Shown
from hubel.labs.learning import answers
from hubel.labs.photo_surfaces import NETWORK, Named, Photos, photographs
from hubel.labs.restyled import TRAININGS, Result, Stimuli, trained
from hubel.report.drawing import (
    ACCENT,
    INK,
    MUTED,
    in_percent,
    legend_below,
    panels,
    png,
    style,
)
from hubel.report.rows import picture_rows

COLOURS = {"plain": MUTED, "stylised": ACCENT, "both": INK}
STIMULI = ("original", "silhouette", "edges", "texture")


def shape_texture(setting: Setting) -> Shown:
    """Small networks trained on pictures, on stylised copies and on both; and photographs."""
    results, shown, copies = trained(setting)
    photos = photographs(setting)
    found = photos if isinstance(photos, Photos) else None
    drawings = [_pictures(shown, copies), _measures(results), _three(results, shown, found)]
    lines = [_line(kind, _of(results, kind)) for kind in TRAININGS]
    lines.append(photos if isinstance(photos, str) else _photo_line(photos))
    return Shown(
        findings=(_finding(results, shown, found),),
        drawings=tuple(drawings),
        numbers={
            "trainings": [_told(result) for result in results],
            "photographs": None if found is None else _photos_told(found),
            "published": dict(PUBLISHED),
        },
        lines=tuple(lines),
    )


def prefers_texture(bias: Bias) -> bool:
    """Whether the whole interval is below one half."""
    return bias.interval is not None and bias.interval[1] < 0.5


def raised(plain: Bias, stylised: Bias) -> bool:
    """Whether the second is above the first's interval."""
    if plain.interval is None or stylised.value is None:
        return False
    return stylised.value > plain.interval[1]


def verdict(results: tuple[Result, ...], photos: Photos | None) -> bool:
    """What the claim stands or falls with.

    The network of photographs (where it is not at hand, every plain small one) goes by texture; and
    from every start, training on stylised copies raises the shape bias and lowers the error under
    corruption.
    """
    plain, stylised = _of(results, "plain"), _of(results, "stylised")
    return by_texture(results, photos) and all(
        raised(a.bias, b.bias) and b.error < a.error for a, b in zip(plain, stylised, strict=True)
    )


def by_texture(results: tuple[Result, ...], photos: Photos | None) -> bool:
    """The claim's first half."""
    if photos is not None:
        return prefers_texture(photos.bias["plain"])
    return all(prefers_texture(each.bias) for each in _of(results, "plain"))


def _finding(results: tuple[Result, ...], shown: Stimuli, photos: Photos | None) -> Finding:
    plain, stylised, both = (_of(results, kind) for kind in TRAININGS)
    higher = sum(raised(a.bias, b.bias) for a, b in zip(plain, stylised, strict=True))
    surer = sum(b.error < a.error for a, b in zip(plain, stylised, strict=True))
    said = ""
    if photos is not None:
        before, after = (photos.bias[name] for name in ("plain", "stylised"))
        said = (
            f"On {before.n} cue conflicts of photographs, {NETWORK} with a last layer of its own "
            f"has a shape bias of {_bias(before)}, and {_bias(after)} where that layer was learned "
            "from stylised copies. The figure hangs on how conflicts are made: by share of the "
            "object's light and shade that is laid over the texture, "
            + ", ".join(
                f"{percent(shade, 0)}: {_bias(each)}" for shade, each in photos.by_shade.items()
            )
            + ". "
        )
    if not by_texture(results, photos):
        said += "The whole interval is not below one half: that it goes by texture is not shown. "
    return Finding(
        "L51",
        f"{said}A small network that learned from pictures whose shape and texture tell the "
        f"class alike has a shape bias of {_mean_bias(plain)}, one that learned from stylised "
        f"copies {_mean_bias(stylised)}, from both {_mean_bias(both)}; from {higher} of "
        f"{len(plain)} starts the copies raise it beyond its interval. The mean error under "
        f"corruption goes from {_mean([e.error for e in plain])} to "
        f"{_mean([e.error for e in stylised])} "
        f"(both: {_mean([e.error for e in both])}), lower from {surer} of {len(plain)} starts; "
        f"the error on pictures as they are from {_clean(plain)} to {_clean(stylised)} "
        f"(both: {_clean(both)}).",
        verdict(results, photos),
        f"{len(plain)} starts × {len(TRAININGS)} trainings, {len(shown.pairs)} cue conflicts, "
        f"{len(shown.corrupted)} corruptions of {len(shown.tested.labels)} articles"
        + (f"; {photos.bias['plain'].n} conflicts of {photos.n} photographs" if photos else ""),
        "shape bias " + "; ".join(f"{kind} {_range(_of(results, kind))}" for kind in TRAININGS),
    )


def _of(results: tuple[Result, ...], kind: str) -> list[Result]:
    return [result for result in results if result.kind == kind]


def _bias(bias: Bias) -> str:
    """The share in words, with its interval."""
    if bias.value is None:
        return "no value (nothing was named by either cue)"
    if bias.interval is None:
        return percent(bias.value, 0)
    return f"{percent(bias.value, 0)} ({interval(bias.interval, 0)})"


def _values(results: list[Result]) -> list[float]:
    return [each.bias.value for each in results if each.bias.value is not None]


def _mean(values: list[float]) -> str:
    return percent(float(np.mean(values))) if values else "no value"


def _mean_bias(results: list[Result]) -> str:
    values = _values(results)
    return percent(float(np.mean(values)), 0) if values else "no value"


def _range(results: list[Result]) -> str:
    values = _values(results)
    return f"{percent(min(values), 0)} to {percent(max(values), 0)}" if values else "no value"


def _clean(results: list[Result]) -> str:
    return _mean([1 - each.right["original"] for each in results])


def _line(kind: str, results: list[Result]) -> str:
    right = ", ".join(f"{name} {_mean([each.right[name] for each in results])}" for name in STIMULI)
    each = ", ".join(_bias(result.bias) for result in results)
    return f"{kind}: right on {right}; shape bias by start {each}."


def _photo_line(photos: Photos) -> str:
    parts = []
    for name, right in photos.right.items():
        bias = photos.bias[name]
        said = ", ".join(f"{stimulus} {percent(share, 0)}" for stimulus, share in right.items())
        parts.append(
            f"last layer learned from {name} photographs: right on {said}; of {bias.n} conflicts "
            f"{bias.shape} by shape, {bias.texture} by texture, {bias.other} by neither"
        )
    return f"{NETWORK}: " + "; ".join(parts) + "."


def _told(result: Result) -> dict[str, object]:
    return {
        "training": result.kind, "start": result.seed, "accuracy": dict(result.right),
        "shape bias": result.bias.value, "interval": result.bias.interval,
        "by shape": {name: bias.value for name, bias in result.by_class.items()},
        "error": result.error, "errors": dict(result.errors),
    }  # fmt: skip


def _photos_told(photos: Photos) -> dict[str, object]:
    return {
        "accuracy": {name: dict(each) for name, each in photos.right.items()},
        "shape bias": {name: each.value for name, each in photos.bias.items()},
        "interval": {name: each.interval for name, each in photos.bias.items()},
        "by shade": {shade: each.value for shade, each in photos.by_shade.items()},
        "named": [each._asdict() | {"pixels": None} for each in (*photos.three, *photos.lecture)],
    }


def _tile(pixels: Tensor) -> np.ndarray:
    return pixels.permute(1, 2, 0).numpy()


def _pictures(shown: Stimuli, copies: Tensor) -> Drawing:
    """An article of each class in every stimulus, and its stylised copies."""
    labels = shown.tested.labels.tolist()
    first = [labels.index(k) for k in range(len(CLASSES))]
    learned = len(copies) // len(CLASSES)
    rows = {name: [_tile(shown.by_name[name][i]) for i in first] for name in STIMULI}
    pair = [next(j for j, p in enumerate(shown.pairs) if p.shape_class == k)
            for k in range(len(CLASSES))]  # fmt: skip
    rows["cue conflict"] = [_tile(shown.conflicts[j]) for j in pair]
    for n in range(2):
        name = "learned from:\nstylised copies" if n == 0 else "and others"
        rows[name] = [_tile(copies[k * learned + n] / 255) for k in range(len(CLASSES))]
    titles = [f"{article}\n{seen}" for article, (_, seen) in CLASSES.items()]
    return Drawing(
        "stimuli",
        picture_rows(rows, titles, side=72),
        "Articles filled with textures, as the networks are tested on them; below, copies that are "
        "learned from: the shape, with the surface of a photograph that has nothing to do with it.",
    )


def _measures(results: tuple[Result, ...]) -> Drawing:
    """Shape bias by start, accuracy by stimulus, error by corruption; one colour a training."""
    with style():
        figure, axes = panels(1, 3, width=270, height=320)
        corruptions = list(results[0].errors)
        for place, kind in enumerate(TRAININGS):
            own, colour = _of(results, kind), COLOURS[kind]
            for n, each in enumerate(own):
                if each.bias.value is None:
                    continue
                at = place + 0.16 * (n - (len(own) - 1) / 2)
                if each.bias.interval is not None and tells(each.bias.interval):
                    axes[0].plot([at, at], each.bias.interval, color=colour, lw=1.5)
                axes[0].plot(at, each.bias.value, "o", color=colour, ms=5)
            right = [np.mean([each.right[name] for each in own]) for name in STIMULI]
            axes[1].plot(range(len(STIMULI)), right, "o-", color=colour, lw=1, ms=5, label=kind)
            wrong = [np.mean([each.errors[name] for each in own]) for name in corruptions]
            axes[2].plot(wrong, range(len(corruptions)), "o", color=colour, ms=4, label=kind)
        axes[0].axhline(0.5, color=MUTED, lw=0.6)
        axes[0].set(ylim=(0, 1), title="shape bias, each start (95 %)")
        axes[0].set_xticks(range(len(TRAININGS)), list(TRAININGS))
        axes[1].axhline(1 / len(CLASSES), color=MUTED, lw=0.6)
        axes[1].set(ylim=(0, 1), title="right, by what is left of the picture")
        axes[1].set_xticks(range(len(STIMULI)), STIMULI)
        legend_below(figure, columns=3)
        axes[2].set(title="wrong under corruption", xlim=(0, None))
        axes[2].set_yticks(range(len(corruptions)), corruptions, fontsize=7)
        axes[2].invert_yaxis()
        for axis in (axes[0].yaxis, axes[1].yaxis, axes[2].xaxis):
            in_percent(axis)
        picture = png(figure)
    return Drawing(
        "measures",
        picture,
        "What came of learning from the pictures, from stylised copies, and from both. Shape bias: "
        "of the cue conflicts that are named by shape or by texture, the share that is named by "
        "shape. Thin lines: one half, and chance.",
    )


def _three(results: tuple[Result, ...], shown: Stimuli, photos: Photos | None) -> Drawing:
    """Texture, object, and the object with the other's texture; named, with probabilities."""
    if photos is not None:
        rows = {"a last layer\nof its own": photos.three, "ImageNet's": photos.lecture}
    else:
        rows = {kind: _small_three(_of(results, kind)[0], shown) for kind in TRAININGS}
    tiles, titles = {}, list[str]()
    for name, each in rows.items():
        if each:
            said = "\n".join(f"{one.name} {percent(one.probability, 0)}" for one in each)
            tiles[f"{name}\n\n{said}"] = [_tile(one.pixels) for one in each]
            titles = titles or ["texture", "object", "object with\nthe other's texture"]
    return Drawing(
        "three-pictures",
        picture_rows(tiles, titles, side=130, margin=170),
        "The lecture's three pictures, and beside them from left to right what each is named. "
        + " ".join(f"{name}: ".replace("\n", " ") + "; ".join(one.what for one in each) + "."
                   for name, each in rows.items() if each),
    )  # fmt: skip


def _small_three(result: Result, shown: Stimuli) -> tuple[Named, ...]:
    """Of the first conflict."""
    pair, classes = shown.pairs[0], tuple(CLASSES)
    images = (
        shown.by_name["texture"][pair.texture], shown.by_name["original"][pair.shape],
        shown.conflicts[0],
    )  # fmt: skip
    texture = CLASSES[classes[pair.texture_class]][1]
    whats = (texture, classes[pair.shape_class], f"{classes[pair.shape_class]}, in {texture}")
    found = []
    for what, image in zip(whats, images, strict=True):
        probabilities = answers(result.classifier, (image[None] * 255).byte())[0].softmax(0)
        best = int(probabilities.argmax())
        found.append(Named(what, image, classes[best], float(probabilities[best])))
    return tuple(found)
