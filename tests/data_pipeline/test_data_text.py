from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\r\n b \r\n", ["a", " b "]),
        (b"a\n\nb\n\n", ["a", "", "b", ""]),
        (b"\xef\xbb\xbfa\nb", ["a", "b"]),
        ("a\x0bb\u2028c\x85d\re\n".encode(), ["a\x0bb\u2028c\x85d\re"]),
    ],
)
def test_lines(tmp_path: Path, content: bytes, lines: list[str]) -> None:
    (tmp_path / "file").write_bytes(content)
    assert read_lines(tmp_path / "file") == lines


@given(st.binary(max_size=30))
def test_any_bytes_are_text_or_a_users_mistake(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        with pytest.raises(UserError, match=r"any:[0-9]+: the line is not UTF-8; save the file as UTF-8"):
            read_lines(path)
    else:
        assert "\n".join(read_lines(path)).strip() == text.removeprefix("\ufeff").replace("\r\n", "\n").strip()
