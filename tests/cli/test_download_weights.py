"""hubel predict NETWORK --download: from a server on loopback to an answer, and what goes wrong."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import hubel
from hubel.networks import catalogue, weights
from hubel.networks.checkpoint_names import RESNET, published_name
from tests.conftest import Command, paint
from tests.loopback import Server, serving


@pytest.fixture(scope="module")
def checkpoint() -> bytes:
    """A ResNet-18 that answers "tench" (class 0) whatever it is shown, in torchvision's layout."""
    network = catalogue.build("resnet18", classes=1000, channels=3, size=(224, 224))
    state = {published_name(key, RESNET): v for key, v in network.state_dict().items()}
    state["fc.weight"] = torch.zeros(1000, 512)
    state["fc.bias"] = torch.zeros(1000).index_fill(0, torch.tensor([0]), 20.0)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@pytest.fixture
def server(checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    digits = hashlib.sha256(checkpoint).hexdigest()[:8]
    file = f"resnet18-{digits}.pth"
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path / "home"))
    paint(tmp_path / "cat.png", 0, 100)
    monkeypatch.chdir(tmp_path)
    with serving() as state:
        state.files[f"/{file}"] = checkpoint
        row = replace(
            weights.PUBLISHED["resnet18"], file=file, sha256=digits, url=f"{state.url}/{file}"
        )
        monkeypatch.setitem(weights.PUBLISHED, "resnet18", row)
        yield state


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "home" / "weights").iterdir())


def test_fetched_once_checked_and_asked(
    server: Server, hubel_command: Command, tmp_path: Path, checkpoint: bytes
) -> None:
    file = weights.PUBLISHED["resnet18"].file
    answer = hubel_command("predict", "resnet18", "cat.png")
    assert answer.code == 1
    assert f"47 MB from {server.url}/{file}" in answer.err
    assert "hubel predict resnet18 PICTURE --download" in answer.err
    assert server.ranges == []  # nothing is fetched unasked
    answer = hubel_command("predict", "resnet18", "cat.png", "--download", "--top", 1)
    assert answer.code == 0, answer.err
    assert "100.00 %  tench" in answer.out
    assert kept(tmp_path) == [file]
    for more in ((), ("--download",)):
        assert hubel_command("predict", "resnet18", "cat.png", *more).code == 0
    assert server.ranges == [None]
    assert hubel.load("resnet18").provenance["weights"] == weights.PUBLISHED["resnet18"].source


def test_a_server_that_stops_half_way(
    server: Server, hubel_command: Command, tmp_path: Path
) -> None:
    server.behaviour, server.stops_after = "stops", 10_000_000
    answer = hubel_command("predict", "resnet18", "cat.png", "--download")
    assert answer.code == 1
    assert "10,000,000 bytes are kept; the same command goes on from there" in answer.err
    assert kept(tmp_path) == [weights.PUBLISHED["resnet18"].file + ".part"]
    assert hubel_command("predict", "resnet18", "cat.png").code == 1  # a part is no file
    server.behaviour = "good"
    assert hubel_command("predict", "resnet18", "cat.png", "--download").code == 0
    assert server.ranges == [None, "bytes=10000000-"]


def test_a_wrong_hash(
    server: Server, hubel_command: Command, tmp_path: Path, checkpoint: bytes
) -> None:
    file = weights.PUBLISHED["resnet18"].file
    server.files[f"/{file}"] = b"another file"
    answer = hubel_command("predict", "resnet18", "cat.png", "--download")
    assert answer.code == 1
    assert "not what its publisher put there" in answer.err
    assert weights.PUBLISHED["resnet18"].sha256 in answer.err
    assert kept(tmp_path) == []
    # damaged where it is kept: not opened, and fetched anew when asked
    server.files[f"/{file}"] = checkpoint
    (tmp_path / "home" / "weights" / file).write_bytes(checkpoint[:-1])
    answer = hubel_command("predict", "resnet18", "cat.png")
    assert answer.code == 1
    assert "It was not opened" in answer.err
    assert hubel_command("predict", "resnet18", "cat.png", "--download").code == 0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9/resnet18.pth", "refused"),
        ("http://hubel.invalid/resnet18.pth", "hubel.invalid"),  # a name that nobody has
    ],
)
def test_no_internet(
    url: str, reason: str, server: Server, hubel_command: Command, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    row = replace(weights.PUBLISHED["resnet18"], url=url)
    monkeypatch.setitem(weights.PUBLISHED, "resnet18", row)
    answer = hubel_command("predict", "resnet18", "cat.png", "--download")
    assert answer.code == 1
    assert reason in answer.err
    assert str(tmp_path / "home" / "weights" / row.file) in answer.err  # where to put it by hand
    assert len(answer.err.strip().splitlines()) == 1


def test_networks_that_nobody_publishes_weights_for(hubel_command: Command, folder: Path) -> None:
    answer = hubel_command("predict", "resnet20", folder / "dark" / "0.png", "--download")
    assert answer.code == 2
    assert "no published weights" in answer.err
