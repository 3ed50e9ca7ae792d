"""Resuming puts back every piece of a run, and only into a run that goes on as it began."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal

import numpy as np
import paddle
import pytest

from helpers.messages import says
from helpers.tiny_run import ends_alike, note_values, prepare, use_tiny, values
from ppcls.arch.weights.load import build_with_weights
from ppcls.cli import main
from ppcls.config import load_config
from ppcls.data.labels import ImageList
from ppcls.data.loader import ImageLoader
from ppcls.data.sampler import epoch_order
from ppcls.engine import build, checkpoint, device, optimizer_state, processes, recipe, resume
from ppcls.engine import train as train_command
from ppcls.engine.callbacks import SaveCheckpoints
from ppcls.engine.ema import MovingAverage
from ppcls.engine.schema import registries
from ppcls.engine.trainer import Trainer
from ppcls.untrusted.unpickle import load_pickle
from ppcls.utils.logging import get_logger

RUN = "SqueezeNet1_1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures, the undisturbed run, and one that was stopped in the midst of its third epoch."""
    place = tmp_path_factory.mktemp("resume")
    prepare(place, 0)
    with tidied() as patch:
        assert train(place, "whole", patch) == 0
    with tidied() as patch:
        stop_at(patch, 2, 4)
        assert train(place, "stopped", patch) == 130
    return place


@contextlib.contextmanager
def tidied():
    """What the tests' own fixtures do for a test, a module's has to do by itself."""
    logger = get_logger()
    propagate, level = logger.propagate, logger.level
    with pytest.MonkeyPatch.context() as patch:
        yield patch
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = propagate
    logger.setLevel(level)


def train(folder, name, patch, *words, **changes):
    """`ppcls train`, with everything noted in the run's folder; its exit code."""
    (folder / name).mkdir(exist_ok=True)
    use_tiny(patch.setattr)
    note_values(folder / name / "values.txt", patch.setattr)
    given = {"Global.output_dir": folder / name, **{key.replace("__", "."): value for key, value in changes.items()}}
    overrides = [word for key, value in given.items() for word in ("-o", f"{key}={value}")]
    return main(["train", "-c", str(folder / "config_0.yaml"), *overrides, *words])


def stop_at(patch, epoch, step):
    """Ctrl-C after a step."""
    original = SaveCheckpoints.step_end

    def step_end(self, trainer):
        original(self, trainer)
        if (trainer.state.epoch, trainer.state.step) == (epoch, step):
            os.kill(os.getpid(), signal.SIGINT)

    patch.setattr(SaveCheckpoints, "step_end", step_end)


def go_on(folder, name, patch, *words, **changes):
    """Resumes a copy of the stopped run; its exit code."""
    shutil.copytree(folder / "stopped", folder / name)
    return train(folder, name, patch, *words, Global__checkpoints=folder / name / RUN, **changes)


def test_all_pieces_together_are_the_whole_run(folder, monkeypatch, capsys):
    assert go_on(folder, "resumed", monkeypatch) == 0
    assert "it was saved with the kernels" not in capsys.readouterr().out
    ends_alike(folder / "whole", folder / "resumed")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda latest: (latest / "ppcls.pdopt").write_bytes(b"torn"),
         "latest/ppcls.pdopt: its bytes are not those that were saved"),
        (lambda latest: (latest / "ppcls_other.pdparams").unlink(), "latest/ppcls_other.pdparams: missing"),
        (lambda latest: (latest / "ppcls.pdstates").unlink(), "latest/ppcls.pdstates: No such file"),
    ],
)  # fmt: skip
def test_a_damaged_checkpoint_is_passed_over_with_a_word(folder, monkeypatch, capsys, damage, reason):
    name = f"damaged {reason.split(':')[0][7:]}"
    shutil.copytree(folder / "stopped", folder / name)
    damage(folder / name / RUN / "latest")
    assert train(folder, name, monkeypatch, Global__checkpoints=folder / name / RUN) == 0
    out = capsys.readouterr().out
    place = folder / name / RUN
    assert f"is the newest whole checkpoint; passed over: {place}/{reason}" in out
    assert f"resumed {place}/epoch_2 at epoch 2, step 0\n" in out


