"""What does adversarial training cost, and what is it worth?

Fashion-MNIST, every recipe for as many epochs, ε = 0.1: minutes of training, accuracy on test
pictures as they are, and under PGD (40 steps, by cross-entropy and then by the margin).
"""

import tempfile
from pathlib import Path
from typing import Any

import measure

import hubel

EPSILON, SEEN = 0.1, 1000  # of the attack, and of training; test pictures
EPOCHS, SHORT = 15, 5
RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "adversarial-fast": {"recipe": "adversarial-fast", "epsilon": EPSILON},
    "adversarial-pgd": {"recipe": "adversarial-pgd", "epsilon": EPSILON},
    "adversarial-trades": {"recipe": "adversarial-trades", "epsilon": EPSILON},
}
COLUMNS = ("recipe", "epochs", "minutes", "epsilon", "n", "accuracy", "robust", "low", "high")


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    own = measure.surroundings(device=told.device)
    rows = []
    for name, settings in RECIPES.items():
        rows.append({"recipe": name} | trained(settings, told))
        measure.record("defence", [own | rows[-1]])
        print(measure.table(rows[-1:], COLUMNS), flush=True)
    print(measure.table(rows, COLUMNS))


def trained(settings: dict[str, Any], told: Any) -> dict[str, object]:
    epochs = SHORT if told.short else EPOCHS
    with tempfile.TemporaryDirectory() as folder:
        run = hubel.train(
            "fashion-mnist", **settings, epochs=epochs, device=told.device,
            threads=told.threads[-1], out=f"{folder}/run",
        )  # fmt: skip
        found = hubel.attack(
            run.run, attacks=["pgd"], epsilons=[8 / 255, EPSILON], images=SEEN, checks=False,
            device=told.device, threads=told.threads[-1], out=Path(folder) / "break",
        ).found  # fmt: skip
    row = found.rows[-1]
    return {
        "epochs": epochs,
        "threads": told.threads[-1],
        "minutes": f"{run.seconds / 60:.1f}",
        "epsilon": f"{row.epsilon:g}",
        "n": found.clean.of,
        "accuracy": f"{found.clean.share:.4f}",
        "robust_8_255": f"{found.rows[0].accuracy.share:.4f}",
        "robust": f"{row.accuracy.share:.4f}",
        "low": f"{row.accuracy.interval[0]:.4f}",
        "high": f"{row.accuracy.interval[1]:.4f}",
    }


if __name__ == "__main__":
    measure.main(main)
