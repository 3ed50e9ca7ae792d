"""Write the folder that Paddle Serving 0.9 serves a bundle from."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ppcls
from ppcls.deployment.paddle_serving.preprocess import SERVED
from ppcls.deployment.paddle_serving.standalone import standalone
from ppcls.inference.bundle import LEGACY_PROGRAM_FILE, PARAMETERS_FILE, Bundle
from ppcls.inference.golden import Golden
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import PathLike, beside, put_folder, resolved, scratch_folder
from ppcls.utils.lock import claimed

_PACKAGE = Path(ppcls.__file__).resolve().parent
# First where a wheel has them, then where a checkout has them.
_TEMPLATES = (
    _PACKAGE / "deploy_paddleserving",
    _PACKAGE.parent / "deploy" / "paddleserving",
)
FILES = (
    "classification_web_service.py",
    "pipeline_http_client.py",
    "pipeline_rpc_client.py",
    "check.py",
    "environment.sh",
    "requirements.txt",
    "requirements-serving.txt",
)
"""The files that are the same for every bundle."""

SERVER, CLIENT = "serving_server", "serving_client"
_IN_USE = "wait until it ends, and run this again"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LOWEST_PORT, _HIGHEST_PORT = 1024, 65535  # that Paddle Serving takes
_TOPK = 5
_MOST_PICTURES = 32  # of a request
_FLOAT32 = 1  # of Paddle Serving's types

_PREPROCESS_HEADING = """The preprocessing of the bundle: bytes of a picture file to the model's input.

    Preprocess(transforms)(data)

Generated from the source of ppcls {version} by `ppcls paddle-serving`; change it there. It is for Python 3.8, on which
ppcls cannot run, and needs numpy, OpenCV, Pillow and simplejpeg. Annotations may name types that are left out here,
because nothing evaluates them.
"""

_PROTOTXT = """feed_var {{
  name: {input}
  alias_name: {input}
  is_lod_tensor: false
  feed_type: {kind}
{input_shape}}}
fetch_var {{
  name: {output}
  alias_name: {output}
  is_lod_tensor: false
  fetch_type: {kind}
{output_shape}}}
"""

_CONFIG = """# Paddle Serving's pipeline; see docs/deployment/paddle_serving.md of ppcls.
# Both ports are open on every address of the machine, without a password. The clients read them from model.json.
http_port: {http_port}
rpc_port: {rpc_port}
# Requests that are worked on at the same time
worker_num: 4
build_dag_each_worker: false
dag:
  # Threads, not processes
  is_thread_op: true
  retry: 1
  use_profile: false
op:
  {name}:
    # Threads that preprocess and run the model
    concurrency: {concurrency}
    local_service_conf:
      client_type: local_predictor
      model_config: {server}
      # 0: CPU, 1: GPU (needs paddlepaddle-gpu==2.6.2)
      device_type: 0
      devices: ""
      fetch_list: [{output}]
      # Of Paddle, for each request
      thread_num: 2
      mem_optim: true
      ir_optim: true
      use_mkldnn: false
