"""Probes of TensorRT's keys, through `ppcls predict` on a machine of stand-ins; see tests/helpers/fake_tensorrt.py."""

import shutil

from key_probe import probe

from helpers.fake_tensorrt import Machine

RUNS = {"Global.use_gpu": True, "Global.use_tensorrt": True}


def machine_with(lab, key, value, legacy=False, **more):
    """The machine, after a prediction."""
    machine = Machine(class_num=4).install(lab.patch)
    lab.patch.setenv("PPCLS_HOME", str(lab.folder))
    bundle = lab.home / "bundle"
    if legacy:  # a program that is called one of Paddle 2; nothing here loads it
        bundle = shutil.copytree(bundle, lab.folder / "legacy")
        (bundle / "inference.json").rename(bundle / "inference.pdmodel")
        text = (bundle / "inference.yml").read_text(encoding="utf-8")
        (bundle / "inference.yml").write_text(text.replace("inference.json", "inference.pdmodel"), encoding="utf-8")
    lab.well("predict", {**RUNS, "Global.inference_model_dir": bundle, **more, key: value})
    return machine


def first_dimension(lab, key, value, shape):
    (shapes,) = machine_with(lab, key, value).calls("Input")
    return shapes[shape][0]


@probe("deploy Global.use_tensorrt", (False, 0), (True, 1))
def _use_tensorrt(lab, value):
    """Programs that were converted."""
    return len(machine_with(lab, "Global.use_tensorrt", value).calls("convert"))


@probe("deploy Global.tensorrt.min_batch", (1, 1), (2, 2))
def _min_batch(lab, value):
    return first_dimension(lab, "Global.tensorrt.min_batch", value, "min_input_shape")


@probe("deploy Global.tensorrt.opt_batch", (8, 8), (4, 4))
def _opt_batch(lab, value):
    return first_dimension(lab, "Global.tensorrt.opt_batch", value, "optim_input_shape")


@probe("deploy Global.tensorrt.max_batch", (32, 32), (16, 16))
def _max_batch(lab, value):
    return first_dimension(lab, "Global.tensorrt.max_batch", value, "max_input_shape")


@probe("deploy Global.tensorrt.min_subgraph_size", (3, 3), (5, 5))
def _min_subgraph_size(lab, value):
    (config,) = machine_with(lab, "Global.tensorrt.min_subgraph_size", value).calls("TensorRTConfig")
    return config["min_subgraph_size"]


@probe("deploy Global.tensorrt.workspace_mb", (1024, 1 << 30), (1, 1 << 20))
def _workspace_mb(lab, value):
    (config,) = machine_with(lab, "Global.tensorrt.workspace_mb", value).calls("TensorRTConfig")
    return config["workspace_size"]


@probe("deploy Global.tensorrt.collect_shapes", (False, []), (True, ["shapes.pbtxt"]))
def _collect_shapes(lab, value):
    machine_with(lab, "Global.tensorrt.collect_shapes", value, legacy=True)
    return [path.name for path in lab.folder.glob("tensorrt/*/*.pbtxt")]


@probe("deploy Global.tensorrt.cache_dir", (None, ["tensorrt"]), ("engines", ["engines"]))
def _cache_dir(lab, value):
    """The folder that the engine's folder lies in."""
    machine_with(lab, "Global.tensorrt.cache_dir", value and str(lab.folder / value))
    return [path.parent.parent.name for path in lab.folder.glob("*/*/key.json")]


@probe("deploy Global.tensorrt.calibration", ("data", 8), ("data/a", 2))
def _calibration(lab, value):
    """Pictures that the first predictor, which is released first, was run on, one at a time."""
    more = {"Global.precision": "int8", "Global.tensorrt.opt_batch": 1}
    machine = machine_with(lab, "Global.tensorrt.calibration", lab.home / value, legacy=True, **more)
    return len(machine.calls("released")[0]["sizes"])
