"""Training and evaluation as `python -m paddle.distributed.launch` starts them, on CPUs with gloo."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import time

import numpy as np
import pytest

from helpers.forks import wait_for
from helpers.launching import finish, finish_well, launch, process_of
from helpers.messages import says
from helpers.pictures import save_picture
from ppcls.cli import main
from ppcls.data.sampler import epoch_order
from ppcls.untrusted.unpickle import load_pickle

pytestmark = pytest.mark.slow

PICTURES, GLOBAL_BATCH, EPOCHS = 44, 16, 4
# No dropout: its masks belong to a process, so that two at half the batch would not repeat one at the whole.
CONFIG = """
Global: {{epochs: 4, device: cpu, output_dir: {home}/one, console: paddleclas, print_batch_step: 1,
  image_shape: [3, 40, 40]}}
Arch: {{name: SqueezeNet1_1, class_num: 4, drop_rate: 0}}
Loss:
  Train: [CELoss: {{}}]
  Eval: [CELoss: {{class_weights: [0.5, 1, 2, 1]}}]
Optimizer: {{name: Momentum, lr: {{name: Cosine, learning_rate: 0.003}}, regularizer: {{name: L2, coeff: 1e-4}}}}
DataLoader:
  Train:
    dataset: &data
      name: ImageFolder
      image_root: {home}/train
      transform_ops: [DecodeImage: {{}}, RandCropImage: {{size: 40}}, NormalizeImage: {{scale: 1.0/255.0}}]
    sampler: {{name: DistributedBatchSampler, batch_size: 16, shuffle: true}}
    loader: {{num_workers: 0}}
  Eval:
    dataset:
      name: ImageFolder
      image_root: {home}/val
      transform_ops: [DecodeImage: {{}}, ResizeImage: {{size: 40}}, NormalizeImage: {{scale: 1.0/255.0}}]
    sampler: {{name: DistributedBatchSampler, batch_size: 8}}
    loader: {{num_workers: 0}}
