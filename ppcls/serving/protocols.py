"""KServe's classes, filled with the models that are served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from kserve import InferRequest, InferResponse, Model, ModelRepository
from kserve.errors import InvalidInput, ModelNotReady, ServerNotReady
from kserve.model import InferenceVerb
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.infer_type import InferInput, RequestedOutput
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

import ppcls
from ppcls.serving import payloads
from ppcls.serving.models import Models
from ppcls.serving.refusals import BadRequest, NotReady, Refusal, ServerFault
from ppcls.utils.errors import UserError


class ServedModel(Model):
    """A model as KServe calls it, whether it is loaded or not."""

    def __init__(self, name: str, models: Models) -> None:
        super().__init__(name)
        self._models = models

    async def healthy(self) -> bool:
        """Whether the model can answer."""
        model = self._models.loaded.get(self.name)
        return model is not None and model.is_healthy and not self._models.is_draining

    def get_input_types(self) -> list[dict[str, Any]]:
        """The inputs for the metadata."""
        return payloads.input_types(self._models.get(self.name))

    def get_output_types(self) -> list[dict[str, Any]]:
        """The outputs for the metadata."""
        return payloads.output_types(self._models.get(self.name))

    async def __call__(
        self, body: Any, headers: Any = None, verb: Any = None
    ) -> tuple[dict[str, Any] | InferResponse, dict[str, str]]:
        """The answer to a request of either protocol; KServe's own steps around `predict` are of no use here."""
        model = self._models.get(self.name)
        if verb is InferenceVerb.EXPLAIN:
            raise BadRequest("this server explains no answers; use :predict")
        if not isinstance(body, InferRequest):
            pictures, topk = payloads.read_v1(body, model)
            answers = await model.classify_all(pictures, topk)
            if all(isinstance(answer, BadRequest) for answer in answers):
                payloads.all_good(answers)
            return {"predictions": [payloads.plain(each) for each in answers]}, {}
        inputs, topk = payloads.read_v2(body, model)
        answers = await model.classify_all(inputs, topk)
        return payloads.write_v2(body, model, answers), {}


class ModelRegistry(ModelRepository):
    """The models as KServe lists them."""

    def __init__(self, models: Models) -> None:
        super().__init__()
        self._models = models
        for name in models.sources:
            self.update(ServedModel(name, models))

    async def load(self, name: str) -> bool:
        """Load a model, or load it again."""
        await self._models.load(name)
        return True


class Repository(ModelRepositoryExtension):
    """Loading and unloading while the server runs."""

    def __init__(self, registry: ModelRegistry, models: Models) -> None:
        super().__init__(registry)
        self._models = models

    async def load(self, model_name: str) -> dict[str, Any]:
        """Load a model, or load it again; requests go to the old one until the new one is ready."""
        try:
            await self._models.load(model_name)
        except UserError as error:
            raise ServerFault(
                f"model {model_name} cannot be loaded: {error}"
            ) from error
        return {"name": model_name, "load": True}

    async def unload(self, model_name: str) -> dict[str, Any]:
        """Unload a model."""
        await self._models.unload(model_name)
        return {"name": model_name, "unload": True}


class Plane(DataPlane):
    """KServe's data plane, whose readiness is that of the models."""

    def __init__(
        self, registry: ModelRegistry, models: Models, may_explain: bool
    ) -> None:
        super().__init__(registry)
        self._models = models
        self._may_explain = may_explain

    def metadata(self) -> dict[str, Any]:
        """The server's metadata."""
        extensions = ["classify", "binary_tensor_data", "model_repository_extension"]
        if self._may_explain:
            extensions.append("explain")
        return {
            "name": "ppcls",
            "version": ppcls.__version__,
            "extensions": extensions,
        }

    async def ready(self) -> bool:
        """Whether every loaded model can answer."""
        return self._models.is_ready

    async def get_model(self, name: str) -> ServedModel:
        """The model of a name; KServe's own method would load one that is not ready."""
        self._models.get(name)
        return self.get_model_from_registry(name)

    def get_model_from_registry(self, name: str) -> ServedModel:
        """The model of a name.

        Raises:
            UnknownModel: There is none.
        """
        self._models.source(name)
        return self._model_registry.get_model(name)

    async def model_metadata(self, model_name: str) -> dict[str, Any]:
        """A model's metadata, which names the backend as its platform."""
        settings = self._models.get(model_name).settings
        found = await super().model_metadata(model_name)
        return {**found, "platform": f"ppcls_{settings.backend}"}

    async def model_ready(
        self, model_name: str, disable_predictor_health_check: bool = False
    ) -> bool:
        """Whether a model can answer.

        Args:
            model_name: Its name.
            disable_predictor_health_check: Set by KServe ahead of inference, where a model that is short of a process
                still answers by its others, or once the process is replaced.
        """
        model = self.get_model_from_registry(model_name)
        if disable_predictor_health_check:
            return True
        return await model.healthy()

    def decode_inference_request(
        self, body: Any, headers: Mapping[str, str], model_name: str
    ) -> InferRequest:
        """A request of protocol v2.

        KServe's own method decodes binary data of pictures as UTF-8, and fails.
        """
        if not isinstance(body, bytes):
            return super().decode_inference_request(body, headers, model_name)
        # Without it all of the body is JSON, whatever its type says
        size = headers.get("inference-header-content-length", str(len(body)))
        if not size.isascii() or not size.isdigit():
            raise BadRequest(
                f"Inference-Header-Content-Length is {size[:50]!r}; write the number of bytes of the JSON"
            )
        try:
            return _binary_request(body, int(size), model_name)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadRequest(
                "the request is not one of protocol v2; send JSON with inputs of name, datatype, shape and data, or "
                "binary data behind it with binary_data_size and the header Inference-Header-Content-Length"
            ) from error


def _binary_request(body: bytes, size: int, model_name: str) -> InferRequest:
    """A request whose tensors follow its JSON, which has so many bytes."""
    stated = orjson.loads(body[:size])
    inputs = []
    place = size
    for entry in stated["inputs"]:
        parameters = dict(entry.get("parameters") or {})
        given = InferInput(
            str(entry["name"]),
            list(entry["shape"]),
            str(entry["datatype"]),
            entry.get("data"),
            parameters,
        )
        if "binary_data_size" in parameters:
            length = int(parameters["binary_data_size"])
            if length < 0 or place + length > len(body):
                raise ValueError(f"binary_data_size is {length}")
            given._raw_data = body[place : place + length]
            place += length
        inputs.append(given)
    outputs = [
        RequestedOutput(str(entry["name"]), dict(entry.get("parameters") or {}))
        for entry in stated.get("outputs") or []
    ]
    identity = stated.get("id")
    return InferRequest(
        model_name,
        inputs,
        None if identity is None else str(identity),
        parameters=dict(stated.get("parameters") or {}),
        request_outputs=outputs or None,
    )


def refusal_of(error: BaseException) -> Refusal:
    """What a client gets for an exception of KServe's or this package's."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, (InvalidInput, NotImplementedError)):
        return BadRequest(str(error))
    if isinstance(error, (ModelNotReady, ServerNotReady)):
        return NotReady(str(error))
    return ServerFault("the server has failed on this request; its log has the reason")
