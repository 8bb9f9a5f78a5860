"""Decoded once: the same pictures from the store, whatever happened to it meanwhile."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hubel import reading
from hubel.data import cache, decoding, samples
from hubel.data.cache import INDEX, LOCK, ROWS, Store
from hubel.data.decoding import Loaded, load
from hubel.data.folder import whole
from hubel.pixels import PixelSpec, Unreadable, decode, fit, read
from tests.conftest import paint

SPEC = PixelSpec((9, 7), channels=3)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the pictures that are decoded, as they are."""
    names: list[str] = []

    def listening(source: object, spec: PixelSpec, **told: object) -> object:
        names.append(str(told["name"]))
        return read(source, spec, **told)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding, "read", listening)
    return names


def store() -> Store:
    return cache.store(SPEC, background=1.0)


def places() -> dict[str, cache.Place]:
    with store().contents() as (found, _):
        return found


def same(a: Loaded, b: Loaded) -> bool:
    return np.array_equal(a.images, b.images) and a.names == b.names


@pytest.mark.parametrize("hashed", [True, False])
def test_decoded_once(
    hashed: bool, folder: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hashed:
        monkeypatch.setattr("hubel.data.class_folders.MOST_HASHED", 0)
    first = load(whole(folder), SPEC)
    assert len(decoded) == 30
    assert len(places()) == 30
    for i, path in enumerate(whole(folder).paths):
        assert np.array_equal(first.images[i], fit(decode(path), SPEC).transpose(2, 0, 1))
    decoded.clear()
    assert same(load(whole(folder), SPEC), first)
    assert decoded == []
    chosen = np.array([20, 3, 11])
    part = load(whole(folder).subset(chosen), SPEC)
    assert np.array_equal(part.images, first.images[chosen])
    assert decoded == []


def test_digests_come_from_what_was_decoded(folder: Path) -> None:
    data = whole(folder)
    load(data, SPEC)
    for i, path in enumerate(data.paths):
        assert data.digests[path] == data.digest(i) == samples.digest(path, hashed=True)


def test_another_geometry_is_another_store(folder: Path, decoded: list[str]) -> None:
    load(whole(folder), SPEC)
    for other in (
        PixelSpec((7, 9)),
        PixelSpec((9, 7), channels=1),
        PixelSpec((9, 7), resize="pad"),
    ):
        decoded.clear()
        load(whole(folder), other)
        assert len(decoded) == 30


def test_a_changed_file_is_decoded_anew(folder: Path, decoded: list[str]) -> None:
    load(whole(folder), SPEC)
    decoded.clear()
    paint(folder / "dark" / "3.png", 999, 41)
    again = load(whole(folder), SPEC)
    assert decoded == ["dark/3.png"]
    assert np.array_equal(
        again.images[again.names.index("dark/3.png")],
        fit(decode(folder / "dark" / "3.png"), SPEC).transpose(2, 0, 1),
    )


def test_copies_share_a_row_and_moves_cost_nothing(folder: Path, decoded: list[str]) -> None:
    first = load(whole(folder), SPEC)
    decoded.clear()
    shutil.copytree(folder, folder.parent / "elsewhere")
    elsewhere = load(whole(folder.parent / "elsewhere"), SPEC)
    assert decoded == []
    assert np.array_equal(elsewhere.images, first.images)
    shutil.copy(folder / "grey" / "1.png", folder / "grey" / "copy.png")
    load(whole(folder), SPEC)
    assert len(places()) == 30


def test_what_cannot_be_read_is_not_kept(folder: Path, decoded: list[str]) -> None:
    (folder / "dark" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (folder / "dark" / "empty.png").touch()
    (folder / "dark" / "gone.png").symlink_to("nowhere.png")
    first = load(whole(folder), SPEC, max_unreadable=0.5)
    assert [name for name, _ in first.unreadable] == [
        "dark/broken.png", "dark/empty.png", "dark/gone.png",
    ]  # fmt: skip
    assert "empty" in first.unreadable[1][1]
    assert "no such file" in first.unreadable[2][1]
    again = load(whole(folder), SPEC, max_unreadable=0.5)
    assert again.unreadable == first.unreadable
    assert len(places()) == 30


@pytest.mark.parametrize("damage", ["half a line", "rows beyond", "rows cut", "binary", "gone"])
def test_a_damaged_store_is_mended(damage: str, folder: Path, decoded: list[str]) -> None:
    first = load(whole(folder), SPEC)
    index, rows = store().path / INDEX, store().path / ROWS
    if damage == "half a line":
        index.write_bytes(index.read_bytes()[:-7])
    elif damage == "rows beyond":
        rows.write_bytes(rows.read_bytes() + b"\x07" * 500)
    elif damage == "rows cut":
        os.truncate(rows, 11 * store().row_bytes + 5)
    elif damage == "binary":
        index.write_bytes(b"\xff\xfe" * 100)
    else:
        index.unlink()
    decoded.clear()
    assert same(load(whole(folder), SPEC), first)
    missing = {"half a line": 1, "rows beyond": 0, "rows cut": 19, "binary": 30, "gone": 30}
    assert len(decoded) == missing[damage]
    decoded.clear()
    assert same(load(whole(folder), SPEC), first)
    assert decoded == []


@pytest.mark.parametrize("damage", ["inverted rows", "a line of another", "rows swapped", "a bit"])
def test_damaged_rows_are_never_taken(damage: str, folder: Path, decoded: list[str]) -> None:
    first = load(whole(folder), SPEC)
    index, rows = store().path / INDEX, store().path / ROWS
    content, lines = bytearray(rows.read_bytes()), index.read_text().splitlines()
    size = store().row_bytes
    if damage == "inverted rows":
        rows.write_bytes(bytes(255 - byte for byte in content))
    elif damage == "a line of another":  # the later one counts: its own picture is not there then
        lines[3] = lines[7]
        index.write_text("\n".join(lines) + "\n")
    elif damage == "rows swapped":
        content[:size], content[size : 2 * size] = content[size : 2 * size], content[:size]
        rows.write_bytes(content)
    else:
        content[5 * size + 7] ^= 4
        rows.write_bytes(content)
    decoded.clear()
    again = load(whole(folder), SPEC)
    assert same(again, first)
    anew = {"inverted rows": 30, "a line of another": 1, "rows swapped": 2, "a bit": 1}[damage]
    assert len(decoded) == anew
    if damage != "a line of another":
        assert f"{anew} decoded picture" in again.notices[0]
    decoded.clear()
    assert same(load(whole(folder), SPEC), first)  # mended
    assert decoded == []


def test_what_is_read_from_is_never_cut_or_written_over(folder: Path) -> None:
    load(whole(folder), SPEC)
    with store().contents() as (known, rows):
        (store().path / INDEX).write_bytes(b"")  # another process finds this, and adds its pictures
        for i in range(10):
            paint(folder / "new" / f"{i}.png", 900 + i, 120)
        load(whole(folder), SPEC)
        assert len(known) == len(rows) == 30
        assert all(rows.whole(digest, place) is not None for digest, place in known.items())
    assert (store().path / ROWS).stat().st_size >= 30 * store().row_bytes


@pytest.mark.parametrize("left", [0, 1, 1000])
def test_rows_that_are_cut_off_while_they_are_read_are_decoded(
    left: int, folder: Path, decoded: list[str]
) -> None:
    """A mapping of them would end the process: SIGBUS."""
    first = load(whole(folder), SPEC)
    decoded.clear()
    seen = 0

    def cuts(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == 10:
            os.truncate(store().path / ROWS, left)

    assert same(load(whole(folder), SPEC, each=cuts), first)
    assert len(decoded) == 20
    decoded.clear()
    assert same(load(whole(folder), SPEC), first)


def test_another_process_writes(folder: Path, decoded: list[str]) -> None:
    store().path.mkdir(parents=True)
    with (store().path / LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        first = load(whole(folder), SPEC)
        assert places() == {}
        assert first.notices == ()
    assert same(load(whole(folder), SPEC), first)
    assert len(places()) == 30


def test_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def write(*told: object) -> None:
        written.append(told)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache, "_write", write)
    loaded = load(whole(folder), SPEC)
    assert len(loaded.images) == 30
    assert loaded.notices == (
        "The decoded pictures could not all be kept for next time: No space left on device.",
    )
    assert len(written) == 1


def test_a_home_that_cannot_be_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path / "file" / "below"))
    loaded = load(whole(folder), SPEC)
    assert len(loaded.images) == 30
    assert loaded.notices == (
        "The decoded pictures could not all be kept for next time: Not a directory.",
    )


def test_nothing_is_kept_when_nothing_may_be(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBEL_CACHE_GB", "0")
    load(whole(folder), SPEC)
    assert not home.exists()


def test_a_store_no_larger_than_allowed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBEL_CACHE_GB", str(10.5 * store().row_bytes / 1e9))
    first = load(whole(folder), SPEC)
    assert len(first.images) == 30
    assert len(places()) == 10
    assert first.notices[0].startswith("The decoded pictures could not all be kept")
    assert same(load(whole(folder), SPEC), first)


def test_a_store_full_of_other_pictures_is_begun_anew(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBEL_CACHE_GB", str(30.5 * store().row_bytes / 1e9))
    load(whole(folder), SPEC)
    with store().contents() as (known, rows):
        for k in range(10):
            paint(tmp_path / "others" / "ab"[k % 2] / f"{k}.png", 500 + k, 40 + 15 * k)
        load(whole(tmp_path / "others"), SPEC)
        assert len(places()) == 10
        # who has it open has it still
        assert sum(rows.whole(digest, place) is not None for digest, place in known.items()) == 30


def test_an_index_is_not_read_with_another_store_s_rows(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(whole(folder), SPEC)
    content = reading.content

    def replaced_meanwhile(path: Path, **told: int) -> bytes:
        found = content(path, **told)
        (path.parent / ROWS).unlink()
        (path.parent / ROWS).write_bytes(bytes(30 * store().row_bytes))
        return found

    monkeypatch.setattr(reading, "content", replaced_meanwhile)
    assert places() == {}


def test_the_longest_unused_store_goes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [PixelSpec((9, width)) for width in (6, 7, 8)]
    stores = [cache.store(spec, background=1.0) for spec in specs]
    for age, (spec, one) in enumerate(zip(specs[:2], stores[:2], strict=True)):
        load(whole(folder), spec)
        os.utime(one.path, (1000 + age, 1000 + age))
    load(whole(folder), specs[0])  # of use again
    lines = (stores[0].path / INDEX).stat().st_size
    each = [30 * one.row_bytes + lines for one in stores]
    monkeypatch.setenv("HUBEL_CACHE_GB", str((each[0] + each[2]) / 1e9))
    load(whole(folder), specs[2])
    assert [one.path.exists() for one in stores] == [True, False, True]


def test_a_file_that_vanishes_meanwhile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = whole(folder)
    (folder / "grey" / "4.png").unlink()
    loaded = load(data, SPEC)
    assert [name for name, _ in loaded.unreadable] == ["grey/4.png"]
    assert isinstance(decoding._refused(folder / "grey" / "5.png", SPEC, "x"), Unreadable)
