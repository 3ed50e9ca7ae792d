"""`ppcls serve`: its answers are those of `ppcls predict`, over each protocol."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from serving_process import Serving
from tritonclient.utils import InferenceServerException

from helpers.new_process import output_of
from ppcls.inference import Classifier
from ppcls.serving.models import LoadedModel
from ppcls.serving.refusals import Busy

MODEL = "/v2/models/tiny"


@pytest.fixture(scope="module")
def serving(exported: Path) -> Iterator[Serving]:
    with Serving(f"tiny={exported}", f"other={exported}") as server:
        yield server


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    """Noise of several sizes, as JPEG and PNG."""
    rng = np.random.default_rng(5)
    found = []
    for side, suffix in ((40, ".jpg"), (64, ".png"), (90, ".jpg")):
        pixels = rng.integers(0, 256, (side, 50, 3), np.uint8)
        found.append(cv2.imencode(suffix, pixels)[1].tobytes())
    return found


@pytest.fixture(scope="module")
def expected(exported: Path, pictures: list[bytes]) -> list[Any]:
    return list(Classifier(exported, topk=5).predict(pictures))


def same(answer: dict[str, Any], result: Any, topk: int = 5) -> bool:
    scores = answer["scores"] == pytest.approx(result.scores[:topk], abs=1e-5)
    return scores and answer["class_ids"] == result.class_ids[:topk] and answer["names"] == result.names[:topk]


def test_the_raw_road(serving: Serving, pictures: list[bytes], expected: list[Any]) -> None:
    for content, result in zip(pictures, expected):
        status, answer, headers = serving.ask(f"{MODEL}/classify", content, Content_Type="image/jpeg")
        assert status == 200
        assert same(answer, result)
        assert (answer["model_name"], answer["backend"], answer["precision"]) == ("tiny", "paddle", "float32")
        assert answer["id"] == headers["x-request-id"]
    assert len(serving.ask(f"{MODEL}/classify?topk=2", pictures[0])[1]["class_ids"]) == 2


def test_curl(serving: Serving, pictures: list[bytes], expected: list[Any], tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(pictures[0])
    command = ["curl", "-s", "--data-binary", "@cat.jpg", "-H", "Content-Type: image/jpeg"]
    command.append(f"{serving.address}{MODEL}/classify")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert same(json.loads(done.stdout), expected[0])


def test_v2_of_base64_in_json(serving: Serving, pictures: list[bytes], expected: list[Any]) -> None:
    data = [base64.b64encode(content).decode() for content in pictures]
    request = {
        "id": "seven",
        "parameters": {"topk": 3},
        "inputs": [{"name": "image", "shape": [3], "datatype": "BYTES", "data": data}],
    }
    status, answer, _ = serving.ask(f"{MODEL}/infer", request)
    assert status == 200, answer
    assert (answer["id"], answer["model_name"]) == ("seven", "tiny")
    outputs = {output["name"]: output for output in answer["outputs"]}
    assert list(outputs) == ["class_ids", "scores", "names"]
    for name, output in outputs.items():
        assert output["shape"] == [3, 3], name
    for row, result in enumerate(expected):
        columns = {name: output["data"][3 * row : 3 * row + 3] for name, output in outputs.items()}
        assert same(columns, result, 3)


def test_v1(serving: Serving, pictures: list[bytes], expected: list[Any]) -> None:
    instances = [{"b64": base64.b64encode(content).decode()} for content in (*pictures, b"no picture")]
    status, answer, _ = serving.ask("/v1/models/tiny:predict", {"instances": instances})
    assert status == 200
    *good, bad = answer["predictions"]
    assert all(same(prediction, result) for prediction, result in zip(good, expected))
    assert bad == {"error": "cannot read the picture: no known picture format"}


def test_v2_of_tensors(serving: Serving, exported: Path, pictures: list[bytes], expected: list[Any]) -> None:
    pipeline = Classifier(exported).bundle.pipeline
    tensors = np.stack([pipeline(content) for content in pictures])
    # The program's own input has the name of the input of pictures
    entry = {"name": "image_tensor", "shape": list(tensors.shape), "datatype": "FP32", "data": tensors.ravel().tolist()}
    request = {"inputs": [entry], "outputs": [{"name": "class_ids"}, {"name": "probabilities"}]}
    status, answer, _ = serving.ask(f"{MODEL}/infer", request)
    assert status == 200, answer
    ids, probabilities = answer["outputs"]
    assert ids["data"] == [number for result in expected for number in result.class_ids]
    assert probabilities["shape"] == [3, 5]
    best = np.sort(np.reshape(probabilities["data"], (3, 5)))[:, ::-1]
    np.testing.assert_allclose(best, [result.scores for result in expected], atol=1e-5)


@pytest.mark.parametrize("binary", [True, False])
def test_tritonclient_http(serving: Serving, pictures: list[bytes], expected: list[Any], binary: bool) -> None:
    """Its binary data is what KServe itself fails on."""
    client = tritonclient.http.InferenceServerClient(serving.host)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("tiny")
    sent = pictures if binary else [base64.b64encode(content) for content in pictures]
    given = tritonclient.http.InferInput("image", [3], "BYTES")
    given.set_data_from_numpy(np.array(sent, np.object_), binary_data=binary)
    wanted = tritonclient.http.InferRequestedOutput("scores", binary_data=binary)
    named = tritonclient.http.InferRequestedOutput("class_ids", binary_data=not binary)
    answer = client.infer("tiny", [given], outputs=[wanted, named], parameters={"topk": 4})
    np.testing.assert_allclose(answer.as_numpy("scores"), [each.scores[:4] for each in expected], atol=1e-5)
    assert answer.as_numpy("class_ids").tolist() == [each.class_ids[:4] for each in expected]
    client.close()


def test_tritonclient_grpc(serving: Serving, exported: Path, pictures: list[bytes], expected: list[Any]) -> None:
    client = tritonclient.grpc.InferenceServerClient(serving.grpc)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("other")
    metadata = client.get_model_metadata("tiny", as_json=True)
    assert metadata["platform"] == "ppcls_paddle"
    assert [entry["name"] for entry in metadata["inputs"]] == ["image", "image_tensor"]
    given = tritonclient.grpc.InferInput("image", [3], "BYTES")
    given.set_data_from_numpy(np.array(pictures, np.object_))
    answer = client.infer("tiny", [given], request_id="eight", parameters={"topk": 5})
    assert answer.get_response().id == "eight"
    names = [[text.decode() for text in row] for row in answer.as_numpy("names")]
    assert names == [result.names for result in expected]
    tensor = Classifier(exported).bundle.pipeline(pictures[1])[np.newaxis]
    given = tritonclient.grpc.InferInput("image_tensor", list(tensor.shape), "FP32")
    given.set_data_from_numpy(tensor)
    answer = client.infer("tiny", [given])
    np.testing.assert_allclose(answer.as_numpy("scores")[0], expected[1].scores, atol=1e-5)
    client.close()


def test_metadata(serving: Serving) -> None:
    _, server, _ = serving.ask("/v2")
    assert server["name"] == "ppcls"
    _, model, _ = serving.ask(MODEL)
    assert model["platform"] == "ppcls_paddle"
    assert model["inputs"] == [
        {"name": "image", "datatype": "BYTES", "shape": [-1]},
        {"name": "image_tensor", "datatype": "FP32", "shape": [-1, 3, 32, 32]},
    ]
    assert [output["name"] for output in model["outputs"]] == ["class_ids", "scores", "names", "probabilities"]
    assert model["outputs"][-1]["shape"] == [-1, 5]
    assert serving.ask("/v1/models")[1] == {"models": ["tiny", "other"]}


def infer(**entry: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["aGk="], **entry}]}


LONG = cv2.imencode(".png", np.zeros((1, 65536), np.uint8))[1].tobytes()
TENSOR = {"name": "image_tensor", "datatype": "FP32"}
BAD: list[tuple[str, Any, int, str]] = [
    (f"{MODEL}/classify", b"", 400, "the request has no body"),
    (f"{MODEL}/classify", b"hello", 400, "cannot read the picture: no known picture format"),
    (
        f"{MODEL}/classify",
        LONG,
        400,
        "cannot read the picture: it has 65536x1 pixels, but this server takes 65,535 to a",
    ),
    (f"{MODEL}/classify?topk=0", b"x", 400, "topk is '0'"),
    (f"{MODEL}/classify?topk=many", b"x", 400, "topk is 'many'"),
    (f"{MODEL}/explain", b"x", 403, "this server explains no answers; start it with `ppcls serve --explain`"),
    ("/v2/models/none/classify", b"x", 404, "there is no model 'none'; this server has tiny, other"),
    ("/v2/models/none/infer", infer(), 404, "there is no model 'none'"),
    ("/v1/models/none:predict", {"instances": []}, 404, "there is no model 'none'"),
    (f"{MODEL}/infer", infer(), 400, "cannot read the picture: no known picture format"),
    (f"{MODEL}/infer", infer(data=["a", "b"], shape=[2]), 400, "picture 0 is not base64"),
    (f"{MODEL}/infer", infer(data=[7]), 400, "picture 0 is not base64"),
    (f"{MODEL}/infer", infer(shape=[2]), 400, "the shape of image is [2], but it has 1 values"),
    (f"{MODEL}/infer", infer(datatype="FP32"), 400, "the request has the input 'image' of type FP32"),
    (f"{MODEL}/infer", infer(name="cat"), 400, "the request has the input 'cat' of type BYTES"),
    (f"{MODEL}/infer", infer(data=["aGk="] * 33, shape=[33]), 400, "the request has 33 pictures; send 1 to 32"),
    (f"{MODEL}/infer", infer(data=[], shape=[0]), 400, "the request has 0 pictures"),
    (f"{MODEL}/infer", infer(**TENSOR, shape=[1, 3, 2, 2]), 400, "the shape of image_tensor is [1, 3, 2, 2]"),
    (f"{MODEL}/infer", infer(**TENSOR, shape=[1, 3, 32, 32], data=[1]), 400, "the values of image_tensor are not 3072"),
    (f"{MODEL}/infer", infer(**TENSOR, shape=[1, 3, 32, 32], data=["x"] * 3072), 400, "the values of image_tensor"),
    (f"{MODEL}/infer", {"inputs": []}, 400, "the request has 0 inputs"),
    (f"{MODEL}/infer", {"inputs": 5}, 400, "the request is not one of protocol v2"),
    (f"{MODEL}/infer", {**infer(), "outputs": [{"name": "no"}]}, 400, "there is no output 'no'"),
    ("/v1/models/tiny:predict", {"pictures": []}, 400, "the request has no list of instances"),
    ("/v1/models/tiny:predict", {"instances": [{"url": "file:///etc/passwd"}]}, 400, "instance 0 has no b64"),
    ("/v1/models/tiny:predict", b"{", 400, "Unrecognized request format"),
    ("/v1/models/tiny:explain", {"instances": []}, 400, "this server explains no answers"),
    ("/elsewhere", b"x", 404, "POST /elsewhere: Not Found"),
    ("/v2/models/tiny/infer", None, 405, "GET /v2/models/tiny/infer: Method Not Allowed"),
]


@pytest.mark.parametrize(("path", "body", "status", "sentence"), BAD)
def test_bad_requests_get_one_sentence(serving: Serving, path: str, body: Any, status: int, sentence: str) -> None:
    found, answer, headers = serving.ask(path, body)
    assert (found, list(answer)) == (status, ["error"])
    assert answer["error"].startswith(sentence)
    record = serving.until("request", request_id=headers["x-request-id"])
    assert (record["code"], record["level"]) == (status, "info")


def test_explanations(exported: Path, pictures: list[bytes], expected: list[Any]) -> None:
    pipeline = Classifier(exported).bundle.pipeline
    with Serving(f"tiny={exported}", "--explain", "--queue=5") as server:
        assert "explain" in server.ask("/v2")[1]["extensions"]
        for content, result in zip(pictures, expected):
            status, answer, _ = server.ask(f"{MODEL}/explain", content)
            assert status == 200, answer
            assert (answer["class_id"], answer["name"]) == (result.class_ids[0], result.names[0])
            assert answer["score"] == pytest.approx(result.scores[0], abs=1e-5)
            png = np.frombuffer(base64.b64decode(answer["png"]), np.uint8)
            assert cv2.imdecode(png, cv2.IMREAD_COLOR).shape[:2] == pipeline(content).shape[1:]
        assert server.ask(f"{MODEL}/explain?class_id=4", pictures[0])[1]["class_id"] == 4
        for query, body, sentence in (
            ("?class_id=5", pictures[0], "class_id is '5'; write a number from 0 to 4"),
            ("?class_id=-1", pictures[0], "class_id is '-1'"),
            ("", b"", "the request has no body"),
            ("", b"no picture", "cannot read the picture: no known picture format"),
        ):
            status, answer, _ = server.ask(f"{MODEL}/explain{query}", body)
            assert status == 400
            assert answer["error"].startswith(sentence)


def test_a_file_that_was_sent_as_a_form(serving: Serving, tmp_path: Path) -> None:
    """`curl -d` leaves out ends of lines, `curl -F` wraps the file."""
    (tmp_path / "cat.jpg").write_bytes(b"no picture")
    for option in ("-d@cat.jpg", "-Ffile=@cat.jpg"):
        command = ["curl", "-s", option, f"{serving.address}{MODEL}/classify"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
        error = json.loads(done.stdout)["error"]
        assert error.endswith("as `curl --data-binary @cat.jpg` does, where -d and -F change it")


def test_one_explanation_at_a_time() -> None:
    model = object.__new__(LoadedModel)
    model._is_explaining, model._in_use = False, 0
    for _ in range(2):
        with model.explaining():
            assert model._in_use == 1
            with pytest.raises(Busy), model.explaining():
                pass
            assert model._in_use == 1
        assert model._in_use == 0


def test_bytes_that_name_a_file_are_no_picture(serving: Serving, tmp_path: Path, pictures: list[bytes]) -> None:
    """In Python a picture may be given by the bytes of its path; a client must not read files of the server."""
    path = tmp_path / "cat.jpg"
    path.write_bytes(pictures[0])
    status, answer, _ = serving.ask(f"{MODEL}/classify", str(path).encode())
    assert (status, answer["error"]) == (400, "cannot read the picture: no known picture format")


@pytest.mark.parametrize(
    ("size", "sentence"), [("x", "Inference-Header"), ("1", "the request is not"), ("9", "the req")]
)
def test_binary_data_that_is_wrong(serving: Serving, size: str, sentence: str) -> None:
    header = {"Inference_Header_Content_Length": size}
    status, answer, _ = serving.ask(f"{MODEL}/infer", b"{}", Content_Type="application/octet-stream", **header)
    assert status == 400
    assert answer["error"].startswith(sentence)


def test_grpc_refusals(serving: Serving) -> None:
    client = tritonclient.grpc.InferenceServerClient(serving.grpc)
    given = tritonclient.grpc.InferInput("image", [1], "BYTES")
    given.set_data_from_numpy(np.array([b"no picture"], np.object_))
    for model, code in (("tiny", "INVALID_ARGUMENT"), ("none", "NOT_FOUND")):
        with pytest.raises(InferenceServerException) as raised:
            client.infer(model, [given])
        assert raised.value.status() == f"StatusCode.{code}"
    client.close()


def test_answers_are_sent_at_once() -> None:
    """Of an accepted connection whose listener's protocol is 0, asyncio does not turn off Nagle's algorithm."""
    program = "from ppcls.serving.http import listening_socket; from ppcls.serving.options import ServerOptions; "
    program += "print(listening_socket(ServerOptions(http_port=0)).proto)"
    # A process that has tritonclient cannot load KServe
    assert int(output_of("-W", "ignore", "-c", program)) == socket.IPPROTO_TCP
