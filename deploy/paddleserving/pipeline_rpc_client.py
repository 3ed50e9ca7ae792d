"""Classifies pictures by the web service over gRPC; runs in the environment of the service.

    .venv/bin/python pipeline_rpc_client.py cat.jpg dog.png

Each picture is a request of its own. The exit code is 1 if one could not be classified.
"""

from __future__ import annotations

import base64
import contextlib
import io
import sys

from paddle_serving_server.pipeline import PipelineClient
from pipeline_http_client import MODEL, classify_files


def classify(place, picture, topk=None):
    """Send the bytes of one picture.

    Args:
        place: Host and port of the service.
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
    client.connect([place])
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the time of each step
        answer = client.predict(feed_dict=request, fetch=["results"])
    return answer.err_no, answer.err_msg, dict(zip(answer.key, answer.value))


def endpoint():
    """Host and port of the service on this machine."""
    return f"127.0.0.1:{MODEL['rpc_port']}"


if __name__ == "__main__":
    sys.exit(classify_files("gRPC", "--endpoint", endpoint(), classify))
