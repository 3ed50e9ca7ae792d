"""What docs/deployment/cpp.md shows: its commands, an installation, and a program of a user's own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from answers import rows_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/deployment/cpp.md").read_text(encoding="utf-8")
FIRST, LINUX, LINKED, *_ELSEWHERE = re.findall(r"\n\n((?:    .+\n)+)", PAGE)
(PROGRAM,) = re.findall(r"```cpp\n(.*?)```", PAGE, flags=re.DOTALL)


def lines_of(block: str) -> list[str]:
    return [line.strip() for line in block.splitlines()]


def output_of(line: str, folder: Path, **variables: str) -> str:
    """What a command prints, which succeeds."""
    words = shlex.split(line)
    environment = {**os.environ, **variables}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, (line, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


@pytest.fixture(scope="module")
def installed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's commands for Linux install the library and the program."""
    prefix = tmp_path_factory.mktemp("usr")
    site = sysconfig.get_path("platlib")
    places = {"SITE": site, " inference ": f" {model} ", "/usr/local": str(prefix)}
    for line in lines_of(LINUX):
        for shown, place in places.items():
            line = line.replace(shown, place)
        output_of(line, ROOT)
    return prefix


@pytest.fixture
def folder(model: Path, tmp_path: Path) -> Path:
    """A folder with the page's `inference` and `holiday`."""
    (tmp_path / "inference").symlink_to(model)
    (tmp_path / "holiday").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "holiday" / name).write_bytes(np.load(model / "golden.npz")["picture"].tobytes())
    return tmp_path


def test_the_installed_program(installed: Path, model: Path, folder: Path) -> None:
    (line,) = lines_of(FIRST)
    command = line.replace("ppcls-classify", str(installed / "bin/ppcls-classify"))
    output_of(command, folder)
    rows = rows_of(folder / "answers.csv")
    assert [row["picture"] for row in rows] == ["holiday/a.png", "holiday/b.png"]
    best = int(np.load(model / "golden.npz")["scores"].argmax())
    assert [int(row["class_id_1"]) for row in rows] == [best, best]


def test_a_program_of_ones_own(installed: Path, model: Path, folder: Path) -> None:
    found, linked = (line.split("#")[0] for line in lines_of(LINKED))
    (folder / "mine.cpp").write_text(PROGRAM)
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.21)\nproject(mine LANGUAGES CXX)\n"
        f"{found}\nadd_executable(mine mine.cpp)\n{linked}\n"
    )
    output_of(f"cmake -S . -B build -G Ninja -DCMAKE_PREFIX_PATH={installed}", folder)
    output_of("cmake --build build", folder)
    best = int(np.load(model / "golden.npz")["scores"].argmax())
    assert output_of("build/mine", folder).splitlines() == [f"holiday/{name}.png {best}" for name in "ab"]


def test_the_core_alone(installed: Path, folder: Path) -> None:
    (folder / "core.cpp").write_text(
        "#include <ppcls/core/pipeline.hpp>\n#include <ppcls/core/manifest.hpp>\n"
        '#ifdef CV_VERSION\n#error "OpenCV in a header of the core"\n#endif\nint main() {}\n'
    )
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.21)\nproject(mine LANGUAGES CXX)\nfind_package(ppcls 1.0 REQUIRED)\n"
        "add_executable(mine core.cpp)\ntarget_link_libraries(mine PRIVATE ppcls::core)\n"
    )
    output_of(f"cmake -S . -B build -G Ninja -DCMAKE_PREFIX_PATH={installed}", folder)
    output_of("cmake --build build", folder)
