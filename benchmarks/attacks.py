"""How fast, how strong and how small are the attacks, beside foolbox, torchattacks and ART?

Fashion-MNIST, a network of two convolutions, the first 1,000 test pictures in batches of 250, one
thread. PGD in L∞, 40 steps of 2.5 ε / 40 from the picture itself: ours lets go of pictures that
are fooled (robust accuracy), or goes on (an adversarial set); theirs as shipped. DeepFool in L2 by
everybody's defaults, DDN by ours and foolbox's. Box-constrained L-BFGS and C&W: ours alone, on the
same network and on a linear one.
"""

from typing import Any, NamedTuple

import measure
import peers
from measure import Figure, Side

from hubel.home import home

WEIGHTS = home() / "benchmarks" / "attacks"
IMAGES, SHORT = 1000, 250
FEWER = 4  # DeepFool and C&W take this share of them: foolbox needs minutes, torchattacks more
BATCH = 250
PEERS = ("foolbox", "torchattacks", "art")
EPSILONS = (8 / 255, 0.1)
COLUMNS = (
    "work", "network", "epsilon", "side", "images", "threads", "n", "median", "ratio",
    "ratio_dropping", "robust", "success", "l2",
)  # fmt: skip


class Case(NamedTuple):
    """What is compared: an attack, by whom, on how many pictures."""

    work: str
    images: int
    epsilon: float | None = None
    network: str = "cnn"
    peers: tuple[str, ...] = ()

    def sides(self) -> list[Side]:
        """Ours (with PGD both letting go of what is fooled and not), then the peers'."""
        shape: dict[str, Any] = {
            "work": self.work, "images": self.images, "epsilon": self.epsilon, "batch": BATCH,
            "network": self.network, "weights": str(WEIGHTS), "drop": False,
        }  # fmt: skip
        found = [Side("hubel", "attacks.py", shape | {"side": "hubel"})]
        if self.work == "pgd":
            dropping = shape | {"side": "hubel", "drop": True}
            found.insert(0, Side("hubel, dropping", "attacks.py", dropping))
        for peer in self.peers:
            python = peers.python("attacks")
            found.append(Side(peer, "attacks.py", shape | {"side": peer}, python))
        return found


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0], own=True)
    beside = () if told.own else PEERS
    images = SHORT if told.short else IMAGES
    trained = Side("networks", "attacked_networks.py", {"weights": str(WEIGHTS)})
    accuracies = measure.run(trained, threads=1)
    cases = [Case("pgd", images, epsilon, peers=beside) for epsilon in EPSILONS]
    cases.append(Case("deepfool", images // FEWER, peers=beside))
    cases.append(Case("ddn", images // FEWER, peers=beside[:1]))
    cases += [
        Case(work, images // FEWER, network=network)
        for network in ("cnn", "linear")
        for work in ("deepfool", "ddn", "l-bfgs", "c&w")
        if (work, network) not in (("deepfool", "cnn"), ("ddn", "cnn"))
    ]
    rows = []
    for threads, _ in measure.each_thread_count((1,)):
        for case in cases:
            rows += compared(case, threads, told.rounds or 1, accuracies[case.network])
    measure.record("attacks", rows)
    print(measure.table(rows, COLUMNS))


def compared(case: Case, threads: int, rounds: int, accuracy: float) -> list[dict[str, object]]:
    found = measure.interleaved(case.sides(), rounds=rounds, threads=threads, key="seconds")
    rows = []
    for name, results in found.items():
        last = results[-1]
        beside = measure.ratio(results, found["hubel"], "seconds")
        dropping = found.get("hubel, dropping")
        peer = name in PEERS
        rows.append(
            measure.surroundings()
            | {"peer": peers.versions("attacks") if peer else "", "work": case.work}
            | {"network": case.network, "accuracy": f"{accuracy:.4f}", "side": name}
            | {"epsilon": _short(case.epsilon), "images": case.images, "batch": BATCH}
            | {"threads": threads, "unit": "s"}
            | Figure.of([result["seconds"] for result in results]).columns()
            | {"ratio": f"{beside.median:.2f}", "ratio_low": f"{beside.low:.2f}"}
            | {"ratio_high": f"{beside.high:.2f}", "ratio_dropping": ""}
            | ({"ratio_dropping": _beside(results, dropping)} if dropping else {})
            | {"robust": _short(last["robust"])}
            | {"success": _short(last["success"]), "l2": _short(last["size"])}
            | {"linf": _short(last["largest"]), "inside": last["inside"]}
        )
    return rows


def _beside(results: list[dict[str, Any]], ours: list[dict[str, Any]]) -> str:
    return f"{measure.ratio(results, ours, 'seconds').median:.2f}"


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    measure.main(main)
