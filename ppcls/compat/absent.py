"""What PaddleClas has under a name, this library does not, and what to use instead."""

from __future__ import annotations

import sys
from pathlib import Path

_MODELS = "`ppcls models` lists the models that this library has"
_NOT_HERE = "this library does not have it: it trains and runs single-label classifiers"
_TRAIN = "use the command `ppcls train -c FILE`"
_TRANSFORMS = "the transforms are classes of ppcls.data.transforms"

# Names of modules, and of what is imported from modules. A name also stands for all below it; the longest one counts.
_INSTEAD = {
    "ppcls.engine.engine": f"{_TRAIN}, or `ppcls eval`, `ppcls infer` and `ppcls export`",
    "ppcls.engine.evaluation": "use the command `ppcls eval -c FILE`",
    "ppcls.engine.slim": _NOT_HERE + "; `ppcls quantize` makes int8 models",
    "ppcls.arch.backbone": _MODELS,
    "ppcls.arch.backbone.base": (
        "backbones are subclasses of ppcls.arch.Backbone, whose `features` gives the feature maps"
    ),
    "ppcls.arch.gears": _NOT_HERE,
    "ppcls.arch.slim": _NOT_HERE + "; `ppcls quantize` makes int8 models",
    "ppcls.arch.distill": "a distillation is configured by Arch.models, see configs/",
    "ppcls.arch.utils": "use ppcls.arch.list_models",
    "ppcls.arch.RecModel": _NOT_HERE,
    "ppcls.arch.AttentionModel": _NOT_HERE,
    "ppcls.arch.DistillationModel": "a distillation is configured by Arch.models, see configs/",
    "ppcls.arch.apply_to_static": "use the command `ppcls export -c FILE`",
    "ppcls.arch.build_gear": _NOT_HERE,
    "ppcls.modeling": f"models are imported from ppcls.arch; {_MODELS}",
    "ppcls.data.build_dataloader": f"{_TRAIN}, which reads DataLoader of the file",
    "ppcls.data.dataloader": f"{_TRAIN}, which reads DataLoader of the file",
    "ppcls.data.reader": f"{_TRAIN}, which reads DataLoader of the file",
    "ppcls.data.imaug": _TRANSFORMS,
    "ppcls.data.preprocess": _TRANSFORMS,
    "ppcls.data.create_operators": _TRANSFORMS,
    "ppcls.data.utils": _TRANSFORMS,
    "ppcls.loss.build_loss": f"{_TRAIN}, which makes the losses of the section Loss",
    "ppcls.metric.build_metrics": (
        "use the command `ppcls eval -c FILE`, which makes the metrics of the section Metric"
    ),
    "ppcls.optimizer.build_optimizer": f"{_TRAIN}, which makes the optimizer of the section Optimizer",
    "ppcls.optimizer.build_lr_scheduler": f"{_TRAIN}, which makes the schedule of Optimizer.lr",
    "ppcls.static": _NOT_HERE + " in the dynamic graph; " + _TRAIN,
    "ppcls.utils.save_load.init_model": (
        "use ppcls.utils.save_load.load_dygraph_pretrain(model, path), or `ppcls train -o Global.checkpoints=PATH`"
    ),
    "ppcls.utils.save_load.save_model": "use paddle.save(model.state_dict(), path)",
    "ppcls.utils.save_load.load_distillation_model": (
        "a distillation is configured by Arch.models, see configs/"
    ),
    "ppcls.utils.AverageMeter": f"{_TRAIN}, which logs averages",
    "ppcls.utils.misc": f"{_TRAIN}, which logs averages",
    "ppcls.utils.convert_to_dict": "the result of ppcls.utils.config.get_config is a dict",
    "ppcls.utils.get_config": "import it from ppcls.utils.config",
    "ppcls.utils.metrics": "scikit-learn has these metrics",
    "ppcls.utils.model_zoo": _MODELS,
    "ppcls.utils.pretrained_list": _MODELS,
    "ppcls.utils.dist_utils": "use paddle.distributed",
    "ppcls.utils.ema": "write EMA in the configuration of `ppcls train`",
    "ppcls.utils.profiler": "use paddle.profiler",
    "ppcls.utils.check": f"{_TRAIN}, which checks the device",
}

_TOOLS = {
    "train.py": "train",
    "eval.py": "eval",
    "infer.py": "infer",
    "export_model.py": "export",
}


def explain(name: str) -> str | None:
    """Return what to use instead of a name of PaddleClas, as a sentence; None if it has no such name."""
    of_checkout = _from_a_checkout()
    if of_checkout is not None:
        return of_checkout
    known = name
    while known not in _INSTEAD:
        known = known.rpartition(".")[0]
        if not known:
            return None
    module, _, last = name.rpartition(".")
    return (
        f"cannot import {last} from {module}, a name of PaddleClas: {_INSTEAD[known]}"
    )


def _from_a_checkout() -> str | None:
    """Return how to start a program that lies in a checkout of PaddleClas; None if no such program runs."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not file:
        return None
    program = Path(file).resolve()
    checkout = program.parents[1] if len(program.parents) > 1 else program.parent
    theirs = checkout / "ppcls" / "engine" / "engine.py"
    if not theirs.is_file():
        return None
    ours = Path(__file__).resolve().parents[1]
    sentence = (
        f"{program} belongs to PaddleClas, but the ppcls that Python imports is this library, in {ours}; "
        f"set PYTHONPATH={checkout} to run it with PaddleClas"
    )
    command = _TOOLS.get(program.name)
    if command is not None:
        sentence += f", or run `ppcls {command}` with the same -c and -o"
    return sentence
