"""`ppcls-classify` against `ppcls predict`: scores, files, sentences and exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from answers import (
    ENGINES,
    Rows,
    answers_of_program,
    answers_of_python,
    largest_difference,
    needs_pictures,
    refused,
    run,
)

from ppcls.inference import Bundle


@pytest.fixture
def bundle(model: Path, tmp_path: Path) -> Path:
    return shutil.copytree(model, tmp_path / "bundle")


@pytest.fixture(scope="session")
def python_rows(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The answers of `ppcls predict` with Paddle."""
    return answers_of_python(model, tmp_path_factory.mktemp("python") / "answers.csv")


@needs_pictures
@pytest.mark.parametrize("engine", ENGINES)
def test_200_pictures(classify: Path, model: Path, tmp_path: Path, python_rows: Rows, engine: str) -> None:
    rows = answers_of_program(classify, model, tmp_path / "answers.csv", "--backend", engine)
    assert largest_difference(rows, python_rows) < 1e-4


@pytest.mark.parametrize("engine", ENGINES)
def test_the_golden_picture(classify: Path, model: Path, engine: str) -> None:
    done = run(classify, model, "--verify", "--backend", engine)
    assert done.returncode == 0, done
    assert done.stdout.startswith(f"{engine} float32: input tensor off by 0 ")
    assert done.stdout.endswith(": passed\n")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mutated_golden_file(classify: Path, bundle: Path, engine: str) -> None:
    golden = bundle / "golden.npz"
    content = bytearray(golden.read_bytes())
    content[len(content) // 2] ^= 1
    golden.write_bytes(content)
    sentence = refused(classify, bundle, "--verify", "--backend", engine)
    assert sentence.startswith(f"{golden} is not the file that inference.yml describes (its SHA-256 differs); ")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_truncated_model(classify: Path, bundle: Path, engine: str) -> None:
    names = ["inference.pdiparams"] if engine == "paddle" else ["inference.onnx"]
    for name in names:
        path = bundle / name
        path.write_bytes(path.read_bytes()[:-1000])
        sentence = refused(classify, bundle, "--verify", "--backend", engine)
        assert sentence.startswith(f"{path} is not the file that inference.yml describes")


def test_an_unreadable_picture(classify: Path, model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    golden = Bundle.load(model).folder / "golden.npz"
    sound = tmp_path / "sound.png"
    sound.write_bytes(np.load(golden)["picture"].tobytes())
    output = tmp_path / "answers.json"
    done = run(classify, model, broken, sound, "--backend", ENGINES[0], "--output", output)
    assert done.returncode == 1
    assert done.stderr == "1 of 2 pictures could not be read\n"
    answers = json.loads(output.read_text())
    assert answers[0]["class_ids"] == []
    assert answers[0]["error"] == "the file is truncated or damaged: it states no size"
    assert answers[1]["error"] is None
    assert len(answers[1]["scores"]) == 5


def test_sentences(classify: Path, bundle: Path, tmp_path: Path) -> None:
    manifest = bundle / "inference.yml"
    text = manifest.read_text()
    missing = refused(classify, tmp_path, "--verify")
    assert missing == f"{tmp_path}: no inference.yml there; give the folder that `ppcls export` wrote"
    assert refused(classify, bundle).startswith("no pictures are given; ")
    assert refused(classify, bundle, tmp_path / "none.png") == (
        f"{tmp_path / 'none.png'} does not exist; give a picture or a folder of pictures"
    )
    assert refused(classify, bundle, "--verify", "--backend", "tensorflow").startswith(
        "backend is 'tensorflow'; write paddle or onnxruntime or openvino"
    )
    assert refused(classify, bundle, "--verify", "--threads", "0.5").startswith("ppcls-classify: ")
    manifest.write_text(text.replace("schema: 3", "schema: 9"))
    assert "was written by a newer version of this library" in refused(classify, bundle, "--verify")
    manifest.write_text(text.replace("CropImage:", "CropImages:"))
    assert "CropImages: unknown transform. Did you mean 'CropImage'?" in refused(classify, bundle, "--verify")
    manifest.write_text(text.replace("dtype: float32", "dtype: 32"))
    assert "input dtype: text is expected, not 32" in refused(classify, bundle, "--verify")
    manifest.write_text("{" + text)
    assert "not valid YAML" in refused(classify, bundle, "--verify")


def test_another_file_is_not_replaced(classify: Path, model: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.csv"
    notes.write_text("mine\n")
    picture = tmp_path / "picture.png"
    picture.write_bytes(np.load(model / "golden.npz")["picture"].tobytes())
    assert refused(classify, model, picture, "--output", notes) == (
        f"{notes} is there already and does not hold results of pictures; give another file, or remove it"
    )
    assert notes.read_text() == "mine\n"
    nowhere = tmp_path / "none" / "answers.csv"
    assert refused(classify, model, picture, "--output", nowhere) == (
        f"{nowhere} cannot be written; give a path in a folder that exists and is writable"
    )


def test_the_c_interface(classify: Path, model: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(np.load(model / "golden.npz")["picture"].tobytes())
    program = classify.parents[1] / "tests/c-api-test"
    done = run(program, model, picture, ENGINES[0])
    assert done.returncode == 0, done.stderr
    best = int(np.load(model / "golden.npz")["scores"].argmax())
    assert int(done.stdout.split()[0]) == best
