"""Probes of DistillationModel and of its metric."""

import numpy as np
import paddle
from key_probe import Saying, component, probe

from ppcls.arch import build_model
from ppcls.engine import build
from ppcls.utils.errors import ConfigError

PICTURE = paddle.ones([1, 3, 64, 64])
LAYERS = {"DLA46_c": 49, "SqueezeNet1_1": 26}  # with weights of several axes


def pair(lab, teacher="Teacher", **keys):
    """A frozen DLA46_c and a SqueezeNet1_1, both with weights from a file, as the `Arch` section has them."""
    models = []
    for name, model in ((teacher, "DLA46_c"), ("Student", "SqueezeNet1_1")):
        file = lab.home / f"{model}.pdparams"
        if not file.exists():
            paddle.save(build_model(model, class_num=4).state_dict(), str(file))
        models.append({name: {"name": model, "class_num": 4, "pretrained": file}})
    return {"name": "DistillationModel", "class_num": 4, "models": models, "freeze_params_list": [True, False], **keys}


def made(arch):
    """What a configuration makes of the section."""
    return component("backbone", **arch)


def config(lab, arch):
    """The lab's configuration with this section and without what reads one model."""
    return lab.config({"Arch": arch, "Loss.Train": [], "Metric.Train": []}, "export")


def layers(model):
    """Convolutions whose weights an optimizer would be given."""
    return sum(parameter.ndim == 4 for parameter in model.parameters())


@probe(
    "backbone DistillationModel.name", ("DistillationModel", 26), ("DLA46_c", Saying("unknown key")), path="backbone"
)
def _name(lab, value):
    try:
        return layers(made(pair(lab, name=value)).build())
    except ConfigError as error:
        return str(error)


@probe("backbone DistillationModel.models", ("Teacher", ["Teacher", "Student"]), ("Tutor", ["Tutor", "Student"]))
def _models(lab, value):
    """The names of the models that give logits."""
    return list(made(pair(lab, teacher=value)).build()(PICTURE))


@probe("backbone DistillationModel.freeze_params_list", ([True, False], 26), ([False, True], LAYERS["DLA46_c"]))
def _freeze_params_list(lab, value):
    return layers(made(pair(lab, freeze_params_list=value)).build())


@probe("backbone DistillationModel.class_num", (4, [[1, 4]] * 2), (7, [[1, 7]] * 2), path="Arch.class_num")
def _class_num(lab, value):
    """The shapes of the models' logits, of which the models themselves say nothing."""
    arch = pair(lab, class_num=value)
    for model in arch["models"]:
        next(iter(model.values())).pop("class_num")
    members = config(lab, arch).Arch.members
    return [list(params.make()(PICTURE).shape) for params in members.values()]


@probe("backbone DistillationModel.pretrained_list", (None, False), (True, True))
def _pretrained_list(lab, value):
    """Whether the student has the weights of a file."""
    arch = pair(lab)
    file = arch["models"][1]["Student"].pop("pretrained")
    model = made({**arch, "pretrained_list": value and [None, file]}).build()
    return bool((model.learner.fc.weight == paddle.load(str(file))["fc.weight"]).all())


@probe(
    "backbone DistillationModel.infer_model_name",
    ("Student", LAYERS["SqueezeNet1_1"]),
    ("Teacher", LAYERS["DLA46_c"]),
    path="Arch.infer_model_name",
)
def _infer_model_name(lab, value):
    """The model that is exported."""
    arch = pair(lab, infer_model_name=value)
    return layers(build.model(config(lab, arch))[0])


SCORES = {"Student": np.array([[3.0, 2, 1, 0], [3, 2, 1, 0]]), "Teacher": np.array([[0.0, 1, 2, 3], [3, 2, 1, 0]])}


def counted(**keys):
    """The values for two pictures: the student has the class of one first, that of the other third."""
    counter = component("metric", "DistillationTopkAcc", **keys).accumulator()
    counter.update(SCORES, np.array([0, 2]))
    return counter.result()


@probe("metric DistillationTopkAcc.topk", (1, {"top1": 0.5}), ([2, 3], {"top2": 0.5, "top3": 1.0}))
def _topk(lab, value):
    return counted(topk=value)


@probe("metric DistillationTopkAcc.model_key", ("Student", {"top1": 0.5}), ("Teacher", {"top1": 0.0}))
def _model_key(lab, value):
    return counted(topk=1, model_key=value)
