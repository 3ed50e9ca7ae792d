"""A configuration error as a user meets it: at once, in full, without Paddle."""

import os
from pathlib import Path

from helpers.checkout import ROOT
from helpers.messages import says
from helpers.new_process import new_python, with_checkout

CHECK = "import sys; from ppcls.cli import main; sys.exit(main(sys.argv[1:]))"


def run(*arguments):
    Path("blocked").mkdir(exist_ok=True)
    Path("blocked/paddle.py").write_text("raise SystemExit('paddle was imported')")
    path = os.pathsep.join([str(Path("blocked").resolve()), str(ROOT)])
    return new_python(*arguments, environment=with_checkout(PYTHONPATH=path))


def test_all_problems_exit_code_2_and_no_traceback():
    Path("c.yaml").write_text("Global: {epoch: 2, seed: 1e-4}\n")
    answer = run("-c", CHECK, "train", "-c", "c.yaml", "-o", "Global.device=xpu")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines() == [
        "c.yaml:1 Global: unknown key 'epoch'. Did you mean 'epochs'?",
        says("c.yaml:1 Global.epochs: is missing; ... at least 1"),
        says("c.yaml:1 Global.seed: is 0.0001; ... at least 0"),
        says("c.yaml:1 Arch: is missing; write ... backbone's name ..."),
        says("c.yaml:1 Loss.Train: is missing, ...; ... `- CELoss:`"),
        says("c.yaml:1 Optimizer: is missing, ...; ... optimizer with its lr"),
        says("c.yaml:1 DataLoader.Train: is missing, ...; ... dataset and sampler"),
        says("-o Global.device=xpu: ... xpu ...; write auto, cpu or gpu"),
    ]


def test_a_check_loads_what_reads_yaml_and_pictures_and_nothing_else():
    # What is loaded is what the wait consists of; benchmarks/import_cost.py times it.
    Path("c.yaml").write_text("Global: {epoch: 2}\n")
    code = (
        "import sys; before = set(sys.modules); from ppcls.cli import main; "
        "assert main(sys.argv[1:]) == 2; "
        "files = {n: getattr(sys.modules[n], '__file__', None) or '' for n in set(sys.modules) - before}; "
        "print(sorted({n.partition('.')[0] for n, file in files.items() if '-packages' in file})); "
        "print(sorted({'asyncio', 'multiprocessing', 'ssl', 'http.client', 'unittest'} & set(sys.modules)))"
    )
    answer = run("-c", code, "train", "-c", "c.yaml")
    assert answer.out == "['PIL', 'cv2', 'numpy', 'simplejpeg', 'yaml']\n[]\n"


def test_the_package_itself_loads_nothing_heavy():
    heavy = "'paddle', 'cv2', 'PIL', 'numpy', 'ppcls.data', 'ppcls.arch', 'ppcls.loss', 'ppcls.engine'"
    answer = run("-c", f"import ppcls.config, sys; print([name for name in ({heavy}) if name in sys.modules])")
    assert (answer.out, answer.err) == ("[]\n", "")
