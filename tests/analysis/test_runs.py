"""Histories read from logs, tables and plots of runs, and the report in a run's folder."""

import csv
import io
import sys

import pytest

from ppcls.analysis.history import parse
from ppcls.analysis.run_report import write_run_report
from ppcls.analysis.runs import differences, find_runs, named, open_run
from ppcls.cli import main
from ppcls.utils.errors import UserError
from ppcls.utils.lock import claimed, is_held

HEAD = "2026-11-30 11:{:02}:00 INFO: "
CONFIG = """
Global: {{epochs: {epochs}, output_dir: /somewhere/{rate}}}
Arch: {{name: DLA34, class_num: 4}}
Optimizer: {{name: Momentum, lr: {{name: Cosine, learning_rate: {rate}}}}}
DataLoader:
  Train:
    dataset:
      name: ImageNetDataset
      cls_label_path: flowers/train.txt
      image_root: flowers
      transform_ops: [DecodeImage: {{}}, RandCropImage: {{size: 224}}]
"""


def log_of(epochs, first=0, minute=0, speed=100.0, valid=True):
    """The lines of a training whose top-1 is a tenth an epoch, two minutes each."""
    lines = [HEAD.format(minute) + "device cpu, 1 threads, set before Paddle 3.3.1 loaded: nothing"]
    for epoch in range(first, first + epochs):
        ended = HEAD.format(minute + 2 * (epoch - first + 1))
        lines.append(f"{ended}epoch:{epoch:<3}, train step:0   , top1: 0.1, loss: 9.0, lr: 0.5, batch_cost: 1.0 s")
        lines.append(
            f"{ended}epoch:{epoch:<3}, train step:10  , top1: 0.1, loss: 9.0, lr: {0.01 * epoch:.6f}, batch_cost: 1.0 s"
        )
        end = f"batch_cost: 0.1 s, reader_cost: 0.1 s, batch_cost_sum: 1.0 s, ips: {speed:.5f} images/sec."
        lines.append(f"{ended}END epoch:{epoch:<3} train top1: {0.05 * epoch:.5f}, loss: {3 - epoch / 10:.5f},  {end}")
        if valid:
            lines.append(
                f"{ended}END epoch:{epoch:<3} valid top1: {0.1 * epoch:.5f}, loss: {2 - epoch / 10:.5f},  {end}"
            )
            lines.append(f"{ended}best top1: {0.1 * epoch:.5f} in epoch:{epoch}")
    return lines


def write_run(folder, lines, epochs=4, rate=0.1):
    folder.mkdir(parents=True)
    (folder / "train.log").write_text("\n".join(lines) + "\n")
    (folder / "config.yaml").write_text(CONFIG.format(epochs=epochs, rate=rate))
    return folder


def test_every_line_of_a_log_counts():
    history = parse(log_of(3))
    assert [epoch.number for epoch in history.epochs] == [1, 2, 3]
    last = history.epochs[-1]
    assert (last.train, last.valid) == ({"top1": 0.1, "loss": 2.8}, {"top1": 0.2, "loss": 1.8})
    assert (last.learning_rate, last.images_per_second) == (0.02, 100.0)
    assert history.best == ("top1", 0.2, 3)
    assert history.series("valid", "loss") == ([1, 2, 3], [2.0, 1.9, 1.8])
    assert history.series("valid", "top5") == ([], [])


def test_a_resumed_run_has_trained_an_epoch_again():
    again = log_of(2, first=1, minute=20, speed=50.0)
    history = parse([*log_of(4), *again])
    assert [(epoch.number, epoch.images_per_second) for epoch in history.epochs] == [(1, 100), (2, 50), (3, 50)]


def test_of_weights_and_their_moving_average_the_deployed_one_counts():
    lines = log_of(1, first=1)
    valid = next(line for line in lines if " valid " in line)
    others = [line for line in lines if " valid " not in line]
    both = [*others, valid + " (the weights)", valid.replace("0.10000", "0.30000") + " (their moving average)"]
    assert parse(both).epochs[0].valid["top1"] == 0.3
    assert parse(both, "weights").epochs[0].valid["top1"] == 0.1


