"""The folder of `ppcls paddle-serving`, as far as it shows without Paddle Serving; tests/extras runs the service."""

from __future__ import annotations

import ast
import base64
import json
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from helpers.pictures import encoded, noise, numbered, smooth
from ppcls.cli import main
from ppcls.data.transforms import Pipeline, UnreadableImage
from ppcls.deployment.paddle_serving import standalone as source
from ppcls.deployment.paddle_serving.folder import FILES, Service, preprocess_source, write_folder
from ppcls.inference import Bundle
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.utils.errors import UserError

DATA = os.environ.get("PPCLS_TEST_DATA")
EXIF_6 = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
NEWER = {"removesuffix", "removeprefix", "cache", "pairwise", "bit_count", "unparse", "nextafter", "lcm"}
"""Attributes that Python 3.8 lacks."""
COLOURS = noise(64, 96)
JPEG = encoded(COLOURS, "JPEG")
ODD = {
    "gray JPEG": encoded(COLOURS[..., 0], "JPEG"),
    "progressive JPEG": encoded(COLOURS, "JPEG", progressive=True),
    "CMYK JPEG": encoded(noise(128, 96).reshape(96, 96, 4), "JPEG", mode="CMYK"),
    "turned JPEG": encoded(COLOURS, "JPEG", exif=EXIF_6),
    "cut JPEG": JPEG[: len(JPEG) // 2] + b"\xff\xd9",
    "JPEG with zeros": JPEG[:700] + bytes(200) + JPEG[900:],
    "PNG with alpha": encoded(noise(48, 64).reshape(64, 36, 4), "PNG", mode="RGBA"),
    "PNG of 16 bits": encoded(np.arange(48 * 64, dtype=np.uint16).reshape(64, 48) * 20, "PNG"),
    "cut PNG": encoded(COLOURS)[:900],
    "GIF": encoded(COLOURS, "GIF"),
    "BMP": encoded(COLOURS, "BMP"),
    "WebP": encoded(smooth(48, 64), "WEBP"),
    "TIFF of white to black": encoded(np.packbits(COLOURS[..., 0] > 99, axis=1), "TIFF"),
    "JPEG 2000": encoded(COLOURS, "JPEG2000"),
    "PPM": encoded(COLOURS, "PPM"),
    "one line": encoded(numbered(2, 30000)),
    "text": b"This is not a picture.",
    "nothing": b"",
}


@pytest.fixture(scope="session")
def legacy(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose program counts as one of Paddle 2; only its name does."""
    folder = tmp_path_factory.mktemp("legacy")
    for path in exported.iterdir():
        (folder / path.name.replace("inference.json", "inference.pdmodel")).write_bytes(path.read_bytes())
    manifest = folder / "inference.yml"
    text = manifest.read_text(encoding="utf-8").replace("inference.json", "inference.pdmodel")
    manifest.write_text(text, encoding="utf-8")
    return Bundle.load(folder)


@pytest.fixture(scope="session")
def service(legacy: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(legacy, tmp_path_factory.mktemp("services") / "service", Service("tiny", 18181, 18182))


@pytest.fixture(scope="session")
def module_of(service: Path) -> Iterator[Callable[[str], Any]]:
    """Imports a file of the folder, as Python does that runs there."""
    before = set(sys.modules)
    sys.path.insert(0, str(service))

    def load(name: str) -> types.ModuleType:
        if name in sys.modules:
            return sys.modules[name]
        spec = util.spec_from_file_location(name, service / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    yield load
    sys.path.remove(str(service))
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(service)):
            del sys.modules[name]


@pytest.fixture(scope="session")
def preprocess(module_of: Callable[[str], Any]) -> Any:
    return module_of("preprocess")


def test_the_folder_is_whole(service: Path, legacy: Bundle) -> None:
    found = {path.relative_to(service).as_posix() for path in service.rglob("*") if path.is_file()}
    assert found - {name for name in found if "__pycache__" in name} == {
        *FILES,
        "config.yml",
        "golden.npz",
        "model.json",
        "preprocess.py",
        "serving_client/serving_client_conf.prototxt",
        "serving_server/inference.pdiparams",
        "serving_server/inference.pdmodel",
        "serving_server/serving_server_conf.prototxt",
    }
    for name in ("inference.pdmodel", "inference.pdiparams"):
        assert (service / "serving_server" / name).read_bytes() == (legacy.folder / name).read_bytes()


def test_input_and_output_are_described(service: Path) -> None:
    text = (service / "serving_server/serving_server_conf.prototxt").read_text(encoding="utf-8")
    assert text == (service / "serving_client/serving_client_conf.prototxt").read_text(encoding="utf-8")
    assert text == (
        'feed_var {\n  name: "image"\n  alias_name: "image"\n  is_lod_tensor: false\n  feed_type: 1\n'
        "  shape: 3\n  shape: 32\n  shape: 32\n}\n"
        'fetch_var {\n  name: "fetch_name_0"\n  alias_name: "fetch_name_0"\n  is_lod_tensor: false\n  fetch_type: 1\n'
        "  shape: 5\n}\n"
    )


def test_the_configuration_has_the_ports_the_model_and_its_output(service: Path) -> None:
    config = yaml.safe_load((service / "config.yml").read_text(encoding="utf-8"))
    assert (config["http_port"], config["rpc_port"], list(config["op"])) == (18181, 18182, ["tiny"])
    local = config["op"]["tiny"]["local_service_conf"]
    assert local["client_type"] == "local_predictor" and local["fetch_list"] == ["fetch_name_0"]
    assert (service / local["model_config"] / "inference.pdmodel").is_file()
    model = json.loads((service / "model.json").read_text(encoding="utf-8"))
    assert (model["name"], model["http_port"], model["rpc_port"], model["topk"]) == ("tiny", 18181, 18182, 5)
    assert model["class_names"][3] == "naïve ray"


def test_every_file_is_python_38(service: Path) -> None:
    files = sorted(service.glob("*.py"))
    assert len(files) == 5
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
        nodes = list(ast.walk(tree))
        assert NEWER.isdisjoint(node.attr for node in nodes if isinstance(node, ast.Attribute))
        assert "strict" not in {node.arg for node in nodes if isinstance(node, ast.keyword)}
        # `{} | {}`, and types made at run time
        unions = [node for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)]
        assert not any(
            isinstance(side, (ast.Dict, ast.DictComp)) for node in unions for side in (node.left, node.right)
        )


def test_preprocess_imports_nothing_but_its_four_libraries(service: Path) -> None:
    tree = ast.parse((service / "preprocess.py").read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"PIL", "cv2", "numpy", "simplejpeg"}


def outcome(preprocess: Callable[[bytes], np.ndarray], data: bytes) -> Any:
    try:
        tensor = preprocess(data)
    except ValueError as error:  # of which both UserErrors are kinds
        return type(error).__name__, str(error)
    assert tensor.dtype == np.float32 and tensor.flags["C_CONTIGUOUS"]
    return tensor.shape, tensor.tobytes()


def pipelines() -> dict[str, list[Any]]:
    end: list[Any] = [{"CropImage": {"size": 32}}, {"NormalizeImage": None}, {"ToCHWImage": None}]
    found = {}
    for backend in ("cv2", "pil"):
        for interpolation in ("bilinear", "bicubic"):
            resize = {"resize_short": 40, "backend": backend, "interpolation": interpolation}
            found[f"{backend} {interpolation}"] = [
                {"DecodeImage": {"backend": backend}},
                {"ResizeImage": resize},
                *end,
            ]
    one = {"mean": [0.45], "std": [0.22]}
    found["gray"] = [
        {"DecodeImage": {"channels": 1}}, {"ResizeImage": {"size": [30, 20]}}, {"Pad": {"padding": 3, "fill": 9}},
        {"NormalizeImage": one}, {"CenterCrop": {"size": [31, 21]}}, {"ToCHWImage": None},
    ]  # fmt: skip
    found["BGR, last channels first"] = [
        {"DecodeImage": {"to_rgb": False}}, {"ResizeImage": {"size": 33}}, {"ToCHWImage": None},
        {"NormalizeImage": {"order": "chw", "scale": "1.0/255.0"}},
    ]  # fmt: skip
    return found


@pytest.mark.parametrize("name", list(pipelines()))
def test_tensors_and_refusals_are_those_of_the_bundle(name: str, preprocess: Any) -> None:
    pipeline = Pipeline.from_list(pipelines()[name])
    transforms = json.loads(json.dumps(pipeline.normalized().to_list()))
    copy = preprocess.Preprocess(transforms)
    shapes = set()
    for data in (GOLDEN_PICTURE.read_bytes(), *ODD.values()):
        expected = outcome(pipeline, data)
        assert outcome(copy, data) == expected
        shapes.add(expected[0])
    assert len(shapes) >= 2 and "UnreadableImage" in shapes


@pytest.mark.skipif(DATA is None, reason="PPCLS_TEST_DATA names no folder with imagenet_200")
def test_the_tensors_of_200_pictures_are_those_of_the_bundle(preprocess: Any) -> None:
    pipeline = Pipeline.from_list(pipelines()["pil bilinear"])
    copy = preprocess.Preprocess(pipeline.normalized().to_list())
    pictures = sorted(Path(str(DATA), "imagenet_200", "images").glob("*"))
    assert len(pictures) == 200
    for picture in pictures:
        data = picture.read_bytes()
        assert np.array_equal(copy(data), pipeline(data)), picture.name


@pytest.fixture(scope="session")
def web_service(module_of: Callable[[str], Any]) -> Any:
    return module_of("classification_web_service")


@pytest.fixture
def classification(web_service: Any) -> Any:
    return web_service.Classification(web_service.MODEL)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_pictures_of_a_request_become_a_batch(classification: Any, legacy: Bundle) -> None:
    golden = GOLDEN_PICTURE.read_bytes()
    batch = classification.inputs({"b": text(JPEG), "a": text(golden), "topk": "2"})
    assert np.array_equal(batch, np.stack([legacy.pipeline(golden), legacy.pipeline(JPEG)]))


@pytest.mark.parametrize(
    ("request_", "code", "sentence"),
    [
        ({}, 52, "the request has 0 pictures; send 1 to 32, each as base64 under a name of its own"),
        ({"topk": "3"}, 52, "the request has 0 pictures; send 1 to 32, each as base64 under a name of its own"),
        ({str(n): "" for n in range(33)}, 52, "the request has 33 pictures; send 1 to 32, each as base64"),
        ({"image": "?"}, 52, "'image' is not base64; send the bytes of a picture file as base64"),
        ({"image": "äö"}, 52, "'image' is not base64"),
        ({"image": np.zeros(3)}, 52, "'image' is not base64"),
        ({"image": ""}, 51, "cannot read the picture 'image': the file is empty"),
        ({"image": text(ODD["text"])}, 51, "cannot read the picture 'image': no known picture format"),
        ({"a": text(JPEG), "b": text(ODD["cut JPEG"])}, 51, "cannot read the picture 'b': its coded data is damaged"),
        ({"image": text(JPEG), "topk": "0"}, 52, "topk is '0'; send a number of classes, 1 or more"),
        ({"image": text(JPEG), "topk": "-1"}, 52, "topk is '-1'"),
        ({"image": text(JPEG), "topk": "²"}, 52, "topk is '²'"),
    ],
)
def test_a_bad_request_has_a_code_and_a_sentence(
    request_: dict[str, Any], code: int, sentence: str, classification: Any, web_service: Any
) -> None:
    with pytest.raises(web_service.BadRequest) as caught:
        classification.inputs(request_)
    assert caught.value.code == code
    assert caught.value.sentence.startswith(sentence)


def test_the_answer_is_that_of_ppcls_predict_and_of_paddleclas(classification: Any) -> None:
    scores = np.float32([[0.1, 0.2, 0.4, 0.2, 0.1], [0.9, 0.1, 0, 0, 0]])
    answer = classification.answer(scores, topk=3)
    first, second = json.loads(answer["results"])
    assert first["class_ids"] == [2, 1, 3] and first["label_names"] == ['a "shark"', "goldfish", "naïve ray"]
    assert first["scores"] == [float(np.float32(score)) for score in (0.4, 0.2, 0.2)]
    assert second["class_ids"] == [0, 1, 2]
    assert ast.literal_eval(answer["label"]) == ['a "shark"', "tench, Tinca tinca"]
    assert ast.literal_eval(answer["prob"]) == [first["scores"][0], second["scores"][0]]


def test_logits_are_answered_as_probabilities(web_service: Any) -> None:
    model = {**web_service.MODEL, "output": "logits", "class_names": None}
    answer = web_service.Classification(model).answer(np.log(np.float32([[1, 2, 4, 1, 2]])) + 7, topk=1)
    (result,) = json.loads(answer["results"])
    assert result["class_ids"] == [2] and result["label_names"] == []
    assert result["scores"] == pytest.approx([0.4])
    assert answer["label"] == "['2']"


def test_all_classes_are_the_most_that_are_answered(classification: Any) -> None:
    assert classification.topk({"topk": "9999999999"}) == 5
    assert classification.topk({}) == 5
    assert classification.topk({"topk": "2"}) == 2


class _Gateway(BaseHTTPRequestHandler):
    """Answers like the gateway of Paddle Serving: what it was asked for, or an error for a second kind of picture."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = dict(zip(asked["key"], asked["value"]))
        if base64.b64decode(request["image"]) == b"bad":
            answer: dict[str, Any] = {"err_no": 51, "err_msg": "cannot read it", "key": [], "value": []}
        else:
            number = int(request.get("topk", 2))
            result = {"class_ids": [4, 1][:number], "scores": [0.75, 0.25][:number], "label_names": []}
            answer = {"err_no": 0, "err_msg": "", "key": ["results"], "value": [json.dumps([result])]}
        content = json.dumps({**answer, "tensors": [], "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Gateway) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/tiny/prediction"
        server.shutdown()
        thread.join()


def test_the_http_client_prints_classes_and_errors(
    gateway: str, module_of: Callable[[str], Any], tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: Any
) -> None:
    client = module_of("pipeline_http_client")
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(b"good")
    bad.write_bytes(b"bad")
    monkeypatch.setattr(sys, "argv", ["client", "--url", gateway, str(good)])
    words = ("HTTP", "--url", client.url(), client.classify)
    assert client.url() == "http://127.0.0.1:18181/tiny/prediction"
    assert client.classify_files(*words) == 0
    assert capsys.readouterr().out == f"{good}: class 4 0.750, class 1 0.250\n"
    monkeypatch.setattr(sys, "argv", ["client", "--url", gateway, "--topk", "1", str(bad), str(good)])
    assert client.classify_files(*words) == 1
    assert capsys.readouterr().out == f"{bad}: error 51: cannot read it\n{good}: class 4 0.750\n"


def test_a_program_of_paddle_3_is_refused(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["paddle-serving", str(exported), str(tmp_path / "service")]) == 2
    assert capsys.readouterr().err == (
        f"{exported}: Paddle Serving 0.9 runs programs of Paddle 2, and this is inference.json; export again with "
        "`ppcls export --format pdmodel`\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_comes_next(legacy: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "service"
    assert main(["paddle-serving", str(legacy.folder), str(folder), "--http-port", "18080"]) == 0
    assert capsys.readouterr().out == f"`bash {folder}/environment.sh` installs Paddle Serving and checks the service\n"
    before = (folder / "model.json").read_bytes()
    assert main(["paddle-serving", str(legacy.folder), str(folder), "--name", "other"]) == 2
    assert capsys.readouterr().err == f"{folder} exists already; give the name of a new folder\n"
    assert (folder / "model.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["service"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--name", "a/b"], "--name is 'a/b'; write letters, digits and _, beginning with a letter"),
        (["--http-port", "80"], "--http-port is 80; Paddle Serving takes 1024 to 65535"),
        (["--rpc-port", "65536"], "--rpc-port is 65536; Paddle Serving takes 1024 to 65535"),
        (["--rpc-port", "18080"], "--http-port and --rpc-port are both 18080; write two different ports"),
    ],
)
def test_impossible_options_are_refused(
    options: list[str], sentence: str, legacy: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["paddle-serving", str(legacy.folder), str(tmp_path / "service"), *options]) == 2
    assert capsys.readouterr().err == sentence + "\n"


def test_a_damaged_program_is_not_copied(legacy: Bundle, tmp_path: Path) -> None:
    for path in legacy.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "inference.pdiparams").write_bytes(b"")
    with pytest.raises(UserError, match="SHA-256 differs"):
        write_folder(Bundle.load(tmp_path), tmp_path / "service")
    assert not (tmp_path / "service").exists()


def test_a_name_that_two_modules_define_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    collected = source._Collected()
    collected.take("ppcls.data.transforms.exif", "_TAG")
    with pytest.raises(source.NotSelfContained, match=r"exif and ppcls.data.transforms.geometry both define _TAG"):
        collected._claim("_TAG", "ppcls.data.transforms.geometry")


def test_what_is_not_used_does_not_travel() -> None:
    text = preprocess_source()
    names = {node.name for node in ast.parse(text).body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    assert {"Preprocess", "ResizeImage", "read_header", "resample_part"} <= names
    assert not names & {"Pipeline", "RandCropImage", "pixels_of", "generator"}
    assert "# Cameras and editors" not in text and "libjpeg-turbo reports the first thing" not in text
    assert "    # Older Pillow has the mode I for 16 bits too\n" in text  # comments travel with their code


def test_a_refusal_carries_its_reason(preprocess: Any) -> None:
    copy = preprocess.Preprocess(Pipeline.from_list(pipelines()["gray"]).normalized().to_list())
    with pytest.raises(preprocess.UnreadableImage) as caught:
        copy(b"%PDF-1.7")
    assert caught.value.reason == "the format PDF is not read; convert it to JPEG or PNG"
    assert not isinstance(caught.value, UnreadableImage)  # the copy's own class
