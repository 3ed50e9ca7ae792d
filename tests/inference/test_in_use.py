"""Two processes at one bundle or one file of results: the second waits where the work is short, or is refused."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ppcls.cli import main
from ppcls.deployment.installing import temporary_folder
from ppcls.engine.result_files import open_results
from ppcls.inference import Bundle
from ppcls.inference.results import Result
from ppcls.inference.settings import Settings
from ppcls.utils import lock
from ppcls.utils.errors import UserError
from ppcls.utils.lock import claimed

PICTURE = "ppcls/inference/golden.png"


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[None]:
    """Compares the folder's files before and after: a refused command leaves everything as it was."""

    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before = content()
    yield
    assert content() == before


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command says that exits with code 2."""
    assert main([str(argument) for argument in arguments]) == 2
    return capsys.readouterr().err


def lock_of(bundle: Path) -> ExitStack:
    """Another process's lock of a bundle, held until the stack is closed."""
    stack = ExitStack()
    stack.enter_context(claimed(bundle, "exporting into", "wait"))
    return stack


def test_changes_at_the_same_time_are_all_kept(copy, monkeypatch):
    """Each of two writers finds its own last change again after every change of the other's."""
    monkeypatch.setattr(lock, "wait", lambda seconds: threading.Event().wait(0.0005))
    lost: list[str] = []

    def write(field, values):
        for value in values:
            Bundle.load(copy).change(**{field: value})
            if getattr(Bundle.load(copy), field) != value:
                lost.append(f"{field}: {value}")

    names = [tuple(f"{number} {index}" for index in range(5)) for number in range(20)]
    settings = [Settings(threads=number) for number in range(1, 21)]
    threads = [threading.Thread(target=write, args=args) for args in (("class_names", names), ("settings", settings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
    assert not [path.name for path in copy.iterdir() if "lock" in path.name]


def test_a_change_waits_for_the_one_before(copy, monkeypatch):
    holder, waits = ExitStack(), []
    holder.enter_context(claimed(copy / "inference.yml", "changing"))

    def wait(seconds):
        waits.append(seconds)
        Bundle.load(copy).save()  # the holder's
        holder.close()

    monkeypatch.setattr(lock, "wait", wait)
    assert Bundle.load(copy).change(class_names=None).class_names is None
    assert len(waits) == 1
    assert Bundle.load(copy).class_names is None


def test_a_bundle_that_cannot_be_written_is_read(copy, monkeypatch):
    def refuse(path, flags, mode=0o777):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise PermissionError(13, "Permission denied", str(path))
        return os_open(path, flags, mode)

    os_open = os.open
    monkeypatch.setattr(os, "open", refuse)
    assert Bundle.load(copy).architecture == "Tiny"
    assert main(["predict", "-o", f"Global.inference_model_dir={copy}", "-o", f"Global.infer_imgs={PICTURE}"]) == 0


def test_what_a_killed_process_left_is_no_obstacle(copy, tmp_path):
    for name in (f".{copy.name}.lock", f"{copy.name}/.inference.yml.lock"):
        (tmp_path / name).write_text('{"process": 1, "doing": "exporting into it"}')
    with temporary_folder(Bundle.load(copy), "onnx"):
        Bundle.load(copy).change(class_names=None)
    assert not [path.name for path in tmp_path.rglob("*lock*")]


@pytest.mark.parametrize("way", ["the same", "relative", "a link"])
def test_a_second_process_that_adds_to_a_bundle_is_refused(copy, tmp_path, monkeypatch, tree, way):
    other = {"the same": copy, "relative": Path(copy.name), "a link": tmp_path / "link"}[way]
    if way == "a link":
        other.symlink_to(copy)
    monkeypatch.chdir(tmp_path)
    with temporary_folder(Bundle.load(copy), "onnx") as folder:
        (folder / "half").touch()
        with pytest.raises(UserError) as caught, temporary_folder(Bundle.load(other), "openvino-int8"):
            pass
        assert str(caught.value).startswith(f"process {os.getpid()} is adding the form onnx to {copy} (")
        assert str(caught.value).endswith("; wait until it ends, and run this again")
        assert (folder / "half").is_file()
    if way == "a link":
        other.unlink()


def test_an_export_into_a_bundle_in_use_is_refused(copy, capsys, tree):
    with temporary_folder(Bundle.load(copy), "onnx"):
        text = refusal(
            capsys, "export", "-c", "SqueezeNet1_1", "--untrained", "-o", f"Global.save_inference_dir={copy}"
        )
    assert f"process {os.getpid()} is adding the form onnx to {copy} (" in text


def test_nothing_is_added_to_a_bundle_that_is_being_exported(copy, tree):
    with (
        lock_of(copy),
        pytest.raises(UserError, match=f"is exporting into {copy} "),
        temporary_folder(Bundle.load(copy), "onnx"),
    ):
        pass


def test_a_model_is_adopted_into_a_folder_by_one_process(exported, tmp_path, capsys):
    for name in ("inference.json", "inference.pdiparams"):
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / name).write_bytes((exported / name).read_bytes())
    with lock_of(tmp_path / "bundle"):
        text = refusal(capsys, "adopt", tmp_path / "model", tmp_path / "bundle", "--size", 32, "--resize-short", 40)
    assert f"is exporting into {tmp_path / 'bundle'} (" in text
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["scores.csv", "scores.json"])
def test_results_are_written_by_one_process(copy, tmp_path, capsys, name):
    target = tmp_path / "results" / name
    arguments = ["-o", f"Global.inference_model_dir={copy}", "-o", f"Global.infer_imgs={PICTURE}"]
    with open_results(target, topk=1) as results:
        results.write(Result("a.png", [0], [1.0], ["hen"]))
        before = (tmp_path / "results" / f"{name}.part").read_bytes()
        text = refusal(capsys, "predict", *arguments, "-o", f"Global.output={target}")
        assert text.startswith(f"process {os.getpid()} is writing {target} (")
        assert text.endswith("; wait until it ends, or give another file\n")
        assert (tmp_path / "results" / f"{name}.part").read_bytes() == before
    first = target.read_bytes()
    assert main(["predict", *arguments, "-o", f"Global.output={target}"]) == 0
    assert target.read_bytes() != first
    assert [path.name for path in target.parent.iterdir()] == [name]


def test_results_that_are_interrupted_lift_the_lock(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_results(tmp_path / "a.csv", topk=1) as results:
        results.write(Result("a.png", [0], [1.0], ["hen"]))
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv.part"]
    with open_results(tmp_path / "a.csv", topk=1):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("out", ["npz", "make", "{bundle}", "--data", "{pictures}", "--output", "{out}"]),
        ("out", ["pack", "{pictures}", "{out}"]),
        ("out", ["prepare-imagenet", "{pictures}", "{out}"]),
        ("out/latency.json", ["benchmark", "latency", "--bundles", "{bundle}", "--output", "{out}"]),
        (
            "out/accuracy.json",
            ["benchmark", "accuracy", "{bundle}", "--data", "{pictures}/list.txt", "--output", "{out}"],
        ),
    ],
)
def test_other_output_is_written_by_one_process(copy, tmp_path, capsys, target, command):
    (tmp_path / "pictures" / "a").mkdir(parents=True)
    (tmp_path / "pictures" / "a" / "1.png").write_bytes(Path(PICTURE).read_bytes())
    (tmp_path / "pictures" / "list.txt").write_text("a/1.png 0\n")
    places = {"bundle": copy, "pictures": tmp_path / "pictures", "out": tmp_path / "out"}
    with claimed(tmp_path / target, "filling", "wait"):
        before = sorted(tmp_path.rglob("*"))
        text = refusal(capsys, *(word.format(**places) for word in command))
        assert f"process {os.getpid()} is filling {tmp_path / target} (" in text
        assert "; wait until it ends, or give another " in text
        assert sorted(tmp_path.rglob("*")) == before
