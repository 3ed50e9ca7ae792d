"""Files as the training scripts of timm, torchvision and others leave them: weights among much else."""

import argparse
import pickle
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import hostile_zoo as zoo
from helpers.messages import refusal, says
from ppcls.arch.weights.files import read_weights
from ppcls.utils.errors import UserError

RAW, AVERAGE = np.arange(6, dtype=np.float32), np.arange(6, dtype=np.float32) + 10


def tensor(name):
    return zoo.tensor(zoo.storage(name, "FloatStorage", 6), (6,))


def saved(path, content, kind="archive"):
    """A file of torch in which the tensors "raw" and "average" have their numbers."""
    arrays = {"raw": RAW.tobytes(), "average": AVERAGE.tobytes()}
    if kind == "stream":
        spoken_of = [key for key in arrays if f"{key}".encode() in zoo.dump(content)]
        path.write_bytes(zoo.legacy(content, {key: (6, arrays[key]) for key in spoken_of}))
    else:
        path.write_bytes(zoo.archive(content, arrays))
    return path


def other_class(name, base=object):
    """A class of a package that is not installed here; instances are pickled by its name."""
    module, _, short = name.rpartition(".")

    class Stand(base):
        pass

    Stand.__name__ = Stand.__qualname__ = short
    Stand.__module__ = module
    return Stand


class ByName(zoo.TorchPickler):
    """Writes classes by name without looking whether that name is there."""

    def save_global(self, obj, name=None):
        self.write(f"c{obj.__module__}\n{obj.__qualname__}\n".encode())


def timm_file():
    arguments = argparse.Namespace(
        model="dla34", lr=0.1, data_dir=Path("/data"), mean=(0.5, 0.5), counts=Counter("aab"), more=defaultdict(list)
    )
    return {
        "epoch": 3,
        "arch": "dla34",
        "state_dict": OrderedDict(w=tensor("raw")),
        "state_dict_ema": OrderedDict(w=tensor("average")),
        "optimizer": {"state": {0: {"momentum_buffer": tensor("raw")}}, "param_groups": [{"lr": 0.1}]},
        "amp_scaler": {"scale": 65536.0},
        "args": arguments,
        "dtype": zoo.Name("torch", "float16"),
        "version": 2,
        "metric": 76.1,
    }


@pytest.mark.parametrize("kind", ["archive", "stream"])
@pytest.mark.parametrize(("use_ema", "wanted"), [(True, AVERAGE), (False, RAW)])
def test_a_file_of_timm_gives_the_average_or_the_weights_and_says_which(tmp_path, caplog, kind, use_ema, wanted):
    path = saved(tmp_path / "last.pth.tar", timm_file(), kind)
    with caplog.at_level("INFO", logger="ppcls"):
        arrays = read_weights(path, use_ema).arrays
    assert list(arrays) == ["w"]
    np.testing.assert_array_equal(arrays["w"], wanted)
    (line,) = (record.getMessage() for record in caplog.records)
    taken = "state_dict_ema" if use_ema else "state_dict"
    assert line.startswith(f"{path}: ") and f"; {taken} is loaded, Arch.use_ema={str(not use_ema).lower()} " in line


def test_a_file_of_torchvision_counts_its_averages_beside_the_prefix(tmp_path, caplog):
    average = {"n_averaged": tensor("raw"), "module.w": tensor("average"), "module.module.v": tensor("raw")}
    path = saved(
        tmp_path / "checkpoint.pth",
        {"model": {"w": tensor("raw")}, "model_ema": average, "args": argparse.Namespace(output_dir=".")},
    )
    with caplog.at_level("INFO", logger="ppcls"):
        arrays = read_weights(path).arrays
    assert list(arrays) == ["w", "module.v"]
    np.testing.assert_array_equal(arrays["w"], AVERAGE)
    assert caplog.records[-1].getMessage() == f"{path}: every name begins with module., which is left out"


def lines(caplog, path):
    return [record.getMessage().removeprefix(f"{path}: ") for record in caplog.records]


