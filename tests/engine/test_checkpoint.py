"""A checkpoint is whole or absent, whatever moment the process dies at."""

import json
import os
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from helpers.messages import refusal, says
from ppcls.engine import checkpoint, optimizer_state
from ppcls.utils import files
from ppcls.utils.errors import UserError


@pytest.fixture
def trained():
    """A network and an optimizer that has taken one step, so that accumulators exist."""
    paddle.seed(3)
    model = paddle.nn.Sequential(paddle.nn.Linear(3, 4), paddle.nn.Linear(4, 2))
    optimizer = paddle.optimizer.Momentum(0.1, 0.9, parameters=model.parameters())
    model(paddle.ones([2, 3])).sum().backward()
    optimizer.step()
    optimizer.clear_grad()
    return model, optimizer


def states(epoch, step=0):
    return {"epoch": epoch, "step": step}


def test_files_are_read_back_and_digests_hold(tmp_path, trained):
    folder = tmp_path / "latest"
    checkpoint.write(folder, checkpoint.snapshot(*trained, states(2, 5)))
    assert sorted(path.name for path in folder.iterdir()) == ["ppcls.pdopt", "ppcls.pdparams", "ppcls.pdstates"]
    saved = checkpoint.read(folder)
    assert (saved.states["epoch"], saved.states["step"]) == (2, 5)
    for name, value in trained[0].state_dict().items():
        np.testing.assert_array_equal(saved.parameters()[name], value.numpy())
    assert set(saved.optimizer()) == {f"{index}.{part}/velocity_0" for index in (0, 1) for part in ("weight", "bias")}


@pytest.mark.parametrize("suffix", ["", "/ppcls", "/ppcls.pdparams", "/ppcls.pdopt", "/ppcls.pdstates", "/.."])
def test_every_way_to_name_it_resolves(tmp_path, trained, suffix):
    checkpoint.write(tmp_path / "latest", checkpoint.snapshot(*trained, states(1)))
    path = tmp_path if suffix == "/.." else tmp_path / f"latest{suffix}"
    assert checkpoint.read(path).states["epoch"] == 1


def test_the_newest_that_verifies_is_taken(tmp_path, trained):
    for epoch in (1, 2, 3):
        checkpoint.write(tmp_path / f"epoch_{epoch}", checkpoint.snapshot(*trained, states(epoch)))
    with (tmp_path / "epoch_3" / "ppcls.pdopt").open("r+b") as file:
        file.write(b"\0\0")
    saved = checkpoint.read(tmp_path)
    damaged = f"{tmp_path}/epoch_3/ppcls.pdopt: its bytes are not those that were saved"
    assert (saved.folder, saved.passed_over) == (tmp_path / "epoch_2", (damaged,))
    assert checkpoint.read(tmp_path / "epoch_2").passed_over == ()
    with pytest.raises(UserError, match=r"epoch_3/ppcls.pdopt: its bytes are not those that were saved"):
        checkpoint.read(tmp_path / "epoch_3")


def test_one_that_is_replaced_while_it_is_read_is_read_again(tmp_path, trained, monkeypatch):
    """As by a run that is still training."""
    folder = tmp_path / "latest"
    checkpoint.write(folder, checkpoint.snapshot(*trained, states(1)))
    digest, saved = checkpoint.sha256_of, []

    def digest_of_the_next_one(path):
        if not saved:
            saved.append(path)
            trained[0][0].weight.set_value(trained[0][0].weight + 1)
            checkpoint.write(folder, checkpoint.snapshot(*trained, states(2)))
        return digest(path)

    monkeypatch.setattr(checkpoint, "sha256_of", digest_of_the_next_one)
    found = checkpoint.read(tmp_path)
    assert (found.folder, found.states["epoch"]) == (folder, 2)
    np.testing.assert_array_equal(found.parameters()["0.weight"], trained[0][0].weight.numpy())


