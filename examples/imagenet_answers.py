"""What an ImageNet network says of the photographs inside scikit-image."""

import skimage.data

import hubel

classifier = hubel.load("efficientnet-lite0")
photographs = {name: getattr(skimage.data, name)() for name in ("chelsea", "coffee", "rocket")}
for name, answer in zip(
    photographs, hubel.predict(classifier, list(photographs.values()), top=3), strict=True
):
    print(f"{name}: " + ", ".join(f"{label} {p:.0%}" for label, p in answer.classes))
