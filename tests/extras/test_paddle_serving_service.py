"""The service of `ppcls paddle-serving`, run on Paddle Serving 0.9 and Python 3.8.

The first test makes the environment by the script that travels in the folder.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))  # for test_documents

import test_documents as documents

from helpers.checkout import ROOT
from helpers.new_process import output_of
from helpers.pictures import encoded, noise, save_picture
from ppcls.inference import Classifier
from ppcls.inference.golden import GOLDEN_PICTURE

DATA = os.environ.get("PPCLS_TEST_DATA")
ENVIRONMENT = ROOT / ".venv-paddleserving"
PYTHON = ENVIRONMENT / "bin" / "python"
PAGE = ROOT / "docs" / "deployment" / "paddle_serving.md"
PATIENCE = 180  # seconds until a service answers, on a crowded machine
PROTOCOL_LINES = r"""{0}: the golden picture's scores differ by at most \S+e-0[5-9] of each
{0}: what is not a picture gives error 51: cannot read the picture 'image': no known picture format
"""
CHECKED = (
    "preprocessing: the golden picture's input differs by at most 0.0e\\+00\n"
    + PROTOCOL_LINES.format("HTTP")
    + PROTOCOL_LINES.format("gRPC")
    + "the service was ended: both ports are free\n"
)
REFUSED_BY_PILLOW_10 = ("it is AVIF", "TIFF files of this kind are not read, or it is damaged (grey, ")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "inference"
    words = ["export", "-c", "SqueezeNet1_1", "--format", "pdmodel", "-o", f"Global.save_inference_dir={folder}"]
    if DATA is None:
        words += ["--untrained"]
    else:
        words += ["-o", f"Global.pretrained_model={DATA}/squeezenet1_1_torchvision.pth"]
    output_of("-m", "ppcls", *words, folder=folder.parent)
    return folder


def free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return [one.getsockname()[1], other.getsockname()[1]]


@pytest.fixture(scope="module")
def folder(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a service, on ports that are free."""
    folder = tmp_path_factory.mktemp("paddle_serving") / "service"
    http_port, rpc_port = map(str, free_ports())
    output_of("-m", "ppcls", "paddle-serving", bundle, folder, "--http-port", http_port, "--rpc-port", rpc_port)
    return folder


@pytest.fixture(scope="module")
def checked(folder: Path) -> str:
    """What the script says that installs Paddle Serving and checks the service."""
    environment = {**os.environ, "VIRTUAL_ENVIRONMENT": str(ENVIRONMENT)}
    environment.pop("PYTHON", None)  # `make PYTHON=...` is about the Python of this library
    done = subprocess.run(
        ["bash", folder / "environment.sh"],
        env=environment,
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def model_of(folder: Path) -> dict[str, Any]:
    model: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    return model


def ports_of(folder: Path) -> list[int]:
    model = model_of(folder)
    return [model["http_port"], model["rpc_port"]]


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(folder: Path, **request: str) -> dict[str, Any]:
    """The answer over HTTP, its values by their keys, with `err_no` and `err_msg`."""
    model = model_of(folder)
    body = json.dumps({"key": list(request), "value": list(request.values())}).encode()
    url = f"http://127.0.0.1:{model['http_port']}/{model['name']}/prediction"
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=PATIENCE) as response:
        answer = json.load(response)
    return {"err_no": answer["err_no"], "err_msg": answer["err_msg"], **dict(zip(answer["key"], answer["value"]))}


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def start(folder: Path) -> subprocess.Popen[bytes]:
    log = (folder / "service.log").open("wb")
    with log:
        return subprocess.Popen([PYTHON, folder / "classification_web_service.py"], stdout=log, stderr=log)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A service that answers; it is killed if a test does not end it."""
    process = start(folder)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None and time.monotonic() < end, (folder / "service.log").read_text()
            with contextlib.suppress(OSError):
                assert ask(folder, image=text(GOLDEN_PICTURE.read_bytes()))["err_no"] == 0
                break
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()
        wait_until_gone(folder)


def processes_of(folder: Path) -> list[int]:
    """Processes that run a file of the folder, or were forked from one that does."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if str(folder).encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def wait_until_gone(folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    while processes_of(folder) or any(map(is_open, ports_of(folder))):
        assert time.monotonic() < end, f"processes {processes_of(folder)} are left"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def service(checked: str, folder: Path) -> Iterator[Path]:
    with running(folder):
        yield folder


