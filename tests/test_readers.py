"""Every file that hubel reads, damaged in every way: one sentence that names it, or the truth."""

import ast
import os
import re
import resource
import shutil
import signal
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

import hubel
from hubel.mistakes import Failure, Mistake
from hubel.training.recipe import parse_setting, resolve
from tests.good_files import make
from tests.mutations import STRANGE, mutations
from tests.readers import OTHERS, READERS, Reader

SHORT, LONG = 50, 2000  # mutations of each file, beside those that are the same for all
SECONDS, MEMORY = 600, 4 << 30  # beyond them a reader hangs, or has no bound; bytes


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("readers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUBEL_HOME", str(root / "home"))
        make(root)
        yield root


@pytest.fixture
def bounded() -> Iterator[None]:
    """No reader waits for ever, or takes all of the memory."""

    def late(*_: object) -> None:
        raise TimeoutError("a reader is still at it")

    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    signalled = signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, before[1]))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, signalled)
        resource.setrlimit(resource.RLIMIT_AS, before)


def check(reader: Reader, path: Path, root: Path, good: object) -> None:
    """The file as it is now is refused in a sentence that names it, or read."""
    try:
        found = reader.read(path, root)
    except (Failure, Mistake) as wrong:
        text = str(wrong)
        assert path.name in text, text
        assert len(text) < 3000, text[:3000]
        assert text.isprintable(), text
    else:
        assert not reader.checked or found in (good, None)


def damage(reader: Reader, root: Path, n: int, seed: str) -> None:
    """The good file is read, then n mutations of it, and the good one again."""
    (path,) = root.glob(reader.victim)
    beside = path.parent.iterdir() if reader.mends else [path]
    around = {each: each.read_bytes() for each in beside}
    good = reader.read(path, root)
    assert good is not None
    try:
        for i, content in enumerate(mutations(around[path], n, seed)):
            for each, whole in around.items():
                each.write_bytes(content if each == path else whole)
            try:
                check(reader, path, root, good)
            except Exception as wrong:
                raise AssertionError(f"mutation {i} of seed {seed!r}: {content[:300]!r}") from wrong
    finally:
        for each, whole in around.items():
            each.write_bytes(whole)
    again = reader.read(path, root)
    assert type(again) is type(good)
    assert not reader.checked or again == good


@pytest.mark.parametrize("name", READERS)
def test_damaged(name: str, root: Path, bounded: None) -> None:
    damage(READERS[name], root, round(SHORT * READERS[name].share), name)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", READERS)
def test_damaged_at_length(name: str, seed: int, root: Path) -> None:
    damage(READERS[name], root, round(LONG * READERS[name].share), f"{name} {seed}")


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.strange])
def test_something_else_in_its_place(name: str, root: Path, bounded: None) -> None:
    reader = READERS[name]
    (path,) = root.glob(reader.victim)
    content = path.read_bytes()
    for put in STRANGE.values():
        path.unlink()
        put(path)
        try:
            check(reader, path, root, reader)
        finally:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            path.write_bytes(content)
    assert reader.read(path, root) is not None


def test_settings(bounded: None) -> None:
    refused = 0
    for content in mutations(b"arguments.hidden=[64, 0.5]", 300, "words"):
        words = content.decode(errors="replace")
        try:
            resolve("fast", {"data": "digits"} | parse_setting(words))
        except Mistake:
            refused += 1
    assert refused > 100


# Calls that say as what a file is read, and others that read or open one.
TYPED = {"reading.record", "reading.parsed", "reading.table", "read_json", "read_table"}
READS = {
    *("reading.opened", "reading.content", "reading.text"),
    *("open", "read_text", "read_bytes", "fromfile", "memmap", "load_file", "safe_open", "loadtxt"),
    *("unseal", "read_toml", "unpack", "genfromtxt", "deserialize"),
    *("json.load", "json.loads", "tomllib.load", "tomllib.loads", "csv.reader", "csv.DictReader"),
    *("torch.load", "np.load", "safetensors.torch.load", "os.read", "pickle.load"),
}


def _of_kind(file: str, kind: str) -> str:
    if kind[0] == "_":
        return f"{file.removesuffix('.py')}.{kind}"
    return kind if kind[0].isupper() or kind == "machine.Environment" else f"{file}:{kind}"


def places(root: Path) -> Iterator[str]:
    """Where the source reads files: "Status", a record that has a name of its own, "model._Facts",
    a file's private one, and else "run.py:Run.log", the function.
    """
    called = re.compile("|".join(rf"\b{re.escape(name)}\(" for name in sorted(TYPED | READS)))
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if called.search(text):  # a tree takes much longer
            yield from _in(ast.parse(text), path.relative_to(root).as_posix(), "")


def _in(node: ast.AST, file: str, function: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        here = function
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            here = f"{function}.{child.name}" if function else child.name
        if isinstance(child, ast.Call):
            called = ast.unparse(child.func)
            names = {called, called.rpartition(".")[2]}
            if names & TYPED:
                yield _of_kind(file, ast.unparse(child.args[1]))
            elif names & READS:
                yield f"{file}:{here}"
        yield from _in(child, file, here)


def test_every_place_that_reads_has_a_row() -> None:
    found = set(places(Path(hubel.__file__).parent))
    known = {place for reader in READERS.values() for place in reader.reads}
    other = {place for place in found if any(fnmatch(place, f"{each}*") for each in OTHERS)}
    assert found - known - other == set(), "add a row to tests/readers.py, or say why not in OTHERS"
    assert known - found == set(), "these are read no more"
    assert {each for each in OTHERS if not any(fnmatch(place, f"{each}*") for place in found)} == (
        set()
    )