def test_nothing_there_is_one_sentence(tmp_path):
    assert refusal(checkpoint.read, tmp_path / "latest") == says(
        f"{tmp_path}/latest: no checkpoint ... (no ppcls.pdstates there); give the folder of a run or of a checkpoint"
    )


class Killed(BaseException):
    """Stands for a process that is gone."""


@pytest.fixture
def survive(monkeypatch):
    """Runs something in which the n-th operation that changes the disk is the last; says whether it came to its end."""

    def run(work, calls):
        alive = iter(range(calls))

        def dying(function):
            def wrapper(*arguments, **keywords):
                if next(alive, None) is None:
                    raise Killed
                return function(*arguments, **keywords)

            return wrapper

        with monkeypatch.context() as patch:
            patch.setattr(files, "sync_file", dying(files.sync_file))
            patch.setattr(paddle, "save", dying(paddle.save))
            patch.setattr(checkpoint.os, "link", dying(os.link))
            for name in ("rename", "mkdir", "write_text", "unlink", "rmdir"):
                patch.setattr(checkpoint.Path, name, dying(getattr(checkpoint.Path, name)))
            try:
                work()
            except Killed:
                return False
        return True

    return run


@pytest.mark.parametrize("calls_survived", range(40))
def test_a_process_killed_at_any_call_leaves_one_that_verifies(tmp_path, trained, survive, calls_survived):
    """Every operation that changes the disk may be the last one; the old or the new checkpoint is found after it."""
    folder = tmp_path / "latest"
    checkpoint.write(folder, checkpoint.snapshot(*trained, states(1)))
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("a user's")
    finished = survive(lambda: checkpoint.write(folder, checkpoint.snapshot(*trained, states(2))), calls_survived)
    assert checkpoint.read(folder).states["epoch"] in ((2,) if finished else (1, 2))
    assert finished == (calls_survived >= 19)
    assert [path.read_text() for path in tmp_path.rglob("mine.txt")] == ["a user's"]
    checkpoint.write(folder, checkpoint.snapshot(*trained, states(3)))
    assert (folder / "notes" / "mine.txt").read_text() == "a user's"
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]
    assert checkpoint.read(tmp_path).states["epoch"] == 3


@pytest.mark.parametrize("calls_survived", range(60))
def test_what_is_resumed_from_lacks_none_of_its_other_names(tmp_path, trained, survive, calls_survived):
    latest, best = tmp_path / "latest", tmp_path / "best_model"
    checkpoint.write(latest, checkpoint.snapshot(*trained, states(1)), [best])
    survive(lambda: checkpoint.write(latest, checkpoint.snapshot(*trained, states(2)), [best]), calls_survived)
    newest = checkpoint.read(tmp_path).states["epoch"]
    assert checkpoint.read(best).states["epoch"] in (newest, 2)
    checkpoint.recover(latest)
    assert checkpoint.verify(latest) is None
    assert checkpoint.read(tmp_path).states["epoch"] == newest
    assert not [path.name for path in tmp_path.glob(".latest.*")]


def test_float32_copies_of_half_precision_weights_are_saved_and_come_back(tmp_path, trained):
    """By structured names, as everything else; Paddle names them by its parameters' counters."""
    model, _ = trained
    copies = {parameter.name: paddle.full(parameter.shape, 0.1 + n) for n, parameter in enumerate(model.parameters())}
    given = {"master_weights": copies, f"{model[0].weight.name}_fp32_master_0_velocity_0": paddle.ones([3, 4])}
    checkpoint.write(
        tmp_path / "latest", checkpoint.snapshot(model, SimpleNamespace(state_dict=lambda: given), states(1))
    )
    assert "master_weights" in given
    twin, got = paddle.nn.Sequential(paddle.nn.Linear(3, 4), paddle.nn.Linear(4, 2)), []
    optimizer = checkpoint.read(tmp_path).optimizer()
    optimizer_state.restore_optimizer(twin, SimpleNamespace(set_state_dict=got.append), optimizer)
    masters = got[0].pop("master_weights")
    assert [float(masters[p.name].max()) for p in twin.parameters()] == pytest.approx([0.1, 1.1, 2.1, 3.1])
    assert list(got[0]) == [f"{twin[0].weight.name}_fp32_master_0_velocity_0"]