def test_other_kernels_are_reported_in_one_line(folder, monkeypatch, capsys):
    monkeypatch.setattr(device, "kernels", lambda: {"device": "cpu", "MKL_DEBUG_CPU_TYPE": "9"})
    assert go_on(folder, "other kernels", monkeypatch) == 0
    out = capsys.readouterr().out
    recorded = json.loads((folder / "stopped" / RUN / "latest" / "ppcls.pdstates").read_text())["kernels"]
    used = ", ".join(f"{name} {value or 'unset'}" for name, value in recorded.items())
    assert (
        f"INFO: it was saved with the kernels of {used}, but this run has those of "
        "device cpu, MKL_DEBUG_CPU_TYPE 9: the same to rounding, not to the bit\n"
    ) in out
    saved = json.loads((folder / "other kernels" / RUN / "latest" / "ppcls.pdstates").read_text())["kernels"]
    assert saved == {"device": "cpu", "MKL_DEBUG_CPU_TYPE": "9"}


def forget(key, value):
    """Leaves a piece out of the states that a run is resumed from."""

    def apply(patch):
        read_for = train_command.read_for

        def without(*arguments):
            saved = read_for(*arguments)
            assert saved.states[key] != value
            return checkpoint.Checkpoint(saved.folder, {**saved.states, key: value})

        patch.setattr(train_command, "read_for", without)

    return apply


def skip(owner, name):
    """Leaves a piece out that is put back by a function."""
    return lambda patch: patch.setattr(owner, name, lambda *arguments: None)


def without_weights(patch):
    """Leaves the model as it was made."""

    def made(params, found, new_classifier):
        loaded = build_with_weights(params, found, new_classifier)
        paddle.seed(0)
        return dataclasses.replace(loaded, model=params.make())

    patch.setattr(build, "build_with_weights", made)


@pytest.mark.parametrize(
    ("piece", "leave_out"),
    [
        ("weights", without_weights),
        ("optimizer", skip(optimizer_state, "restore_optimizer")),
        ("average", skip(MovingAverage, "restore")),
        ("steps of the average", forget("average_steps", 0)),
        ("averages", forget("averages", {"sums": {}, "count": 0})),
        ("metrics", forget("metrics", [{"topk": [1, 2], "correct": [0, 0], "pictures": 0}])),
        ("step", forget("step", 0)),
        ("epoch", forget("epoch", 1)),
        ("best", forget("best", {})),
    ],
)
def test_without_a_piece_the_run_ends_elsewhere(folder, monkeypatch, piece, leave_out):
    """The negative control of every comparison of runs here."""
    leave_out(monkeypatch)
    assert go_on(folder, f"without {piece}", monkeypatch) == 0
    with pytest.raises(AssertionError):
        ends_alike(folder / "whole", folder / f"without {piece}")


def said(captured):
    """The one sentence of a refusal, without the checkpoint's place."""
    assert "Traceback" not in captured.err
    (line,) = captured.err.splitlines()
    return line.partition("latest: ")[2]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Arch__drop_rate": 0.25}, "Arch.drop_rate was 0.5 and is 0.25"),
        ({"DataLoader__Train__sampler__batch_size": 4}, "pictures a step was 6 and is 8"),
        ({"DataLoader__Train__sampler__shuffle": "false"}, "DataLoader.Train.sampler.shuffle was true and is false"),
        ({"Global__update_freq": 1}, "pictures a step was 6 and is 3"),
        ({"DataLoader__Train__sampler__drop_last": "true"}, "DataLoader.Train.sampler.drop_last was false and is true, "
         "Global.update_freq was null and is 2, pictures a step was 6 and is 3"),
        ({"Global__seed": 5}, "Global.seed was 0 and is 5"),
        ({"Optimizer__momentum": 0.8}, "Optimizer.momentum was 0.9 and is 0.8"),
        ({"Optimizer__lr__learning_rate": 0.3}, "Optimizer.lr.learning_rate was 0.6 and is 0.3"),
        ({"Optimizer__regularizer": "null"},
         'Optimizer.regularizer.name was "L2" and is null, '
         "Optimizer.regularizer.coeff was 0.001 and is null"),
        ({"Loss__Train": "[CELoss: {epsilon: 0.2}]"}, "Loss.Train.0.CELoss.epsilon was 0.1 and is 0.2"),
        ({"EMA__decay": 0.8}, "EMA.decay was 0.9 and is 0.8"),
        ({"DataLoader__Train__dataset__batch_transform_ops": "[Mixup: {alpha: 0.3}]"},
         "DataLoader.Train.dataset.batch_transform_ops.0.Mixup.alpha was 0.2 and is 0.3"),
    ],
)  # fmt: skip
def test_what_changes_the_mathematics_is_refused_with_both_values(folder, monkeypatch, capsys, changes, text):
    name = f"refused {text}"
    before = {path.name: path.read_bytes() for path in (folder / "stopped" / RUN).iterdir() if path.is_file()}
    assert go_on(folder, name, monkeypatch, **changes) == 2
    assert said(capsys.readouterr()) == says(
        f"... {text}; resume with what it was trained with, or add --allow-changed"
    )
    del before["train.log"]
    for file, content in before.items():
        assert (folder / name / RUN / file).read_bytes() == content


