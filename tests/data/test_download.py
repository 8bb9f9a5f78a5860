"""Downloads from a server on loopback that behaves, stops, lies, and ignores what it is asked."""

import gzip
import hashlib
import io
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hubel import fetch
from hubel.data import sources
from hubel.data.download import get, get_dataset, unpack
from hubel.data.sources import Remote
from hubel.mistakes import Failure, Mistake
from tests.data.test_formats import write_idx
from tests.loopback import Server, serving

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        state.files["/file"] = CONTENT
        yield state


def test_a_good_server(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = get(
        f"{server.url}/file", tmp_path / "deep" / "file", md5=MD5,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    get(f"{server.url}/file", path, md5=MD5)
    assert len(server.ranges) == 1  # what is there is not fetched again


@pytest.mark.parametrize("behaviour", ["good", "no ranges"])
def test_a_download_that_stopped_goes_on(server: Server, tmp_path: Path, behaviour: str) -> None:
    server.behaviour = "stops"
    with pytest.raises(Failure, match="300,000 bytes are kept"):
        get(f"{server.url}/file", tmp_path / "file", md5=MD5)
    assert not (tmp_path / "file").exists()
    server.behaviour = behaviour
    get(f"{server.url}/file", tmp_path / "file", md5=MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-"]


def test_a_complete_part_only_needs_its_hash(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    get(f"{server.url}/file", tmp_path / "file", md5=MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_hash_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.files["/file"] = CONTENT[:-1] + b"x"
    with pytest.raises(Failure, match=MD5):
        get(f"{server.url}/file", tmp_path / "file", md5=MD5)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_stalls(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT", 0.3)
    server.behaviour = "stalls"
    with pytest.raises(Failure, match="timed out"):
        get(f"{server.url}/file", tmp_path / "file", md5=MD5)


def test_not_found_offline_and_other_schemes(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"Not Found.*put it at"):
        get(f"{server.url}/none", tmp_path / "file", md5=MD5)
    with pytest.raises(Failure, match="refused"):
        get("http://127.0.0.1:9/file", tmp_path / "file", md5=MD5)
    with pytest.raises(Mistake, match="file:///etc"):
        get("file:///etc/hostname", tmp_path / "file", md5=MD5)
    server.behaviour = "redirect"
    with pytest.raises(Failure, match="not allowed"):
        get(f"{server.url}/file", tmp_path / "file", md5=MD5)
    assert not (tmp_path / "file").exists()


def test_a_hash_may_be_known_by_its_beginning(server: Server, tmp_path: Path) -> None:
    sha = hashlib.sha256(CONTENT).hexdigest()
    path = fetch.get(f"{server.url}/file", tmp_path / "file", digest=sha[:8])
    fetch.get(f"{server.url}/file", path, digest=sha)
    assert len(server.ranges) == 1
    with pytest.raises(Failure, match=f"SHA-256 begins {sha[:8]}, expected 00000000"):
        fetch.get(f"{server.url}/file", path, digest="00000000")
    assert path.read_bytes() == CONTENT  # what was there before is untouched


def test_a_length_that_is_no_number_is_not_believed(server: Server, tmp_path: Path) -> None:
    server.behaviour = "odd length"
    get(f"{server.url}/file", tmp_path / "file", md5=MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def archive(path: Path, members: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(content), kind, "/etc/passwd"
            tar.addfile(info, io.BytesIO(content))
    return path


def test_archives_are_looked_through_before_a_byte_is_written(tmp_path: Path) -> None:
    good = archive(tmp_path / "good.tar.gz", {"deep/a.bin": b"1", "deep/b.bin": b"2"})
    unpack(good, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.bin", "b.bin"]
    for members, kind in (
        ({"../evil": b"x"}, tarfile.REGTYPE),
        ({"/etc/evil": b"x"}, tarfile.REGTYPE),
        ({"a": b"", "link": b""}, tarfile.SYMTYPE),
        ({"x/a": b"1", "y/a": b"2"}, tarfile.REGTYPE),
        ({".": b"over the folder itself"}, tarfile.REGTYPE),
        ({"x/bad.tar.gz": b"over the archive"}, tarfile.REGTYPE),
    ):
        bad = archive(tmp_path / "bad.tar.gz", members, kind)
        with pytest.raises(Failure, match="not unpacked"):
            unpack(bad, tmp_path / "bad")
        assert not (tmp_path / "bad").exists()
    (tmp_path / "cut.tar.gz").write_bytes(good.read_bytes()[:40])
    with pytest.raises(Failure, match="cannot be unpacked"):
        unpack(tmp_path / "cut.tar.gz", tmp_path / "bad")


@pytest.mark.parametrize("packed", [True, False])
def test_damaged_archives_are_unpacked_or_refused(tmp_path: Path, packed: bool) -> None:
    """Whatever a flipped byte makes of an archive, or of the tar within, it is one sentence."""
    whole = archive(tmp_path / "whole.tar.gz", {f"{i}.bin": bytes([i]) * 3000 for i in range(3)})
    content = whole.read_bytes() if packed else gzip.decompress(whole.read_bytes())
    draw = np.random.default_rng(3)
    refused = 0
    for _ in range(150 if packed else 40):
        damaged = bytearray(content)
        for place in draw.integers(10 if packed else 0, len(content), 4).tolist():
            damaged[place] = int(draw.integers(256))
        bad = tmp_path / "bad.tar.gz"
        bad.write_bytes(damaged if packed else gzip.compress(damaged, 1))
        try:
            unpack(bad, tmp_path / "bad")
        except Failure:
            refused += 1
        if (tmp_path / "bad").exists():
            shutil.rmtree(tmp_path / "bad")
    assert refused > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.tar.gz", "whole.tar.gz"]


def test_a_whole_data_set_from_its_publisher(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(tmp_path / "publisher", 100)
    row = sources.SOURCES["mnist"]
    remotes = []
    for name in row.files:
        content = (tmp_path / "publisher" / name).read_bytes()
        server.files[f"/{name}"] = content
        remotes.append(Remote(f"{server.url}/{name}", hashlib.md5(content).hexdigest()))
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path / "home"))
    served = {**vars(row), "remotes": tuple(remotes)}
    monkeypatch.setitem(sources.SOURCES, "mnist", sources.Source(**served))
    folder = get_dataset("mnist")
    assert folder == tmp_path / "home" / "data" / "mnist"
    assert len(sources.open_splits("mnist").test) == 50
    with pytest.raises(Mistake, match="nothing to download for digits"):
        get_dataset("digits")
