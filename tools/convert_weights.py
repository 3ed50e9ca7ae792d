"""Converts weights of any source: `python tools/convert_weights.py --arch DLA34 in.pth out.pdparams`."""

import os.path
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from ppcls.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["convert"] + sys.argv[1:]))