def test_the_script_installs_and_checks(checked: str) -> None:
    lines = checked.splitlines(keepends=True)
    if lines[0].startswith("installing Paddle Serving into"):
        lines = lines[1:]
    assert re.fullmatch(CHECKED, "".join(lines)), checked
    assert subprocess.check_output([PYTHON, "--version"], text=True).startswith("Python 3.8.")


def pictures() -> list[Path]:
    found = sorted(Path(str(DATA), "imagenet_200", "images").glob("*"))
    assert len(found) == 200
    return found


@pytest.mark.skipif(DATA is None, reason="PPCLS_TEST_DATA names no folder with imagenet_200 and weights")
def test_200_pictures_are_answered_as_ppcls_predict_answers(service: Path, bundle: Path) -> None:
    expected = list(Classifier(bundle).predict([str(path) for path in pictures()]))
    answers = [ask(service, image=text(path.read_bytes())) for path in pictures()]
    difference = 0.0
    for answer, result in zip(answers, expected):
        (found,) = json.loads(answer["results"])
        assert found["class_ids"] == result.class_ids and found["label_names"] == result.names
        difference = max(difference, float(np.abs(np.subtract(found["scores"], result.scores)).max()))
    assert difference < 1e-5
    print(f"200 pictures: the same five classes, scores within {difference:.1e}")


def test_both_clients_print_the_same(service: Path, tmp_path: Path) -> None:
    files = [GOLDEN_PICTURE, save_picture(tmp_path / "noise.jpg", noise(300, 200)), tmp_path / "text.jpg"]
    files[2].write_bytes(b"This is not a picture.")
    said = []
    for python, client in ((sys.executable, "pipeline_http_client.py"), (PYTHON, "pipeline_rpc_client.py")):
        words = [python, service / client, "--topk", "2", *files]
        # The package leaves its logs where it is imported
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1]
    lines = said[0].splitlines()
    assert [line.partition(":")[0] for line in lines] == list(map(str, files))
    assert lines[2] == f"{files[2]}: error 51: cannot read the picture 'image': no known picture format"


def test_several_pictures_are_one_request(service: Path) -> None:
    one, other = GOLDEN_PICTURE.read_bytes(), encoded(noise(300, 200), "JPEG")
    answer = ask(service, b=text(other), a=text(one), topk="3")
    results = json.loads(answer["results"])
    for data, found in zip((one, other), results):
        (alone,) = json.loads(ask(service, image=text(data), topk="3")["results"])
        assert found["class_ids"] == alone["class_ids"]
        np.testing.assert_allclose(found["scores"], alone["scores"], rtol=1e-4)
    assert answer["label"] == str([result["label_names"][0] for result in results])
    assert answer["prob"] == str([result["scores"][0] for result in results])


@pytest.mark.parametrize(
    ("request_", "code", "sentence"),
    [
        ({"image": text(b"This is not a picture.")}, 51, "cannot read the picture 'image': no known picture format"),
        ({"image": text(encoded(noise(64, 96), "JPEG")[:2000])}, 51, "cannot read the picture 'image': the file is"),
        ({"image": ""}, 51, "cannot read the picture 'image': the file is empty"),
        ({"image": "%%%"}, 52, "'image' is not base64; send the bytes of a picture file as base64"),
        ({}, 52, "the request has 0 pictures; send 1 to 32, each as base64 under a name of its own"),
        ({"image": "", "topk": "many"}, 52, "topk is 'many'; send a number of classes, 1 or more"),
    ],
)
def test_a_bad_request_has_a_code_and_a_sentence(
    request_: dict[str, str], code: int, sentence: str, service: Path
) -> None:
    answer = ask(service, **request_)
    assert answer["err_no"] == code
    assert answer["err_msg"].startswith(sentence)
    assert ask(service, image=text(GOLDEN_PICTURE.read_bytes()))["err_no"] == 0


# Runs on Python 3.8 in the place of the C++ server: answers the scores of the golden picture to its input tensor.
CPP_SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
import numpy as np
from paddle_serving_client.proto import general_model_service_pb2 as messages

