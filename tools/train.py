"""`python tools/train.py -c CONFIG` is `ppcls train -c CONFIG` from a checkout."""

import os.path
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from ppcls.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train"] + sys.argv[1:]))