def test_an_average_that_stands_beside_its_settings_is_found(tmp_path, caplog):
    average = {"module": {"w": tensor("average")}, "decay": 0.9998, "updates": 12}
    path = saved(tmp_path / "w.pth", {"model": {"w": tensor("raw")}, "ema": average})
    np.testing.assert_array_equal(read_weights(path).arrays["w"], AVERAGE)
    np.testing.assert_array_equal(read_weights(path, use_ema=False).arrays["w"], RAW)


def test_the_only_entry_with_arrays_is_taken_whatever_its_name(tmp_path, caplog):
    path = saved(tmp_path / "w.pth", {"network": {"w": tensor("raw")}, "epoch": 3, "scheduler": {"lr": 0.1}})
    with caplog.at_level("INFO", logger="ppcls"):
        np.testing.assert_array_equal(read_weights(path).arrays["w"], RAW)
    assert lines(caplog, path) == ["the arrays of its entry network are loaded"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"student": {"w": tensor("raw")}, "teacher": {"w": tensor("average")}},
         "holds 2 sets of arrays (student, teacher); save the one ... by itself"),
        ({"state": {0: {"exp_avg": tensor("raw")}}, "param_groups": [{"lr": 0.1}]},
         "... state of an optimizer ...; give the file of the model's weights"),
        ({"model": zoo.Call(zoo.Name("__main__", "Net")), "epoch": 3},
         "... a __main__.Net, not weights; save its state_dict()"),
        (zoo.Call(zoo.Name("torch.nn.modules.container", "Sequential")),
         "... a torch.nn.modules.container.Sequential, not weights by name; save its state_dict()"),
    ],
)  # fmt: skip
def test_a_file_whose_weights_cannot_be_told_says_what_to_save(tmp_path, content, text):
    path = saved(tmp_path / "w.pth", content)
    assert refusal(read_weights, path) == says(f"{path}: {text}")


def test_what_configured_training_saves_beside_the_weights_is_passed_over(tmp_path):
    values = {
        "steps": range(3),  # in protocol 2 a name of Python 2
        "types": [zoo.Name("__builtin__", "long"), zoo.Name("__builtin__", "unicode")],
        "optimizer": zoo.Call(zoo.Name("functools", "partial"), zoo.Name("torch.optim.adam", "Adam"), state=(1, 2)),
        "criterion": zoo.Call(zoo.Name("torch.nn.modules.loss", "CrossEntropyLoss"), state={"weight": tensor("raw")}),
        "generator": zoo.Call(zoo.Name("numpy.random._pickle", "__generator_ctor"), "PCG64"),
    }
    path = saved(tmp_path / "w.ckpt", {"state_dict": {"w": tensor("raw")}, "hyper_parameters": values})
    np.testing.assert_array_equal(read_weights(path).arrays["w"], RAW)


def test_an_average_alone_is_the_weights_unless_it_is_not_wanted(tmp_path):
    path = saved(tmp_path / "w.pth", {"model_ema": {"w": tensor("average")}})
    np.testing.assert_array_equal(read_weights(path).arrays["w"], AVERAGE)
    with pytest.raises(UserError, match=r"w\.pth: .*\(model_ema\); leave out Arch\.use_ema, or --no-ema$"):
        read_weights(path, use_ema=False)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("base", [object, dict, list, set, Exception])
def test_objects_of_other_packages_are_passed_over(tmp_path, base, protocol):
    made = other_class("lightning.utilities.AttributeDict", base)()
    made.attribute = {"nested": other_class("omegaconf.DictConfig")()}
    if base is dict:
        made["key"] = 1
    if base is list:
        made += [1, 2]
    if base is set:
        made.add(3)
    path = tmp_path / "w.pdparams"
    with path.open("wb") as file:
        ByName(file, protocol).dump({"state_dict": {"w": RAW}, "hyper_parameters": [made, made]})
    np.testing.assert_array_equal(read_weights(path).arrays["w"], RAW)


