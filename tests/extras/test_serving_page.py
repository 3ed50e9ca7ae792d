"""The page of `ppcls serve` in a real browser: its answers, nothing from elsewhere, no violation of WCAG's level AA.

`make test-serving` brings what this needs beside Chromium. Screenshots stay in build/pages/screenshots.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from serving_process import Serving

from helpers.checkout import ROOT
from ppcls.inference import Classifier

FOLDER = ROOT / "build" / "pages"


def test_pictures_are_classified_on_the_page(exported: Path, tmp_path: Path) -> None:
    chromium = os.environ.get("PPCLS_CHROMIUM") or shutil.which("chromium")
    assert chromium, "Chromium is missing; install it, or name it in PPCLS_CHROMIUM"
    shots = FOLDER / "screenshots"
    shots.mkdir(exist_ok=True)
    rows, columns = np.mgrid[:120, :160]
    pixels = np.stack([rows, columns, rows + columns], axis=2).astype(np.uint8)
    good, bad = tmp_path / "a_slope.png", tmp_path / "no_picture.jpg"
    cv2.imwrite(str(good), pixels)
    bad.write_bytes(b"no picture")
    with Serving(f"tiny={exported}", f"other={exported}", "--explain") as server:
        status, text, headers = server.ask("/", Accept="text/html")
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in headers["content-security-policy"] and "http" not in text
        assert server.ask("/", Accept="*/*")[1] == {"status": "alive"}
        command = ["node", FOLDER / "serve.mjs", chromium, shots, server.address, good, bad]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        address = server.address
    assert found["problems"] == []
    (expected,) = Classifier(exported, topk=5).predict([good])
    assert len(found["seen"]) == 4
    for page in found["seen"]:
        assert page["models"] == ["tiny", "other"]
        assert page["curl"] == (
            f"curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg' {address}/v2/models/tiny/classify"
        )
        refused, answered = page["cards"]
        assert (refused["name"], refused["error"]) == (bad.name, "cannot read the picture: no known picture format")
        assert answered["name"] == good.name
        assert answered["facts"].startswith("tiny by paddle in float32: ")
        assert answered["labels"] == expected.names
        assert answered["bars"] == pytest.approx(expected.scores, abs=0.02)
        assert answered["button"] == "Show where this is seen" and refused["button"] is None
        seen = page["map"]
        assert seen["alt"] == f"Where {expected.names[0]} is seen" and seen["width"] > 0
        assert seen["text"] == f"Bright is what cost {expected.names[0]} most when it was hidden."
