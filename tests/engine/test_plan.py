"""What a run says of itself at its start, for every row of the published recipes."""

from types import SimpleNamespace

import pytest

from helpers.messages import says
from ppcls.config import load_config
from ppcls.engine import build, processes
from ppcls.engine.schema import registries
from ppcls.engine.train import plan

PICTURES = 1_281_167
# Per recipe: epochs, pictures in all, the global batch, steps an epoch, steps in all, the learning rate.
PLANS = {
    "DLA34": ("120", "153,740,040", "256", "5,005", "600,600", "0.1"),
    "DLA60_best": ("120", "153,740,040", "512", "2,503", "300,360", "0.04"),
    "DPN107": ("200", "256,233,400", "256", "5,005", "1,001,000", "0.1"),
    "AlexNet": ("120", "153,740,040", "256", "5,005", "600,600", "0.01"),
    "SqueezeNet1_0": ("120", "153,740,040", "512", "2,503", "300,360", "0.02"),
    "DarkNet53": ("200", "256,233,400", "256", "5,005", "1,001,000", "0.1"),
    "SENet154_vd": ("200", "256,233,400", "256", "5,005", "1,001,000", "0.1"),
}


@pytest.mark.parametrize("name", PLANS)
def test_the_plan_of_a_recipe(name, monkeypatch):
    monkeypatch.setattr(processes, "world_size", lambda: 4)
    config = load_config(name, [], registries(), "train", check_paths=False, processes=4)
    steps = -(-PICTURES // build.global_batch(config))
    trainer = SimpleNamespace(
        steps_per_epoch=steps, update_freq=1, epochs=config.Global.epochs, lr_at=build.learning_rate(config, steps)
    )
    long, short = plan(config, trainer, PICTURES)
    epochs, pictures, batch, epoch_steps, all_steps, rate = PLANS[name]
    assert long == says(
        f"{epochs} epochs of 1,281,167 pictures, {pictures} in all; global batch {batch} on 4 processes; "
        f"{epoch_steps} steps per epoch, {all_steps} in all; ... {rate}"
    )
    assert short == says(
        f"{epochs} epochs of {epoch_steps} steps; batch {batch} on 4 processes; 1,281,167 pictures; ... {rate}"
    )
    assert len(short) <= 100


def test_one_is_singular(monkeypatch):
    config = load_config("DLA34", ["Global.epochs=1"], registries(), "train", check_paths=False)
    trainer = SimpleNamespace(steps_per_epoch=3, update_freq=1, epochs=1, lr_at=lambda step: 0.1)
    long, short = plan(config, trainer, 700)
    assert long.startswith("1 epoch of 700 pictures, 700 in all; global batch 64 on 1 process; ")
    assert short == "1 epoch of 3 steps; batch 64 on 1 process; 700 pictures; peak learning rate 0.1"
