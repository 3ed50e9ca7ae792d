"""Starts the web service and compares it with the model that was exported, over both protocols.

    .venv/bin/python check.py

It takes the golden picture of the bundle, whose input and scores were recorded when the model was exported; sends
something that is not a picture; ends the service; and looks whether both ports are free again. The exit code is 1 if
something is not as it should be.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pipeline_http_client
import pipeline_rpc_client
from classification_web_service import UNREADABLE_PICTURE, end_with_parent
from preprocess import Preprocess

FOLDER = Path(__file__).resolve().parent
MODEL = json.loads((FOLDER / "model.json").read_text(encoding="utf-8"))
PORTS = MODEL["http_port"], MODEL["rpc_port"]
LOG = FOLDER / "check.log"
SECONDS = 180  # until the service answers
INPUT_TOLERANCE = 1e-4
# Of a probability, relative: two float32 runs by different kernels differ by about 1e-5
SCORE_TOLERANCE, SMALLEST = 1e-3, 1e-6


class Wrong(Exception):
    """Something is not as it should be."""


def main():
    """Make all checks, and return the exit code."""
    golden = dict(np.load(str(FOLDER / "golden.npz")))
    try:
        check_input(golden)
        for port in PORTS:
            if is_open(port):
                raise Wrong(
                    f"port {port} is in use; end the program that uses it, or write other ports"
                )
        with service() as process:
            for protocol, classify in clients().items():
                check_scores(
                    protocol,
                    ask(classify, process, golden["picture"].tobytes()),
                    golden["scores"],
                )
                check_refusal(protocol, classify(b"This is not a picture.", 1))
        for port in PORTS:
            if is_open(port):
                raise Wrong(f"port {port} is still open after the service was ended")
        print("the service was ended: both ports are free")
    except Wrong as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def clients():
    """By protocol, what sends a picture and the number of classes that are wanted."""
    url, endpoint = pipeline_http_client.url(), pipeline_rpc_client.endpoint()
    return {
        "HTTP": lambda picture, topk: pipeline_http_client.classify(url, picture, topk),
        "gRPC": lambda picture, topk: pipeline_rpc_client.classify(
            endpoint, picture, topk
        ),
    }


def check_input(golden):
    """Compare the preprocessing with what the model was exported with."""
    tensor = Preprocess(MODEL["transforms"])(golden["picture"].tobytes())[np.newaxis]
    if tensor.shape != golden["input"].shape:
        raise Wrong(
            f"the golden picture's input has the shape {tensor.shape}, not {golden['input'].shape}"
        )
    difference = float(np.abs(tensor - golden["input"]).max())
    print(
        f"preprocessing: the golden picture's input differs by at most {difference:.1e}"
    )
    if not difference <= INPUT_TOLERANCE:
        raise Wrong(
            f"the golden picture's input differs by {difference:.3g}, at most {INPUT_TOLERANCE:g} is allowed"
        )


@contextlib.contextmanager
def service():
    """Run the service, and end it as an operator would."""
    command = [sys.executable, str(FOLDER / "classification_web_service.py")]
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=str(FOLDER),
            preexec_fn=end_with_parent,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def ask(classify, process, picture):
    """The answer to a picture, once the service is ready."""
    end = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            return classify(picture, MODEL["class_num"])
        except Exception:  # of either client, as long as the service does not listen
            time.sleep(0.2)
    raise Wrong(
        f"the service does not answer; {LOG} and {FOLDER / 'PipelineServingLogs'} say why"
    )


def check_scores(protocol, answer, expected):
    """Compare all scores of the golden picture."""
    err_no, err_msg, values = answer
    if err_no:
        raise Wrong(f"{protocol}: the golden picture gives error {err_no}: {err_msg}")
    (result,) = json.loads(values["results"])
    scores = np.empty_like(expected)
    scores[0, result["class_ids"]] = result["scores"]
    difference = float(
        (np.abs(scores - expected) / np.maximum(expected, SMALLEST)).max()
    )
    print(
        f"{protocol}: the golden picture's scores differ by at most {difference:.1e} of each"
    )
    if not difference <= SCORE_TOLERANCE:
        raise Wrong(
            f"{protocol}: the scores differ by {difference:.3g}, at most {SCORE_TOLERANCE:g} is allowed"
        )


def check_refusal(protocol, answer):
    """Check what is answered to something that is not a picture."""
    err_no, err_msg, _ = answer
    if err_no != UNREADABLE_PICTURE or not err_msg:
        raise Wrong(
            f"{protocol}: what is not a picture gives {err_no} {err_msg!r}, not error {UNREADABLE_PICTURE}"
        )
    print(f"{protocol}: what is not a picture gives error {err_no}: {err_msg}")


def is_open(port):
    """Whether something listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    sys.exit(main())
