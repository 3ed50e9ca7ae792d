"""What a run says of itself at its start, for every row of the published recipes."""

from types import SimpleNamespace

import pytest

from ppcls.config import load_config
from ppcls.engine import build, processes
from ppcls.engine.schema import registries
from ppcls.engine.train import plan

PICTURES = 1_281_167
SAID = {
    "DLA34": "120 epochs of 1,281,167 pictures, 153,740,040 in all; global batch 256 on 4 processes; "
    "5,005 steps an epoch, 600,600 in all; peak learning rate 0.1",
    "DLA60_best": "120 epochs of 1,281,167 pictures, 153,740,040 in all; global batch 512 on 4 processes; "
    "2,503 steps an epoch, 300,360 in all; peak learning rate 0.04",
    "DPN107": "200 epochs of 1,281,167 pictures, 256,233,400 in all; global batch 256 on 4 processes; "
    "5,005 steps an epoch, 1,001,000 in all; peak learning rate 0.1",
    "AlexNet": "120 epochs of 1,281,167 pictures, 153,740,040 in all; global batch 256 on 4 processes; "
    "5,005 steps an epoch, 600,600 in all; peak learning rate 0.01",
    "SqueezeNet1_0": "120 epochs of 1,281,167 pictures, 153,740,040 in all; global batch 512 on 4 processes; "
    "2,503 steps an epoch, 300,360 in all; peak learning rate 0.02",
    "DarkNet53": "200 epochs of 1,281,167 pictures, 256,233,400 in all; global batch 256 on 4 processes; "
    "5,005 steps an epoch, 1,001,000 in all; peak learning rate 0.1",
    "SENet154_vd": "200 epochs of 1,281,167 pictures, 256,233,400 in all; global batch 256 on 4 processes; "
    "5,005 steps an epoch, 1,001,000 in all; peak learning rate 0.1",
}


@pytest.mark.parametrize("name", SAID)
def test_the_plan_of_a_recipe(name, monkeypatch):
    monkeypatch.setattr(processes, "world_size", lambda: 4)
    config = load_config(name, [], registries(), "train", check_paths=False, processes=4)
    steps = -(-PICTURES // build.global_batch(config))
    trainer = SimpleNamespace(
        steps_per_epoch=steps, update_freq=1, epochs=config.Global.epochs, lr_at=build.learning_rate(config, steps)
    )
    assert plan(config, trainer, PICTURES) == SAID[name]
