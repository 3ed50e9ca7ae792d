"""Draws docs/report.png: a report of `ppcls eval --report`, as a browser shows it.

    make demo && .venv/bin/python tools/report_picture.py demo/report

It needs Chromium (on Debian `apt-get install chromium`); `PPCLS_CHROMIUM` names another.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "report.png"
SIZE = (1000, 1240)  # pixels
COLOURS = 64


def main() -> int:
    """Draw the picture; the exit code is 1 where something is missing."""
    report = Path(sys.argv[1] if len(sys.argv) > 1 else "demo/report", "report.html")
    chromium = os.environ.get("PPCLS_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("Chromium is missing; install it, or name it in PPCLS_CHROMIUM")
        return 1
    if not report.is_file():
        print(
            f"{report} is missing; run `make demo` first, or name the folder of a report"
        )
        return 1
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder, "shot.png")
        subprocess.run(
            [
                chromium,
                "--headless",
                "--no-sandbox",
                "--hide-scrollbars",
                f"--window-size={SIZE[0]},{SIZE[1]}",
                f"--screenshot={shot}",
                report.resolve().as_uri(),
            ],
            check=True,
            capture_output=True,
        )
        picture = Image.open(shot).convert("RGB")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    # A palette makes the file a third as large
    picture.quantize(COLOURS).save(PICTURE, optimize=True)
    print(PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
