"""Paths, commands and options that README.md and the documents name exist."""

import re

import pytest
import test_documents as documents

from helpers.checkout import ROOT
from ppcls.cli import parser_of
from ppcls.cli.commands import COMMANDS, GROUPS

PAGES = [documents.README, ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = ("ppcls", "configs", "tools", "deploy", "benchmarks", "docs", "tests")
ELSEWHERE = {"tools/convert2tnn"}  # of TNN
ROOTS = (ROOT, ROOT / "deploy" / "cpp" / "runtime" / "include")
BY_NAME = {command.name: command for command in COMMANDS}
NAMES = set(BY_NAME)


def code_of(page):
    """What stands in single backticks and in blocks of code."""
    return re.findall(r"`+([^`]+)`+", page.read_text(encoding="utf-8"))


def ids(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_paths_of_the_repository_exist(page):
    text = "\n".join(code_of(page))
    pattern = rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./-]*[\w/]"
    # `configs/FAMILY/` stands for any family
    paths = {found for found in re.findall(pattern, text) if not re.search("[A-Z]{4}", found)} - ELSEWHERE
    assert [path for path in sorted(paths) if not any((root / path).exists() for root in ROOTS)] == []


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_exist(page):
    unknown = set()
    for code in code_of(page):
        for first, second in re.findall(r"(?<![\w./-])(?<!from )ppcls ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", code):
            name = f"{first} {second}" if first in GROUPS else first
            if name not in NAMES and first not in ("help", *GROUPS):
                unknown.add(name)
    assert unknown == set()


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_options_of_commands_exist(page):
    unknown = []
    for code in code_of(page):
        for line in code.replace("\\\n", " ").splitlines():
            for part in line.split("ppcls ")[1:]:
                command = BY_NAME.get(" ".join(part.split()[:2])) or BY_NAME.get(part.split()[0])
                if command is not None:
                    help_text = parser_of(command).format_help()
                    options = re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", part)
                    unknown += [(command.name, option) for option in options if f"{option} " not in help_text]
    assert unknown == []


def test_the_pages_name_something():
    assert sum(code.startswith("ppcls/") for code in code_of(documents.README)) > 10
    assert "ppcls predict" in documents.README.read_text(encoding="utf-8")


def test_the_map_is_the_layout():
    text = documents.README.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?`) \|", text.partition("## Map")[2].partition("## Models")[0], re.MULTILINE)
    named = [path for row in rows for path in re.findall(r"`([^`]+)/`", row)]
    packages = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "ppcls").glob("*/__init__.py")}
    assert {path for path in named if path.startswith("ppcls/")} == packages
    assert all((ROOT / path).is_dir() for path in named)
