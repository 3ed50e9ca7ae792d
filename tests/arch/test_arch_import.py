"""What importing `ppcls.arch` loads, in processes of its own."""

from __future__ import annotations

import json

from helpers.new_process import modules_loaded_by, output_of

_LOAD_NOTHING = """
import ppcls.arch
from ppcls.arch import list_models, build_model, DLA34, SqueezeNet1_1
from ppcls.arch.catalog import BACKBONES
BACKBONES["DLA34"]("DLA34", class_num=10)
dir(ppcls.arch), list_models()
"""

_LOAD_PADDLE_FIRST = """
import json, sys
import paddle
before = set(sys.modules)
sys.modules["yaml"] = None  # importing it is an error now
import ppcls.arch
import importlib
import pkgutil
import ppcls.arch.families
families = [module.name for module in pkgutil.iter_modules(ppcls.arch.families.__path__)]
for name in families:
    importlib.import_module(f"ppcls.arch.families.{name}.network")
shape = ppcls.arch.DLA46_c(class_num=2)(paddle.zeros([1, 3, 32, 32])).shape
assert shape == [1, 2], shape
added = {name: getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before}
print(json.dumps(added))
"""


def test_importing_loads_no_paddle_and_nothing_heavy() -> None:
    loaded = modules_loaded_by(_LOAD_NOTHING)
    assert "ppcls" in loaded
    assert not {"paddle", "numpy", "yaml", "cv2", "PIL", "visualdl"} & loaded


def test_models_need_nothing_but_paddle() -> None:
    found = json.loads(output_of("-c", _LOAD_PADDLE_FIRST).splitlines()[-1])
    ours = {".".join(name.split(".")[:2]) for name in found if name.startswith("ppcls.")}
    assert ours == {"ppcls.arch", "ppcls.compat", "ppcls.kernels", "ppcls.untrusted", "ppcls.utils"}
    installed = {name.split(".")[0] for name, file in found.items() if "site-packages" in file}
    assert installed <= {"ppcls", "paddle"}