def test_all_that_changes_is_named_at_once_but_not_at_length(folder, monkeypatch, capsys):
    changes = {"Optimizer": "{name: AdamW, lr: {name: Constant, learning_rate: 0.1}}", "EMA": "null"}
    assert go_on(folder, "many changes", monkeypatch, **changes) == 2
    text = said(capsys.readouterr())
    assert 'Optimizer.name was "Momentum" and is "AdamW"' in text
    assert re.search(r", \.\.\. and \d+ more; resume with", text)


def test_another_list_of_pictures_is_refused_and_the_same_elsewhere_is_not(folder, monkeypatch, capsys):
    for place in ("moved", "smaller"):
        shutil.copytree(folder / "data", folder / place)
    (folder / "smaller" / "a" / "0.png").unlink()
    assert go_on(folder, "of the moved", monkeypatch, DataLoader__Train__dataset__image_root=folder / "moved") == 0
    ends_alike(folder / "whole", folder / "of the moved")
    capsys.readouterr()
    data = {"DataLoader__Train__dataset__image_root": folder / "smaller"}
    assert go_on(folder, "of the smaller", monkeypatch, **data) == 2
    pattern = r'pictures was "20 with the digest [0-9a-f]{16}" and is "19 with the digest [0-9a-f]{16}"; resume'
    assert re.search(pattern, said(capsys.readouterr()))


def test_a_label_is_part_of_the_list():
    labels = [np.array([0, 1]), np.array([1, 0])]
    digests = [recipe.digest(ImageList(["/one/a.png", "/one/b.png"], label), "/one") for label in labels]
    moved = recipe.digest(ImageList(["/other/a.png", "/other/b.png"], labels[0]), "/other/")
    assert digests[0] == moved != digests[1]
    assert recipe.digest(ImageList(["/one/b.png", "/one/a.png"], labels[1]), "/one") not in digests


@pytest.mark.parametrize(
    "changes",
    [
        {"DataLoader__Train__loader__num_workers": 2},
        {"Global__print_batch_step": 1, "Global__keep": "null", "DataLoader__Train__dataset__on_error": "raise"},
        {"Arch__recompute": "true", "Global__pretrained_model": "null"},
    ],
)
def test_what_keeps_the_mathematics_ends_in_the_same_bits(folder, monkeypatch, changes):
    name = " ".join(changes)
    assert go_on(folder, name, monkeypatch, **changes) == 0
    assert values(folder / name) == values(folder / "whole")
    ours, theirs = (load_pickle(folder / run / RUN / "latest" / "ppcls_other.pdparams") for run in (name, "whole"))
    assert ours["stem.0.weight"].tobytes() == theirs["stem.0.weight"].tobytes()


@pytest.mark.parametrize(("schedule", "warned"), [("Cosine", True), ("Constant", False)])
def test_more_epochs_go_on_and_are_warned_of_where_the_schedule_depends_on_them(
    folder, monkeypatch, capsys, schedule, warned
):
    name, lr = f"longer {schedule}", f"{{name: {schedule}, learning_rate: 0.6, warmup_epoch: 1}}"
    assert train(folder, name, monkeypatch, Global__epochs=2, Optimizer__lr=lr) == 0
    place = {"Global__checkpoints": folder / name / RUN, "Optimizer__lr": lr}
    capsys.readouterr()
    assert train(folder, name, monkeypatch, Global__epochs=3, **place) == 0
    out = capsys.readouterr().out
    text = "WARNING: Global.epochs was 2 and is 3, so"
    assert (text in out) == warned
    assert json.loads((folder / name / RUN / "latest" / "ppcls.pdstates").read_text())["epoch"] == 3