def test_the_time_left_follows_the_newest_epochs():
    assert parse([]).seconds_left(4) is None
    assert parse(log_of(1)).seconds_left(4) == 3 * 120
    slower = [*log_of(2), *log_of(6, first=2, minute=10)]
    assert parse(slower).seconds_left(10) == 2 * 120
    assert parse(log_of(4)).seconds_left(4) == 0
    over = HEAD.format(9) + "3 evaluations in a row were no better, so the training is over"
    assert parse([*log_of(2), over]).seconds_left(4) == 0


def test_cut_and_foreign_lines_are_passed_over():
    lines = log_of(2)
    junk = ["", "epoch:", "END epoch:x", lines[3][:60], "2026-13-45 99:99:99 INFO: END epoch:7   valid top1"]
    assert parse([*junk, *lines, *junk]).epochs == parse(lines).epochs


def test_the_state_of_a_run(tmp_path):
    folder = write_run(tmp_path / "DLA34", log_of(2))
    assert open_run(folder).state == "stopped"
    with claimed(folder, "training into"):
        assert is_held(folder) and open_run(folder).state == "running"
        assert (tmp_path / ".DLA34.lock").exists()
    assert not is_held(folder)
    (folder / "train.log").write_text("\n".join(log_of(4)))
    assert open_run(folder).state == "finished"
    over = HEAD.format(9) + "3 evaluations in a row were no better, so the training is over"
    (folder / "train.log").write_text("\n".join([*log_of(2), over]))
    assert open_run(folder).state == "finished"


def test_the_lock_of_a_killed_process_is_not_held(tmp_path):
    (tmp_path / ".DLA34.lock").write_text("{}")
    assert not is_held(tmp_path / "DLA34")
    assert (tmp_path / ".DLA34.lock").exists()


def test_runs_are_found_in_folders_but_not_in_each_other(tmp_path):
    for name in ("a/DLA34", "a/DLA34.1", "b"):
        write_run(tmp_path / name, log_of(1))
    write_run(tmp_path / "b" / "inner", log_of(1))
    (tmp_path / ".hidden").mkdir()
    found = [run.folder.relative_to(tmp_path).as_posix() for run in find_runs(tmp_path)]
    assert found == ["a/DLA34", "a/DLA34.1", "b"]


def test_the_differences_are_those_from_most_of_the_runs(tmp_path):
    rates = {"a": 0.1, "b": 0.1, "c": 0.2}
    runs = [open_run(write_run(tmp_path / name, log_of(1), rate=rate)) for name, rate in rates.items()]
    assert differences(runs) == [{}, {}, {"Optimizer.lr.learning_rate": "0.2"}]
    assert differences(runs[1:]) == [{}, {"Optimizer.lr.learning_rate": "0.2"}]
    assert differences([]) == []


