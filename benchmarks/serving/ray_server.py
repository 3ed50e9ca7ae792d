"""A `Classifier` under Ray Serve."""

from __future__ import annotations

import os
import signal
import sys

import ray
from ray import serve
from starlette.requests import Request

from ppcls import Classifier


class Served:
    """The bundle of BUNDLE."""

    def __init__(self) -> None:
        self.classifier = Classifier(os.environ["BUNDLE"], backend="onnxruntime")

    async def __call__(self, request: Request) -> dict[str, list[int]]:
        """The class ids of a picture."""
        (result,) = self.classifier.predict([await request.body()])
        return {"class_ids": result.class_ids}


if __name__ == "__main__":
    ray.init(include_dashboard=False, log_to_driver=False, _metrics_export_port=None)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    deployment = serve.deployment(Served, max_ongoing_requests=64)
    serve.run(deployment.bind(), route_prefix="/classify")
    signal.sigwait([signal.SIGTERM])
    serve.shutdown()
    ray.shutdown()