def test_processes_may_be_others_at_the_same_global_batch(folder, monkeypatch):
    def recipe_with(batch_size, world_size, *more):
        monkeypatch.setattr(processes, "world_size", lambda: world_size)
        overrides = [f"DataLoader.Train.sampler.batch_size={batch_size}", *more]
        config = load_config(folder / "config_0.yaml", overrides, registries(), "train")
        return recipe.recipe_of(config, config.DataLoader.Train.dataset.open(4))

    one = recipe_with(6, 1)
    assert recipe_with(2, 3) == recipe_with(3, 2) == one
    assert recipe_with(2, 1, "Global.update_freq=6") == recipe_with(4, 3, "Global.update_freq=1") == one
    assert recipe.differences(one, recipe_with(3, 3)) == {"pictures a step": "pictures a step was 12 and is 18"}
    assert json.loads(json.dumps(one)) == one
    older = {**one, "pictures a step": 6, "Global.update_freq": 2}
    assert recipe.differences(older, one) == {}
    drop, update = "DataLoader.Train.sampler.drop_last=true", "Global.update_freq"  # so another end of an epoch
    assert recipe_with(2, 3, drop) == recipe_with(6, 1, drop)
    assert recipe.differences(recipe_with(6, 1, drop), recipe_with(2, 1, drop, "Global.update_freq=6")) == {
        update: f"{update} was 2 and is 6", "pictures a step": "pictures a step was 6 and is 2",
    }  # fmt: skip


@pytest.mark.parametrize(("batch", "update_freq", "steps"), [(6, 1, 4), (2, 3, 10), (1, 6, 20)])
def test_batches_may_be_others_that_make_the_same_steps_of_the_optimizer(
    folder, monkeypatch, capsys, batch, update_freq, steps
):
    """Twenty pictures by six; stopped after two steps of the optimizer in an epoch, it reads those that follow."""
    name, read = f"by {batch}", []

    def epoch(self, number, start_step=0, original=ImageLoader.epoch):
        for batch in original(self, number, start_step):
            read.extend((number, index) for index in batch.index.tolist() if self.reader.shuffle)  # in training
            yield batch

    monkeypatch.setattr(ImageLoader, "epoch", epoch)
    changes = {"DataLoader__Train__sampler__batch_size": batch, "Global__update_freq": update_freq}
    assert go_on(folder, name, monkeypatch, **changes) == 0
    assert f"latest at epoch 2, step {2 * update_freq}\n" in capsys.readouterr().out
    orders = [epoch_order(20, 0, number, True).tolist() for number in range(4)]
    assert read == [*((2, index) for index in orders[2][12:]), *((3, index) for index in orders[3])]
    before = len((folder / "stopped" / "values.txt").read_text().splitlines())
    lines = [line.split() for line in (folder / name / "values.txt").read_text().splitlines()[before:]]
    taken = [(int(epoch), int(step[:-1]), rate) for kind, epoch, step, rate, *_ in lines if kind == "train"]
    assert [step[:2] for step in taken] == [
        *((2, step) for step in range(2 * update_freq + 1, steps + 1)), *((3, step) for step in range(1, steps + 1)),
    ]  # fmt: skip
    whole = values(folder / "whole")
    for number, step, rate in taken:
        assert whole[f"train {number} {min(7, 2 * -(-step // update_freq))}"].split()[0] == rate


def test_an_idle_section_of_precision_is_none(folder):
    def recipe_with(*overrides):
        config = load_config(folder / "config_0.yaml", overrides, registries(), "train")
        return recipe.recipe_of(config, config.DataLoader.Train.dataset.open(4))

    assert recipe_with("AMP.use_amp=false") == recipe_with()
    changes = recipe.differences(recipe_with(), recipe_with("AMP={level: O2}"))
    assert changes["AMP.level"] == 'AMP.level was null and is "O2"'


def test_a_changed_run_goes_on_where_that_is_allowed(folder, monkeypatch, capsys):
    optimizer = "{name: AdamW, lr: {name: Constant, learning_rate: 0.01}}"
    assert go_on(folder, "allowed", monkeypatch, "--allow-changed", Optimizer=optimizer, EMA="null") == 0
    out = capsys.readouterr().out
    assert 'WARNING: resumed though Optimizer.name was "Momentum"' in out
    assert "the optimizer is another one, so its state starts" in out
    latest = folder / "allowed" / RUN / "latest"
    assert not (latest / "ppcls_other.pdparams").exists()
    states = json.loads((latest / "ppcls.pdstates").read_text())
    assert (states["epoch"], states["average_steps"], states["recipe"]["Optimizer.name"]) == (4, None, "AdamW")
    words = {"Global__checkpoints": latest, "Optimizer": optimizer, "Global__epochs": 5}
    assert train(folder, "allowed", monkeypatch, "--allow-changed", **words) == 0
    assert "the weights' moving average starts from" in capsys.readouterr().out
    assert json.loads((latest / "ppcls.pdstates").read_text())["average_steps"] == 4


