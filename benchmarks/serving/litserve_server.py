"""A `Classifier` under LitServe, which takes JSON: the picture as base64."""

import base64
import os
import sys
from typing import Any

import litserve

from ppcls import Classifier


class Served(litserve.LitAPI):
    """The bundle of BUNDLE."""

    def setup(self, device: str) -> None:
        """Open the bundle."""
        self.classifier = Classifier(os.environ["BUNDLE"], backend="onnxruntime")

    def decode_request(self, request: dict[str, Any]) -> bytes:
        """The bytes of the picture."""
        return base64.b64decode(request["picture"])

    def predict(self, x: bytes) -> list[int]:
        """The class ids."""
        (result,) = self.classifier.predict([x])
        return result.class_ids

    def encode_response(self, output: list[int]) -> dict[str, Any]:
        """The class ids as JSON."""
        return {"class_ids": output}


if __name__ == "__main__":
    server = litserve.LitServer(Served(api_path="/classify"), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
