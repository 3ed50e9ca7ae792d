"""Packages import only from layers below them, and light modules load nothing heavy."""

import ast
import sys
from collections import defaultdict

import pytest

from helpers.checkout import ROOT
from helpers.new_process import modules_loaded_by

sys.path.insert(0, str(ROOT / "tools"))
try:
    from code_figures import circles, read_modules
finally:
    sys.path.remove(str(ROOT / "tools"))
# Each layer imports from itself and from those below it, not from its neighbours.
LAYERS = (
    ("utils",),
    ("untrusted", "kernels"),
    ("arch", "data", "loss", "metric", "optimizer", "config"),
    ("inference",),
    ("deployment", "analysis"),
    ("engine",),
    ("benchmark", "serving"),
    ("api",),
    ("cli",),
    ("compat",),
)
MAY_IMPORT = {
    name: {name, *(below for lower in LAYERS[:height] for below in lower)}
    for height, layer in enumerate(LAYERS)
    for name in layer
}
# The runtime of a bundle imports only the parts of these layers that need no Paddle.
RUNTIME = {
    "arch": ("ppcls.arch.model_table", "ppcls.arch.weights.sources"),
    "data": tuple(
        f"ppcls.data.{name}"
        for name in (
            "transforms",
            "postprocess",
            "labels",
            "image_list",
            "parts",
            "text",
            "picture_files",
            "picture_list",
            "picture_items",
            "picture_sources",
            "read_ahead",
        )
    ),
    "metric": ("ppcls.metric.topk",),
}


def imports_of(path):
    """Dotted names of everything a file imports from the package, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "ppcls")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports"
            if node.module and node.module.split(".")[0] == "ppcls":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(layer, path, names):
    for name in names:
        parts = name.split(".")
        target = parts[1] if len(parts) > 1 else ""
        if target in MAY_IMPORT and target not in MAY_IMPORT[layer]:
            yield f"{path} imports {name}"
        if layer == "inference" and not name.startswith(RUNTIME.get(target, "ppcls")):
            yield f"{path} imports {name}"


@pytest.mark.parametrize("layer", sorted(MAY_IMPORT))
def test_a_layer_imports_only_from_those_below(layer):
    files = sorted((ROOT / "ppcls" / layer).rglob("*.py"))
    assert files
    found = [text for path in files for text in violations(layer, path.relative_to(ROOT), imports_of(path))]
    assert found == []


def test_the_check_can_fail():
    assert list(violations("arch", "x.py", ["ppcls.data.loader", "ppcls.utils.errors", "ppcls.__version__"])) == [
        "x.py imports ppcls.data.loader"
    ]
    assert list(violations("inference", "x.py", ["ppcls.data.loader.ImageLoader", "ppcls.arch.build_model"])) == [
        "x.py imports ppcls.data.loader.ImageLoader",
        "x.py imports ppcls.arch.build_model",
    ]


def test_every_package_has_a_layer():
    packages = {path.parent.name for path in (ROOT / "ppcls").glob("*/*.py")}
    assert packages == set(MAY_IMPORT)


def test_a_name_means_one_class():
    """`ppcls.Classifier` adds published models to the runtime's."""
    found = defaultdict(set)
    for path in sorted((ROOT / "ppcls").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].add(path.relative_to(ROOT / "ppcls").as_posix())
    several = {name: files for name, files in found.items() if len(files) > 1}
    assert several == {"Classifier": {"api/classifier.py", "inference/classifier.py"}}


def test_modules_do_not_import_each_other_in_a_circle():
    """Imports in functions count: they only hide a circle."""
    assert circles(read_modules(ROOT / "ppcls")) == []


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import ppcls", {"paddle", "cv2", "numpy", "yaml"}),
        ("import ppcls.config", {"paddle", "cv2"}),
        ("from ppcls import train", {"paddle"}),
        ("from ppcls import Classifier", {"paddle", "tqdm"}),
        (
            "import ppcls.arch.model_table, ppcls.arch.weights.sources, ppcls.metric.topk, ppcls.data.image_list",
            {"paddle"},
        ),
        ("import ppcls.engine.schema; ppcls.engine.schema.registries()", {"paddle"}),
        ("import ppcls.arch", {"paddle", "yaml", "cv2", "ppcls.engine", "ppcls.config", "ppcls.data"}),
        ("from ppcls.arch import DLA34; DLA34()", {"yaml", "ppcls.engine", "ppcls.config", "ppcls.data"}),
    ],
)
def test_imports_stay_light(statement, absent):
    assert modules_loaded_by(statement) & absent == set()
