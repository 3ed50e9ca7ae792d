from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import refusal
from ppcls.data.labels import PACKAGED_LABELS, dump_class_names, load_class_names


def load(tmp_path: Path, content: str) -> list[str]:
    (tmp_path / "names.txt").write_bytes(content.encode())
    return load_class_names(tmp_path / "names.txt")


def test_imagenets_names_are_packaged() -> None:
    names = load_class_names(PACKAGED_LABELS)
    assert len(names) == 1000
    assert names[0] == "tench, Tinca tinca"
    assert names[999] == "toilet tissue, toilet paper, bathroom tissue"
    assert names[134] == names[517] == "crane"


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("0 cat\n1 dog\n", ["cat", "dog"]),
        ("cat\ndog\n", ["cat", "dog"]),
        ("0\tcat\r\n1\tbig dog\r\n\r\n", ["cat", "big dog"]),
        ("\ufeff1 dog\n0 cat", ["cat", "dog"]),
        ("0\n1\n2\n", ["0", "1", "2"]),  # digits are names
        ("7 up\ncola\n", ["7 up", "cola"]),
        ("7 up\n4 ever\n", ["7 up", "4 ever"]),
        ("0 cat\n0 dog\n", ["0 cat", "0 dog"]),
        ("0 cat\n", ["cat"]),
    ],
)
def test_ids_are_recognised(tmp_path: Path, content: str, names: list[str]) -> None:
    assert load(tmp_path, content) == names


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", " is empty; write one class name per line"),
        ("\n\n", " is empty; write one class name per line"),
        ("cat\n\ndog\n", ":2: the line is empty; write one class name per line"),
        ("1 cat\n2 dog\n", ": the ids count from 1; write them from 0, as the labels count, or leave them out"),
    ],
)
def test_wrong_files_are_errors(tmp_path: Path, content: str, message: str) -> None:
    assert refusal(load, tmp_path, content) == f"{tmp_path}/names.txt{message}"


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1), min_size=1, max_size=20))
def test_what_is_dumped_is_loaded(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "dumped.txt"
    path.write_text(dump_class_names(names), "utf-8")
    assert load_class_names(path) == names
