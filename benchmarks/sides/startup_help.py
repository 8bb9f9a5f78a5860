"""The help page of hubel."""

import sys

from hubel.cli import main

sys.argv = ["hubel", "--help"]
try:
    main()
except SystemExit:
    print("{}")
