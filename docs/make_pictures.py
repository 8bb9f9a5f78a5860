"""Make the pictures of README and docs from the code itself: `make docs`.

The report's picture needs Chromium, and is left as it is where there is none.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

import hubel
from hubel.basics.activations import curves, maxout_pair
from hubel.data.sources import is_here
from hubel.training.initialisation import initialise
from hubel.verbs.augment import augment_sheet

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


def initialisation() -> None:
    """How the spread of a signal fares through twenty layers, by scheme."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    for i, (kind, module) in enumerate({"tanh": nn.Tanh, "ReLU": nn.ReLU}.items(), 1):
        axes = figure.add_subplot(1, 2, i)
        for scheme, style in {"naive": ":", "xavier": "--", "he": "-"}.items():
            layers = [nn.Sequential(nn.Linear(256, 256), module()) for _ in range(20)]
            network = nn.Sequential(*layers)
            initialise(network, scheme, seed=0)
            x = torch.randn(512, 256, generator=torch.Generator().manual_seed(0))
            spreads = []
            with torch.no_grad():
                for layer in network:
                    x = layer(x)
                    spreads.append(float(x.std()))
            axes.semilogy(range(1, 21), spreads, style, color="#0b6e99", lw=1.8, label=scheme)
        axes.set(title=kind, xlabel="layer", ylim=(1e-12, 10), xticks=(1, 5, 10, 15, 20))
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("standard deviation of the signal")
    figure.axes[0].legend(frameon=False, loc="lower left")
    FigureCanvasAgg(figure).print_png(IMAGES / "initialisation.png")


def approximation() -> None:
    """One hidden layer of 1, 2, 4, … 64 tanh units fitted to one function; the error of each."""
    x = torch.linspace(-1, 1, 401)[:, None]
    target = torch.sin(6 * torch.pi * x) * torch.exp(-x.square()) + 0.3 * x
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    left.plot(x, target, color="0.7", lw=4, label="the function")
    numbers, errors = [1, 2, 4, 8, 16, 32, 64], []
    for units in numbers:
        best, drawn = min((fitted(x, target, units, seed) for seed in range(3)), key=lambda f: f[0])
        errors.append(best)
        if units in (2, 8, 32):
            left.plot(x, drawn, lw=1.4, label=f"{units} units")
    left.set_ylim(-1.3, 2.1)
    left.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    right.semilogy(numbers, errors, "o-", color="#0b6e99")
    right.set_xscale("log", base=2)
    right.set(xlabel="hidden units", ylabel="root mean square error", xticks=numbers)
    right.set_xticklabels(map(str, numbers))
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(IMAGES / "approximation.png")
    print({units: round(error, 5) for units, error in zip(numbers, errors, strict=True)})


def fitted(
    x: torch.Tensor, target: torch.Tensor, units: int, seed: int
) -> tuple[float, torch.Tensor]:
    """The root mean square error of a fit by L-BFGS, and the fitted function."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(1, units), nn.Tanh(), nn.Linear(units, 1))
    with torch.no_grad():
        network[0].weight.uniform_(-12, 12)
        network[0].bias.uniform_(-12, 12)
    optimiser = torch.optim.LBFGS(
        network.parameters(), max_iter=800, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = (network(x) - target).square().mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        drawn = network(x)
    return float((drawn - target).square().mean().sqrt()), drawn


def report() -> None:
    """The top of a real run's report, at desktop width."""
    with tempfile.TemporaryDirectory() as folder:
        run = hubel.train("digits", out=f"{folder}/run").run
        hubel.evaluate(run)
        screenshot(run / "report.html", IMAGES / "report.png", height=1500)


def own_pictures() -> None:
    """What docs/your-own-pictures.md shows: the inspection, the changes, the report of stamps."""
    if not is_here("stamps"):
        print("no stamps: the pictures of your-own-pictures.md are left as they are")
        return
    with tempfile.TemporaryDirectory() as folder:
        page = hubel.inspect("stamps", out=f"{folder}/inspection").page
        screenshot(page, IMAGES / "inspection.png", height=2050)
        sheet = augment_sheet("stamps", out=f"{folder}/inspection")
        with Image.open(sheet) as image:
            small = image.convert("RGB").reduce(2)
            small.quantize(128).save(IMAGES / "augmentation.png", optimize=True)
        run = hubel.train("stamps", out=f"{folder}/run").run
        hubel.evaluate(run)
        screenshot(run / "report.html", IMAGES / "own-report.png", height=2900)


def screenshot(page: Path, picture: Path, *, height: int) -> None:
    """The top of a page at desktop width, in few colours."""
    browser = shutil.which("chromium")
    if browser is None:
        print(f"no Chromium: {picture.name} is left as it is")
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-background-networking", f"--user-data-dir={folder}/profile",
             f"--window-size=1280,{height}", f"--screenshot={folder}/shot.png", f"file://{page}"],
            check=True,
        )  # fmt: skip
        with Image.open(f"{folder}/shot.png") as image:
            image.convert("RGB").quantize(128).save(picture, optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    activations()
    initialisation()
    approximation()
    report()
    own_pictures()
