"""How long does an epoch over 600 photographs take that are still JPEGs, and the epochs after it?

600 JPEGs of 1600×1200, cut from the photographs that scikit-image and scikit-learn bring, to the
middle square at 224. First epoch: hubel decodes, resizes and keeps them, from a fresh HUBEL_HOME;
simplejpeg and cv2 decode at the reduced scale that their own rules give and cv2 resizes, in as
many threads on as many cores. Second epoch: hubel takes batches of 32 in a new order from memory;
the others decode again. Third: the same as floats, as the network gets them, which none of the
other sides makes. Another training: hubel reads what it kept, in a process that has not got it yet.
"""

import tempfile

import measure
import peers
from measure import Figure, Side

COUNT = 600
EPOCHS = ("first epoch", "second epoch", "third epoch, as floats", "another training")
COLUMNS = ("side", "threads", "n", "median", "low", "high", "ratio", "ratio_low", "ratio_high")


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    rounds = told.rounds or (1 if told.short else 5)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        made = {"folder": f"{folder}/pictures", "count": COUNT // 6 if told.short else COUNT}
        measure.run(Side("pictures", "decode_pictures.py", made), threads=1)
        for threads, rate in measure.each_thread_count(told.threads):
            home = {"HUBEL_HOME": f"{folder}/home{threads}"}
            sides = [
                Side(
                    f"hubel, {name}",
                    "decode_hubel.py",
                    made | {"epoch": name.partition(" ")[0]},
                    environment=home,
                )
                for name in EPOCHS
            ]
            if peers.ready("decoders"):
                python = peers.python("decoders")
                sides += [
                    Side(name, "decode_others.py", made | {"library": name}, python)
                    for name in ("simplejpeg", "cv2")
                ]
            else:
                print("left out: simplejpeg, cv2 (python benchmarks/peers.py decoders)")
            found = measure.interleaved(sides, rounds=rounds, threads=threads, key="seconds")
            for name, results in found.items():
                figure = Figure.of([result["seconds"] for result in results])
                against = measure.ratio(results, found["hubel, first epoch"], "seconds")
                rows.append(
                    measure.surroundings(("numpy", "Pillow"))
                    | {"side": name, "threads": threads, "unit": "s"} | figure.columns()
                    | {"peer": "" if name.startswith("hubel") else peers.versions("decoders")}
                    | {"ratio": f"{against.median:.3f}", "ratio_low": f"{against.low:.3f}"}
                    | {"ratio_high": f"{against.high:.3f}", "matrix_gflops": f"{rate:.0f}"}
                )  # fmt: skip
    measure.record("decode", rows)
    print(measure.table(rows, COLUMNS))


if __name__ == "__main__":
    measure.main(main)