def test_a_snapshot_is_a_copy(trained):
    """Later steps of the optimizer, and of Paddle's in-place operations, do not reach it."""
    model, optimizer = trained
    taken = checkpoint.snapshot(model, optimizer, states(1))
    kept = [{name: array.copy() for name, array in part.items()} for part in (taken.weights, taken.optimizer)]
    model(paddle.ones([2, 3])).sum().backward()
    optimizer.step()
    with paddle.no_grad():
        model[0].weight.zero_()
    for part, before in zip((taken.weights, taken.optimizer), kept):
        for name, array in part.items():
            np.testing.assert_array_equal(array, before[name])
    velocity = optimizer.state_dict()[f"{model[0].weight.name}_velocity_0"].numpy()
    assert not np.array_equal(velocity, taken.optimizer["0.weight/velocity_0"])


def test_optimizer_state_moves_to_a_network_with_other_parameter_names(tmp_path, trained):
    model, optimizer = trained
    checkpoint.write(tmp_path / "latest", checkpoint.snapshot(model, optimizer, states(1)))
    twin = paddle.nn.Sequential(paddle.nn.Linear(3, 4), paddle.nn.Linear(4, 2))
    assert twin[0].weight.name != model[0].weight.name
    twin_optimizer = paddle.optimizer.Momentum(0.1, 0.9, parameters=twin.parameters())
    saved = checkpoint.read(tmp_path)
    twin.set_state_dict(saved.parameters())
    optimizer_state.restore_optimizer(twin, twin_optimizer, saved.optimizer())
    for network, stepper in ((model, optimizer), (twin, twin_optimizer)):
        network(paddle.full([1, 3], 0.5)).sum().backward()
        stepper.step()
    np.testing.assert_array_equal(model[0].weight.numpy(), twin[0].weight.numpy())
    with pytest.raises(UserError, match="fits 2 of its 4 entries"):
        optimizer_state.restore_optimizer(paddle.nn.Sequential(paddle.nn.Linear(3, 4)), optimizer, saved.optimizer())


def test_copies_share_bytes_and_survive_the_original(tmp_path, trained):
    checkpoint.write(tmp_path / "latest", checkpoint.snapshot(*trained, states(1)), [tmp_path / "best_model"])
    names = [tmp_path / folder / "ppcls.pdparams" for folder in ("latest", "best_model")]
    assert names[0].samefile(names[1])
    checkpoint.write(tmp_path / "latest", checkpoint.snapshot(*trained, states(2)))
    assert checkpoint.read(tmp_path / "best_model").states["epoch"] == 1
    assert not names[0].samefile(names[1])


def test_files_of_a_user_stay_in_every_folder_of_a_checkpoint(tmp_path, trained):
    folders = [tmp_path / name for name in ("latest", "best_model", "epoch_1")]
    checkpoint.write(folders[0], checkpoint.snapshot(*trained, states(1)), folders[1:])
    for folder in folders:
        (folder / "mine.txt").write_text(folder.name)
    checkpoint.write(folders[0], checkpoint.snapshot(*trained, states(2)), folders[1:2])
    checkpoint.remove(folders[2])
    for folder in folders:
        assert (folder / "mine.txt").read_text() == folder.name
    assert [path.name for path in folders[2].iterdir()] == ["mine.txt"]
    checkpoint.remove(folders[2])  # a second time, as the next epoch's end asks for it


