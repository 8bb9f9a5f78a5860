"""A folder looked through as `hubel data show` does it: seconds from files to page."""

import json
import os
import sys
import tempfile
import time

told = json.loads(sys.argv[1])
with tempfile.TemporaryDirectory() as home:
    os.environ["HUBEL_HOME"] = home  # nothing was decoded before
    from hubel import entrance

    entrance.enter()
    import hubel

    began = time.perf_counter()
    shown = hubel.inspect(told["folder"], out=f"{home}/out")
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "pairs": len(shown.found.copies or ())}))
