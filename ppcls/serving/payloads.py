"""Pictures and tensors of a request, and the outputs of an answer, in the forms of KServe's protocols."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from kserve import InferInput, InferOutput, InferRequest, InferResponse

from ppcls.serving.models import Answer, LoadedModel
from ppcls.serving.refusals import BadRequest

PICTURES = "image"  # the name of the input of picture files
_TENSORS = "image_tensor"  # that of preprocessed inputs, in place of a program's own that is the same as the above


def tensor_name(model: LoadedModel) -> str:
    """The name of the input of preprocessed tensors: the program's own, unless that is the name of pictures."""
    name = model.bundle.input.name
    return _TENSORS if name == PICTURES else name


def input_types(model: LoadedModel) -> list[dict[str, Any]]:
    """The inputs of a model's metadata; a request has one of them."""
    shape = [-1, *model.bundle.input.shape[1:]]
    return [
        {"name": PICTURES, "datatype": "BYTES", "shape": [-1]},
        {"name": tensor_name(model), "datatype": "FP32", "shape": shape},
    ]


def output_types(model: LoadedModel) -> list[dict[str, Any]]:
    """The outputs of a model's metadata."""
    outputs = [
        {"name": "class_ids", "datatype": "INT64", "shape": [-1, -1]},
        {"name": "scores", "datatype": "FP32", "shape": [-1, -1]},
    ]
    if model.bundle.class_names:
        outputs.append({"name": "names", "datatype": "BYTES", "shape": [-1, -1]})
    shape = [-1, model.bundle.class_num]
    outputs.append({"name": "probabilities", "datatype": "FP32", "shape": shape})
    return outputs


def read_v2(
    request: InferRequest, model: LoadedModel
) -> tuple[Sequence[bytes | np.ndarray], int]:
    """The pictures or tensors of a request, and how many classes it asks for.

    Raises:
        BadRequest: The request is not as the metadata says.
    """
    topk = model.check_topk(_value((request.parameters or {}).get("topk")))
    _check_outputs(request, model)
    names = f"{PICTURES} (BYTES) or {tensor_name(model)} (FP32)"
    if len(request.inputs) != 1:
        raise BadRequest(
            f"the request has {len(request.inputs)} inputs; send one, {names}"
        )
    given = request.inputs[0]
    kind = (given.name, given.datatype)
    if kind == (PICTURES, "BYTES"):
        return _pictures(given, model, request.from_grpc), topk
    if kind == (tensor_name(model), "FP32"):
        return list(_tensors(given, model)), topk
    raise BadRequest(
        f"the request has the input {given.name[:100]!r} of type {given.datatype[:20]}; send {names}"
    )


def write_v2(
    request: InferRequest, model: LoadedModel, answers: Sequence[Answer | BadRequest]
) -> InferResponse:
    """The outputs that a request asks for.

    Raises:
        BadRequest: One of its pictures cannot be read.
    """
    good = all_good(answers)
    asked = {output.name: output for output in request.request_outputs or []}
    if not asked:
        known = _output_names(model)
        asked = {name: None for name in known if name != "probabilities"}
    outputs = []
    for name, output in asked.items():
        binary = request.use_binary_outputs or request.from_grpc
        if output is not None and output.binary_data is not None:
            binary = output.binary_data or request.from_grpc
        outputs.append(_output(name, good, binary))
    return InferResponse(request.id or "0", model.name, outputs)


def read_v1(
    payload: Any, model: LoadedModel
) -> tuple[Sequence[bytes | np.ndarray], int]:
    """The pictures of a request in KServe's first protocol: `{"instances": [{"b64": "..."}]}`.

    Raises:
        BadRequest: It is not of that form.
    """
    form = (
        'write {"instances": [{"b64": "..."}]}, each with the base64 of a picture file'
    )
    if not isinstance(payload, Mapping) or not isinstance(
        payload.get("instances"), list
    ):
        raise BadRequest(f"the request has no list of instances; {form}")
    topk = model.check_topk(payload.get("topk"))
    instances = payload["instances"]
    model.check_count(len(instances))
    pictures = []
    for index, instance in enumerate(instances):
        if isinstance(instance, Mapping):
            instance = instance.get("b64")
        if not isinstance(instance, str):
            raise BadRequest(f"instance {index} has no b64; {form}")
        pictures.append(_decoded(instance, index))
    return pictures, topk


