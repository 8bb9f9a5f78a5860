"""The user's own folder of ours: downloads, caches, what was measured about the machine."""

import os
from pathlib import Path


def home() -> Path:
    """$HUBEL_HOME, or ~/.cache/hubel; it need not exist."""
    return Path(os.environ.get("HUBEL_HOME") or Path.home() / ".cache" / "hubel")
