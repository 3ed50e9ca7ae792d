"""`python tools/export_model.py -c CONFIG` is `ppcls export -c CONFIG` from a checkout."""

import os.path
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from ppcls.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["export"] + sys.argv[1:]))
