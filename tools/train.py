"""`python tools/train.py -c CONFIG` is `ppcls train -c CONFIG` from a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ppcls.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