def plain(answer: Answer | BadRequest) -> dict[str, Any]:
    """An answer, or the reason why there is none, as JSON."""
    if isinstance(answer, BadRequest):
        return {"error": str(answer)}
    values: dict[str, Any] = {"class_ids": answer.class_ids, "scores": answer.scores}
    if answer.names:
        values["names"] = answer.names
    return values


def all_good(answers: Sequence[Answer | BadRequest]) -> list[Answer]:
    """Answers of which none is a refusal.

    Raises:
        BadRequest: One is; of several pictures, it says which.
    """
    good = []
    for index, answer in enumerate(answers):
        if isinstance(answer, BadRequest):
            which = f"picture {index}: " if len(answers) > 1 else ""
            raise BadRequest(f"{which}{answer}") from answer
        good.append(answer)
    return good


def _check_outputs(request: InferRequest, model: LoadedModel) -> None:
    known = _output_names(model)
    for output in request.request_outputs or []:
        if output.name not in known:
            raise BadRequest(
                f"there is no output {output.name[:100]!r}; the outputs are {', '.join(known)}"
            )


def _output_names(model: LoadedModel) -> list[str]:
    return [entry["name"] for entry in output_types(model)]


def _pictures(given: InferInput, model: LoadedModel, is_grpc: bool) -> list[bytes]:
    if given._raw_data is not None:
        values: list[Any] = _split(given._raw_data)
    else:
        values = _flat(given.data)
    model.check_count(len(values))
    if list(given.shape) not in ([len(values)], [len(values), 1]):
        raise BadRequest(
            f"the shape of {PICTURES} is {list(given.shape)[:8]}, but it has {len(values)} values; write "
            f"[{len(values)}]"
        )
    if is_grpc or given._raw_data is not None:
        return values
    return [_decoded(value, index) for index, value in enumerate(values)]


def _tensors(given: InferInput, model: LoadedModel) -> np.ndarray:
    shape = tuple(model.bundle.input.shape[1:])
    stated = list(given.shape)
    if len(stated) != 4 or tuple(stated[1:]) != shape:
        raise BadRequest(
            f"the shape of {given.name} is {stated[:8]}; write {['N', *shape]}".replace(
                "'N'", "N"
            )
        )
    model.check_count(stated[0])
    try:
        if given._raw_data is not None:
            values = np.frombuffer(given._raw_data, np.float32)
        else:
            values = np.asarray(given.data, np.float32)
        values = values.reshape(stated)
    except (ValueError, TypeError) as error:
        raise BadRequest(
            f"the values of {given.name} are not {np.prod(stated)} numbers of type FP32"
        ) from error
    if not np.isfinite(values).all():
        raise BadRequest(f"{given.name} has values that are not finite numbers")
    return values


def _output(name: str, answers: Sequence[Answer], binary: bool) -> InferOutput:
    values: np.ndarray
    if name == "class_ids":
        values, kind = np.array([each.class_ids for each in answers], np.int64), "INT64"
    elif name == "names":
        texts = [[text.encode() for text in each.names] for each in answers]
        values, kind = np.array(texts, np.object_), "BYTES"
    else:
        values, kind = (
            np.array([getattr(each, name) for each in answers], np.float32),
            "FP32",
        )
    output = InferOutput(name, list(values.shape), kind)
    output.set_data_from_numpy(values, binary_data=binary)
    return output


def _decoded(value: Any, index: int) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadRequest(
            f"picture {index} is not base64; send the base64 of a picture file"
        ) from error


def _split(raw: bytes) -> list[bytes]:
    """The values of a binary tensor of BYTES, each of which follows its length (4 bytes, little-endian)."""
    values = []
    place = 0
    while place < len(raw):
        if place + 4 > len(raw):
            raise BadRequest(f"the binary data of {PICTURES} ends within a length")
        (length,) = struct.unpack_from("<I", raw, place)
        place += 4
        if place + length > len(raw):
            raise BadRequest(
                f"the binary data of {PICTURES} ends where {length} bytes should follow"
            )
        values.append(raw[place : place + length])
        place += length
    return values


def _flat(data: Any) -> list[Any]:
    """A list of values that may be nested once, as for the shape [N, 1]."""
    values = []
    for value in data or []:
        if isinstance(value, list):
            values += value
        else:
            values.append(value)
    return values


def _value(parameter: Any) -> Any:
    """A parameter's value, which gRPC wraps."""
    which = getattr(parameter, "WhichOneof", None)
    if which is None:
        return parameter
    chosen = which("parameter_choice")
    return None if chosen is None else getattr(parameter, chosen)
