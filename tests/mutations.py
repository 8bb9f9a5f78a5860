"""What becomes of a file that is damaged: its content changed by a seed, or another thing there."""

import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

# what stands in a text between its brackets and commas
TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*"|-?[0-9][0-9a-zA-Z.+-]*|true|false|null|[A-Za-z_][\w.-]*')
UGLY = (
    *(b"", b"null", b"true", b'"x"', b"x", b"-1", b"0", b"1e308", b"1e999", b"NaN", b"nan"),
    *(b"Infinity", b"-inf", b"18446744073709551616", b"9" * 5000, b"[]", b"{}", b'""'),
    *(b"[" * 150 + b"]" * 150, b"a" * 200_000, b'"../../etc/passwd"', b'"/dev/zero"', b"'", b'"'),
    *("é".encode("latin-1"), "😀".encode(), b"\x00", b"\\ud800", b'"\\ud800"', b"2026-12-01"),
)
WHOLE = (
    *(b"", b"\x00", b"null", b"[]", b"{}", b"0", b'"x"', b"\n" * 1000, b"\xff\xfe" * 50),
    *(b"[" * 100_000, b'{"a":' * 100_000, b"x=" + b"[" * 100_000, b"9" * 10_000, b"a," * 10_000),
    *(b'"' + b"a" * 300_000, b"\x80\x04pickled", b"PK\x03\x04", b"\x1f\x8bjunk"),
)


def _token(content: bytes, chance: random.Random) -> bytes:
    """One token in another's place, or an ugly one."""
    found = list(TOKEN.finditer(content, 0, 200_000))
    if not found:
        return content
    place = chance.choice(found)
    other = chance.choice(UGLY) if chance.random() < 0.7 else chance.choice(found)[0]
    return content[: place.start()] + other + content[place.end() :]


def _flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 8))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _slices(content: bytes, chance: random.Random) -> bytes:
    """A part left out, said twice, put elsewhere, or overwritten with noise."""
    a, b, c, d = sorted(chance.randrange(len(content) + 1) for _ in range(4))
    noise = chance.randbytes(min(b - a, 64))
    return chance.choice((
        content[:a] + content[b:],
        content[:b] + content[a:],
        content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:],
        content[:a] + noise + content[a + len(noise) :],
        content[:a] + content[c:d] + content[a + d - c :],
    ))  # fmt: skip


def _encoded(content: bytes, chance: random.Random) -> bytes:
    text = content.decode("latin-1")
    return text.encode(chance.choice(("utf-16", "utf-8-sig", "utf-32-le", "utf-7")))


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_token, _token, _token, _token, _flipped, _flipped, _cut, _slices, _slices, _encoded),
)


def mutations(content: bytes, n: int, seed: str) -> Iterator[bytes]:
    """All of WHOLE, then n changes of the content that follow from the seed."""
    yield from WHOLE
    chance = random.Random(seed)
    for _ in range(n):
        changed = content
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            changed = chance.choice(CHANGES)(changed, chance)
        yield changed


def _too_large(path: Path) -> None:
    path.touch()
    os.truncate(path, 9_000_000_000)  # it takes no room


# What may lie in the place of a file.
STRANGE: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a file without end": _too_large,
}