def of_a_list(folder, classes, *, averaged=True):
    """The run over the same pictures by a list, which does not say how many classes there are."""
    names = [f"{'abcd'[index % 4]}/{index}.png {index % 4}" for index in range(20)]
    (folder / "classes.txt").write_text("\n".join(names))
    places = (("name", "ImageNetDataset"), ("cls_label_path", folder / "classes.txt"))
    lists = {f"DataLoader__{part}__dataset__{key}": value for part in ("Train", "Eval") for key, value in places}
    return {**lists, "Arch__class_num": classes, **({} if averaged else {"EMA": "null"})}


@pytest.fixture(scope="module")
def of_four(folder):
    """A run of two epochs over a list of four classes."""
    with tidied() as patch:
        assert train(folder, "four", patch, Global__epochs=2, **of_a_list(folder, 4)) == 0
    return folder / "four" / RUN / "latest"


def test_other_classes_are_refused_with_both_numbers(folder, of_four, monkeypatch, capsys):
    changes = {"Global__checkpoints": of_four, "Global__epochs": 3, **of_a_list(folder, 6)}
    assert train(folder, "six refused", monkeypatch, **changes) == 2
    assert said(capsys.readouterr()) == says(
        "...: Arch.class_num was 4 and is 6; ... or add --allow-changed, ... new classifier"
    )


@pytest.mark.parametrize(("optimizer", "averaged"), [("Momentum", True), ("Momentum", False), ("AdamW", True)], ids=str)
def test_other_classes_begin_with_a_new_classifier_where_that_is_allowed(
    folder, of_four, monkeypatch, capsys, optimizer, averaged
):
    """All else goes on with what was saved of it; after no step at all that is seen."""
    changes = of_a_list(folder, 6, averaged=averaged)
    changes["Optimizer"] = f"{{name: {optimizer}, lr: {{name: Constant, learning_rate: 0.01}}}}"
    name, start = f"six {optimizer} {averaged}", of_four
    if optimizer != "Momentum":  # of whose state one would be kept
        assert train(folder, name, monkeypatch, Global__epochs=2, **{**changes, "Arch__class_num": 4}) == 0
        start = folder / name / RUN / "latest"
    then = checkpoint.read(start)
    then = (then.parameters(), then.average(), then.optimizer())
    at_start = {}

    def fit(self, original=Trainer.fit):
        at_start["average"] = self.ema.state() if self.ema else {}
        at_start["weights"] = {key: value.numpy() for key, value in self.model.state_dict().items()}
        original(self)

    monkeypatch.setattr(Trainer, "fit", fit)
    capsys.readouterr()
    changes.update({"Global__checkpoints": start, "Global__epochs": 3})
    assert train(folder, name, monkeypatch, "--allow-changed", **changes) == 0
    out = capsys.readouterr().out
    new_one = "has a classifier of 4 classes and the model one of 6 classes, so the model starts with a new one"
    assert out.count(new_one) == 1
    anew = "the optimizer's state and the moving average" if averaged else "the optimizer's state"
    assert f"for what is new in the model (fc.weight, fc.bias) {anew} start" in out
    assert "WARNING: resumed though Arch.class_num was 4 and is 6" in out
    for mine, saved in zip((at_start["weights"], at_start["average"]), then):
        for key in mine:
            kept = saved if not key.startswith("fc.") else at_start["weights"]
            assert mine[key].tobytes() == kept[key].tobytes(), key
    assert not averaged or set(at_start["average"]) == set(then[1])
    state = checkpoint.read(folder / name / RUN).optimizer()
    assert set(state) == set(then[2])
    kind = "velocity_0" if optimizer == "Momentum" else "moment1_0"
    assert state[f"fc.weight/{kind}"].shape == (6, 16, 1, 1)


