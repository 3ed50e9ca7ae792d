"""`ppcls models`: the table, the JSON, the sentences; and that it loads no Paddle."""

from __future__ import annotations

import json
from typing import Any

import pytest

from helpers.new_process import modules_loaded_by
from ppcls.arch import list_models, listing
from ppcls.arch.listing import ListedModel, as_json, as_table, listed_models
from ppcls.arch.model_table import ModelInfo, Published
from ppcls.arch.weights.sources import PretrainedWeights, weights_of
from ppcls.cli import main
from ppcls.utils.errors import UserError

ROWS = [
    ListedModel(
        name="DLA34",
        family="DLA",
        trainable_params=15_742_104,
        macs=3_060_043_776,
        input_size=(3, 224, 224),
        top1=76.03,
        top5=92.98,
        accuracy_source="paddleclas",
        weights=("paddleclas", "timm", "ucbdrive"),
    ),
    ListedModel(
        name="SENet154_vd",
        family="SENet",
        trainable_params=121_737_048,
        macs=24_339_570_688,
        input_size=(3, 224, 320),
        top1=None,
        top5=None,
        accuracy_source=None,
        weights=(),
    ),
]
TABLE = """\
Model        Family  Params (M)  MACs (G)  Input (HxW)  Top-1 (%)  Top-5 (%)  Accuracy by  Weights of
DLA34        DLA          15.74      3.06      224x224      76.03      92.98  paddleclas   paddleclas, timm, ucbdrive
SENet154_vd  SENet       121.74     24.34      224x320          -          -  -            -"""


def info(name: str = "X", **keywords: Any) -> ModelInfo:
    counts = dict.fromkeys(("trainable_params", "params_with_statistics", "macs"), 1)
    return ModelInfo(**{"name": name, "family": "F", **counts, **keywords})


def test_the_table_is_aligned_and_names_the_units() -> None:
    assert as_table(ROWS) == TABLE


def test_json_has_exact_numbers_and_nulls() -> None:
    first, second = json.loads(as_json(ROWS))
    assert first == {
        "name": "DLA34",
        "family": "DLA",
        "trainable_params": 15742104,
        "macs": 3060043776,
        "input_size": [3, 224, 224],
        "top1": 76.03,
        "top5": 92.98,
        "accuracy_source": "paddleclas",
        "weights": ["paddleclas", "timm", "ucbdrive"],
    }
    assert (second["top1"], second["accuracy_source"], second["weights"]) == (None, None, [])


@pytest.mark.parametrize(
    ("published", "shown"),
    [
        ({"timm": Published(1.0, 2.0), "paddleclas": Published(3.0, 4.0)}, (3.0, 4.0, "paddleclas")),
        ({"timm": Published(1.0, 2.0), "ucbdrive": Published(3.0, 4.0)}, (1.0, 2.0, "timm")),
        ({"timm": Published(1.0, 2.0), "paddleclas": Published(flops_g=3.0)}, (1.0, 2.0, "timm")),
        ({"paper_reference": Published(1.0, 2.0)}, (None, None, None)),
    ],
)
def test_the_accuracy_is_paddleclas_s_else_timm_s(
    monkeypatch: pytest.MonkeyPatch, published: dict[str, Published], shown: tuple[Any, Any, Any]
) -> None:
    monkeypatch.setattr(listing, "info_of", lambda name: info(name, published=published))
    (row,) = listed_models("DLA34")
    assert (row.top1, row.top5, row.accuracy_source) == shown


def test_each_source_of_weights_is_named_once_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [PretrainedWeights("DLA34", source, f"https://x/{n}") for n, source in enumerate(("timm", "a", "timm"))]
    monkeypatch.setattr(listing, "weights_of", lambda model: [row for row in rows if row.model == model])
    assert [row.weights for row in listed_models("DLA[34]4")] == [("timm", "a")]
    assert [row.weights for row in listed_models("DLA60")] == [()]


def test_the_command_lists_every_model_with_its_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["Model", *list_models()]
    for line in lines[1:]:
        sources = ", ".join(dict.fromkeys(row.source for row in weights_of(line.split()[0]))) or "-"
        assert line.endswith(f"  {sources}")


def test_the_command_takes_a_pattern_in_either_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "squeezenet*"]) == 0
    lines = [line.split()[:8] for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines == [
        ["SqueezeNet1_0", "SqueezeNet", "1.25", "0.78", "224x224", "59.60", "81.70", "paddleclas"],
        ["SqueezeNet1_1", "SqueezeNet", "1.24", "0.35", "224x224", "60.10", "81.90", "paddleclas"],
    ]


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "DLA*x*", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found] == list_models("DLA*x*")
    assert found[0]["trainable_params"] == 1_068_440


@pytest.mark.parametrize(
    ("pattern", "near"),
    [
        ("DLA35", " (did you mean DLA34?)"),
        ("DAL*", " (did you mean DLA*?)"),
        ("squeezenet", " (did you mean SqueezeNet*?)"),
        ("q", ""),
    ],
)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_pattern_without_a_match_is_a_sentence(
    capsys: pytest.CaptureFixture[str], pattern: str, near: str, options: Any
) -> None:
    assert main(["models", pattern, *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"no model matches {pattern!r}{near}; `ppcls models` lists all\n")


def test_the_nearest_name_is_in_the_api_s_error() -> None:
    with pytest.raises(UserError, match=r"did you mean DLA46_c\?"):
        listed_models("DLA46-c")


def test_listing_loads_no_paddle() -> None:
    loaded = modules_loaded_by("from ppcls.cli import main; assert main(['models']) == 0")
    assert not {"paddle", "numpy", "yaml", "cv2", "PIL"} & loaded


def test_help_names_both_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    commands = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert {"models", "summary"} <= set(commands)
