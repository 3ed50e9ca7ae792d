"""Damaged manifests, archives and pictures for the C++ readers, under sanitizers and by libFuzzer."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from odd_pictures import odd_files

from ppcls.data.transforms import Pipeline

BUILD = Path("build").absolute()
SECONDS = int(os.environ.get("PPCLS_FUZZ_SECONDS", "60"))
COUNT = 5000  # files of each kind


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Sound files by kind."""
    folder = tmp_path_factory.mktemp("sound")
    bundle = small_bundle(folder / "bundle")
    pictures = []
    for name, content in odd_files().items():
        if not name.startswith("bad_"):
            path = folder / name
            path.write_bytes(content)
            pictures.append(path)
    return {"manifest": [bundle / "inference.yml"], "npz": [bundle / "golden.npz"], "picture": pictures}


def small_bundle(folder: Path) -> Path:
    """A bundle of one small layer."""
    import paddle

    from ppcls.engine.exporter import export_bundle

    transforms = [{"DecodeImage": {}}, {"ResizeImage": {"size": 8, "backend": "pil"}}, {"NormalizeImage": None}]
    model = paddle.nn.Sequential(paddle.nn.Flatten(), paddle.nn.Linear(192, 3))
    export_bundle(
        model, Pipeline.from_list(transforms), folder, architecture="small", class_num=3, image_shape=(3, 8, 8),
        class_names=["ant", "bee", "cat"],
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("kind", ["manifest", "npz", "picture"])
def test_mutations(files: dict[str, list[Path]], kind: str) -> None:
    program = BUILD / "cpp-sanitizers/tests/mutations"
    each = -(-COUNT // len(files[kind]))
    command = [program, str(each), "1", *map(str, files[kind])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    refused, accepted = (int(word) for word in done.stdout.split() if word.isdigit())
    assert refused + accepted == each * len(files[kind])
    assert refused > 0


@pytest.mark.parametrize("kind", ["manifest", "npz", "picture"])
def test_libfuzzer(files: dict[str, list[Path]], kind: str, tmp_path: Path) -> None:
    program = BUILD / f"cpp-fuzzers/fuzz/fuzz-{kind}"
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for path in files[kind]:
        (corpus / path.name).write_bytes(path.read_bytes())
    command = [program, f"-max_total_time={SECONDS}", "-rss_limit_mb=4096", "-timeout=20", "-max_len=100000", corpus]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS + 300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
