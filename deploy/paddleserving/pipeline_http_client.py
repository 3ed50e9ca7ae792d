"""Classifies pictures by the web service over HTTP; needs Python's standard library only.

    python3 pipeline_http_client.py cat.jpg dog.png

Each picture is a request of its own. The exit code is 1 if one could not be classified.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import urllib.request
from pathlib import Path

SECONDS = 60
MODEL = json.loads(Path(__file__).with_name("model.json").read_text(encoding="utf-8"))


def classify(place, picture, topk=None):
    """Send the bytes of one picture.

    Args:
        place: The address of the service.
        picture: The bytes of the file.
        topk: How many classes are wanted; None leaves it to the service.

    Returns:
        `err_no` (0 if all went well), `err_msg`, and the answer's values by their keys.
    """
    request = {"image": base64.b64encode(picture).decode("ascii")}
    if topk is not None:
        request["topk"] = str(topk)
    body = json.dumps({"key": list(request), "value": list(request.values())})
    asked = urllib.request.Request(
        place, body.encode("utf-8"), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=SECONDS) as response:
        answer = json.load(response)
    values = dict(zip(answer.get("key", []), answer.get("value", [])))
    return answer.get("err_no", 0), answer.get("err_msg", ""), values


def report(name, err_no, err_msg, values):
    """Print the classes of a picture, or why there are none; return whether there are some."""
    if err_no:
        print(f"{name}: error {err_no}: {err_msg}")
        return False
    (result,) = json.loads(values["results"])
    labels = result["label_names"] or [
        f"class {number}" for number in result["class_ids"]
    ]
    pairs = [f"{label} {score:.3f}" for label, score in zip(labels, result["scores"])]
    print(f"{name}: {', '.join(pairs)}")
    return True


def classify_files(protocol, option, default, classify):
    """Classify the pictures of the command line, and return the exit code.

    Args:
        protocol: Its name, for the help.
        option: The option that says where the service is.
        default: Where it is otherwise.
        classify: Takes the place, the bytes of a picture and the number of classes that are wanted.
    """
    parser = argparse.ArgumentParser(
        description=f"Classify pictures by the web service over {protocol}."
    )
    parser.add_argument("pictures", metavar="PICTURE", nargs="+")
    parser.add_argument(
        option,
        dest="place",
        metavar="ADDRESS",
        default=default,
        help="default: %(default)s",
    )
    parser.add_argument(
        "--topk", metavar="N", type=int, help="how many classes are printed"
    )
    arguments = parser.parse_args()
    fine = True
    for name in arguments.pictures:
        fine &= report(
            name, *classify(arguments.place, Path(name).read_bytes(), arguments.topk)
        )
    return 0 if fine else 1


def url():
    """The address of the service on this machine."""
    return f"http://127.0.0.1:{MODEL['http_port']}/{MODEL['name']}/prediction"


if __name__ == "__main__":
    sys.exit(classify_files("HTTP", "--url", url(), classify))
