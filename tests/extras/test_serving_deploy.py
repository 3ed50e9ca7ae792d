"""deploy/serving/: the image's steps in a clean environment, the manifests by their schemas, and the client."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import kserve
import kubernetes_validate
import numpy as np
import pytest
import yaml
from serving_process import Serving

from helpers.checkout import ROOT
from helpers.new_process import new_python
from ppcls.cli import parse_arguments

FOLDER = ROOT / "deploy" / "serving"
KUBERNETES = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))
KSERVE = list(yaml.safe_load_all((FOLDER / "inferenceservice.yaml").read_text()))
# Fields whose classes are those of Kubernetes's own client, and fields that newer servers have
BINARIES = Path(sys.executable).parent


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([BINARIES / "hadolint", FOLDER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_can_find_something(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN apt-get install curl\n")
    done = subprocess.run([BINARIES / "hadolint", tmp_path / "Dockerfile"], capture_output=True, check=False)
    assert done.returncode == 1


@pytest.mark.parametrize("manifest", KUBERNETES, ids=lambda manifest: manifest["kind"])
def test_manifests_of_kubernetes(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_a_wrong_manifest_is_found() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        wrong = {**KUBERNETES[0], "spec": {**KUBERNETES[0]["spec"], "replica": 2}}
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def unknown_keys(values: Any, kind: str, where: str) -> list[str]:
    """Keys that the class of KServe's client does not know."""
    inner = re.fullmatch(r"list\[(\w+)\]", kind)
    if inner:
        return [key for value in values for key in unknown_keys(value, inner[1], where)]
    model = getattr(kserve, kind, None) or getattr(kserve.models, kind, None)
    if model is None or not isinstance(values, dict):
        return []
    names = {name: attribute for attribute, name in model.attribute_map.items()}
    found = []
    for key, value in values.items():
        if key not in names:
            found.append(f"{where}.{key}")
        else:
            found += unknown_keys(value, model.openapi_types[names[key]], f"{where}.{key}")
    return found


@pytest.mark.parametrize("manifest", KSERVE, ids=lambda manifest: manifest["kind"])
def test_manifests_of_kserve(manifest: dict[str, Any]) -> None:
    version = manifest["apiVersion"].rpartition("/")[2].capitalize()
    assert unknown_keys(manifest, f"{version}{manifest['kind']}", manifest["kind"]) == []
    wrong = {**manifest, "spec": {**manifest["spec"], "containerz": []}}
    assert unknown_keys(wrong, f"{version}{manifest['kind']}", "")


def arguments_of_images() -> list[list[str]]:
    """What the manifests and the image give to `ppcls serve`."""
    image = (FOLDER / "Dockerfile").read_text()
    entry, command = (
        yaml.safe_load(re.search(rf"^{name} (.*)$", image, re.MULTILINE)[1]) for name in ("ENTRYPOINT", "CMD")
    )
    assert entry[:2] == ["/opt/ppcls/bin/ppcls", "serve"]
    pods = [KUBERNETES[0]["spec"]["template"]["spec"], KSERVE[0]["spec"]]
    given = [pod["containers"][0]["args"] for pod in pods]
    return [[*entry[2:], *words] for words in (command, *given)]


@pytest.mark.parametrize("words", arguments_of_images())
def test_arguments_exist(words: list[str]) -> None:
    words = [word.replace("{{.Name}}", "flowers") for word in words]
    arguments = parse_arguments(["serve", *words])
    assert arguments.host == "0.0.0.0"
    assert [path.partition("=")[2] for path in arguments.models] == ["/mnt/models"]


def test_probes_ask_for_what_the_server_has() -> None:
    container = KUBERNETES[0]["spec"]["template"]["spec"]["containers"][0]
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert probes == {
        "startup": "/v2/health/ready",
        "readiness": "/v2/health/ready",
        "liveness": "/v2/health/live",
    }
    assert {"cpu", "memory"} == set(container["resources"]["limits"])
    assert {manifest["kind"] for manifest in KUBERNETES} == {
        "Deployment",
        "Service",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
    }


def test_the_client_of_the_standard_library(exported: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (60, 50, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "cat.png"), pixels)
    (tmp_path / "no.jpg").write_bytes(b"no picture")
    with Serving(f"tiny={exported}") as server:
        # -I: without the packages of this environment's path
        words = ["-I", "-S", FOLDER / "client.py", server.address, "tiny", "cat.png", "no.jpg"]
        ran = new_python(*words, folder=tmp_path)
        _, answer, _ = server.ask("/v2/models/tiny/classify", (tmp_path / "cat.png").read_bytes())
    good, bad = ran.out.splitlines()
    assert ran.code == 1
    assert good.startswith(f"cat.png: {answer['names'][0]} {answer['scores'][0]:.3f}, ")
    assert bad == "no.jpg: 400: cannot read the picture: no known picture format"


def test_the_steps_of_the_image_in_a_clean_environment(exported: Path, tmp_path: Path) -> None:
    """`RUN` of the first stage, with another place for /src and /opt; then its `ENTRYPOINT` and `CMD`."""
    image = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")
    (step,) = re.findall(r"^RUN (python3 -m venv .*)$", image, re.MULTILINE)
    source = tmp_path / "src"
    source.mkdir()
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    archive = subprocess.run(["tar", "-c", "--null", "-T", "-"], cwd=ROOT, input=files, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=source, input=archive.stdout, check=True)
    step = step.replace("/opt/ppcls", str(tmp_path / "ppcls")).replace("/src", str(source))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(["sh", "-ec", step], env=environment, check=True, capture_output=True)
    program = tmp_path / "ppcls" / "bin" / "ppcls"
    with Serving(f"model={exported}", program=[program, "serve"], environment=environment) as server:
        assert server.ask("/v2/models/model")[1]["platform"] == "ppcls_paddle"
        assert server.stop() == 0
