"""A `Classifier` under MLServer, by a handler of its own for the bytes of a picture."""

from __future__ import annotations

import os

from fastapi import Request, Response
from mlserver import MLModel
from mlserver.handlers import custom_handler

from ppcls import Classifier


class Served(MLModel):
    """The bundle of BUNDLE."""

    async def load(self) -> bool:
        """Open the bundle."""
        self.classifier = Classifier(os.environ["BUNDLE"], backend="onnxruntime")
        return True

    @custom_handler(rest_path="/classify")
    async def classify(self, request: Request) -> Response:
        """The class ids of a picture."""
        (result,) = self.classifier.predict([await request.body()])
        return Response(",".join(map(str, result.class_ids)))
