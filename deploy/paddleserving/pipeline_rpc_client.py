"""Classifies pictures by the web service over gRPC; runs in the environment of the service.

    .venv/bin/python pipeline_rpc_client.py cat.jpg dog.png

Each picture is a request of its own. The exit code is 1 if one could not be classified.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import json
import sys
from pathlib import Path

from paddle_serving_server.pipeline import PipelineClient
from pipeline_http_client import report

MODEL = json.loads(Path(__file__).with_name("model.json").read_text(encoding="utf-8"))


def classify(endpoint, picture, topk=None):
    """Send the bytes of one picture.

    Args:
        endpoint: Host and port of the service.
        picture: The bytes of the file.
        topk: How many classes are wanted; None leaves it to the service.

    Returns:
        `err_no` (0 if all went well), `err_msg`, and the answer's values by their keys.
    """
    # Without the address it would look up that of this machine's name, which some machines do not know
    request = {
        "image": base64.b64encode(picture).decode("ascii"),
        "clientip": "127.0.0.1",
    }
    if topk is not None:
        request["topk"] = str(topk)
    client = PipelineClient()
    client.connect([endpoint])
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the time of each step
        answer = client.predict(feed_dict=request, fetch=["results"])
    return answer.err_no, answer.err_msg, dict(zip(answer.key, answer.value))


def main():
    """Classify the pictures of the command line, and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Classify pictures by the web service over gRPC."
    )
    parser.add_argument("pictures", metavar="PICTURE", nargs="+")
    parser.add_argument(
        "--endpoint",
        default=f"127.0.0.1:{MODEL['rpc_port']}",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--topk", metavar="N", type=int, help="how many classes are printed"
    )
    arguments = parser.parse_args()
    fine = True
    for name in arguments.pictures:
        fine &= report(
            name, *classify(arguments.endpoint, Path(name).read_bytes(), arguments.topk)
        )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
