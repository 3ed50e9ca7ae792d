"""Which file of weights a path means."""

import pytest

from helpers.messages import refusal
from ppcls.untrusted.weights_paths import weights_file
from ppcls.utils.errors import UserError


@pytest.mark.parametrize("suffix", ["", "/ppcls", "/ppcls.pdparams", "/ppcls.pdopt", "/ppcls.pdstates"])
def test_weights_are_found_by_every_name(tmp_path, suffix):
    (tmp_path / "best_model").mkdir()
    (tmp_path / "best_model" / "ppcls.pdparams").touch()
    assert weights_file(f"{tmp_path}/best_model{suffix}") == tmp_path / "best_model" / "ppcls.pdparams"


def test_a_runs_folder_means_its_best_model_or_else_its_latest(tmp_path):
    for name in ("latest", "best_model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ppcls.pdparams").touch()
        assert weights_file(tmp_path) == tmp_path / name / "ppcls.pdparams"


def test_a_runs_folder_of_paddleclas_means_the_same(tmp_path):
    for name in ("epoch_1", "latest", "best_model"):
        (tmp_path / f"{name}.pdparams").touch()
        if name != "epoch_1":
            assert weights_file(tmp_path) == tmp_path / f"{name}.pdparams"
    (tmp_path / "best_model").mkdir()
    (tmp_path / "best_model" / "ppcls.pdparams").touch()
    assert weights_file(tmp_path) == tmp_path / "best_model" / "ppcls.pdparams"


def test_weights_of_another_name_and_none_at_all(tmp_path):
    (tmp_path / "DLA34_pretrained.pdparams").touch()
    for name in ("DLA34_pretrained", "DLA34_pretrained.pdparams"):
        assert weights_file(tmp_path / name) == tmp_path / "DLA34_pretrained.pdparams"
    for name in ("model.safetensors", "dla34-ba72cf86.pth", "darknet53.weights", "weights"):
        (tmp_path / name).touch()
        assert weights_file(tmp_path / name) == tmp_path / name
    for name in ("nowhere", "nowhere.pth"):
        assert refusal(weights_file, tmp_path / name) == (
            f"{tmp_path / name}: no weights there; give a file of weights, its path without .pdparams (.../ppcls), or "
            "the folder of a checkpoint or of a run"
        )


def test_an_optimizers_state_is_no_weights(tmp_path):
    (tmp_path / "ppcls.pdopt").touch()
    with pytest.raises(UserError, match=r"ppcls\.pdopt: no weights there; "):
        weights_file(tmp_path / "ppcls.pdopt")
