"""The web service: pictures over HTTP and gRPC, by the pipeline of Paddle Serving 0.9.

    .venv/bin/python classification_web_service.py

A request has one or more pictures, each under a name of its own, as base64. A `topk` beside them says how many classes
are wanted. The answer has `label` and `prob`, lists of the best class of each picture as text, as PaddleClas answers,
and `results`: JSON with `class_ids`, `scores` and `label_names` of each picture.

The service runs in a session of its own. SIGTERM or Ctrl-C here lets it answer the requests that it has accepted, and
then ends everything that it has started, so that both ports are free afterwards.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from concurrent import futures
from pathlib import Path

import numpy as np
from preprocess import Preprocess, UserError

FOLDER = Path(__file__).resolve().parent
MODEL = json.loads((FOLDER / "model.json").read_text(encoding="utf-8"))

# Paddle Serving gives codes from 51 to 99 to services
UNREADABLE_PICTURE, BAD_REQUEST = 51, 52
DRAIN_SECONDS = 20
GATEWAY_SECONDS = (
    1  # in which the gateway, a process of its own, passes the last answers on
)
_MESSAGE_BYTES = 256 * 1024 * 1024
_PR_SET_PDEATHSIG = 1


class BadRequest(Exception):
    """A request that is not understood, or a picture in it that cannot be read.

    Args:
        code: The `err_no` of the answer.
        sentence: Its `err_msg`.
    """

    def __init__(self, code, sentence):
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Classification:
    """Requests to tensors, and scores to answers, without Paddle Serving.

    Args:
        model: What model.json holds.
    """

    def __init__(self, model):
        self._model = model
        self._preprocess = Preprocess(model["transforms"])

    def inputs(self, request):
        """The pictures of a request, float32 [N, C, H, W].

        Raises:
            BadRequest: There are none, or one cannot be read.
        """
        names = sorted(name for name in request if name != "topk")
        most = self._model["most_pictures"]
        if not 1 <= len(names) <= most:
            raise BadRequest(
                BAD_REQUEST,
                f"the request has {len(names)} pictures; send 1 to {most}, each as base64 under a name of its own",
            )
        self.topk(request)
        return np.stack([self._tensor(name, request[name]) for name in names])

    def topk(self, request):
        """How many classes a request asks for."""
        text = str(request.get("topk", self._model["topk"]))
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise BadRequest(
                BAD_REQUEST,
                f"topk is {text[:20]!r}; send a number of classes, 1 or more",
            )
        return min(int(text), self._model["class_num"])

    def _tensor(self, name, text):
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise BadRequest(
                BAD_REQUEST,
                f"{name!r} is not base64; send the bytes of a picture file as base64",
            ) from None
        try:
            return self._preprocess(data)
        except UserError as error:
            sentence = getattr(error, "reason", str(error))
            raise BadRequest(
                UNREADABLE_PICTURE, f"cannot read the picture {name!r}: {sentence}"
            ) from error
        except MemoryError as error:
            raise BadRequest(
                UNREADABLE_PICTURE, f"there is not enough memory to read {name!r}"
            ) from error

    def answer(self, scores, topk):
        """The answer to a request.

        Args:
            scores: What the model gave, float32 [N, class_num].
            topk: How many classes are wanted.
        """
        results = [self._best(row, topk) for row in self._probabilities(scores)]
        names = [
            (result["label_names"] or result["class_ids"])[0] for result in results
        ]
        return {
            "label": str([str(name) for name in names]),
            "prob": str([result["scores"][0] for result in results]),
            "results": json.dumps(results),
        }

    def _probabilities(self, scores):
        if self._model["output"] == "probabilities":
            return scores
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def _best(self, row, topk):
        order = np.argsort(-row, kind="stable")[:topk].tolist()
        names = self._model["class_names"]
        return {
            "class_ids": order,
            "scores": [float(row[index]) for index in order],
            "label_names": [names[index] for index in order] if names else [],
        }


def end_with_parent():
    """Have the kernel kill this process when the one that started it ends, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def serve():
    """Run the service until SIGTERM; its ports stand in config.yml."""
    os.chdir(str(FOLDER))  # where Paddle Serving writes its log, from its import on
    import grpc
    from paddle_serving_server.pipeline import Op, PipelineServer
    from paddle_serving_server.pipeline.pipeline_server import PipelineServicer
    from paddle_serving_server.pipeline.proto import pipeline_service_pb2_grpc
    from paddle_serving_server.web_service import WebService

    class ImagenetOp(Op):
        def init_op(self):
            self._classification = Classification(MODEL)

        def preprocess(self, input_dicts, data_id, log_id):
            ((_, request),) = input_dicts.items()
            try:
                return (
                    {MODEL["input"]: self._classification.inputs(request)},
                    False,
                    None,
                    "",
                )
            except BadRequest as error:
                return None, False, error.code, error.sentence

        def postprocess(self, input_dicts, fetch_dict, data_id, log_id):
            ((_, request),) = input_dicts.items()
            (scores,) = fetch_dict.values()
            return (
                self._classification.answer(scores, self._classification.topk(request)),
                None,
                "",
            )

    class Server(PipelineServer):
        """Paddle Serving's, which leaves the gateway of HTTP running when it is ended, and cuts requests off."""

        def _grpc_gateway(self, grpc_port, http_port):
            end_with_parent()
            super()._grpc_gateway(grpc_port, http_port)

        def run_server(self):
            threads = futures.ThreadPoolExecutor(max_workers=self._worker_num)
            sizes = ["grpc.max_send_message_length", "grpc.max_receive_message_length"]
            server = grpc.server(
                threads, options=[(name, _MESSAGE_BYTES) for name in sizes]
            )
            servicer = PipelineServicer(self._name, self._response_op, self._conf)
            pipeline_service_pb2_grpc.add_PipelineServiceServicer_to_server(
                servicer, server
            )
            server.add_insecure_port(f"[::]:{self._rpc_port}")
            server.start()
            self._run_grpc_gateway(self._rpc_port, self._http_port)
            signal.sigwait({signal.SIGTERM})
            server.stop(DRAIN_SECONDS).wait()
            time.sleep(GATEWAY_SECONDS)

    class ImagenetService(WebService):
        def __init__(self, name):
            super().__init__(name)
            self._server = Server(name)

        def get_pipeline_response(self, read_op):
            return ImagenetOp(name=MODEL["name"], input_ops=[read_op])

    # Blocked in every thread, so that it waits for sigwait
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    service = ImagenetService(name=MODEL["name"])
    service.prepare_pipeline_config("config.yml")
    service.run_service()


class Stopped(Exception):
    """SIGTERM or Ctrl-C."""


def supervise():
    """Run `serve` in a session of its own, end that whole session with it, and return the exit code."""

    def stop(signum, frame):
        raise Stopped

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    command = [sys.executable, str(FOLDER / "classification_web_service.py"), "serve"]
    service = subprocess.Popen(
        command, start_new_session=True, preexec_fn=end_with_parent
    )
    try:
        return service.wait()
    except Stopped:
        service.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            service.wait(DRAIN_SECONDS + GATEWAY_SECONDS + 5)
        return 0
    finally:
        with contextlib.suppress(ProcessLookupError):  # all have ended
            os.killpg(service.pid, signal.SIGKILL)
        service.wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
        os._exit(0)  # threads of Paddle Serving do not end
    sys.exit(supervise())
