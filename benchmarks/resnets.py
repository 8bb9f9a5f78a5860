"""How many pictures a second do the ResNets train on, and what share of the device is that?

ResNet-20, 56 and 110 at 32 × 32, and on a GPU ResNet-50 at 224 × 224: float32 and bfloat16, the
plain and the channels-last layout, and compiled where there is a compiler. The share is of the
device's measured float32 matrix product.
"""

import measure
from measure import Figure, Side

# multiply-adds of one picture forward, in millions (counted by torch's FlopCounterMode)
NETWORKS = {"resnet20": 40.55, "resnet56": 125.49, "resnet110": 252.89}
LARGE = {"resnet50": 4089.18}  # at 224 × 224: on a GPU only
COLUMNS = ("network", "precision", "layout", "compiled", "device", "threads", "median", "share")


def main() -> None:
    told = measure.arguments(__doc__.splitlines()[0])
    networks = list(NETWORKS)[:1] if told.short else list(NETWORKS)
    if told.device != "cpu" and not told.short:
        networks += LARGE
    kinds = [(p, last, False) for p in ("float32", "bfloat16") for last in (False, True)]
    if told.device != "cpu":
        kinds.append(("bfloat16", True, True))
    rows = []
    for threads, rate in measure.each_thread_count(told.threads[-1:], told.device):
        for network in networks:
            side_length, classes = (224, 1000) if network in LARGE else (32, 10)
            batch = 128 if told.device == "cpu" else 256 if network in LARGE else 1024
            sides = [
                Side(f"{network} {precision} {last} {compiled}", "resnet_train.py",
                     {"network": network, "precision": precision, "channels_last": last,
                      "compile": compiled, "device": told.device, "batch": batch,
                      "seconds": 2 if told.short and told.device != "cpu" else 5,
                      "side": side_length, "classes": classes})
                for precision, last, compiled in kinds
            ]  # fmt: skip
            found = measure.interleaved(
                sides, rounds=told.rounds or (1 if told.short else 3), threads=threads, key="images"
            )
            for side in sides:
                if side.name not in found:
                    continue
                figure = Figure.of([result["images"] for result in found[side.name]])
                gflops = 6 * (NETWORKS | LARGE)[network] * 1e6 * figure.median / 1e9
                rows.append(
                    measure.surroundings(device=told.device)
                    | {"network": network, "precision": side.arguments["precision"]}
                    | {"layout": "channels-last" if side.arguments["channels_last"] else "plain"}
                    | {"compiled": "yes" if side.arguments["compile"] else "no"}
                    | {"device": told.device, "batch": batch, "threads": threads}
                    | {"unit": "images/s"} | figure.columns()
                    | {"matrix_gflops": f"{rate:.0f}", "share": f"{gflops / rate:.2f}"}
                )  # fmt: skip
    measure.record("resnets", rows)
    print(measure.table(rows, COLUMNS))


if __name__ == "__main__":
    measure.main(main)
