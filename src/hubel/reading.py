"""Files of ours, read back: regular ones, of a bounded size, as the records that were written.

What lies in a folder may be damaged, or put there by somebody else. A pipe would be waited for, a
device never ends, `[` × 100,000 breaks a parser, a text where a number belongs breaks whoever
computes with it. So every file goes through here, and whatever is wrong with one becomes a Failure:
one sentence that names the file, the field, what was expected and what was found.
"""

import csv
import io
import json
import os
import reprlib
import stat
import tomllib
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from hubel.legible import from_cell
from hubel.mistakes import Failure

MOST_BYTES = 8_000_000_000  # of a file of weights: two billion float32
MOST_TEXT = 1_000_000_000  # of a table: a million pictures are 150 MB
MOST_FACTS = 100_000_000  # of JSON and TOML: the confusion of 1,000 classes is 10 MB
MOST_DEPTH = 100  # of brackets in each other
MOST_SAID = 500  # characters of what is wrong
MOST_COUNT = 2**53  # what is counted stays exact as a float, too

T = TypeVar("T")
Raw = Any  # a value as JSON, TOML or a table has it


class Missing(Failure):
    """There is no such file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} cannot be read: there is no such file.")


class Wrong(ValueError):
    """A value is not of the kind that it is to be; the text says which, and begins with its key."""


class TooDeep(Wrong):
    """Brackets lie in each other too often."""

    def __init__(self) -> None:
        super().__init__(f"its brackets lie in each other more than {MOST_DEPTH} times")


def opened(path: Path, *, most: int = MOST_BYTES) -> BinaryIO:
    """A regular file of at most so many bytes, open for reading.

    Raises Missing where there is none, and Failure for what cannot be read, is no regular file or
    is too large.
    """
    try:
        # without waiting for who writes into a pipe
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise Missing(path) from None
    except OSError as wrong:
        raise Failure(f"{path} cannot be read: {_reason(wrong)}.") from None
    except ValueError as wrong:  # a name with a zero byte in it
        raise Failure(f"{str(path)!r} cannot be read: {wrong}.") from None
    about = os.fstat(descriptor)
    if stat.S_ISREG(about.st_mode) and about.st_size <= most:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if not stat.S_ISREG(about.st_mode):
        found = "a folder" if stat.S_ISDIR(about.st_mode) else "a pipe or a device"
        raise Failure(f"{path} cannot be read: expected a file, found {found}.")
    raise Failure(
        f"{path} has {about.st_size:,} bytes, more than the {most:,} that such a file may have: it "
        "was not opened."
    )


def content(path: Path, *, most: int = MOST_BYTES) -> bytes:
    """All bytes of a file. Raises as `opened` does."""
    with opened(path, most=most) as file:
        try:
            # bounded, too, where it grows meanwhile
            return file.read(os.fstat(file.fileno()).st_size)
        except OSError as wrong:
            raise Failure(f"{path} cannot be read: {_reason(wrong)}.") from None


def text(path: Path, *, most: int = MOST_FACTS) -> str:
    """A file of text in UTF-8, with or without a byte order mark."""
    try:
        return content(path, most=most).decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise damaged(path, f"its byte {wrong.start} is no UTF-8") from None


def record(path: Path, kind: type[T]) -> T:
    """What a JSON file holds, as `typed` makes it."""
    found = text(path)
    return parsed(found, kind, path)


def parsed(found: str | bytes, kind: type[T], source: object) -> T:
    """The same of JSON that was read already; source: what to call it."""
    try:
        value = json.loads(found)
        _check_depth(value)
        made: T = typed(value, kind)
        return made
    except RecursionError:
        raise damaged(source, str(TooDeep())) from None
    except ValueError as wrong:  # JSONDecodeError, UnicodeDecodeError and Wrong among them
        raise damaged(source, str(wrong)) from None


def table(path: Path, kind: type[T]) -> list[T]:
    """The rows of a CSV file with a header, each as `typed` makes it of texts."""
    rows = csv.DictReader(io.StringIO(text(path, most=MOST_TEXT), newline=""), strict=True)
    found: list[T] = []
    try:
        # without a row nothing else would say that it is another table
        if gone := sorted(_needed(kind) - set(rows.fieldnames or ())):
            raise Wrong(f"its header has no {gone[0]}")
        for row in rows:
            if None in row or None in row.values():
                raise Wrong("it has another number of values than the header")
            found.append(typed(row, kind, texts=True))
    except (csv.Error, ValueError) as wrong:
        raise damaged(path, f"line {rows.line_num}: {wrong}") from None
    return found


def from_toml(found: str) -> dict[str, Any]:
    """The keys of a TOML text. Raises TooDeep, and Wrong for what is none."""
    try:
        value = tomllib.loads(found)
    except RecursionError:
        raise TooDeep from None
    except ValueError as wrong:  # a number of thousands of digits is one, too
        raise Wrong(f"it is not TOML: {wrong}") from None
    _check_depth(value)
    return value


def damaged(source: object, why: str) -> Failure:
    """The sentence for a file that is not what was written."""
    short = why if len(why) <= MOST_SAID else f"{why[:MOST_SAID]} …"
    plain = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short.rstrip("."))
    return Failure(f"{source} is damaged: {plain}.")


def typed(value: Raw, kind: Any, at: str = "", *, texts: bool = False) -> Any:
    """A value as `kind`: a dataclass, a TypedDict, a scalar, a list, a tuple, a mapping, a union,
    a Literal or an array of whole numbers, one in the other as their annotations say.

    Keys that the kind does not know are left out. at: the key that the value stands under. texts:
    numbers are written as texts, and nothing is the empty text. Raises Wrong.

    >>> typed({"name": "mlp", "sizes": [3, 4]}, dict[str, Any])
    {'name': 'mlp', 'sizes': [3, 4]}
    >>> typed({"a": "3"}, dict[str, int], texts=True)
    {'a': 3}
    >>> typed({"a": [1, "x"]}, dict[str, list[int]])
    Traceback (most recent call last):
    hubel.reading.Wrong: a.1: expected a whole number, found 'x'
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if kind in _SCALARS or kind is type(None):
        return _scalar(value, kind, at, texts)
    if origin is Literal:
        if not any(value is each or (type(value) is str and value == each) for each in inner):
            raise _wrong(at, f"one of {', '.join(map(repr, inner))}", value)
        return value
    if origin in (Union, types.UnionType):
        return _any_of(value, inner, at, texts)
    if origin is np.ndarray:
        return _array(typed(value, list[list[int]], at), at)
    if is_dataclass(kind) or hasattr(kind, "__required_keys__"):
        return _record(value, kind, at, texts)
    if origin in (dict, Mapping):
        _expect(value, dict, "an object", at)
        return {key: typed(each, inner[1], _under(at, key), texts=texts) for key, each in
                value.items()}  # fmt: skip
    _expect(value, (list, tuple), "a list", at)
    if origin is tuple and inner[-1] is not Ellipsis:
        if len(value) != len(inner):
            raise _wrong(at, f"a list of {len(inner)}", value)
        each_kind: Iterable[Any] = inner
    else:
        each_kind = [inner[0]] * len(value)
    found = [
        typed(each, one, _under(at, i), texts=texts)
        for i, (each, one) in enumerate(zip(value, each_kind, strict=True))
    ]
    return found if origin is list else tuple(found)


