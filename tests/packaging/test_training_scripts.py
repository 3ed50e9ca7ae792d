"""What the training scripts of tools/ start, by stand-ins that print it; and that the commands know the arguments."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.checkout import ROOT
from helpers.messages import says
from ppcls.config import load_config
from ppcls.engine.schema import registries

TRAIN = "tools/train.py -c configs/DLA/{}.yaml"
LAUNCH = "-m paddle.distributed.launch --gpus"
SCRIPTS = {"run_train_dla60.sh": "DLA60", "run_train_dla60_best.sh": "DLA60_best"}
NO_GPU = says("nvidia-smi finds no GPU, ... on the CPU; GPUS=0,1 would take two all the same\n")


@pytest.fixture
def run(tmp_path):
    """Runs a script from another folder, on a machine of `gpus` GPUs (None: without nvidia-smi): output and errors."""

    def stand_in(name, text):
        path = tmp_path / "bin" / name
        path.write_text(f"#!{shutil.which('bash')}\n{text}\n")
        path.chmod(0o755)

    def started(script, *words, gpus=None, **variables):
        (tmp_path / "bin").mkdir()
        for tool in ("bash", "dirname", "grep"):
            (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
        for name in ("python", "python3.12"):
            stand_in(name, 'printf "%s|" "${0##*/}" "$PWD" "$@"')
        if gpus is not None:
            listed = "".join(f"GPU {number}: NVIDIA A100 (UUID: GPU-{number})\n" for number in range(gpus))
            stand_in("nvidia-smi", f"printf '%s' '{listed}'; exit {0 if gpus else 9}")
        environment = {"PATH": str(tmp_path / "bin"), **variables}
        command = [ROOT / "tools" / script, *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=True)
        name, place, *arguments = done.stdout.split("|")[:-1]
        assert place == os.path.realpath(ROOT)
        return name, arguments, done.stderr

    return started


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    ("gpus", "variables", "taken", "said"),
    [
        (8, {}, "0,1,2,3", ""),
        (4, {}, "0,1,2,3", ""),
        (3, {}, "0,1,2", says("nvidia-smi finds 3 of four GPUs, ... on 0,1,2\n")),
        (1, {}, "0", says("nvidia-smi finds 1 of four GPUs, ... on 0\n")),
        (0, {}, "", NO_GPU),
        (None, {}, "", NO_GPU),
        (4, {"GPUS": ""}, "", ""),
        (None, {"GPUS": ""}, "", ""),
        (4, {"GPUS": "2,5"}, "2,5", ""),
        (None, {"GPUS": "0"}, "0", ""),
    ],
)
def test_a_process_a_gpu_or_one_on_the_cpu(run, script, gpus, variables, taken, said):
    name, arguments, error = run(script, "-o", "Global.output_dir=my output", gpus=gpus, **variables)
    expected = f"{LAUNCH} {taken} {TRAIN}" if taken else f"{TRAIN} -o Global.device=cpu"
    assert arguments == [*expected.format(SCRIPTS[script]).split(), "-o", "Global.output_dir=my output"]
    assert (name, error) == ("python", said)


@pytest.mark.parametrize("script", [*SCRIPTS, "run_test_dla60_best.sh"])
def test_another_python_is_taken_where_it_is_named(run, script):
    assert run(script, PYTHON="python3.12", GPUS="")[0] == "python3.12"


def test_the_best_weights_of_the_training_are_evaluated(run):
    _, arguments, error = run("run_test_dla60_best.sh", "-o", "Global.device=cpu")
    assert error == ""
    script, option, config, *overrides = arguments
    assert (script, option, config) == ("tools/eval.py", "-c", "configs/DLA/DLA60_best.yaml")
    assert overrides == ["-o", "Global.pretrained_model=output/DLA60/best_model", "-o", "Global.device=cpu"]
    made = load_config(ROOT / config, overrides[1::2], registries(), "train", check_paths=False)
    assert Path(made.Global.output_dir, made.Arch.name, "best_model") == Path(made.Global.pretrained_model)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_commands_configuration_is_legal_and_a_users_override_comes_last(run, script):
    _, arguments, _ = run(script, "-o", "Global.device=gpu", "-o", "Global.epochs=3", GPUS="")
    assert arguments[:2] == ["tools/train.py", "-c"]
    made = load_config(ROOT / arguments[2], arguments[4::2], registries(), "train", check_paths=False)
    assert (made.Arch.name, made.Global.device, made.Global.epochs) == ("DLA60", "gpu", 3)
