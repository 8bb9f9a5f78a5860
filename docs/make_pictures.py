"""Make the pictures of README and docs from the code itself: `make docs`.

The report's picture needs Chromium, and is left as it is where there is none.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import hubel
from hubel.basics.activations import curves, maxout_pair

IMAGES = Path(__file__).parent / "images"


def activations() -> None:
    """Each function's value and slope, side by side on the same axes."""
    rows = dict(curves())
    x = rows["tanh"][0]
    rows["maxout of −x, x"] = (x, maxout_pair((-1.0, 1.0), x), x.sign())
    figure = Figure(figsize=(11, 5), layout="constrained")
    for i, (name, (x, value, slope)) in enumerate(rows.items(), 1):
        axes = figure.add_subplot(2, 4, i)
        axes.axhline(0, color="0.85", lw=0.8)
        axes.axvline(0, color="0.85", lw=0.8)
        axes.plot(x, value, color="#0b6e99", lw=2, label="value")
        axes.plot(x, slope, color="#c2571a", lw=1.4, ls="--", label="slope")
        axes.set(title=name, ylim=(-2.2, 3.2), xlim=(-4, 4))
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False, loc="upper left")
    FigureCanvasAgg(figure).print_png(IMAGES / "activations.png")


def report() -> None:
    """The top of a real run's report, at desktop width."""
    browser = shutil.which("chromium")
    if browser is None:
        print("no Chromium: report.png is left as it is")
        return
    with tempfile.TemporaryDirectory() as folder:
        run = hubel.train("digits", out=f"{folder}/run").run
        hubel.evaluate(run)
        subprocess.run(  # noqa: S603
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-background-networking", f"--user-data-dir={folder}/profile",
             "--window-size=1280,1500", f"--screenshot={IMAGES / 'report.png'}",
             f"file://{run}/report.html"],
            check=True,
        )  # fmt: skip


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    activations()
    report()
