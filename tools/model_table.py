"""`python tools/model_table.py` writes the model table of README.md; see `readme_table.py`."""

import os.path
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from ppcls.__main__ import run

if __name__ == "__main__":
    sys.exit(run("readme_table"))
