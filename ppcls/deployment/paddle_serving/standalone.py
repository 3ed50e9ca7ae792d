"""One file of Python 3.8 with a class of this library and all of the library that it uses.

The file is put together from the library's own source: each definition that the class needs, directly or through
others, with its comments, in the order in which modules are imported. So there is still one definition of the
preprocessing, and the file cannot fall behind it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import ppcls

_LIBRARY = "ppcls"
_CHECKED_FIELDS = '''class CheckedFields:
    """The base of the transforms. Their values were checked when the bundle was exported."""

    def __post_init__(self) -> None:
        pass
'''
# Annotations cannot be read at run time by Python 3.8, which lacks `X | Y`
_REPLACED = {("ppcls.utils.fields", "CheckedFields"): _CHECKED_FIELDS}
_NEWER = re.compile(r"functools\.cache\b")
_OLDER = "functools.lru_cache(maxsize=None)"


class NotSelfContained(AssertionError):
    """The source of this library has a form that `standalone` does not know; the message says which."""


def standalone(module: str, name: str, heading: str) -> str:
    """Return the source of a file with a definition and all that it uses.

    Annotations are left as they are, and what only they name is left out: nothing evaluates them.

    Args:
        module: The module of the definition, such as `ppcls.data.transforms.geometry`.
        name: Its name.
        heading: The docstring of the file.

    Raises:
        NotSelfContained: Two modules define the same name.
    """
    collected = _Collected()
    collected.take(module, name)
    imports = "\n".join(sorted(collected.imports, key=_import_order))
    head = f'"""{heading}"""\n\nfrom __future__ import annotations\n\n{imports}'
    return _NEWER.sub(_OLDER, f"{head}\n{''.join(collected.parts())}")


class _Module:
    """The top-level statements of a module.

    Attributes:
        name: Its dotted name.
        doc: The first line of its docstring.
        imported: What an import binds each name to: a module, and a name there or None.
        imports: The line that imports it.
        defined: The statement that defines each name, as its index.
        statements: What stands in the file: a statement, and its text with the comments above it.
        effects: Indices of the statements that define nothing.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        path = Path(ppcls.__file__).parent.joinpath(*name.split(".")[1:])
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        tree = ast.parse(source)
        self.doc = (ast.get_docstring(tree) or "").partition("\n")[0]
        self.imported: dict[str, tuple[str, str | None]] = {}
        self.imports: dict[str, str] = {}
        self.defined: dict[str, int] = {}
        self.statements: list[tuple[ast.stmt, str]] = []
        self.effects: list[int] = []
        end = 0
        for statement in tree.body:
            last = statement.end_lineno or statement.lineno
            text = "\n".join(lines[end:last]).strip("\n")
            end = last
            self._add(statement, text)

    def _add(self, statement: ast.stmt, text: str) -> None:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._add_import(statement)
        elif _is_text(statement):
            if self.statements:  # of the constant above it
                above, its_text = self.statements[-1]
                self.statements[-1] = above, f"{its_text}\n{text}"
        else:
            names = list(_names_defined(statement))
            for name in names:
                self.defined[name] = len(self.statements)
            if not names:
                self.effects.append(len(self.statements))
            self.statements.append((statement, text))

    def _add_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for alias in statement.names:
            bound = alias.asname or alias.name.partition(".")[0]
            renamed = f" as {alias.asname}" if alias.asname else ""
            if isinstance(statement, ast.ImportFrom):
                assert statement.module is not None
                self.imported[bound] = statement.module, alias.name
                line = f"from {statement.module} import {alias.name}{renamed}"
            else:
                self.imported[bound] = alias.name, None
                line = f"import {alias.name}{renamed}"
            # `import ctypes` and `import ctypes.util` bind the same name
            before = self.imports.get(bound)
            self.imports[bound] = f"{before}\n{line}" if before else line


class _Collected:
    """The statements that are taken, module by module.

    Attributes:
        imports: Lines that import what is not of this library.
    """

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self._modules: dict[str, _Module] = {}
        self._taken: dict[str, set[int]] = {}
        self._owners: dict[str, str] = {}

    def take(self, module: str, name: str) -> None:
        """Take a definition, and what it uses, if it is not taken already."""
        here = self._module(module)
        if name in here.imported:
            self._take_imported(here, name)
        elif name in here.defined:
            self._claim(name, module)
            self._take_statement(here, here.defined[name])

    def _module(self, name: str) -> _Module:
        if name not in self._modules:
            self._modules[name] = _Module(name)
        return self._modules[name]

    def _take_imported(self, here: _Module, name: str) -> None:
        module, original = here.imported[name]
        if module.partition(".")[0] != _LIBRARY:
            self.imports.update(here.imports[name].splitlines())
            return
        if original is None or original != name:
            raise NotSelfContained(
                f"{here.name} imports {module} as {name}; import the names themselves"
            )
        self.take(module, name)

    def _claim(self, name: str, module: str) -> None:
        owner = self._owners.setdefault(name, module)
        if owner != module:
            raise NotSelfContained(
                f"{owner} and {module} both define {name}; rename one, because preprocess.py has one namespace"
            )

    def _take_statement(self, here: _Module, index: int) -> None:
        taken = self._taken.setdefault(here.name, set())
        if index in taken:
            return
        is_first = not taken
        taken.add(index)
        statement, _ = here.statements[index]
        replaced = False
        for name in _names_defined(statement):
            self._claim(name, here.name)
            replaced = replaced or (here.name, name) in _REPLACED
        if not replaced:
            for name in _names_used(statement):
                self.take(here.name, name)
        if is_first:
            for effect in here.effects:
                self._take_statement(here, effect)

    def parts(self) -> Iterator[str]:
        """Yield the statements, and a comment above those of each module."""
        for name in self._in_order():
            module = self._module(name)
            yield f"\n\n# {name}: {module.doc}\n"
            was_constant = False
            for index in sorted(self._taken[name]):
                statement, text = module.statements[index]
                for defined in _names_defined(statement):
                    text = _REPLACED.get((name, defined), text)
                is_constant = isinstance(statement, (ast.Assign, ast.AnnAssign))
                yield "\n" if is_constant and was_constant else "\n\n"
                yield text.strip("\n") + "\n"
                was_constant = is_constant

    def _in_order(self) -> list[str]:
        """The modules, each behind those that it imports."""
        order: list[str] = []

        def visit(name: str) -> None:
            if name in order or name not in self._taken:
                return
            for imported, _ in self._module(name).imported.values():
                visit(imported)
            order.append(name)

        for name in self._taken:
            visit(name)
        return order


def _is_text(statement: ast.stmt) -> bool:
    """Whether it is a docstring, of the module or of the constant above it."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _names_defined(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a top-level statement gives a value to."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        yield statement.name
        return
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _names_used(statement: ast.stmt) -> list[str]:
    """The names that a statement reads, outside of annotations."""
    reader = _Reader()
    reader.visit(statement)
    return reader.names


class _Reader(ast.NodeVisitor):
    def __init__(self) -> None:
        self.names: list[str] = []

    def visit_Name(self, node: ast.Name) -> None:
        self.names.append(node.id)

    def visit_arg(self, node: ast.arg) -> None:
        """Pass over the annotation of an argument."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in (*node.decorator_list, node.args, *node.body):
            self.visit(part)


def _import_order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line
