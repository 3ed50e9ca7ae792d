"""What a user's type checker knows of the package."""

import re

import pytest
from mypy import api

from helpers.checkout import ROOT
from ppcls.arch.catalog import BACKBONES


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def short(revealed):
    """A type as new versions of mypy write it; old ones write `builtins.list[...]` and `Union[..., None]`."""
    return re.sub(r"^Union\[(.+), None\]$", r"\1 | None", revealed.replace("builtins.", ""))


@pytest.fixture
def checked(tmp_path, cache, monkeypatch):
    """What mypy says, strictly, of each line of a program: a revealed type or an error; other lines are missing."""
    monkeypatch.setenv("MYPYPATH", str(ROOT))

    def check(*lines):
        (tmp_path / "program.py").write_text("\n".join(lines) + "\n")
        settings = ["--strict", "--config-file", str(ROOT / "pyproject.toml"), "--follow-imports", "silent"]
        output, errors, _ = api.run([*settings, "--cache-dir", str(cache), str(tmp_path / "program.py")])
        assert errors == ""
        found = re.findall(r'program\.py:(\d+): (?:note: Revealed type is "(.*)"|error: (.*?)  \[.*)', output)
        return {int(line): short(revealed) or error for line, revealed, error in found}

    return check


def test_a_users_program(checked):
    said = checked(
        "from ppcls import Classifier",
        "from ppcls.arch import DLA34, SqueezeNet1_1, build_model, list_models",
        'classifier = Classifier("inference", batch_size=4)',
        "reveal_type(classifier)",
        'results = classifier.predict("pictures")',
        "for result in results:",
        "    reveal_type(result)",
        "    reveal_type(result.class_ids)",
        'reveal_type(build_model("DLA34", class_num=5))',
        "reveal_type(DLA34(class_num=5))",
        "reveal_type(list_models())",
        'Classifier("inference", batch_sise=4)',
        "from ppcls.arch import DLA35",
        "from ppcls import Classifyer",
        "reveal_type(classifier.verify())",
        "reveal_type(results)",
        "reveal_type(results[0].name)",
        "reveal_type(results[:2])",
        "from ppcls import evaluate, export, finetune",
        'reveal_type(finetune("flowers", epochs=1).best_metric)',
        'reveal_type(evaluate({"base": "DLA34"}, weights=True).metrics)',
        'reveal_type(Classifier(export("DLA34", weights="timm")))',
        'finetune("flowers", epoch=1)',
    )
    assert said == {
        4: "ppcls.api.classifier.Classifier",
        7: "ppcls.inference.results.Result",
        8: "list[int]",
        9: "ppcls.arch.layers.Backbone",
        10: "ppcls.arch.layers.Backbone",
        11: "list[str]",
        12: said[12],
        13: said[13],
        14: said[14],
        15: "ppcls.inference.golden.Agreement",
        16: "ppcls.inference.results.Results",
        17: "str | None",
        18: "list[ppcls.inference.results.Result]",
        20: "float | None",
        21: "typing.Mapping[str, float]",
        22: "ppcls.api.classifier.Classifier",
        23: said[23],
    }
    assert '"epoch"' in said[23]
    assert "batch_sise" in said[12] and "DLA35" in said[13] and "Classifyer" in said[14]


def test_every_model_is_visible(checked):
    names = BACKBONES.names()
    imports = f"from ppcls.arch import {', '.join(names)}"
    said = checked(imports, *(f"reveal_type({name}())" for name in names))
    assert said == dict.fromkeys(range(2, len(names) + 2), "ppcls.arch.layers.Backbone")
