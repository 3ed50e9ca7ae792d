"""`ppcls-lite-classify` against `ppcls predict`, on x86 with the library of the wheel. `make test-lite` runs this.

Where PPCLS_TEST_DATA names a folder with `imagenet_200`, its 200 pictures are compared too.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from lite_bundles import LITE_HOME, export
from PIL import Image

from helpers.checkout import ROOT
from helpers.pictures import noise
from ppcls.deployment.lite import LiteOptions, add_lite
from ppcls.deployment.lite.environment import lite_python
from ppcls.inference import Bundle, Classifier

BUILD = ROOT / "build" / "lite"
TOLERANCE = 1e-4  # of a score, from the file


@pytest.fixture(scope="session")
def build() -> Path:
    """The folder of the built programs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPCLS_HOME", str(LITE_HOME))
        python = lite_python()
    configure = ["cmake", "-S", ROOT / "deploy" / "lite", "-B", BUILD, f"-DPADDLE_LITE_PYTHON={python}"]
    subprocess.run([*configure, "-DPPCLS_LITE_TESTS=ON"], check=True)
    subprocess.run(["cmake", "--build", BUILD, "--parallel"], check=True)
    return BUILD


@pytest.fixture(scope="session")
def bundle(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """SqueezeNet with programs for both processors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPCLS_HOME", str(LITE_HOME))
        made = export("SqueezeNet1_1", tmp_path_factory.mktemp("bundle") / "bundle")
        add_lite(made, LiteOptions(target="arm"))
        return add_lite(made, LiteOptions(target="x86")).bundle


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle.folder, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEGs in colour, gray and CMYK, one on its side; PNGs with alpha, a palette and 16 bits; a BMP."""
    folder = tmp_path_factory.mktemp("pictures")
    colours = Image.fromarray(noise(300, 280, 1))
    smooth = colours.resize((40, 30)).resize((280, 300))
    turned = Image.Exif()
    turned[0x0112] = 6
    smooth.save(folder / "1.jpg", quality=90)
    smooth.save(folder / "2.jpg", quality=90, exif=turned)
    smooth.convert("L").save(folder / "3.jpg")
    smooth.convert("CMYK").save(folder / "4.jpg")
    smooth.save(folder / "5.jpg", progressive=True, subsampling=0)
    smooth.save(folder / "6.png")
    smooth.convert("RGBA").save(folder / "7.png")
    smooth.convert("P").save(folder / "8.png")
    Image.fromarray((np.asarray(smooth.convert("L")).astype(np.uint16) << 8) + 200).save(folder / "9.png")
    smooth.save(folder / "a.bmp")
    return folder


def classify(build: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [build / "ppcls-lite-classify", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def scores_of(rows: list[dict[str, str]]) -> dict[str, tuple[int, float]]:
    """The first class of each picture, and its score."""
    found = {}
    for row in rows:
        found[Path(row["picture"]).name] = (int(row["class_id_1"]), float(row["score_1"]))
    return found


def compared(build: Path, bundle: Bundle, folder: Path, tmp_path: Path) -> float:
    """The largest difference of a first score; asserts the same classes."""
    answers = tmp_path / "answers.csv"
    done = classify(build, bundle.folder, folder, "--output", answers)
    assert (done.returncode, done.stderr) == (0, "")
    with answers.open(newline="", encoding="utf-8") as file:
        ours = scores_of(list(csv.DictReader(file)))
    largest = 0.0
    results = list(Classifier(bundle.folder).predict(str(folder)))
    assert len(ours) == len(results)
    for result in results:
        class_id, score = ours[Path(result.source).name]
        assert class_id == result.class_ids[0], result.source
        largest = max(largest, abs(score - float(result.scores[0])))
    return largest


def test_its_own_tests(build: Path) -> None:
    subprocess.run([build / "tests" / "lite-tests"], check=True)


def test_odd_pictures_as_in_python(build: Path, bundle: Bundle, pictures: Path, tmp_path: Path) -> None:
    assert compared(build, bundle, pictures, tmp_path) < TOLERANCE


def test_200_pictures_as_in_python(build: Path, bundle: Bundle, tmp_path: Path) -> None:
    data = Path(os.environ.get("PPCLS_TEST_DATA", "")) / "imagenet_200"
    if not data.is_dir():
        pytest.skip("PPCLS_TEST_DATA names no folder with imagenet_200")
    largest = compared(build, bundle, data, tmp_path)
    print(f"largest difference of a first score: {largest:.1e}")
    assert largest < TOLERANCE


def test_lines_are_those_of_predict(build: Path, bundle: Bundle, pictures: Path) -> None:
    done = classify(build, bundle.folder, pictures / "6.png", "--topk", 2)
    assert done.stdout.startswith("6.png:\tclass id(s): [")
    assert len(done.stdout.splitlines()) == 1


def test_verify(build: Path, bundle: Bundle) -> None:
    done = classify(build, bundle.folder, "--verify")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("input: differs by 0 ")
    assert lines[1].startswith("scores: differ by ") and lines[2] == "passed"


def test_a_program_for_arm_is_refused_here(build: Path, bundle: Bundle) -> None:
    description = bundle.folder / "inference.arm.json"
    done = classify(build, description, "--verify")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"{description} is for arm, and this program runs on x86, where its scores would be wrong; write another with "
        "`ppcls lite --target x86`\n"
    )


def test_a_form_that_is_missing_is_told_the_command(build: Path, copy: Path) -> None:
    done = classify(build, copy, "--int8", "--verify")
    assert done.returncode == 2
    assert f"`ppcls lite {copy} --target x86 --int8 --data LIST`" in done.stderr


@pytest.mark.parametrize("name", ["inference.x86.nb", "golden.npz"])
def test_a_changed_file_is_seen_before_it_is_used(build: Path, copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 255
    (copy / name).write_bytes(content)
    done = classify(build, copy, "--verify")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"{copy / name} is not the file that the description names" in done.stderr


def test_a_changed_model_fails_to_verify(build: Path, copy: Path) -> None:
    description = copy / "inference.x86.json"
    values = json.loads(description.read_text(encoding="utf-8"))
    for transform in values["transforms"]:
        if "NormalizeImage" in transform:
            transform["NormalizeImage"]["std"] = [0.2, 0.2, 0.2]
    description.write_text(json.dumps(values), encoding="utf-8")
    done = classify(build, copy, "--verify")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("FAILED")


def test_unreadable_pictures_are_named_and_the_others_answered(
    build: Path, bundle: Bundle, pictures: Path, tmp_path: Path
) -> None:
    whole = (pictures / "1.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    (tmp_path / "text.png").write_bytes(b"hello")
    shutil.copy(pictures / "6.png", tmp_path / "z.png")
    done = classify(build, bundle.folder, tmp_path)
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["z.png"]
    first, second = done.stderr.splitlines()
    assert first.startswith(f"{tmp_path}/cut.jpg: its coded data is damaged or incomplete")
    assert second == f"{tmp_path}/text.png: no known picture format"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.jpg"], "none.jpg does not exist; give a picture, or a folder of pictures"),
        ([], "no picture is given; write pictures, or folders of pictures (JPEG, PNG, BMP, GIF, PPM)"),
        (["--threads", "0", "--verify"], "--threads"),
    ],
)
def test_mistakes_are_one_sentence(build: Path, bundle: Bundle, arguments: list[str], sentence: str) -> None:
    done = classify(build, bundle.folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr


def test_benchmark(build: Path, bundle: Bundle, pictures: Path) -> None:
    done = classify(build, bundle.folder, pictures / "1.jpg", "--benchmark", 3)
    assert done.returncode == 0
    assert done.stdout.startswith("median of 3: preprocessing ")
