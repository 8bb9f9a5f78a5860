"""The peers' own Python environments, under benchmarks/.peers: nothing of theirs enters hubel's.

    python benchmarks/peers.py [NAME ...]

makes those that are missing or were left half made. `ready` is written last, so an environment
without it is made anew.
"""

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE / ".peers"

# name → packages; those in the second tuple are installed without their own dependencies
REQUIREMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "keras": (("torch>=2.13,<2.14", "keras>=3.10"), ()),
    "decoders": (("simplejpeg", "opencv-python-headless", "numpy"), ()),
    "kornia": (("torch>=2.13,<2.14", "kornia>=0.8"), ()),
    "lightning": (("torch>=2.13,<2.14", "lightning>=2.5"), ()),
    # for its networks; imported from here into our own process, see sides/networks_pair.py
    "torchvision": (("torch>=2.13,<2.14", "numpy", "pillow"), ("torchvision==0.28.0",)),
    # torchvision's wheels for the CPU build of torch are not on PyPI; sides/fastai_*.py declare the
    # two operators that the others miss
    "fastai": (
        ("torch>=2.13,<2.14", "numpy", "pandas", "matplotlib", "scikit-learn", "scipy", "spacy<4",
         "fastdownload", "fastcore>=2.2.22", "fasttransform>=0.0.3", "fastprogress>=0.2.4",
         "plum-dispatch<2.10", "cloudpickle", "pillow", "pyyaml", "requests", "packaging"),
        ("torchvision==0.28.0", "fastai>=2.8"),
    ),
    # foolbox, ART and torchattacks in one: sides/attacks.py; the last two ask for what is not
    # needed here, or for a torchvision that is not there
    "attacks": (
        ("torch>=2.13,<2.14", "numpy", "scipy", "safetensors", "foolbox==3.3.4", "packaging",
         "requests", "scikit-learn", "setuptools", "six", "tqdm"),
        ("torchvision==0.28.0", "torchattacks==3.5.1", "adversarial-robustness-toolbox==1.20.1"),
    ),
    # imported from here into our own process, see sides/robust.py
    "autoattack": ((), ("pyautoattack==0.2.0",)),
}  # fmt: skip


def python(name: str) -> Path:
    """The Python of a peer's environment. Raises SystemExit when it is not ready."""
    if not ready(name):
        raise SystemExit(f"The peer {name} is not set up: python benchmarks/peers.py {name}")
    return PEERS / name / "bin" / "python"


def packages(name: str) -> Path:
    """Where a peer's packages lie, for what is imported from there into our own process."""
    return next((python(name).parents[1] / "lib").glob("python*/site-packages"))


def ready(name: str) -> bool:
    return (PEERS / name / "ready").exists()


def versions(name: str) -> str:
    """The versions of a peer's main packages, as they were installed."""
    found: dict[str, str] = json.loads((PEERS / name / "ready").read_text())
    return " ".join(f"{package} {number}" for package, number in found.items())


def versions_of(side: str) -> str:
    """The versions behind a side that begins with a peer's name; nothing for our own."""
    name = side.split()[0].strip(",")
    return versions(name) if name in REQUIREMENTS and ready(name) else ""


def make(name: str) -> None:
    """Make the environment from nothing. Raises SystemExit with pip's last lines."""
    folder = PEERS / name
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q"]
    full, bare = REQUIREMENTS[name]
    for packages, flags in ((full, []), (bare, ["--no-deps"])):
        if not packages:
            continue
        done = subprocess.run([*pip, *flags, *packages], capture_output=True, text=True)
        if done.returncode:
            end = "\n".join(done.stderr.splitlines()[-5:])
            raise SystemExit(f"The peer {name} could not be installed:\n{end}")
    listed = subprocess.run(
        [*pip[:3], "list", "--format", "json"], capture_output=True, text=True, check=True
    )
    wanted = {"torch", "torchvision", "simplejpeg", "opencv-python-headless", name}
    wanted |= {"foolbox", "torchattacks", "adversarial-robustness-toolbox", "pyautoattack"}
    numbers = {p["name"]: p["version"] for p in json.loads(listed.stdout) if p["name"] in wanted}
    (folder / "ready").write_text(json.dumps(numbers))


def main(names: list[str]) -> None:
    strange = [name for name in names if name not in REQUIREMENTS]
    if strange:
        raise SystemExit(
            f"No such peer: {', '.join(strange)}; there are {', '.join(REQUIREMENTS)}."
        )
    failures = []
    for name in names or REQUIREMENTS:
        if ready(name):
            print(f"{name}: here ({versions(name)})")
            continue
        print(f"{name}: installing …", flush=True)
        try:
            make(name)
            print(f"{name}: {versions(name)}")
        except SystemExit as wrong:
            failures.append(name)
            print(wrong)
    if failures:
        raise SystemExit(f"Left out of the comparisons: {', '.join(failures)}.")


if __name__ == "__main__":
    main(sys.argv[1:])
