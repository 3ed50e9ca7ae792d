"""`ppcls eval --data`: any labelled folder or list in place of the pictures of DataLoader.Eval."""

import re
import shutil

import pytest

from helpers import tiny_run
from ppcls.cli import main

MODEL = "Global.pretrained_model=SqueezeNet1_1/latest"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A configuration whose pictures are gone, and a checkpoint that knows its classes a, b, c, d."""
    tiny_run.enter(tmp_path, monkeypatch)
    assert main(["train", "-c", "config_0.yaml", "-o", "Global.epochs=1"]) == 0
    return tmp_path


def evaluate(capsys, *words, config="config_0.yaml"):
    capsys.readouterr()
    code = main(["eval", "-c", config, "-o", MODEL, *words])
    out, err = capsys.readouterr()
    return code, out, err


def accuracy(capsys, *words, **keywords):
    code, out, err = evaluate(capsys, *words, **keywords)
    assert (code, err) == (0, "")
    (value,) = re.findall(r"END epoch:0   valid (top1: \S+, loss: \S+), ", out)
    return value


def only(here, *names):
    """A folder of some of the classes, and the accuracy is then of their pictures."""
    for name in names:
        shutil.copytree(here / "data" / name, here / "some" / name)
    (here / "data").rename(here / "elsewhere")


def test_a_folder_and_lists_of_the_same_pictures_agree(here, capsys):
    """Numbers, names, a table, absolute paths: the folder's classes are numbered by the checkpoint's."""
    only(here, "b", "d")
    expected = accuracy(capsys, "--data", "some")
    pictures = sorted(path.relative_to(here / "some") for path in (here / "some").rglob("*.png"))
    number = {"b": 1, "d": 3}
    texts = {
        "some/numbers.txt": "".join(f"{path} {number[path.parent.name]}\n" for path in pictures),
        "some/table.csv": "image,label\n" + "".join(f"{path},{path.parent}\n" for path in pictures),
        "absolute.txt": "".join(f"{here}/some/{path} {number[path.parent.name]}\n" for path in pictures),
    }
    for name, text in texts.items():
        (here / name).write_text(text)
        assert accuracy(capsys, "--data", name) == expected
    (here / "numbers.txt").write_text(texts["some/numbers.txt"])
    assert accuracy(capsys, "--data", "numbers.txt", "--image-root", "some") == expected
    shutil.copytree(here / "some", here / "inner" / "photos")
    (here / "inner" / "table.csv").write_text(texts["some/table.csv"])
    assert accuracy(capsys, "--data", "inner/table.csv") == expected  # in the one folder below that has them
    (here / "columns.csv").write_text("n,file,kind\n" + "".join(f"x,{path},{path.parent}\n" for path in pictures))
    dataset = "DataLoader.Eval.dataset"
    columns = ["-o", f"{dataset}.label_column=kind", "-o", f"{dataset}.image_root=some"]
    assert accuracy(capsys, "--data", "columns.csv", *columns) == expected


def test_a_configuration_of_a_list_evaluates_a_folder(here, capsys):
    """The list's file of class names numbers the folders, where the weights have no names themselves."""
    (here / "names.txt").write_text("d\nc\nb\na\n")
    (here / "lists.yaml").write_text(
        "base: config_0.yaml\nDataLoader: {Eval: {dataset: {name: ImageNetDataset, image_root: gone, "
        "cls_label_path: gone.txt, class_names: names.txt, on_error: skip, transform_ops: "
        "[DecodeImage: {}, ResizeImage: {size: 16}, NormalizeImage: {}]}}}\n"
    )
    shutil.copy(here / "SqueezeNet1_1/latest/ppcls.pdparams", here / "alone.pdparams")
    only(here, "a", "c")
    (here / "some/a/damaged.png").write_bytes(b"no picture")
    code, out, _ = evaluate(capsys, "--data", "some", "-o", "Global.pretrained_model=alone", config="lists.yaml")
    assert code == 1 and "some/a/damaged.png" in out
    (here / "some/a/damaged.png").unlink()
    seen = accuracy(capsys, "--data", "some", "-o", "Global.pretrained_model=alone", config="lists.yaml")
    (here / "names.txt").unlink()  # as on another machine
    (here / "classes.txt").write_text("d\nc\nb\na\n")
    by_hand = ["-o", "DataLoader.Eval.dataset.class_to_index=classes.txt"]
    words = ["--data", "some", "-o", "Global.pretrained_model=alone", *by_hand]
    assert accuracy(capsys, *words, config="lists.yaml") == seen
    label_file = ["-o", "Infer.PostProcess={name: Topk, topk: 1, class_id_map_file: classes.txt}"]
    words = ["--data", "some", "-o", "Global.pretrained_model=alone", *label_file]
    assert accuracy(capsys, *words, config="lists.yaml") == seen
    (here / "classes.txt").write_text("w\nx\ny\nz\n")  # which says nothing of these folders
    code, _, err = evaluate(capsys, *words, config="lists.yaml")
    assert code == 2 and "some has 2 classes, but Arch.class_num is 4" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--data", "nothing"],
            r"--data: there is no folder or list nothing; give one folder",
        ),
        (["--data", "data/a/0.png"], r"data/a/0.png is a picture; give the folder"),
        (["--data", "data/a"], r"data/a holds no folders; put the pictures of each class"),
        (["--data", "data", "--image-root", "data"], r"--image-root is for a list, but data is a folder"),
        (["--image-root", "data"], r"--image-root is for the list of --data; give --data as well"),
        (["--data", "more"], r"more/fox is not a class of .*SqueezeNet1_1/latest; rename or remove"),
        (["--data", "list.txt"], r"list.txt:1: .*fox"),
        (["--data", "twice.txt"], r"twice.txt: .* in data/a and more/fox; .* as --image-root"),
    ],
)
def test_a_mistake_is_one_sentence(here, capsys, words, said):
    shutil.copytree(here / "data" / "a", here / "more" / "fox")
    (here / "list.txt").write_text("data/a/0.png fox\n")
    (here / "twice.txt").write_text("0.png a\n")
    code, _, err = evaluate(capsys, *words)
    assert code == 2 and re.match(said, err) and err.count("\n") == 1


def test_what_is_evaluated_is_printed(here, capsys):
    only(here, "a")
    code, out, _ = evaluate(capsys, "--data", "some", "--print-config")
    assert code == 0 and "image_root: some\n" in out and "valid" not in out