_SCALARS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _scalar(value: Raw, kind: Any, at: str, texts: bool) -> Any:
    if kind is type(None):
        if value is None or (texts and value == ""):
            return None
        raise _wrong(at, "nothing", value)
    found = _of_text(value, kind) if texts and type(value) is str else value
    if kind is float and type(found) is int and abs(found) <= MOST_COUNT:
        return float(found)
    if type(found) is not kind or (kind is int and abs(found) > MOST_COUNT):
        raise _wrong(at, _SCALARS[kind], value)
    return found


def _of_text(value: str, kind: Any) -> Raw:
    if kind is bool:
        return {"True": True, "False": False}.get(value)
    if kind is str:
        return from_cell(value)
    try:
        return kind(value)
    except ValueError:
        return None


def _any_of(value: Raw, kinds: Sequence[Any], at: str, texts: bool) -> Any:
    """As the first of the kinds that it fits; what is wrong is said of the last but None."""
    failed: list[Wrong] = []
    for kind in sorted(kinds, key=lambda kind: kind is not type(None)):
        try:
            return typed(value, kind, at, texts=texts)
        except Wrong as wrong:
            failed.append(wrong)
    raise failed[-1]


def _record(value: Raw, kind: Any, at: str, texts: bool) -> Any:
    _expect(value, dict, "an object", at)
    known, needed = _keys(kind)
    if gone := sorted(needed - value.keys()):
        raise Wrong(f"{_under(at, gone[0])} is missing")
    found = {
        key: typed(value[key], known[key], _under(at, key), texts=texts)
        for key in known
        if key in value
    }
    try:
        return kind(**found)
    except Wrong:
        raise
    except ValueError as wrong:  # what the record itself says no to
        raise Wrong(f"{at}: {wrong}" if at else str(wrong)) from None


@cache  # every row of a table asks
def _keys(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The keys of a record with their kinds, and which of them must be there."""
    if is_dataclass(kind):
        needed = [
            each.name for each in fields(kind)
            if each.default is MISSING and each.default_factory is MISSING
        ]  # fmt: skip
    else:
        needed = kind.__required_keys__
    return get_type_hints(kind), frozenset(needed)


def _needed(kind: Any) -> set[str]:
    """What a dataclass or a TypedDict cannot do without; of other kinds nothing."""
    if is_dataclass(kind):
        return {
            each.name for each in fields(kind)
            if each.default is MISSING and each.default_factory is MISSING
        }  # fmt: skip
    return set(getattr(kind, "__required_keys__", ()))


def _array(rows: list[list[int]], at: str) -> Any:
    if len({len(row) for row in rows}) > 1:
        raise Wrong(f"{at}: expected rows of one length")
    return np.array(rows, np.int64)


def _expect(value: Raw, kind: type | tuple[type, ...], said: str, at: str) -> None:
    if not isinstance(value, kind):
        raise _wrong(at, said, value)


def _under(at: str, key: object) -> str:
    return f"{at}.{key}" if at else str(key)


def _wrong(at: str, expected: str, value: Raw) -> Wrong:
    said = f"expected {expected}, found {shown(value)}"
    return Wrong(f"{at}: {said}" if at else said)


def shown(value: object) -> str:
    """A value as a sentence shows it, shortened."""
    return _SHORT.repr(value)


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 2, 40, 40, 40


def _check_depth(value: Raw) -> None:
    """Raises TooDeep beyond MOST_DEPTH: who walks through the value later may recurse."""
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            below
            for each in level
            if isinstance(each, dict | list)
            for below in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise TooDeep


def _reason(wrong: OSError) -> str:
    return os.strerror(wrong.errno) if wrong.errno else str(wrong)
