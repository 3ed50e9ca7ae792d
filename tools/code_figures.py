"""`python tools/code_figures.py [FOLDER]` measures how dense the code of a package is; see --help for the limits.

For the package and each folder in it: branches per 100 lines of functions, comprehensions and function-level imports
per 1,000 lines. For the package: the circles of modules that import each other, function-level imports included.

What counts: a branch is an `if`, a loop, a conditional expression, a comprehension's `for`, an `and` or `or`, a `try`
or an `except`. The lines of a function are those without its docstring; an inner function counts for itself and for
the one around it. Imports for type checkers alone (`if TYPE_CHECKING:`) make no circle.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_BRANCHES = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.Try,
    ast.ExceptHandler,
    ast.IfExp,
    ast.BoolOp,
    ast.comprehension,
)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Figures:
    """Counts over some files."""

    files: int = 0
    lines: int = 0
    function_lines: int = 0
    branches: int = 0
    comprehensions: int = 0
    function_imports: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.files + other.files,
            self.lines + other.lines,
            self.function_lines + other.function_lines,
            self.branches + other.branches,
            self.comprehensions + other.comprehensions,
            self.function_imports + other.function_imports,
        )

    @property
    def rates(self) -> dict[str, float]:
        """Branches per 100 function lines, comprehensions and function-level imports per 1,000 lines."""
        return {
            "branches": 100 * self.branches / max(1, self.function_lines),
            "comprehensions": 1000 * self.comprehensions / max(1, self.lines),
            "imports": 1000 * self.function_imports / max(1, self.lines),
        }


@dataclass(frozen=True)
class Module:
    """A file of the package, its dotted name and its syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module


def read_modules(package: Path) -> list[Module]:
    """Read every module of a package.

    Args:
        package: Its folder, whose name is the package's.
    """
    modules = []
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        text = path.read_text(encoding="utf-8")
        modules.append(Module(".".join(parts), path, text, ast.parse(text)))
    return modules


def measure(modules: Iterable[Module]) -> Figures:
    """Add up the counts of modules."""
    total = Figures()
    for module in modules:
        total += _measure_module(module)
    return total


def _measure_module(module: Module) -> Figures:
    figures = Figures(files=1, lines=module.text.count("\n"))
    for node in ast.walk(module.tree):
        if isinstance(node, _COMPREHENSIONS):
            figures += Figures(comprehensions=1)
        elif isinstance(node, _FUNCTIONS):
            figures += Figures(
                function_lines=_lines_of(node),
                branches=_count(node, _BRANCHES),
                function_imports=_count(node, _IMPORTS),
            )
    return figures


def _lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    docstring = ast.get_docstring(function, clean=False)
    if docstring is not None:
        lines -= docstring.count("\n") + 1
    return lines


def _count(tree: ast.AST, kinds: tuple[type[ast.AST], ...]) -> int:
    return sum(isinstance(node, kinds) for node in ast.walk(tree))


def imports_of(module: Module, known: Iterable[str]) -> set[str]:
    """The modules among `known` that a module imports when it runs, wherever in the file it does."""
    package = module.name.partition(".")[0]
    names: set[str] = set()
    for node in _running(module.tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    # Every module of a package imports the package itself.
    return names.intersection(known) - {module.name, package}


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those for type checkers alone."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield from _running(child)


def circles(modules: Sequence[Module]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others; each group and the list are sorted."""
    known = {module.name for module in modules}
    imports = {module.name: imports_of(module, known) for module in modules}
    importers: dict[str, set[str]] = {name: set() for name in imports}
    for name, targets in imports.items():
        for target in targets:
            importers[target].add(name)
    found = []
    grouped: set[str] = set()
    for name in sorted(imports):
        if name in grouped:
            continue
        # Modules that can be reached from this one, and from which it can be reached
        group = _reachable(name, imports) & _reachable(name, importers)
        grouped |= group
        if len(group) > 1:
            found.append(sorted(group))
    return found


def _reachable(start: str, edges: Mapping[str, Iterable[str]]) -> set[str]:
    """The start and every name that the edges lead to from it."""
    found = {start}
    waiting = [start]
    while waiting:
        for name in edges[waiting.pop()]:
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def by_folder(package: Path, modules: Sequence[Module]) -> dict[str, list[Module]]:
    """The modules of each folder in a package; `.` has the package's own."""
    folders: dict[str, list[Module]] = {}
    for module in modules:
        inner = module.path.relative_to(package)
        folder = inner.parts[0] if len(inner.parts) > 1 else "."
        folders.setdefault(folder, []).append(module)
    return folders


def table(figures: Mapping[str, Figures]) -> str:
    """One line per name."""
    lines = [
        f"{'':14}{'files':>6}{'lines':>8}{'branches':>10}{'comprehensions':>16}{'imports':>9}"
    ]
    for name, counts in figures.items():
        rates = counts.rates
        lines.append(
            f"{name:14}{counts.files:6}{counts.lines:8}{rates['branches']:10.1f}{rates['comprehensions']:16.1f}"
            f"{rates['imports']:9.1f}"
        )
    return "\n".join(lines)


def excesses(figures: Mapping[str, Figures], limits: Mapping[str, float]) -> list[str]:
    """A sentence for every rate above its limit."""
    found = []
    for name, counts in figures.items():
        for kind, rate in counts.rates.items():
            if rate > limits.get(kind, float("inf")):
                found.append(f"{name}: {kind} {rate:.1f} (at most {limits[kind]:g})")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how dense a package is.")
    default = Path(__file__).resolve().parent.parent / "ppcls"
    parser.add_argument(
        "package", type=Path, nargs="?", default=default, metavar="FOLDER",
        help="the package's folder (default: ppcls)",
    )  # fmt: skip
    texts = {
        "branches": "per 100 lines of functions",
        "comprehensions": "per 1,000 lines",
        "imports": "function-level imports per 1,000 lines",
    }
    for name, text in texts.items():
        parser.add_argument(f"--max-{name}", metavar="N", type=float, help=text)
    parser.add_argument(
        "--max-circles", metavar="N", type=int, help="circles of modules"
    )
    parser.add_argument(
        "--each-folder", action="store_true",
        help="apply the limits to each folder, not only to the package",
    )  # fmt: skip
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if one is above its limit."""
    arguments = _parser().parse_args(argv)
    modules = read_modules(arguments.package)
    if not modules:
        print(f"{arguments.package} has no modules; give a package's folder")
        return 2
    figures = {}
    for folder, inside in by_folder(arguments.package, modules).items():
        figures[folder] = measure(inside)
    whole = {arguments.package.name: measure(modules)}
    print(table({**figures, **whole}))
    found = circles(modules)
    for group in found:
        print(f"circle: {', '.join(group)}")
    limits = {}
    for kind in ("branches", "comprehensions", "imports"):
        limit = getattr(arguments, f"max_{kind}")
        if limit is not None:
            limits[kind] = limit
    problems = excesses(
        {**figures, **whole} if arguments.each_folder else whole, limits
    )
    if arguments.max_circles is not None and len(found) > arguments.max_circles:
        problems.append(f"circles: {len(found)} (at most {arguments.max_circles})")
    for problem in problems:
        print(f"above the limit: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
