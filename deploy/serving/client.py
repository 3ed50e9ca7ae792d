"""Classifies pictures by a server of `ppcls serve`; the standard library is all that it needs.

    python client.py http://127.0.0.1:8080 DLA34 cat.jpg dog.jpg

PPCLS_TOKEN holds the bearer token, if the server asks for one.
"""

import http.client
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit


class Client:
    """A connection to a server, which stays open from picture to picture.

    Args:
        address: Of the server, such as `http://127.0.0.1:8080`.
        model: The model's name.
        token: The bearer token; empty for none.
    """

    def __init__(self, address: str, model: str, token: str = "") -> None:
        parts = urlsplit(address)
        kinds = {
            "http": http.client.HTTPConnection,
            "https": http.client.HTTPSConnection,
        }
        self._connection = kinds[parts.scheme](parts.netloc, timeout=60)
        self._path = f"/v2/models/{quote(model, safe='')}/classify"
        self._headers = {"Content-Type": "application/octet-stream"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def classify(self, picture: bytes, topk: int = 5) -> dict[str, Any]:
        """The answer for the bytes of a picture file: class_ids, scores, names.

        Raises:
            ValueError: The server has refused it; the text says why.
        """
        path = f"{self._path}?topk={topk}"
        self._connection.request("POST", path, picture, self._headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise ValueError(f"{response.status}: {answer['error']}")
        return answer


def main() -> int:
    """Print one line per picture; the exit code is 1 if one was refused."""
    address, model, *pictures = sys.argv[1:]
    client = Client(address, model, os.environ.get("PPCLS_TOKEN", ""))
    refused = 0
    for picture in pictures:
        try:
            answer = client.classify(Path(picture).read_bytes())
        except ValueError as error:
            refused += 1
            print(f"{picture}: {error}")
            continue
        labels = answer.get("names") or answer["class_ids"]
        pairs = zip(labels, answer["scores"])
        print(
            f"{picture}: " + ", ".join(f"{label} {score:.3f}" for label, score in pairs)
        )
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