def test_a_users_file_replaces_no_other(tmp_path, trained):
    """What a killed process left as `.latest.old` may hold the same name as `latest`."""
    folder = tmp_path / "latest"
    checkpoint.write(folder, checkpoint.snapshot(*trained, states(1)))
    (folder / "mine.txt").write_text("new")
    (tmp_path / ".latest.old").mkdir()
    (tmp_path / ".latest.old" / "mine.txt").write_text("old")
    checkpoint.recover(folder)
    assert [(folder / name).read_text() for name in ("mine.txt", "mine.1.txt")] == ["new", "old"]
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


def test_a_states_file_of_a_newer_schema_is_refused(tmp_path, trained):
    checkpoint.write(tmp_path / "latest", checkpoint.snapshot(*trained, states(1)))
    file = tmp_path / "latest" / "ppcls.pdstates"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema": 2}))
    with pytest.raises(UserError, match="not a checkpoint of schema 1"):
        checkpoint.read(tmp_path / "latest")


def test_a_run_killed_before_the_commit_has_its_other_names_written_again(tmp_path, trained, monkeypatch):
    """`latest` comes last: what is resumed from never lacks a `best_model` that it records."""
    checkpoint.write(tmp_path / "latest", checkpoint.snapshot(*trained, states(1)))
    order = []
    original = checkpoint.replace_folder

    def noting(new, folder, discard):
        order.append(folder.name)
        original(new, folder, discard)

    monkeypatch.setattr(checkpoint, "replace_folder", noting)
    checkpoint.write(
        tmp_path / "latest", checkpoint.snapshot(*trained, states(2)), [tmp_path / "best_model", tmp_path / "epoch_2"]
    )
    assert order == ["best_model", "epoch_2", "latest"]


def test_the_latest_of_a_run_comes_before_older_epochs_of_a_longer_one(tmp_path, trained):
    checkpoint.write(tmp_path / "epoch_120", checkpoint.snapshot(*trained, states(120)))
    checkpoint.write(tmp_path / "epoch_90", checkpoint.snapshot(*trained, states(90)))
    assert checkpoint.read(tmp_path).states["epoch"] == 120
    checkpoint.write(tmp_path / "latest", checkpoint.snapshot(*trained, states(3)))
    assert checkpoint.read(tmp_path).states["epoch"] == 3


def test_a_complete_new_one_is_younger_than_what_it_replaces_and_an_old_one_older(tmp_path, trained):
    for name, epoch in ((".latest.old", 9), ("latest", 4)):
        checkpoint.write(tmp_path / name, checkpoint.snapshot(*trained, states(epoch)))
    assert checkpoint.read(tmp_path / "latest").states["epoch"] == 4
    checkpoint.write(tmp_path / ".latest.new", checkpoint.snapshot(*trained, states(2)))
    assert checkpoint.read(tmp_path / "latest").states["epoch"] == 2


def test_paths_without_a_name_of_their_own(tmp_path, trained, monkeypatch):
    checkpoint.write(tmp_path / "latest", checkpoint.snapshot(*trained, states(7)))
    monkeypatch.chdir(tmp_path / "latest")
    for name in (".", "ppcls", "ppcls.pdparams"):
        assert checkpoint.read(checkpoint.Path(name)).states["epoch"] == 7


def test_states_beside_weights_count_only_if_they_are_ours(tmp_path, trained):
    checkpoint.write(tmp_path / "ours", checkpoint.snapshot(*trained, states(1)))
    weights = tmp_path / "ours" / "ppcls.pdparams"
    assert checkpoint.states_of(weights)["epoch"] == 1
    (tmp_path / "theirs").mkdir()
    paddle.save([{"metric": 0.7}], str(tmp_path / "theirs" / "ppcls.pdstates"))
    assert checkpoint.states_of(tmp_path / "theirs" / "ppcls.pdparams") is None
    assert checkpoint.states_of(tmp_path / "absent" / "DLA34_pretrained.pdparams") is None
    with weights.open("r+b") as file:
        file.write(b"\0\0")
    with pytest.raises(UserError, match="its bytes are not those that were saved; take another checkpoint"):
        checkpoint.states_of(weights)