golden = np.load("golden.npz")

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        request = messages.Request()
        request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        (tensor,) = request.tensor
        values = np.array(tensor.float_data, np.float32).reshape(list(tensor.shape))
        assert tensor.name == sys.argv[1] and np.array_equal(values, golden["input"])
        response = messages.Response()
        answer = response.outputs.add().tensor.add()
        answer.name = request.fetch_var_names[0]
        answer.float_data.extend(golden["scores"][0].tolist())
        content = response.SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/proto")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.handle_request()
"""


def test_the_client_of_the_cpp_server(service: Path, tmp_path: Path) -> None:
    (service / "cat.jpg").write_bytes(GOLDEN_PICTURE.read_bytes())
    (program,) = documents.blocks(PAGE, "python")
    words = [PYTHON, "-c", CPP_SERVER, "image"]
    with subprocess.Popen(words, cwd=service, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        program = program.replace("9292", port)
        said = subprocess.check_output([PYTHON, "-c", program], cwd=service, text=True)
    scores = np.load(service / "golden.npz")["scores"][0]
    best = [int(line.split()[0]) for line in said.splitlines()]
    assert best == np.argsort(-scores)[:5].tolist()


def child_of(process: subprocess.Popen[bytes]) -> int:
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


@pytest.mark.parametrize("way", ["SIGTERM", "Ctrl-C", "kill", "kill of the child"])
def test_no_process_stays_on_the_ports(way: str, bundle: Path, checked: str, tmp_path: Path) -> None:
    folder = tmp_path / "service"
    ports = free_ports()
    words = ["--http-port", str(ports[0]), "--rpc-port", str(ports[1])]
    output_of("-m", "ppcls", "paddle-serving", bundle, folder, *words)
    with running(folder) as process:
        assert len(processes_of(folder)) >= 3 and all(map(is_open, ports))
        if way == "kill of the child":
            os.kill(child_of(process), signal.SIGKILL)
        else:
            process.send_signal({"SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT, "kill": signal.SIGKILL}[way])
        code = process.wait(PATIENCE)
        assert (code == 0) == (way in ("SIGTERM", "Ctrl-C"))
        if way == "kill":
            wait_until_gone(folder)
        else:
            assert processes_of(folder) == []
        assert not any(map(is_open, ports))


def test_accepted_requests_are_answered_before_the_end(bundle: Path, checked: str, tmp_path: Path) -> None:
    folder = tmp_path / "service"
    ports = free_ports()
    words = ["--http-port", str(ports[0]), "--rpc-port", str(ports[1])]
    output_of("-m", "ppcls", "paddle-serving", bundle, folder, *words)
    picture = text(encoded(noise(800, 600), "JPEG"))
    answers = []
    with running(folder) as process:
        log = folder / "PipelineServingLogs" / "pipeline.log"
        before = log.read_text().count("inference request name")

        def send() -> None:
            answers.append(ask(folder, **{str(number): picture for number in range(8)}))

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + PATIENCE
        while log.read_text().count("inference request name") < before + 4:  # until they are accepted
            assert time.monotonic() < end
            time.sleep(0.01)
        assert len(answers) < 4
        process.terminate()
        for thread in threads:
            thread.join()
        assert process.wait(PATIENCE) == 0
    assert [(answer["err_no"], len(json.loads(answer["results"]))) for answer in answers] == [(0, 8)] * 4


def test_a_port_in_use_is_an_error_and_leaves_nothing(checked: str, folder: Path, bundle: Path, tmp_path: Path) -> None:
    taken = tmp_path / "service"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = other.getsockname()[1], free_ports()[0]
        words = ["--http-port", str(ports[0]), "--rpc-port", str(ports[1])]
        output_of("-m", "ppcls", "paddle-serving", bundle, taken, *words)
        process = start(taken)
        assert process.wait(PATIENCE) == 1
        assert processes_of(taken) == [] and not is_open(ports[1])
        said = (taken / "service.log").read_text()
        assert f"http_port({ports[0]}) is already used" in said and "Traceback" not in said
        # Paddle Serving writes a folder for its log where it is started
        command = [PYTHON, taken / "check.py"]
        done = subprocess.run(command, cwd=taken, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr == (
            f"error: port {ports[0]} is in use; end the program that uses it, or write other ports\n"
        )


# Runs on Python 3.8: compares what preprocess.py makes of recorded pictures with what this library made of them.
COMPARE = """
import hashlib, json, sys
from pathlib import Path
from preprocess import Preprocess, UserError
recorded = Path(sys.argv[1])
others = []
rows = json.loads((recorded / "recorded.json").read_text())
for number, transforms, expected in rows:
    reason = ""
    try:
        tensor = Preprocess(transforms)((recorded / "{}.bin".format(number)).read_bytes())
        found = "{} {}".format(list(tensor.shape), hashlib.sha256(tensor.tobytes()).hexdigest())
    except UserError as error:
        found, reason = "refused", error.reason if hasattr(error, "reason") else str(error)
    if found != expected:
        others.append([number, expected, found, reason])
