"""Logits of PaddleClas's own models, computed where its package `ppcls` is the one that is imported, not ours.

PATH_TO/.venv-paddleclas/bin/python paddleclas_logits.py OUT.json '{"sizes": {"DLA34": [192, 256]}, "count": 3, ...}'

writes each model's names and shapes of weights (`keys`), and its logits [count, class_num] with `state` (`logits`).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import arch_facts as facts
import numpy as np
import paddle


def paddleclas_backbones() -> Any:
    """PaddleClas's module of models, imported past the package's own beginning, which needs all that training needs."""
    spec = importlib.util.find_spec("paddleclas")
    assert spec is not None and spec.submodule_search_locations
    folder = spec.submodule_search_locations[0]
    sys.path.insert(0, folder)
    backbones = importlib.import_module("ppcls.arch.backbone")
    assert Path(str(backbones.__file__)).is_relative_to(folder), backbones.__file__
    return backbones


def state(shapes: dict[str, Sequence[int]], seed: int) -> dict[str, np.ndarray]:
    """A PaddleClas dictionary out of names and shapes."""
    return {key: facts.fill(key, shape, seed) for key, shape in shapes.items()}


def measure(make: Any, size: Sequence[int], count: int, class_num: int, seed: int) -> dict[str, Any]:
    """One model's weights and logits."""
    with paddle.utils.unique_name.guard():  # some families name their parameters outright, once a process
        model = make(class_num=class_num)
    model.eval()
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    left = model.set_state_dict(state(shapes, seed))
    assert left == ([], []), left
    with paddle.no_grad():
        logits = model(paddle.to_tensor(facts.pictures(count, *size)))
    return {"keys": shapes, "logits": logits.numpy().tolist()}


def main(out: str, asked: str) -> None:
    """Writes what `asked` wants, JSON as the module's docstring shows, to the file `out`."""
    request = json.loads(asked)
    sizes = request.pop("sizes")
    backbones = paddleclas_backbones()
    models = {name: measure(getattr(backbones, name), size, **request) for name, size in sizes.items()}
    found = {"paddleclas": importlib.metadata.version("paddleclas"), "models": models}
    Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