def test_the_table_of_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "output" / "DLA34", log_of(4), rate=0.2)
    write_run(tmp_path / "output" / "DLA34.1", log_of(3))
    assert main(["runs", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == {
        "run": "output/DLA34", "state": "finished", "model": "DLA34", "data": "flowers/train.txt", "epochs": "4/4",
        "best": "top1 0.30000", "at": "4", "differs in": "",
    }  # fmt: skip
    assert (rows[1]["epochs"], rows[1]["state"]) == ("3/4", "stopped")
    assert rows[1]["differs in"] == "Optimizer.lr.learning_rate=0.1"
    assert main(["runs", "output"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "state", "model", "data", "epochs", "best", "at", "differs", "in"]
    assert lines[1].startswith("output/DLA34    finished  DLA34  flowers/train.txt")


def test_a_folder_without_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["runs", "."]) == 0
    assert capsys.readouterr().out == "no run in .\n"
    assert main(["runs"]) == 2
    assert capsys.readouterr().err == "output is not a folder; give one that holds runs, such as output\n"


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", ""])
def test_a_run_with_a_damaged_configuration_is_still_listed(tmp_path, text, capsys):
    folder = write_run(tmp_path / "DLA34", log_of(2))
    (folder / "config.yaml").write_text(text)
    assert main(["runs", str(tmp_path)]) == 0
    assert "2/?" in capsys.readouterr().out


def test_names_tell_runs_apart(tmp_path):
    runs = [open_run(write_run(tmp_path / name, log_of(1))) for name in ("a/DLA34", "b/DLA34")]
    assert list(named(runs)) == ["a/DLA34", "b/DLA34"]
    assert list(named(runs[:1])) == ["DLA34"]
    with pytest.raises(UserError, match="is given twice"):
        named([runs[0], runs[0]])


@pytest.fixture
def drawn(monkeypatch):
    """What the command draws, without drawing it."""
    calls = []

    def draw(runs, metric=None):
        calls.append((list(runs), metric))
        return b"\x89PNG ppcls.analysis", ""

    monkeypatch.setattr("ppcls.analysis.curves.draw", draw)
    return calls


def test_several_runs_in_one_plot(tmp_path, drawn, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        write_run(tmp_path / name, log_of(2))
    assert main(["plot", "a", "b", "--metric", "top1", "--output", "new/two.png"]) == 0
    assert drawn == [(["a", "b"], "top1")]
    assert capsys.readouterr().out == "new/two.png\n"
    assert main(["plot", "a", "--output", "new/two.png"]) == 0  # its own plot is replaced
    assert drawn[1] == (["a"], None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing"], "nothing is not the folder of a run, because it has no train.log; give one such as output/DLA34"),
        (["a", "--metric", "top9"], "--metric is top9, which the runs do not have; write one of top1, loss"),
        (["empty"], "no epoch of empty has ended yet; wait until one has"),
        (["a", "--output", "x.jpg"], "--output is x.jpg; write the path of a .png, such as curves.png"),
        (
            ["a", "--output", "mine.png"],
            "mine.png is there already and was not written by this library; move it, or give another place",
        ),
    ],
)
def test_mistakes_in_a_plot(tmp_path, drawn, capsys, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a", log_of(2))
    write_run(tmp_path / "empty", log_of(0))
    (tmp_path / "mine.png").write_bytes(b"mine")
    assert main(["plot", *words]) == 2
    assert capsys.readouterr().err == sentence + "\n"
    assert (tmp_path / "mine.png").read_bytes() == b"mine"


def test_the_report_of_a_run(tmp_path):
    folder = write_run(tmp_path / "DLA34", log_of(3), epochs=5)
    write_run_report(folder)
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "report.html").read_text()
    for part in ("Training of DLA34", "flowers/train.txt, as of 2026-11-30 11:06", "3 of 5", "best top1", "0:04:00"):
        assert part in page
    assert page.count("<svg ") == 1 and ">learning rate</text>" in page
    assert page.index(">3</td>") < page.index(">2</td>") < page.index(">1</td>")
    write_run_report(folder)  # its own files are replaced


def test_a_report_without_matplotlib_has_the_numbers(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    folder = write_run(tmp_path / "DLA34", log_of(2, valid=False))
    write_run_report(folder)
    assert not (folder / "curves.png").exists()
    page = (folder / "report.html").read_text()
    assert "pip install &#x27;ppcls[analysis]&#x27;" in page and "2.9" in page


def test_a_users_own_file_stays(tmp_path, drawn):
    folder = write_run(tmp_path / "DLA34", log_of(1))
    (folder / "report.html").write_text("<h1>mine</h1>")
    with pytest.raises(UserError, match="was not written by this library"):
        write_run_report(folder)
    assert (folder / "report.html").read_text() == "<h1>mine</h1>"


def test_nothing_is_drawn_before_an_epoch_has_ended(tmp_path):
    folder = write_run(tmp_path / "DLA34", log_of(0))
    write_run_report(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml", "train.log"]
