"""The data sets that hubel knows by name: what they are, where they come from, how to open them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hubel.data import cifar, folder, idx, stamps
from hubel.data.samples import Arrays, Samples, Splits, stratified
from hubel.home import home
from hubel.mistakes import Failure, Mistake, unknown

DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
CIFAR10 = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
IDX_FILES = (
    *("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    *("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
)
CIFAR10_FILES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
CIFAR100_FILES = ("train.bin", "test.bin", "fine_label_names.txt")


@dataclass(frozen=True)
class Remote:
    """A file at its publisher's: URL, and the MD5 that the publisher states."""

    url: str
    md5: str


@dataclass(frozen=True)
class Source:
    """A data set. `read` takes the folder of its files to (training, test) samples.

    files: what must be there. places: folders looked in beside HUBEL_HOME/data/<name>. flips:
    whether a mirrored picture keeps its label. package: the Debian package that brings it.
    """

    what: str
    read: Callable[[Path], tuple[Samples, Samples]]
    files: tuple[str, ...] = ()
    places: tuple[Path, ...] = ()
    remotes: tuple[Remote, ...] = ()
    flips: bool = False
    package: str | None = None
    validation: float = 0.1


def _digits(_: Path) -> tuple[Arrays, Arrays]:
    """scikit-learn's digits; the test split is the last fifth, which other writers wrote."""
    rows = _digits_rows()
    images = np.rint(rows[:, :64].reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    labels = rows[:, 64].astype(np.int64)
    cut = len(labels) - len(labels) // 5

    def part(start: int, stop: int, split: str) -> Arrays:
        names = [f"{split}/{i - start}" for i in range(start, stop)]
        return Arrays(images[start:stop], labels[start:stop], DIGITS, names)

    return part(0, cut, "train"), part(cut, len(labels), "test")


def _digits_rows() -> NDArray[np.float64]:
    """(1797, 65): of each digit its 64 levels, from 0 to 16, and its label.

    Read where scikit-learn keeps them: importing its `datasets` takes longer than all the rest.
    """
    package = find_spec("sklearn")
    if package is not None and package.origin is not None:
        file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack((bunch.data, bunch.target))


def _idx(where: Path, *, classes: tuple[str, ...]) -> tuple[Arrays, Arrays]:
    files = [_either(where / name) for name in IDX_FILES]
    train = idx.samples(files[0], files[1], classes, "train")
    return train, idx.samples(files[2], files[3], classes, "test")


def _cifar10(where: Path) -> tuple[Arrays, Arrays]:
    paths = [where / name for name in CIFAR10_FILES]
    meta = where / "batches.meta.txt"
    classes = cifar.class_names(meta, 10) if meta.exists() else CIFAR10
    train = cifar.samples(paths[:-1], label_bytes=1, classes=classes, split="train")
    return train, cifar.samples(paths[-1:], label_bytes=1, classes=classes, split="test")


def _cifar100(where: Path) -> tuple[Arrays, Arrays]:
    classes = cifar.class_names(where / "fine_label_names.txt", 100)
    read = partial(cifar.samples, label_bytes=2, classes=classes)
    return read([where / "train.bin"], split="train"), read([where / "test.bin"], split="test")


FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
SOURCES: dict[str, Source] = {
    "digits": Source(
        what="1,797 handwritten digits, 8×8 grey, inside scikit-learn (UCI, Alpaydin & Kaynak)",
        read=_digits,
        validation=0.15,
    ),
    "fashion-mnist": Source(
        what="70,000 articles of clothing, 28×28 grey, 10 classes (Xiao et al. 2017, MIT)",
        read=partial(_idx, classes=CLOTHES),
        files=IDX_FILES,
        places=(Path("/usr/share/datasets/fashion-mnist"),),
        # the publisher's host speaks plain http; the hashes make that safe
        remotes=(
            Remote(f"{FASHION}/{IDX_FILES[0]}", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            Remote(f"{FASHION}/{IDX_FILES[1]}", "25c81989df183df01b3e8a0aad5dffbe"),
            Remote(f"{FASHION}/{IDX_FILES[2]}", "bef4ecab320f06d8554ea6380940ec79"),
            Remote(f"{FASHION}/{IDX_FILES[3]}", "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        flips=True,
        package="dataset-fashion-mnist",
    ),
    "mnist": Source(
        what="70,000 handwritten digits, 28×28 grey (LeCun et al. 1998)",
        read=partial(_idx, classes=DIGITS),
        files=IDX_FILES,
        remotes=(
            Remote(f"{MNIST}/{IDX_FILES[0]}", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            Remote(f"{MNIST}/{IDX_FILES[1]}", "d53e105ee54ea40749a09fcbcd1e9432"),
            Remote(f"{MNIST}/{IDX_FILES[2]}", "9fb629c4189551a2d022fa330f9573f3"),
            Remote(f"{MNIST}/{IDX_FILES[3]}", "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
    ),
    "cifar10": Source(
        what="60,000 photographs, 32×32 colour, 10 classes (Krizhevsky 2009)",
        read=_cifar10,
        files=CIFAR10_FILES,
        remotes=(
            Remote(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "c32a1d4ab5d03f1284b67883e8d87530",
            ),
        ),
        flips=True,
    ),
    "cifar100": Source(
        what="60,000 photographs, 32×32 colour, 100 classes (Krizhevsky 2009)",
        read=_cifar100,
        files=CIFAR100_FILES,
        remotes=(
            Remote(
                "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
                "03b5dce01913d631647c71ecec9e9cb8",
            ),
        ),
        flips=True,
    ),
    "stamps": Source(
        what="photographs cut out with transparency, in colour: birds, fruit, … (Tux Paint, GPL)",
        read=stamps.read,
        files=("animals", "food", "plants"),
        places=(Path("/usr/share/tuxpaint/stamps"),),
        flips=True,
        package="tuxpaint-stamps-default",
        validation=0.15,
    ),
}


def find(name: str) -> Path | None:
    """The folder that holds all files of a known data set, or None."""
    source = SOURCES[name]
    for place in (home() / "data" / name, *source.places):
        if all(_either(place / file).exists() for file in source.files):
            return place
    return None


def is_here(name: str) -> bool:
    """Whether a known data set can be opened without a download."""
    return find(name) is not None


def keeps_label_when_flipped(data: str) -> bool:
    """Whether mirrored pictures keep their labels: stated for data sets, no for folders.

    A folder may hold digits, letters or maps; `--set flip=true` says that it does not.
    """
    return data in SOURCES and SOURCES[data].flips


def open_splits(
    data: str,
    *,
    validation: float | None = None,
    test: float | None = None,
    seed: int = 0,
    divide: folder.Divide = folder.by_class,
) -> Splits:
    """The splits of a known data set or of a folder.

    validation: share of the training pictures held out (None: the data's own). test: share split
    off a folder; data sets have a test split of their own. divide: how a folder is split. Raises
    Mistake for an unknown name (the nearest is suggested) and Failure for data that are missing or
    damaged.
    """
    for name, share in (("validation", validation), ("test", test)):
        if share is not None and not 0 <= share < 1:
            raise Mistake(f"--{name} is a share in [0, 1), not {share}.")
    if data not in SOURCES:
        if os.path.isdir(data):  # which knows no error: a name may be too long for a path
            return folder.splits(
                Path(data), validation=validation, test=test, seed=seed, divide=divide
            )
        raise unknown("data set or folder", data, SOURCES)
    if test is not None:
        raise Mistake(f"{data} has a test split of its own: leave --test out.")
    train, tested = _read(data)
    share = SOURCES[data].validation if validation is None else validation
    if data == "digits":
        # the last block before the test block: other writers again, as in the test, so that the
        # validation figure does not flatter
        cut = len(train) - round(share * len(train))
        indices = {"train": np.arange(cut), "validation": np.arange(cut, len(train))}
    else:
        indices = stratified(train.labels, {"validation": share}, seed=seed, classes=train.classes)
    return Splits(train.subset(indices["train"]), train.subset(indices["validation"]), tested)


def open_undivided(data: str) -> tuple[dict[str, Samples], tuple[str, ...]]:
    """The parts that data bring, as they are, to be looked at; and what is odd about them.

    Raises Mistake for an unknown name, and Failure as `open_splits` does.
    """
    if data in SOURCES:
        return dict(zip(("train", "test"), _read(data), strict=True)), ()
    if not os.path.isdir(data):
        raise unknown("data set or folder", data, SOURCES)
    parts, told = folder.undivided(Path(data))
    return {**parts}, told


def has_test(data: str) -> bool:
    """Whether data bring a test split of their own: known data sets do, folders may."""
    return "test" in own_splits(data)


def own_splits(data: str) -> tuple[str, ...]:
    """The splits that data bring: known data sets train and test, a folder what it holds."""
    if data in SOURCES or not os.path.isdir(data):
        return "train", "test"
    return folder.own_splits(Path(data))


def open_whole(data: str) -> tuple[Samples, tuple[str, ...]]:
    """All pictures of a folder of classes, unsplit, and what is odd about them.

    Of a known data set, its test pictures.
    """
    if data not in SOURCES and os.path.isdir(data):
        return folder.whole_told(Path(data))
    return open_splits(data).test, ()


def check(data: str, *, whole: bool = False) -> None:
    """Refuse at once what `open_splits` (or `open_whole`) would refuse, by names alone.

    Nothing is decoded, hashed, compared or drawn, and of known data sets nothing is read.
    """
    if data in SOURCES:
        _place(data)
    elif whole:
        open_whole(data)
    else:
        open_splits(data, divide=folder.undrawn)


def _read(name: str) -> tuple[Samples, Samples]:
    return SOURCES[name].read(_place(name))


def _place(name: str) -> Path:
    """The folder of a known data set. Raises Failure where it is not here: how to get it."""
    where = find(name)
    if where is None:
        source = SOURCES[name]
        places = ", ".join(str(p) for p in (home() / "data" / name, *source.places))
        ways = [f"hubel data get {name}"] if source.remotes else []
        ways += [f"apt install {source.package}"] if source.package else []
        raise Failure(
            f"The files of {name} ({', '.join(source.files)}) are not in {places}. "
            f"Get them: {' or '.join(ways)}."
        )
    return where


def _either(path: Path) -> Path:
    """The path, or its uncompressed twin if only that is there."""
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    return plain if plain.exists() and not path.exists() else path
