"""SECURITY.md names targets, files and keys that exist."""

import re

import pytest

from helpers.checkout import ROOT

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_the_make_targets_exist():
    targets = re.findall(r"^    make ([a-z-]+) ", TEXT, re.MULTILINE)
    assert targets == ["test", "test-fuzz", "test-chaos"]
    makefile = (ROOT / "Makefile").read_text()
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize(
    "pattern", ["tests/fuzz/test_bombs_*.py", "tests/fuzz/test_mutations_*.py", "tests/chaos/test_*.py"]
)
def test_the_tests_exist(pattern):
    folder, _, name = pattern.rpartition("/")
    assert folder in TEXT
    assert len(list((ROOT / folder).glob(name))) >= 3


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links == ["docs/pictures.md"]
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_the_flag_and_the_variable_of_user_code_exist():
    assert "--import FILE" in TEXT and "`PPCLS_IMPORTS`" in TEXT
    assert 'VARIABLE = "PPCLS_IMPORTS"' in (ROOT / "ppcls" / "utils" / "user_code.py").read_text()


def test_readme_leads_to_it():
    assert "[SECURITY.md](SECURITY.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
