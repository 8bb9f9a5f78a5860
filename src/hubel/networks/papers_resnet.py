"""What He et al. 2015 state of their residual and plain networks, a row for each."""

from hubel.networks.paper import Paper, Printed, Published

_AVERAGED = "3.57 % is the test error of six networks averaged; the best alone has 4.49 %."


def _resnet(
    blocks: tuple[int, ...], layers: int, exact: int, flops: str, *published: Published,
    projections: int = 0, shortcuts: bool = True, departures: tuple[str, ...] = (),
) -> Paper:  # fmt: skip
    deep = layers >= 50
    grown = 4 if deep else 1
    threes = sum(blocks) * (1 if deep else 2)
    ones = sum(blocks) * 2 * deep + projections
    return Paper(
        exact=exact,
        layers=layers,
        multiply_adds=Printed(flops, "billion") if flops else None,
        kernels={"7×7": 1, "3×3": threes} | ({"1×1": ones} if ones else {}),
        modules={"Linear": 1, "Bottleneck" if deep else "Block": sum(blocks)},
        shapes={"conv1": (64, 112, 112), "pool1": (64, 56, 56)}
        | {f"conv{i}_x": (64 * 2 ** (i - 2) * grown, 224 >> i, 224 >> i) for i in range(2, 6)}
        | {"fc": (1000,)},
        blocks={f"conv{i}_x": count for i, count in enumerate(blocks, 2)},
        shortcuts=sum(blocks) if shortcuts else 0,
        published=published,
        departures=departures,
        errata=(_AVERAGED,) if layers == 152 else (),
    )


def _small(
    layers: int, millions: str, exact: int, error: float | None, shortcuts: bool = True
) -> Paper:
    n = (layers - 2) // 6
    on = "CIFAR-10 test, the best of five, table 6" if layers == 110 else "CIFAR-10 test, table 6"
    return Paper(
        parameters=Printed(millions, "million"),
        exact=exact,
        layers=layers,
        kernels={"3×3": 6 * n + 1},
        modules={"Linear": 1, "Block": 3 * n},
        shapes={"stage1": (16, 32, 32), "stage2": (32, 16, 16), "stage3": (64, 8, 8), "fc": (10,)},
        blocks={"stage1": n, "stage2": n, "stage3": n},
        shortcuts=3 * n if shortcuts else 0,
        published=(Published(error, None, on),) if error else (),
    )


def _table2(top1: float) -> Published:
    return Published(top1, None, "ImageNet 2012 validation, ten crops, table 2")


def _table3(top1: float, top5: float) -> Published:
    return Published(top1, top5, "ImageNet 2012 validation, ten crops, table 3")


def _table4(top1: float, top5: float) -> Published:
    return Published(top1, top5, "ImageNet 2012 validation, several scales, table 4")


_A18, _B18, _A34, _B34 = 11_515_688, 11_689_512, 21_623_848, 21_797_672
_IN_3X3 = (
    "A bottleneck's stride is in its 3×3 convolution, as in the weights that are widely used; "
    "the paper has it in the first 1×1, with fewer multiply-adds.",
)
_18, _34 = (2, 2, 2, 2), (3, 4, 6, 3)
_BOTTLENECKS = {
    50: (_34, 25_557_032, "3.8", _table3(22.85, 6.71), _table4(20.74, 5.25)),
    101: ((3, 4, 23, 3), 44_549_160, "7.6", _table3(21.75, 6.05), _table4(19.87, 4.60)),
    152: ((3, 8, 36, 3), 60_192_808, "11.3", _table3(21.43, 5.71), _table4(19.38, 4.49)),
}
_SMALL = {
    20: ("0.27", 269_722, 8.75),
    32: ("0.46", 464_154, 7.51),
    44: ("0.66", 658_586, 7.17),
    56: ("0.85", 853_018, 6.97),
    110: ("1.7", 1_727_962, 6.43),
}

_SIX = Published(None, 3.57, "ImageNet 2015 test, six networks averaged, table 5")

RESNETS: dict[str, Paper] = {
    "resnet18": _resnet(_18, 18, _B18, "1.8", projections=3),
    "resnet34": _resnet(_34, 34, _B34, "3.6", _table3(24.52, 7.46), _table4(21.84, 5.71),
                        projections=3),
    **{
        f"resnet{layers}": _resnet(blocks, layers, exact, "", projections=4, departures=_IN_3X3)
        for layers, (blocks, exact, _, _, _) in _BOTTLENECKS.items()
    },
    **{
        f"resnet{layers}-2015": _resnet(blocks, layers, exact, flops, ten, many,
                                        *([_SIX] if layers == 152 else []), projections=4)
        for layers, (blocks, exact, flops, ten, many) in _BOTTLENECKS.items()
    },
    "resnet18-a": _resnet(_18, 18, _A18, "1.8", _table2(27.88)),
    "resnet34-a": _resnet(_34, 34, _A34, "3.6", _table3(25.03, 7.76)),
    "plain18": _resnet(_18, 18, _A18, "1.8", _table2(27.94), shortcuts=False),
    "plain34": _resnet(_34, 34, _A34, "3.6", _table3(28.54, 10.02), shortcuts=False),
    **{f"resnet{layers}": _small(layers, *row) for layers, row in _SMALL.items()},
    **{
        f"plain{layers}": _small(layers, millions, exact, None, shortcuts=False)
        for layers, (millions, exact, _) in _SMALL.items()
    },
}  # fmt: skip
