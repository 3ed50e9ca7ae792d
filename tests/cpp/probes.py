"""Runs the probes of deploy/cpp/tests on pictures."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Request(NamedTuple):
    """A picture uint8 [H, W, 3] in RGB, its transforms, and the shape of the answer."""

    picture: np.ndarray
    transforms: list[dict[str, Any]]
    shape: tuple[int, int, int]


def tensors_of(probe: Path, requests: Sequence[Request]) -> list[np.ndarray]:
    """The tensors float32 [C, H, W] that the core makes of pictures."""
    asked = []
    for request in requests:
        height, width = request.picture.shape[:2]
        size = 4 * int(np.prod(request.shape))
        head = {"width": width, "height": height, "transforms": request.transforms, "size": size}
        asked.append(json.dumps(head).encode() + b"\n" + request.picture.tobytes())
    done = subprocess.run([probe], input=b"".join(asked), capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answers = []
    at = 0
    for request in requests:
        count = int(np.prod(request.shape))
        answers.append(np.frombuffer(done.stdout, np.float32, count, at).reshape(request.shape))
        at += 4 * count
    assert at == len(done.stdout)
    return answers


class Decoded(NamedTuple):
    """The pixels uint8 [H, W, 3] of a file, or why it was not read."""

    pixels: np.ndarray | None
    error: str


def decoded(probe: Path, paths: Sequence[Path], limits: Mapping[int, int] | None = None) -> list[Decoded]:
    """What the library makes of picture files, by a process with these limits of `resource`."""

    def limit() -> None:
        for kind, most in (limits or {}).items():
            resource.setrlimit(kind, (most, most))

    names = "".join(f"{path}\n" for path in paths)
    done = subprocess.run(
        [probe], input=names.encode(), capture_output=True, timeout=300, preexec_fn=limit, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    answers = []
    at = 0
    for _ in paths:
        end = done.stdout.index(b"\n", at)
        head = json.loads(done.stdout[at:end])
        at = end + 1
        if "error" in head:
            answers.append(Decoded(None, head["error"]))
            continue
        count = head["width"] * head["height"] * 3
        pixels = np.frombuffer(done.stdout, np.uint8, count, at).reshape(head["height"], head["width"], 3)
        at += count
        answers.append(Decoded(pixels, ""))
    return answers
