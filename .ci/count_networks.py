"""Count the catalogue's networks again, for the list that `hubel networks` prints."""

import json
from pathlib import Path

from hubel.networks.listed import COUNTED
from hubel.verbs.networks import networks

path = Path(__file__).parent.parent / "src" / "hubel" / "networks" / COUNTED
rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in networks())
path.write_text(f"[\n{rows}\n]\n", encoding="utf-8")
print(f"{path.name}: {path.stat().st_size:,} bytes")
