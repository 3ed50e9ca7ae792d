"""Folders of pictures, one per class: how they are numbered, and what is not a class."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import pattern, refusal, says
from ppcls.data.class_folders import read_class_folders
from ppcls.data.labels import Classes
from ppcls.data.parts import part_of, parts_among
from ppcls.utils.errors import UserError


def folders(tmp_path: Path, *files: str) -> Path:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_class_folders_are_numbered_by_name(tmp_path: Path) -> None:
    root = folders(
        tmp_path, "dog/2.jpg", "dog/1.PNG", "cat/x.JpEg", "cat/deep/er/y.webp", "cat/notes.txt", "cat/.hidden.jpg",
        "cat/.cache/z.jpg", ".git/a.jpg", "readme.jpg", "Zebra/z.bmp", "__MACOSX/cat/._x.jpg", "cat/@eaDir/x.jpg",
    )  # fmt: skip
    images = read_class_folders(str(root), 3)
    assert images.class_names == ["Zebra", "cat", "dog"]
    assert images.class_to_index == {"Zebra": 0, "cat": 1, "dog": 2}
    assert [str(Path(path).relative_to(root)) for path in images.paths] == [
        "Zebra/z.bmp", "cat/deep/er/y.webp", "cat/x.JpEg", "dog/1.PNG", "dog/2.jpg",
    ]  # fmt: skip
    assert images.labels.dtype == np.int64 and images.labels.tolist() == [0, 1, 1, 2, 2]


def test_what_lies_beside_the_class_folders_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = folders(tmp_path, "cat/1.jpg", "dog/1.jpg", "labels.csv", ".hidden.jpg")
    assert len(read_class_folders(str(root), 2)) == 2
    assert caplog.messages == []
    folders(tmp_path, "b.jpg", "a.PNG")
    (root / "emu").symlink_to("gone")
    assert read_class_folders(str(root), 2).class_names == ["cat", "dog"]
    assert caplog.messages == [
        says(f"{root}: pictures beside the class folders ...: a.PNG, b.jpg"),
        f"{root}: links that lead nowhere are not read: emu",
    ]


def test_the_trainings_numbers_can_be_used(tmp_path: Path) -> None:
    root = folders(tmp_path / "val", "cat/1.jpg", "dog/1.jpg")
    names = tmp_path / "classes.txt"
    names.write_text("0 dog\n1 emu\n2 cat\n")
    images = read_class_folders(str(root), 3, str(names))
    assert images.labels.tolist() == [2, 0] and images.class_names == ["dog", "emu", "cat"]
    folders(root, "fox/1.jpg")
    assert (
        refusal(read_class_folders, str(root), 3, str(names))
        == f"{root}/fox is not a class of {names}; rename or remove the folder"
    )
    names.write_text("dog\ncat\ndog\n")
    with pytest.raises(UserError, match="the class dog is listed twice; give every class a name of its own"):
        read_class_folders(str(root), 3, str(names))


def test_wrong_folders_are_errors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def error(root: Path, class_num: int = 2) -> str:
        with pytest.raises(UserError) as caught:
            read_class_folders(str(root), class_num)
        return str(caught.value)

    assert error(tmp_path / "none").startswith(f"{tmp_path}/none: No such file or directory; give the folder")
    root = folders(tmp_path, "flat.jpg")
    assert error(root) == says(f"{root} holds no folders; put the pictures of each class ...")
    (root / "flat.jpg").unlink()
    folders(root, "cat/1.jpg", "dog/notes.txt")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    assert re.fullmatch(rf"{root}/dog holds no pictures \(AVIF, .*WebP\); add some or remove the folder", error(root))
    assert caplog.messages == [f"{root}: 1 file is not read as a picture: 1 .txt (dog/notes.txt)"]
    (root / "dog/notes.txt").unlink()
    folders(root, "dog/IMG_2.HEIC")
    caplog.clear()
    assert error(root).endswith("WebP); add some or remove the folder")
    heic = "HEIC, to read which run `pip install pillow-heif`"
    assert caplog.messages == [f"{root}: 1 file is not read as a picture: 1 {heic} (dog/IMG_2.HEIC)"]
    folders(root, "dog/1.jpg", "cat/b.heic", "cat/a.heif", "cat/readme")
    assert error(root, 5) == says(
        f"{root} has 2 classes, but Arch.class_num is 5; ... write Arch.class_num: 2; ... all its "
        "classes into a file, ... class_to_index ..."
    )
    (root / "dog/IMG_2.HEIC").unlink()
    caplog.clear()
    assert len(read_class_folders(str(root), 2)) == 2
    assert caplog.messages == [
        f"{root}: 3 files are not read as pictures: 2 {heic} (cat/a.heif, ...); 1 without suffix (cat/readme)"
    ]


LEARNED = Classes(["ant", "bee", "cat", "dog"], "the training (there)")


@pytest.mark.parametrize("empty", [False, True])
def test_a_folder_that_lacks_classes_is_numbered_by_the_learned_ones(tmp_path, caplog, empty):
    root = folders(tmp_path, "dog/1.jpg", "bee/1.jpg", "bee/2.jpg")
    if empty:
        folders(root, "ant/notes.txt")
        (root / "cat").mkdir()
    images = read_class_folders(str(root), 4, learned=LEARNED)
    assert images.labels.tolist() == [1, 1, 3]
    assert images.class_names == LEARNED.names
    assert caplog.messages[-1] == f"{root} has no pictures of ant, cat (2 of 4 classes)"
    assert len(caplog.messages) == (2 if empty else 1)


def test_a_whole_folder_is_numbered_in_silence(tmp_path, caplog):
    root = folders(tmp_path, *(f"{name}/1.jpg" for name in ["ant", "bee", "cat", "dog"]))
    assert read_class_folders(str(root), 4, learned=LEARNED).labels.tolist() == [0, 1, 2, 3]
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["fox/1.jpg"], "{root}/fox is not a class of the training (there); rename or remove the folder"),
        (["fox/notes.txt"], "{root}/fox is not a class of the training (there); rename or remove the folder"),
        (["Dog/1.jpg"], "{root}/Dog is not a class of the training (there) (did you mean dog?)"),
        (["fox/1.jpg", "elk/1.jpg"], "{root}/elk, {root}/fox are not classes of the training (there)"),
    ],
)
def test_a_folder_of_no_learned_class_is_refused_by_name(tmp_path, extra, said):
    root = folders(tmp_path, "dog/1.jpg", *extra)
    with pytest.raises(UserError, match=re.escape(said.format(root=root))):
        read_class_folders(str(root), 4, learned=LEARNED)


def test_a_class_in_another_form_of_unicode_is_told_apart(tmp_path):
    root = folders(tmp_path, "cafe\u0301/1.jpg")
    assert refusal(read_class_folders, str(root), 1, learned=Classes(["caf\u00e9"], "the training (there)")) == says(
        f"{root}/cafe\u0301 ... the training (there) (which has 'caf\\xe9': ...); rename or remove the folder"
    )


def test_no_picture_of_any_learned_class(tmp_path):
    root = folders(tmp_path, "dog/notes.txt")
    with pytest.raises(UserError, match=rf"^{root} holds no pictures \(.*\) of any class; add some"):
        read_class_folders(str(root), 4, learned=LEARNED)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["Train/a/1.jpg", "Train/b/1.jpg", "Val/a/1.jpg"], "Train, Val are parts of a data set, not classes (Train"),
        (["train/a/1.jpg", "train/b/1.jpg"], "train is a part of a data set, not a class (train holds a, b); give "),
        (
            ["seg_train/a/1.jpg", "seg_train/b/1.jpg", "seg_test/a/1.jpg"],
            "seg_test, seg_train are parts of a data",
        ),
        (["train/a/1.jpg", "test/a/1.jpg", "labels/1.jpg"], "test, train are parts of a data set, not classes"),
        (["training_set/a/1.jpg", "training_set/x.jpg", "Test-Set/a/1.jpg"], "Test-Set, training_set are parts"),
        (
            ["ant/train/1.jpg", "ant/val/1.jpg", "bee/train/1.jpg", "bee/val/1.jpg"],
            "every class folder holds the parts of the data set (train, val); put the parts above the classes: ",
        ),
        (["Train/1.jpg", "VAL/1.jpg"], "Train, VAL are parts of a data set, not classes, but "),
        (["Train/1.jpg", "test/a/1.jpg"], "Train, test are parts of a data set, not classes, but "),
        (["train2017/a/1.jpg", "val2017/a/1.jpg"], "train2017, val2017 are parts of a data set, not classes"),
        (["one/a/1.jpg", "one/b/1.jpg", "two/a/1.jpg", "two/b/1.jpg"], "one, two all hold the same folders (a, b), so"),
    ],
)
def test_parts_of_a_data_set_are_not_classes(tmp_path, files, said):
    root = folders(tmp_path, *files)
    with pytest.raises(UserError, match="^" + pattern(f"{root}: {said}")):
        read_class_folders(str(root), 2)


@pytest.mark.parametrize(
    "files",
    [
        ["train/1.jpg", "val/1.jpg", "ship/1.jpg"],
        ["train/1.jpg", "training/1.jpg"],
        ["train/steam/1.jpg", "car/1.jpg"],
        ["a/images/1.jpg", "b/images/1.jpg"],
        ["a/x/1.jpg", "a/y/1.jpg", "b/x/1.jpg"],
        ["a/x/1.jpg", "a/y/1.jpg", "a/1.jpg", "b/x/1.jpg", "b/y/1.jpg", "b/1.jpg"],
    ],
)
def test_classes_that_look_a_little_like_parts(tmp_path, files):
    assert len(read_class_folders(str(folders(tmp_path, *files)), None)) == len(files)


WORDS = (
    "train", "Training", "TRAIN_SET", "trainval", "Train 2017", "train2012", "val2017", "val", "Valid", "VALIDATION",
    "val-images", "test", "Testing",
)  # fmt: skip


@given(st.sampled_from(WORDS), st.sampled_from([str.lower, str.upper, str.title]))
def test_parts_are_known_in_any_case(word, case):
    assert part_of(case(word)) == {"tr": "train", "va": "val", "te": "test"}[word[:2].lower()]
    assert part_of(f"{word} station") is None
    assert parts_among([f"{word} station"]) == {}


@pytest.mark.parametrize(("learned", "part"), [(None, "train"), (LEARNED, "Val")])
def test_the_part_that_suits_the_command_is_named(tmp_path, learned, part):
    """Training names the part for training, evaluation that for validation."""
    root = folders(tmp_path, "train/ant/1.jpg", "Val/ant/1.jpg", "test/ant/1.jpg")
    with pytest.raises(UserError, match=rf"\({part} holds ant\); give {root}/{part}, whose folders are the classes$"):
        read_class_folders(str(root), 4, learned=learned)


@pytest.mark.parametrize(
    "written", ["train.log", "DLA34/train.log", "flowers/DLA34/latest/ppcls.pdstates", "inference.yml", "workerlog.0"]
)
def test_what_the_library_wrote_is_not_a_class(tmp_path, caplog, written):
    caplog.set_level("INFO")
    root = folders(tmp_path, "ant/1.jpg", "bee/1.jpg", f"output/{written}")
    assert read_class_folders(str(root), 2).class_names == ["ant", "bee"]
    assert read_class_folders(str(root), 4, learned=LEARNED).labels.tolist() == [0, 1]
    assert caplog.messages[0] == says(f"{root}/output ... this library has written, ...: it is not a class")
    with pytest.raises(UserError, match="ant holds no pictures"):
        (root / "ant/1.jpg").unlink()
        read_class_folders(str(root), 2)


def test_pictures_in_the_folder_of_a_run_are_not_of_a_class(tmp_path):
    run = ("DLA34/train.log", "DLA34/config.yaml", "DLA34/curves.png", "DLA34/plots/loss.png")
    root = folders(tmp_path, "ant/1.jpg", "bee/1.jpg", *(f"output/{name}" for name in run))
    assert read_class_folders(str(root), 2).class_names == ["ant", "bee"]
    folders(root, *(f"bee/{name}" for name in run), "bee/deep/2.jpg", "bee/train.log")
    assert [Path(path).name for path in read_class_folders(str(root), 2).paths] == ["1.jpg", "1.jpg", "2.jpg"]


def test_a_class_that_holds_output_is_said(tmp_path, caplog):
    root = folders(tmp_path, "ant/1.jpg", "bee/1.jpg", "bee/DLA34/train.log", "bee/DLA34/config.yaml")
    assert read_class_folders(str(root), 2).labels.tolist() == [0, 1]
    assert caplog.messages == [says(f"{root}/bee ... 1 other pictures, which make it a class")]