print(json.dumps([len(rows), others]))
"""


def compare(folder: Path, recorded: Path) -> tuple[int, list[Any]]:
    words = [PYTHON, "-c", COMPARE, recorded]
    said = subprocess.check_output(words, cwd=folder, stderr=subprocess.DEVNULL, text=True)
    count, others = json.loads(said)
    return count, others


def test_odd_pictures_have_the_same_tensors_on_python_38(checked: str, folder: Path, tmp_path: Path) -> None:
    from recorded_pictures import record_odd_pictures

    record_odd_pictures(tmp_path)
    count, others = compare(folder, tmp_path)
    assert count > 3000
    for _, _, found, reason in others:
        assert found == "refused" and reason.startswith(REFUSED_BY_PILLOW_10)
    assert len(others) <= 5
    print(f"{count} odd pictures: the same tensors and refusals but for {len(others)}, which are refused on Python 3.8")


@pytest.mark.skipif(DATA is None, reason="PPCLS_TEST_DATA names no folder with imagenet_200 and weights")
@pytest.mark.parametrize("backend", ["cv2", "pil"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_200_pictures_have_the_same_tensors_on_python_38(
    backend: str, interpolation: str, checked: str, folder: Path, tmp_path: Path
) -> None:
    from recorded_pictures import digest

    from ppcls.data.transforms import Pipeline

    pipeline = Pipeline.from_list(
        [
            {"DecodeImage": {"backend": backend}},
            {"ResizeImage": {"resize_short": 256, "backend": backend, "interpolation": interpolation}},
            {"CropImage": {"size": 224}},
            {"NormalizeImage": None},
            {"ToCHWImage": None},
        ]
    )
    transforms = pipeline.normalized().to_list()
    rows = []
    for number, picture in enumerate(pictures()):
        shutil.copy(picture, tmp_path / f"{number}.bin")
        rows.append([number, transforms, digest(pipeline, picture.read_bytes())])
    (tmp_path / "recorded.json").write_text(json.dumps(rows), encoding="utf-8")
    assert compare(folder, tmp_path) == (200, [])


def test_the_commands_of_the_page(checked: str, tmp_path: Path) -> None:
    assert not any(map(is_open, (18080, 9993))), "the page's ports are in use"
    for index in range(2):
        save_picture(tmp_path / "pictures" / f"{index}.png", noise(48, 40, index))
    export, write, install, serve, *clients = page_commands()
    for line in (export, write):
        output_of("-m", *shlex.split(line), folder=tmp_path)
    folder = tmp_path / "service"
    (folder / ".venv").symlink_to(ENVIRONMENT)
    done = subprocess.run(install, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and re.fullmatch(CHECKED, done.stdout), done.stdout + done.stderr
    assert shlex.split(serve) == ["service/.venv/bin/python", "service/classification_web_service.py"]
    with running(folder):
        for line in clients:
            done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            if "curl" in line:
                answer = json.loads(done.stdout)
                assert answer["err_no"] == 0 and answer["key"] == ["label", "prob", "results"]
            else:
                assert done.stdout.startswith("pictures/0.png: ")


def page_commands() -> list[str]:
    """The command lines of the page's ```bash blocks."""
    lines = []
    for block in documents.blocks(PAGE, "bash"):
        if "|\n" in block:
            lines.append(block)
        else:
            lines += block.splitlines()
    return lines
