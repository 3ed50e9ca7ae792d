"""Converts weights of any source: `python tools/convert_weights.py --arch DLA34 in.pth out.pdparams`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ppcls.cli import main

if __name__ == "__main__":
    sys.exit(main(["convert", *sys.argv[1:]]))
