"""Every key of the schema has a probe, and every probe passes; see `key_probe`."""

from dataclasses import replace

import key_probes_arch  # noqa: F401 - registers its probes, as the next ones do
import key_probes_augment  # noqa: F401
import key_probes_covering  # noqa: F401
import key_probes_data  # noqa: F401
import key_probes_deploy  # noqa: F401
import key_probes_distillation  # noqa: F401
import key_probes_engines  # noqa: F401
import key_probes_finetune  # noqa: F401
import key_probes_global  # noqa: F401
import key_probes_official  # noqa: F401
import key_probes_optimize  # noqa: F401
import key_probes_optimizer  # noqa: F401
import key_probes_sections  # noqa: F401
import key_probes_shards  # noqa: F401
import key_probes_tensorrt  # noqa: F401
import key_probes_training  # noqa: F401
import key_probes_transforms  # noqa: F401
import pytest
from key_probe import PROBES, Saying, prove
from key_schema import every_key

from ppcls.arch.layers import MaxPool2D
from ppcls.data.image_list import read_list_file
from ppcls.data.sampler import epoch_order
from ppcls.engine.callbacks import ConsoleLog
from ppcls.inference.backends.paddle import open_predictor

# What a library that ignores a key would do in the place of what it does.
DEAF = {
    "Global.print_batch_step": ("ppcls.engine.train.ConsoleLog", lambda step, has_bar: ConsoleLog(1)),
    "dataset ImageNetDataset.delimiter": (
        "ppcls.data.datasets.read_list_file",
        lambda path, root, class_num, delimiter, **rest: read_list_file(path, root, class_num, " "),
    ),
    "sampler DistributedBatchSampler.shuffle": (
        "ppcls.data.sampler.epoch_order",
        lambda length, seed, epoch, shuffle: epoch_order(length, seed, epoch, False),
    ),
    "schedule Cosine.eta_min": (
        "ppcls.optimizer.schedules.Cosine._decayed",
        lambda self, step, warmup, steps, epochs: self.learning_rate * (1 - step / (epochs * steps)),
    ),
    "deploy Global.enable_mkldnn": (
        "ppcls.inference.backends.paddle.open_predictor",
        lambda program, parameters, settings: open_predictor(program, parameters, replace(settings, onednn=True)),
    ),
    "backbone SqueezeNet1_1.ceil_pooling": (
        "ppcls.arch.families.squeezenet.network.MaxPool2D",
        lambda window, stride, ceil_mode: MaxPool2D(window, stride),
    ),
}


def test_every_key_has_a_probe():
    keys = every_key()
    assert len(set(keys)) == len(keys)
    assert set(PROBES) == set(keys)


@pytest.mark.slow
@pytest.mark.parametrize("key", sorted(PROBES))
def test_changing_a_key_changes_behaviour(key, new_lab):
    prove(PROBES[key], new_lab)


@pytest.mark.slow
@pytest.mark.parametrize("key", sorted(DEAF))
def test_a_probe_fails_where_its_key_is_ignored(key, new_lab, monkeypatch):
    monkeypatch.setattr(*DEAF[key])
    with pytest.raises(AssertionError):
        prove(PROBES[key], new_lab)


def test_a_text_says_what_it_holds():
    assert Saying("b c") == "a b c d"
    assert Saying("b c") != "a b"
    assert Saying("b") != ["b"]
