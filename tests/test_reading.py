"""The typed readers: a sentence that names the file, the field, what was expected and found."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from hubel import reading
from hubel.mistakes import Failure


@dataclass(frozen=True)
class Inner:
    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError("share is from 0 to 1")


@dataclass(frozen=True)
class Outer:
    name: str
    kind: Literal["a", "b"]
    parts: tuple[Inner, ...] = ()
    sizes: tuple[int, int] | None = None
    more: dict[str, bool | int] | None = None


def test_a_record_of_records(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(
        '{"name": "é", "kind": "a", "parts": [{"share": 1, "new": 3}], "sizes": [3, 4], '
        '"more": {"x": true, "y": 2}, "unknown": 1}'
    )
    found = reading.record(path, Outer)
    assert found == Outer("é", "a", (Inner(1.0),), (3, 4), {"x": True, "y": 2})
    assert type(found.parts[0].share) is float
    assert found.more is not None
    assert found.more["x"] is True


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[]", r"expected an object, found \[\]"),
        (b"{}", "kind is missing"),
        (b'{"name": 3, "kind": "a"}', "name: expected a text, found 3"),
        (b'{"name": "x", "kind": "c"}', "kind: expected one of 'a', 'b', found 'c'"),
        (b'{"name": "x", "kind": "a", "parts": [{"share": 1}, {}]}', r"parts\.1\.share is missing"),
        (b'{"name": "x", "kind": "a", "parts": [{"share": NaN}]}', r"parts\.0: share is from 0"),
        (b'{"name": "x", "kind": "a", "sizes": [1]}', "sizes: expected a list of 2"),
        (b'{"name": "x", "kind": "a", "sizes": [1, 2.0]}', r"sizes\.1: expected a whole number"),
        (b'{"name": "x", "kind": "a", "more": {"\\u001b[31m": 0.5}}', r"more.*expected a whole"),
        (b'{"name": "x", "kind": "a", "sizes": [1, 1' + b"0" * 30 + b"]}", "whole number"),
        (b"9" * 5000, "is damaged"),
        (b"[" * 100_000, "more than 100 times"),
        (b"[" * 500 + b"]" * 500, "more than 100 times"),
        (b'{"name"', "is damaged"),
        (b"\xff\xfe{}", "its byte 0 is no UTF-8"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    with pytest.raises(Failure, match=said) as caught:
        reading.record(path, Outer)
    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable()


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,0.5\n2,\n")
    assert reading.table(path, dict[str, float | None]) == [{"a": 1, "b": 0.5}, {"a": 2, "b": None}]
    for content, said in (
        ("a,b\n1,2\nx,3\n", "line 3: a: expected a number, found 'x'"),
        ("a,b\n1,2,3\n", "line 2: it has another number of values"),
        ("a,b\n1\n", "line 2: it has another number of values"),
        ('a,b\n"' + "x" * 200_000 + '",1\n', "field larger"),
    ):
        path.write_text(content)
        with pytest.raises(Failure, match=f"rows.csv is damaged: .*{said}"):
            reading.table(path, dict[str, float | None])


@pytest.mark.parametrize("content", ["", "\n", "[[[[", "share,other\n"])
def test_a_table_without_rows_is_known_by_its_header(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)
    assert reading.table(path, dict[str, float]) == []
    if content.startswith("share"):
        assert reading.table(path, Inner) == []
        return
    with pytest.raises(Failure, match=r"rows.csv is damaged: .*its header has no share\."):
        reading.table(path, Inner)


def test_only_files_of_a_bounded_size(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert reading.content(tmp_path / "file", most=5) == b"12345"
    with pytest.raises(Failure, match="file has 5 bytes, more than the 4"):
        reading.content(tmp_path / "file", most=4)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Failure, match="pipe cannot be read: expected a file, found a pipe"):
        reading.content(tmp_path / "pipe")
    with pytest.raises(Failure, match="expected a file, found a folder"):
        reading.content(tmp_path)
    with pytest.raises(Failure, match="/dev/zero cannot be read"):
        reading.content(Path("/dev/zero"))
    for gone in (tmp_path / "none", tmp_path / "file" / "below"):
        with pytest.raises(reading.Missing, match="there is no such file"):
            reading.content(gone)
