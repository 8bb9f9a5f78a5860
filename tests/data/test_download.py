"""Downloads from a server on loopback that behaves, stops, lies, and ignores what it is asked."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hubel.data import download, sources
from hubel.data.download import get, get_dataset, unpack
from hubel.data.sources import Remote
from hubel.mistakes import Failure, Mistake
from tests.data.test_formats import write_idx

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server:
    """What the server serves, how it behaves, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/file": CONTENT}
        self.behaviour = "good"
        self.ranges: list[str | None] = []
        self.url = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            if self.path not in state.files:
                self.send_error(404)
                return
            if state.behaviour == "redirect":
                self.send_response(302)
                self.send_header("Location", "file:///etc/hostname")
                self.end_headers()
                return
            content = state.files[self.path]
            start = int(asked[6:-1]) if asked and state.behaviour != "no ranges" else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if state.behaviour == "stops":
                content = content[: start + 300_000]
            if state.behaviour == "stalls":
                self.wfile.write(content[start : start + 1000])
                release.wait(5)
                return
            self.wfile.write(content[start:])

    release = threading.Event()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    yield state
    release.set()
    httpd.shutdown()
    thread.join()
    httpd.server_close()


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
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
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
    ):
        bad = archive(tmp_path / "bad.tar.gz", members, kind)
        with pytest.raises(Failure, match="not unpacked"):
            unpack(bad, tmp_path / "bad")
        assert not (tmp_path / "bad").exists()
    (tmp_path / "cut.tar.gz").write_bytes(good.read_bytes()[:40])
    with pytest.raises(Failure, match="cannot be unpacked"):
        unpack(tmp_path / "cut.tar.gz", tmp_path / "bad")


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