def test_the_state_of_what_is_new_is_that_of_a_new_optimizer():
    """Beta powers that had gone on would make the first steps of a new parameter too long."""
    paddle.seed(1)

    def made(classes):
        model = paddle.nn.Sequential(paddle.nn.Linear(3, 4), paddle.nn.Linear(4, classes))
        return model, paddle.optimizer.AdamW(0.1, parameters=model.parameters())

    def learn(model, optimizer):
        model(paddle.full([2, 3], 0.5)).square().sum().backward()
        optimizer.step()
        optimizer.clear_grad()

    old, steps = made(2)
    for _ in range(3):
        learn(old, steps)
    state = checkpoint.snapshot(old, steps, {}).optimizer
    (new, went_on), (twin, fresh) = made(5), made(5)
    twin.set_state_dict(new.state_dict())
    optimizer_state.restore_optimizer(new, went_on, state, ["1.weight", "1.bias"])
    learn(new, went_on)
    learn(twin, fresh)
    ours, theirs = (checkpoint.snapshot(*pair, {}).optimizer for pair in ((new, went_on), (twin, fresh)))
    assert set(ours) == set(theirs) == set(state)
    for key, value in ours.items():
        assert (value.tobytes() == theirs[key].tobytes()) == key.startswith("1."), key
    np.testing.assert_array_equal(new[1].weight.numpy(), twin[1].weight.numpy())
    assert ours["0.weight/beta1_pow_acc_0"] == pytest.approx(0.9**5)


@pytest.mark.parametrize(
    ("then", "now", "anew"),
    [
        ({"Optimizer.name": "SGD"}, {"Optimizer.name": "AdamW"}, True),
        ({"Optimizer.momentum": 0.9}, {"Optimizer.momentum": 0.8}, False),
        ({"AMP": None}, {"AMP.level": "O2"}, True),
        ({"AMP.level": "O2"}, {"AMP.level": "O1"}, True),
        ({"AMP": None}, {"AMP.level": "O1"}, False),
    ],
)
def test_the_optimizers_state_is_kept_where_it_means_the_same(then, now, anew):
    assert resume.begins_anew(recipe.differences(then, now)) == anew


def test_in_the_midst_of_an_epoch_other_steps_are_refused_even_then(folder, monkeypatch, capsys):
    changes = {"DataLoader__Train__sampler__batch_size": 5}
    assert go_on(folder, "other steps", monkeypatch, "--allow-changed", **changes) == 2
    assert said(capsys.readouterr()) == says(
        "saved at step 4 of 7 an epoch, ... has 4; resume with the batch size and list ..., or from an epoch's end"
    )


def test_a_checkpoint_older_than_the_recipe_is_taken_as_it_is(folder, monkeypatch):
    forget("recipe", None)(monkeypatch)
    assert go_on(folder, "older", monkeypatch) == 0
    ends_alike(folder / "whole", folder / "older")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_list_is_read_in_the_same_sequence_by_any_number_of_workers(folder, workers):
    """From the middle of an epoch, which is where a resumed run begins."""
    names = [f"{'abcd'[index % 4]}/{index}.png {index % 4}" for index in range(20)]
    (folder / "list.txt").write_text("\n".join(names))

    def batches(workers, start):
        overrides = [
            f"DataLoader.Train.dataset.cls_label_path={folder / 'list.txt'}",
            "DataLoader.Train.dataset.name=ImageNetDataset",
            f"DataLoader.Train.dataset.image_root={folder / 'data'}",
            "DataLoader.Train.dataset.transform_ops=[DecodeImage: {}, RandCropImage: {size: 16}, NormalizeImage: {}]",
            "DataLoader.Train.dataset.batch_transform_ops=[Mixup: {alpha: 0.2}]",
            f"DataLoader.Train.loader.num_workers={workers}",
        ]
        config = load_config(folder / "config_0.yaml", overrides, registries(), "train")
        section = config.DataLoader.Train
        reader = build.loader(section, build.images(section, 4), config, on_error="skip")
        read = [
            ([reader.images.paths[index] for index in batch.index], batch.image.numpy(), batch.label.numpy())
            for epoch in (1, 2)
            for batch in reader.epoch(epoch, start_step=start if epoch == 1 else 0)
        ]
        return [paths for paths, _, _ in read], [array.tobytes() for _, *arrays in read for array in arrays]

    whole_paths, whole_arrays = batches(0, 0)
    assert sorted(path for paths in whole_paths[:7] for path in paths) == sorted(
        str(path) for path in (folder / "data").rglob("*.png")
    )
    assert batches(workers, 4) == (whole_paths[4:], whole_arrays[8:])