def test_an_object_in_the_place_of_an_array_is_named(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(zoo.archive({"state_dict": {"w": tensor("raw"), "v": zoo.Call(zoo.Name("nncf.core", "Param"))}},
                                 {"raw": RAW.tobytes()}))  # fmt: skip
    with pytest.raises(UserError, match=r"w\.pth: v is a nncf\.core\.Param, not an array"):
        read_weights(path)
    path.write_bytes(zoo.archive(zoo.Call(zoo.Name("mine", "Model"))))
    with pytest.raises(UserError, match=r"w\.pth: its content is a mine\.Model, not weights by name"):
        read_weights(path)


PREFIXES = ["module.", "_orig_mod.", "model.", "net.", "backbone.", "module._orig_mod.", "model.backbone.module."]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("suffix", [".safetensors", ".pdparams", ".pth"])
def test_a_prefix_of_all_names_is_left_out_of_every_format(tmp_path, caplog, suffix, prefix):
    path, names = tmp_path / f"w{suffix}", [f"{prefix}conv.weight", f"{prefix}model.net.bias"]
    if suffix == ".pth":
        saved(path, {name: tensor("raw") for name in names})
    else:
        arrays = dict.fromkeys(names, RAW)
        if suffix == ".pdparams":
            path.write_bytes(pickle.dumps(arrays))
        else:
            from safetensors.numpy import save_file

            save_file(arrays, path)
    with caplog.at_level("INFO", logger="ppcls"):
        arrays = read_weights(path).arrays
    assert sorted(arrays) == ["conv.weight", "model.net.bias"]
    assert caplog.records[-1].getMessage() == f"{path}: every name begins with {prefix}, which is left out"


@given(
    prefixes=st.lists(st.sampled_from(["module.", "_orig_mod.", "model.", "net.", "backbone."]), max_size=4),
    names=st.sets(st.sampled_from(["conv.weight", "fc.bias", "base_layer.0.weight", "n", "modules.x"]), min_size=1),
)
def test_any_pile_of_prefixes_is_left_out(tmp_path_factory, prefixes, names):
    path = tmp_path_factory.mktemp("prefix") / "w.pdparams"
    path.write_bytes(pickle.dumps({"".join(prefixes) + name: RAW for name in names}))
    assert set(read_weights(path).arrays) == names


def test_a_loss_and_metrics_beside_the_network_are_left_out_by_name(tmp_path, caplog):
    network = {f"net._orig_mod.{name}": tensor("raw") for name in ("a.weight", "a.bias", "b.weight", "b.bias", "c")}
    path = saved(tmp_path / "w.ckpt", {"state_dict": {"criterion.weight": tensor("average"), **network}})
    with caplog.at_level("INFO", logger="ppcls"):
        assert list(read_weights(path).arrays) == ["a.weight", "a.bias", "b.weight", "b.bias", "c"]
    assert lines(caplog, path) == [
        says("5 names begin with net. ...; the other 1 (first criterion.weight) ... left out"),
        "every other name begins with net._orig_mod., which is left out",
    ]


def test_two_networks_in_one_dictionary_are_not_told_apart(tmp_path):
    names = [f"{network}.{name}" for network in ("model", "ema_model") for name in ("a", "b", "c")]
    path = saved(tmp_path / "w.ckpt", {name: tensor("raw") for name in names})
    assert list(read_weights(path).arrays) == names


@pytest.mark.parametrize("wrapper", ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"])
def test_wrappers_of_parts_of_a_network_are_left_out(tmp_path, caplog, wrapper):
    names = [f"features.3.{wrapper}.squeeze.weight", f"{wrapper}.stem", f"a.{wrapper}", "fc.weight"]
    path = saved(tmp_path / "w.pth", {name: tensor("raw") for name in names})
    with caplog.at_level("INFO", logger="ppcls"):
        assert list(read_weights(path).arrays) == ["features.3.squeeze.weight", "stem", f"a.{wrapper}", "fc.weight"]
    assert lines(caplog, path) == [f"wrappers in 2 names (first {names[0]}) are left out"]
    saved(path, {f"a.{wrapper}.w": tensor("raw"), "a.w": tensor("average")})
    assert list(read_weights(path).arrays) == [f"a.{wrapper}.w", "a.w"]  # which would be one name
