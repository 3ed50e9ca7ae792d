"""`python tools/model_pages.py` writes docs/models; see `model_pages_render.py`."""

import os.path
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from ppcls.__main__ import run

if __name__ == "__main__":
    sys.exit(run("model_pages_render"))
