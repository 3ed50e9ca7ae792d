"""Probes of the deployment configuration, through `ppcls predict`."""

import re
import shutil
from pathlib import Path

from key_probe import Saying, probe

from ppcls.inference.backends.paddle import PaddleBackend


def spied_predictors(lab):
    """The settings of each predictor of Paddle Inference that is made from now on: oneDNN, threads."""
    import paddle.inference

    seen, create = [], paddle.inference.create_predictor

    def spy(config):
        seen.append((config.mkldnn_enabled(), config.cpu_math_library_num_threads()))
        config.set_cpu_math_library_num_threads(1)  # see tests/conftest.py
        return create(config)

    lab.patch.setattr("paddle.inference.create_predictor", spy)
    return seen


@probe("deploy Global.inference_model_dir", ("bundle", []), ("named", ["w", "x", "y", "z"]))
def _inference_model_dir(lab, value):
    """The class names of a bundle that has none, and of its copy that has."""
    folder = Path(shutil.copytree(lab.home / "bundle", lab.folder / "named"))
    manifest = folder / "inference.yml"
    text = manifest.read_text(encoding="utf-8").replace("class_names: null", "class_names: [w, x, y, z]")
    manifest.write_text(text, encoding="utf-8")
    where = {"bundle": lab.home, "named": lab.folder}[value] / value
    return names(lab.well("predict", {"Global.inference_model_dir": where, "PostProcess.Topk.topk": 4}))


def names(run):
    """The class names in all answers, sorted."""
    return sorted(set(run.find(r"'(\w+)'")))


@probe("deploy Global.infer_imgs", ("data/a", ["0.png", "1.png"]), ("data/b/3.png", ["3.png"]))
def _infer_imgs(lab, value):
    return list(lab.well("predict", {"Global.infer_imgs": lab.home / value}).answers)


@probe("deploy Global.batch_size", (3, [3, 3, 2]), (5, [5, 3]))
def _batch_size(lab, value):
    """Pictures in each run of the program."""
    sizes, run = [], PaddleBackend.run
    lab.patch.setattr(PaddleBackend, "run", lambda self, batch: sizes.append(len(batch)) or run(self, batch))
    lab.well("predict", {"Global.batch_size": value})
    return sizes


@probe("deploy Global.use_gpu", (False, ""), (True, Saying("write -o Global.use_gpu=False")))
def _use_gpu(lab, value):
    lab.patch.setattr("paddle.is_compiled_with_cuda", lambda: False)
    return lab.run("predict", {"Global.use_gpu": value}).err


@probe("deploy Global.enable_mkldnn", (True, [True]), (False, [False]))
def _enable_mkldnn(lab, value):
    seen = spied_predictors(lab)
    lab.well("predict", {"Global.enable_mkldnn": value})
    return [onednn for onednn, _ in seen]


@probe("deploy Global.cpu_num_threads", (1, [1]), (3, [3]))
def _cpu_num_threads(lab, value):
    seen = spied_predictors(lab)
    lab.well("predict", {"Global.cpu_num_threads": value})
    return [threads for _, threads in seen]


@probe("deploy Global.output", (None, []), ("answers.json", ["answers.json"]))
def _output(lab, value):
    lab.well("predict", {"Global.output": value})
    return [path.name for path in lab.folder.iterdir()]


@probe("deploy Global.save_dir", (None, []), ("sorted", ["sorted"]))
def _save_dir(lab, value):
    lab.well("predict", {"Global.save_dir": value})
    return [path.name for path in lab.folder.iterdir()]


@probe("deploy PostProcess.Topk.topk", (1, 1), (3, 3))
def _topk(lab, value):
    answers = lab.well("predict", {"PostProcess.Topk.topk": value}).answers
    (count,) = {len(re.findall(r"\d\.\d\d", answer)) for answer in answers.values()}
    return count


@probe("deploy PostProcess.Topk.class_id_map_file", (None, []), ("names.txt", ["ant", "bee", "cat", "dog"]))
def _class_id_map_file(lab, value):
    file = value and lab.home / value
    return names(lab.well("predict", {"PostProcess.Topk": {"topk": 4, "class_id_map_file": file}}))
