"""A configuration error as a user meets it: at once, in full, without Paddle."""

import os
import subprocess
import sys
from pathlib import Path

import ppcls

ROOT = Path(ppcls.__file__).resolve().parents[1]
CHECK = "import sys; from ppcls.cli import main; sys.exit(main(sys.argv[1:]))"


def run(*arguments):
    Path("blocked").mkdir(exist_ok=True)
    Path("blocked/paddle.py").write_text("raise SystemExit('paddle was imported')")
    environment = {**os.environ, "PYTHONPATH": f"{Path('blocked').resolve()}{os.pathsep}{ROOT}"}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False)


def test_all_problems_exit_code_2_and_no_traceback():
    Path("c.yaml").write_text("Global: {epoch: 2, seed: 1e-4}\n")
    answer = run("-c", CHECK, "train", "-c", "c.yaml", "-o", "Global.device=xpu")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.splitlines() == [
        "c.yaml:1 Global: unknown key 'epoch'. Did you mean 'epochs'?",
        "c.yaml:1 Global.epochs: is missing; write a whole number of at least 1",
        "c.yaml:1 Global.seed: is 0.0001; write a whole number of at least 0",
        "c.yaml:1 Arch: is missing; write a mapping of the backbone's name and keys",
        "c.yaml:1 Loss.Train: is missing, and train needs it; write the losses, such as `- CELoss:`",
        "c.yaml:1 Optimizer: is missing, and train needs it; write the optimizer with its lr",
        "c.yaml:1 DataLoader.Train: is missing, and train needs it; write its dataset and sampler",
        "-o Global.device=xpu: the device xpu is not supported here; write auto, cpu or gpu",
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
    assert answer.stdout == "['PIL', 'cv2', 'numpy', 'simplejpeg', 'yaml']\n[]\n"


def test_the_package_itself_loads_nothing_heavy():
    heavy = "'paddle', 'cv2', 'PIL', 'numpy', 'ppcls.data', 'ppcls.arch', 'ppcls.loss', 'ppcls.engine'"
    answer = run("-c", f"import ppcls.config, sys; print([name for name in ({heavy}) if name in sys.modules])")
    assert (answer.stdout, answer.stderr) == ("[]\n", "")
