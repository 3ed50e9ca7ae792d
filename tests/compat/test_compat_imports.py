"""Import paths of PaddleClas lead to this library's counterparts, or to a sentence that names one."""

import importlib
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

import ppcls
import ppcls.arch
from ppcls.arch.catalog import BACKBONES
from ppcls.compat import PaddleClasPaths
from ppcls.compat.absent import _INSTEAD
from ppcls.utils.errors import UserError

# PaddleClas's module for each family of ours
MODULES = {
    "dla": "dla",
    "dpn": "dpn",
    "alexnet": "alexnet",
    "squeezenet": "squeezenet",
    "darknet": "darknet",
    "senet": "se_resnext_vd",
}


def imported(statement):
    """What a statement like `from a.b import c` binds."""
    names = {}
    exec(statement, names)
    return names[statement.rpartition(" ")[2]]


def is_built_in(name):
    """Whether a model belongs to the library, not to a test that registers its own."""
    return BACKBONES[name].__module__.startswith("ppcls.arch.families.")


@pytest.mark.parametrize("name", [name for name in BACKBONES if is_built_in(name)])
def test_every_model_is_found_at_both_of_its_places(name):
    family = BACKBONES[name].__module__.split(".")[3]
    backbone = imported(f"from ppcls.arch.backbone import {name}")
    from_zoo = imported(f"from ppcls.arch.backbone.model_zoo.{MODULES[family]} import {name}")
    assert (backbone.__name__, from_zoo.__name__) == (name, name)


def test_a_module_of_a_family_has_that_family_alone():
    module = importlib.import_module("ppcls.arch.backbone.model_zoo.squeezenet")
    assert module.__all__ == ["SqueezeNet1_0", "SqueezeNet1_1"]


def test_a_model_takes_paddleclas_arguments():
    make = imported("from ppcls.arch.backbone.model_zoo.dla import DLA46_c")
    model = make(False, use_ssld=False, class_num=3)
    assert model.params.class_num == 3
    with pytest.raises(UserError, match="use_ssld"):
        make(use_ssld=True)


def test_build_model_takes_paddleclas_mapping(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(
        "Arch: {name: SqueezeNet1_1, class_num: 5, use_sync_bn: false, use_ssld: false, infer_add_softmax: true}\n"
    )
    config = imported("from ppcls.utils.config import get_config")(str(file), ["Arch.class_num=7"])
    assert config.Arch.class_num == 7
    model = ppcls.arch.build_model(config, mode="train")
    assert model.params.class_num == 7


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "facts"),
    [
        ({"use_sync_bn": True}, {}, UserError, "use_sync_bn.* GPU.*use_sync_bn: false"),
        ({"use_ssld": True}, {}, UserError, "use_ssld=False"),
        ({}, {"mode": "trian"}, ValueError, "'trian'.*train, eval, infer, export"),
    ],
)
def test_what_build_model_cannot_do_is_refused(arguments, keywords, error, facts):
    with pytest.raises(error, match=facts):
        ppcls.arch.build_model({"Arch": {"name": "SqueezeNet1_1", **arguments}}, **keywords)


def test_weights_are_loaded_into_a_model(tmp_path):
    import paddle

    load = imported("from ppcls.utils.save_load import load_dygraph_pretrain")
    model, other = (ppcls.arch.build_model("SqueezeNet1_1", class_num=2) for _ in range(2))
    paddle.save(model.state_dict(), str(tmp_path / "w.pdparams"))
    load(other, str(tmp_path / "w"), use_ssld=False)
    for one, two in zip(model.parameters(), other.parameters()):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_keys_of_a_configuration_are_attributes(tmp_path, caplog):
    (tmp_path / "a.yaml").write_text("Global: {epochs: 2}\nList: [{a: 1}]\nmine: x\n")
    get_config = imported("from ppcls.utils.config import get_config")
    with caplog.at_level(logging.INFO, "ppcls"):
        logging.getLogger("ppcls").propagate = True
        config = get_config(str(tmp_path / "a.yaml"), ["Global.epochs=3"], show=True)
    assert config == {"Global": {"epochs": 3}, "List": [{"a": 1}], "mine": "x"}
    assert (config.Global.epochs, config.List[0].a) == (3, 1)
    assert [record.getMessage() for record in caplog.records] == [
        "Global:",
        "    epochs: 3",
        "List: [{'a': 1}]",
        "mine: x",
    ]
    with pytest.raises(AttributeError, match="absent"):
        _ = config.absent


def test_the_log_is_this_librarys(tmp_path):
    logger = imported("from ppcls.utils import logger")
    made = logger.init_logger(log_file=str(tmp_path / "new" / "a.log"), log_level=logging.WARNING)
    logger.info("not written")
    logger.warning("a %s", "line")
    assert made is logging.getLogger("ppcls")
    assert (tmp_path / "new" / "a.log").read_text().endswith(" WARNING: a line\n")
    assert "not written" not in (tmp_path / "new" / "a.log").read_text()
    with pytest.raises(ValueError, match="ppcls, not mine"):
        logger.init_logger("mine")


@pytest.mark.parametrize(
    ("statement", "counterpart"),
    [
        ("from ppcls.engine.engine import Engine", "`ppcls train -c FILE`"),
        ("from ppcls.data import build_dataloader", "`ppcls train -c FILE`"),
        ("from ppcls.arch.gears import build_gear", "single-label"),
        ("from ppcls.arch.backbone import ResNet50", "`ppcls models`"),
        ("from ppcls.arch.backbone.base.theseus_layer import TheseusLayer", "ppcls.arch.Backbone"),
        ("from ppcls.utils.save_load import save_model", "paddle.save"),
        ("from ppcls.utils.misc import AverageMeter", "`ppcls train -c FILE`"),
    ],
)
def test_what_is_absent_names_its_counterpart(statement, counterpart):
    with pytest.raises(ImportError) as caught:
        imported(statement)
    assert counterpart in str(caught.value)
    assert "of PaddleClas: " in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_nothing_is_called_absent_that_is_there():
    """Python's own finders come first, so a row for a module of the library could never be read."""
    package = Path(ppcls.__file__).parent
    there = []
    for name in _INSTEAD:
        path = package.joinpath(*name.split(".")[1:])
        if path.with_suffix(".py").exists() or path.exists():
            there.append(name)
    assert there == []


@pytest.mark.parametrize("statement", ["import ppcls.nonsense", "from ppcls.utils.save_load import nonsense"])
def test_a_name_of_nobody_is_pythons_error(statement):
    with pytest.raises(ImportError) as caught:
        imported(statement)
    assert "PaddleClas" not in str(caught.value)


def test_a_program_of_a_checkout_is_recognised(tmp_path, monkeypatch):
    """`python tools/train.py` in PaddleClas's folder, where Python finds this library first."""
    (tmp_path / "ppcls" / "engine").mkdir(parents=True)
    (tmp_path / "ppcls" / "engine" / "engine.py").touch()
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "tools" / "export_model.py"), raising=False)
    with pytest.raises(ImportError) as caught:
        imported("from ppcls.utils import a_name_of_its_own")
    assert f"PYTHONPATH={tmp_path}" in str(caught.value)
    assert "`ppcls export`" in str(caught.value)


def test_the_finder_is_last_and_there_once():
    ours = [finder for finder in sys.meta_path if isinstance(finder, PaddleClasPaths)]
    importlib.import_module("ppcls.compat").install()
    assert [finder for finder in sys.meta_path if isinstance(finder, PaddleClasPaths)] == ours
    assert len(ours) == 1