Metric: {{Train: [TopkAcc: {{topk: 1}}], Eval: [TopkAcc: {{topk: [1, 2]}}]}}
"""


@pytest.fixture(scope="module", autouse=True)
def _disk_is_quick():
    """One process that dies has the launcher kill the others 3 s later; on a busy disk one checkpoint takes longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def paint(root, count):
    rng = np.random.default_rng(count)
    paths = [root / "abcd"[4 * index // count] / f"{index:03}.png" for index in range(count)]
    for path in paths:
        tint = 60 * np.eye(4, 3)["abcd".index(path.parent.name)]
        save_picture(path, np.uint8(rng.integers(0, 196, (44, 48, 3)) + tint))
    return paths


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Pictures; of the training's, all that process 1 of two reads in step 1 of epoch 0 are broken."""
    place = tmp_path_factory.mktemp("parallel")
    paths = paint(place / "train", PICTURES)
    for index in epoch_order(PICTURES, 0, 0, True)[GLOBAL_BATCH + GLOBAL_BATCH // 2 : 2 * GLOBAL_BATCH]:
        paths[index].write_bytes(b"broken")
    paint(place / "val", 101)
    (place / "config.yaml").write_text(CONFIG.format(home=place))
    return place


def words(home, **overrides):
    given = [word for key, value in overrides.items() for word in ("-o", f"{key.replace('__', '.')}={value}")]
    return ["-c", str(home / "config.yaml"), *given]


def start(home, name, count=2, batch=GLOBAL_BATCH // 2, options=(), **overrides):
    """A training, by default at the same global batch."""
    settings = {"Global__output_dir": home / name, "DataLoader__Train__sampler__batch_size": batch, **overrides}
    return launch(home, f"{name}_log", count, "tools/train.py", *words(home, **settings), options=options)


def weights(home, name):
    arrays = load_pickle(home / name / "SqueezeNet1_1" / "latest" / "ppcls.pdparams")
    return {key: value for key, value in arrays.items() if isinstance(value, np.ndarray)}


def largest_difference(home, one, other):
    ours, theirs = weights(home, one), weights(home, other)
    assert list(ours) == list(theirs)
    return max(float(np.abs(value - theirs[key]).max()) for key, value in ours.items())


def states(home, name):
    return json.loads((home / name / "SqueezeNet1_1" / "latest" / "ppcls.pdstates").read_text())


@pytest.fixture(scope="module")
def one(home):
    """One process at the whole batch."""
    assert main(["train", *words(home)]) == 0
    return (home / "one" / "SqueezeNet1_1" / "train.log").read_text()


@pytest.fixture(scope="module")
def two(home):
    """The logs of two processes at half the batch."""
    settings = {"Global__use_visualdl": True, "Global__save_interval_minutes": 1e-6}  # all save together at every step
    return finish_well(start(home, "two", **settings), home, "two_log", 2)


def said(log, pattern):
    """The texts of the accuracies and the loss of each line that begins with a pattern."""
    return [(accuracies, float(loss)) for accuracies, loss in re.findall(rf"{pattern} (.*)loss: ([\d.]+)", log)]


def agree(some, others):
    """The same pictures are right; losses differ by a unit in the last place printed at most, as weights do."""
    assert [accuracies for accuracies, _ in some] == [accuracies for accuracies, _ in others]
    np.testing.assert_allclose([loss for _, loss in some], [loss for _, loss in others], rtol=0, atol=1.1e-5)


def test_two_processes_learn_what_one_does(home, one, two):
    assert largest_difference(home, "one", "two") < 1e-6
    for log in two:
        assert "global batch 16 on 2 processes; 3 steps per epoch, 12 in all" in log
        for part in ("train", "valid"):
            assert len(said(log, f"END epoch:. +{part}")) == EPOCHS
            agree(said(log, f"END epoch:. +{part}"), said(one, f"END epoch:. +{part}"))


def test_a_batch_that_one_process_cannot_read_stops_nobody(home, one, two):
    for log in (one, *two):
        assert "8 pictures could not be read and were left out" in log


def test_the_first_process_alone_writes(home, two):
    run = home / "two" / "SqueezeNet1_1"
    assert sorted(path.name for path in run.iterdir()) == [
        "best_model", "class_names.txt", "config.yaml", "epoch_2", "epoch_3", "epoch_4", "latest", "train.log", "vdl",
    ]  # fmt: skip
    assert len(list((run / "vdl").iterdir())) == 1
    log = (run / "train.log").read_text()
    assert log.count("train step:") == 12
    assert set(log.splitlines()) <= set(two[0].splitlines())
    assert [text.count("train step:") for text in two] == [12, 12]


def test_an_evaluation_does_not_depend_on_the_number_of_processes(home, one, capsys):
    settings = words(home, Global__pretrained_model=home / "one" / "SqueezeNet1_1" / "latest")
    job = launch(home, "eval_log", 3, "tools/eval.py", *settings)  # 101 pictures; two processes evaluate above
    assert main(["eval", *settings]) == 0
    expected = said(capsys.readouterr().out, "END epoch:. +valid")
    assert len(expected) == 1
    for log in finish_well(job, home, "eval_log", 3):
        assert said(log, "END epoch:. +valid") == expected


def test_a_stopped_job_goes_on_with_one_process(home, two):
    job = start(home, "stopped")
    wait_for(home / "stopped_log" / "workerlog.0", "train step:1 ", job)
    job.send_signal(signal.SIGTERM)
    code, _ = finish(job)
    assert code == 15  # the launcher's own
    for rank in range(2):
        log = (home / "stopped_log" / f"workerlog.{rank}").read_text()
        assert "stopped by SIGTERM; resume with -o Global.checkpoints=" in log
        assert "Traceback" not in log
    assert states(home, "stopped")["epoch"] < EPOCHS
    shutil.copytree(home / "stopped", home / "stopped_small")
    small = {"DataLoader__Train__sampler__batch_size": GLOBAL_BATCH // 4, "Global__update_freq": 4}
    for name, changes in (("stopped", {}), ("stopped_small", small)):
        settings = {"Global__output_dir": home / name, "Global__checkpoints": home / name / "SqueezeNet1_1", **changes}
        assert main(["train", *words(home, **settings)]) == 0
        assert states(home, name)["epoch"] == EPOCHS
        assert largest_difference(home, name, "two") < 1e-6


def test_a_job_ends_with_a_process_that_dies_and_goes_on_to_the_same_bits(home, two):
    """With dropout, whose masks the resumed job must draw again, beside an unbroken job."""
    settings = {"Arch__drop_rate": 0.5, "Global__eval_during_train": False, "Global__save_interval_steps": 1}
    job = start(home, "killed", **settings)
    wait_for(home / "killed_log" / "workerlog.1", "train step:1 ", job)
    os.kill(process_of(home / "killed_log", 1), signal.SIGKILL)
    began = time.monotonic()
    code, _ = finish(job)
    assert code != 0
    assert time.monotonic() - began < 60
    log = (home / "killed_log" / "workerlog.0").read_text()
    assert "process 1 of 2 has ended, so this one ends too; look into its log (" in log
    assert re.search(r"\n  .* train step:", log)  # the last lines of the other's
    assert "Traceback" not in log
    assert states(home, "killed")["epoch"] < EPOCHS
    resumed = start(home, "killed", Global__checkpoints=home / "killed" / "SqueezeNet1_1", **settings)
    whole = start(home, "whole", **settings)
    assert "resumed " in finish_well(resumed, home, "killed_log", 2)[0]
    finish_well(whole, home, "whole_log", 2)
    assert largest_difference(home, "killed", "whole") == 0
    assert largest_difference(home, "killed", "two") > 1e-4  # dropout was there


def test_an_evaluation_ends_with_a_process_that_dies(home, one):
    settings = {
        "Global__pretrained_model": home / "one/SqueezeNet1_1/latest",
        "DataLoader__Eval__sampler__batch_size": 1,
    }
    job = launch(home, "eval_killed", 2, "tools/eval.py", *words(home, **settings))
    wait_for(home / "eval_killed" / "workerlog.1", "valid step:3 ", job)
    os.kill(process_of(home / "eval_killed", 1), signal.SIGKILL)
    code, _ = finish(job)
    assert code != 0
    log = (home / "eval_killed" / "workerlog.0").read_text()
    assert "process 1 of 2 has ended, so this one ends too; look into its log (" in log
    assert "END epoch" not in log


def test_two_machines_learn_what_one_does(home, one):
    """Two launchers with a process each, as on two nodes; the batch is made up of two steps of two processes."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    options = ["--master", f"127.0.0.1:{port}", "--nnodes", "2"]
    batch = GLOBAL_BATCH // 4
    jobs = [start(home, f"node_{number}", 1, batch, options, Global__update_freq=2) for number in range(2)]
    codes = [finish(job) for job in jobs]
    assert [code for code, _ in codes] == [0, 0], codes
    (name,) = [name for name in ("node_0", "node_1") if (home / name).exists()]
    assert largest_difference(home, name, "one") < 1e-6


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"Global__sync_batch_norm": "true"},
         "... no effect in Paddle on a CPU; write -o Global.sync_batch_norm=false"),
        ({"AMP": "{level: O1}"}, "... needs a GPU; ... remove the AMP section or write -o AMP.use_amp=false"),
    ],
    ids=["sync_batch_norm", "AMP"],
)  # fmt: skip
def test_what_a_cpu_cannot_do_is_refused(home, capsys, overrides, message):
    assert main(["train", *words(home, Global__output_dir=home / "refused", **overrides)]) == 2
    assert capsys.readouterr().err == says(f"{message}\n")