"""


@dataclass(frozen=True)
class Service:
    """How the web service is reached.

    Attributes:
        name: A part of the address: `http://HOST:PORT/NAME/prediction`. PaddleClas's clients ask for `imagenet`.
        http_port: The port of HTTP.
        rpc_port: The port of gRPC.
    """

    name: str = "imagenet"
    http_port: int = 18080
    rpc_port: int = 9993

    def __post_init__(self) -> None:
        expect(
            _NAME.fullmatch(self.name),
            f"--name is {self.name!r}; write letters, digits and _, beginning with a letter",
        )
        for option, port in (
            ("--http-port", self.http_port),
            ("--rpc-port", self.rpc_port),
        ):
            expect(
                _LOWEST_PORT <= port <= _HIGHEST_PORT,
                f"{option} is {port}; Paddle Serving takes {_LOWEST_PORT} to {_HIGHEST_PORT}",
            )
        expect(
            self.http_port != self.rpc_port,
            f"--http-port and --rpc-port are both {self.http_port}; write two different ports",
        )


def write_folder(
    bundle: Bundle, target: PathLike, service: Service | None = None
) -> Path:
    """Write a folder with the model, its preprocessing, the web service and its clients.

    Args:
        bundle: A bundle with a Paddle 2 program and a golden picture.
        target: The folder, which must not exist.
        service: How the service is reached.

    Returns:
        The folder.

    Raises:
        UserError: Paddle Serving cannot run the bundle, a file of it is damaged, or the target exists.
    """
    folder = resolved(target)
    _check_new(folder)
    transforms = _transforms(bundle)
    program, parameters = _program(bundle)
    golden = Golden.of(bundle)
    with (
        claimed(folder, "writing the service into", _IN_USE),
        scratch_folder(beside(folder, "new")) as aside,
    ):
        (aside / SERVER).mkdir()
        (aside / CLIENT).mkdir()
        shutil.copyfile(program, aside / SERVER / LEGACY_PROGRAM_FILE)
        shutil.copyfile(parameters, aside / SERVER / PARAMETERS_FILE)
        golden.save(aside / "golden.npz")
        for name, text in _texts(bundle, transforms, service or Service()).items():
            (aside / name).write_text(text, encoding="utf-8")
        for name in FILES:
            shutil.copyfile(_templates() / name, aside / name)
        _check_new(folder)  # again, because another process may have been faster
        put_folder(aside, folder)
    return folder


def _texts(bundle: Bundle, transforms: list[Any], service: Service) -> dict[str, str]:
    """The content of the files that depend on the bundle, by their paths."""
    prototxt = _prototxt(bundle)
    config = _CONFIG.format(
        name=service.name,
        http_port=service.http_port,
        rpc_port=service.rpc_port,
        server=SERVER,
        output=json.dumps(bundle.output.name),
        concurrency=1,
    )
    model = {
        "name": service.name,
        "http_port": service.http_port,
        "rpc_port": service.rpc_port,
        "architecture": bundle.architecture,
        "input": bundle.input.name,
        "output": bundle.output.meaning,
        "class_num": bundle.class_num,
        "topk": min(_TOPK, bundle.class_num),
        "most_pictures": _MOST_PICTURES if bundle.input.shape[0] == -1 else 1,
        "transforms": transforms,
        "class_names": bundle.class_names,
    }
    return {
        f"{SERVER}/serving_server_conf.prototxt": prototxt,
        f"{CLIENT}/serving_client_conf.prototxt": prototxt,
        "config.yml": config,
        "model.json": json.dumps(model, indent=2) + "\n",
        "preprocess.py": preprocess_source(),
    }


def preprocess_source() -> str:
    """The source of preprocess.py, which is the same for every bundle."""
    heading = _PREPROCESS_HEADING.format(version=ppcls.__version__)
    return standalone(
        "ppcls.deployment.paddle_serving.preprocess", "Preprocess", heading
    )


def _prototxt(bundle: Bundle) -> str:
    """The model's input and output, as Paddle Serving's `GeneralModelConfig` in text form.

    Its own predictor looks inputs up by their alias, so the alias is the name.
    """
    return _PROTOTXT.format(
        input=json.dumps(bundle.input.name),
        output=json.dumps(bundle.output.name),
        kind=_FLOAT32,
        input_shape=_shape_lines(bundle.input.shape[1:]),
        output_shape=_shape_lines(bundle.output.shape[1:]),
    )


def _shape_lines(shape: tuple[int, ...]) -> str:
    return "".join(f"  shape: {side}\n" for side in shape)


def _transforms(bundle: Bundle) -> list[Any]:
    """The preprocessing in its normal form.

    Raises:
        UserError: It has a transform of the user's own, whose code stays here.
    """
    transforms = bundle.pipeline.normalized().to_list()
    for entry in transforms:
        for name in entry:
            expect(
                name in SERVED,
                f"{bundle.folder}: the transform {name} cannot travel to Paddle Serving, which takes "
                f"{', '.join(SERVED)}; export with these, or use `ppcls serve`",
            )
    return transforms


def _program(bundle: Bundle) -> tuple[Path, Path]:
    """The program and its parameters, their bytes compared with the manifest."""
    expect(
        bundle.program.file == LEGACY_PROGRAM_FILE,
        f"{bundle.folder}: Paddle Serving 0.9 runs programs of Paddle 2, and this is {bundle.program.file}; "
        f"export again with `ppcls export --format pdmodel`",
    )
    program, parameters = bundle.checked(bundle.program, bundle.parameters)
    return program, parameters


def _templates() -> Path:
    for folder in _TEMPLATES:
        if folder.is_dir():
            return folder
    raise UserError(
        f"{_TEMPLATES[0]} is missing; install ppcls again, as a wheel or as a checkout with its deploy folder"
    )


def _check_new(folder: Path) -> None:
    expect(
        not folder.exists(), f"{folder} exists already; give the name of a new folder"
    )
