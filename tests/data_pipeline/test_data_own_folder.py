"""A user's folder is divided by a rule that no machine, order or clock can change."""

import os
import re

import pytest

from helpers.messages import pattern, says
from ppcls.data.datasets import ImageNetDataset
from ppcls.data.own_folder import read_own_folder
from ppcls.data.transforms.decode import DecodeImage
from ppcls.utils.errors import UserError


def fill(folder, **pictures):
    """Empty files, which count as pictures by their names: `fill(folder, rose=7)`."""
    for name, count in pictures.items():
        place = folder / name.replace("__", "/")
        place.mkdir(parents=True)
        for index in reversed(range(count)):
            (place / f"{index:02}.jpg").touch()


def test_every_fifth_picture_of_each_class_is_held_out(tmp_path):
    fill(tmp_path, rose=11, daisy=5, tulip=4)
    (tmp_path / "daisy" / "notes.txt").touch()
    (tmp_path / ".cache").mkdir()
    found = read_own_folder(str(tmp_path))
    assert found.class_names == ["daisy", "rose", "tulip"]
    assert found.val == [("daisy/04.jpg", 0), ("rose/04.jpg", 1), ("rose/09.jpg", 1)]
    learnt = [("daisy", 0, (0, 1, 2, 3)), ("rose", 1, (0, 1, 2, 3, 5, 6, 7, 8, 10)), ("tulip", 2, (0, 1, 2, 3))]
    assert found.train == [(f"{name}/{i:02}.jpg", label) for name, label, places in learnt for i in places]
    assert found.notes == [
        "every 5th picture of each class is held out for validation",
        "tulip has 4 pictures, too few to hold one out",
    ]


def test_the_order_of_the_file_system_changes_nothing(tmp_path, monkeypatch):
    fill(tmp_path, rose=9, daisy__b=3, daisy__a=4)
    plain, walk = read_own_folder(str(tmp_path)), os.walk
    assert plain.val == [("daisy/b/00.jpg", 0), ("rose/04.jpg", 1)]

    def backwards(*arguments, **keywords):
        for place, folders, names in walk(*arguments, **keywords):
            folders.sort(reverse=True)
            yield place, folders, sorted(names, reverse=True)

    monkeypatch.setattr(os, "walk", backwards)
    assert read_own_folder(str(tmp_path)) == plain


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_part_for_validation_is_taken_as_it_is(tmp_path, name):
    fill(tmp_path, train__rose=2, train__daisy=1, test__rose=1, **{f"{name}__rose": 2})
    found = read_own_folder(f"{tmp_path}/")
    assert found.train == [("train/daisy/00.jpg", 0), ("train/rose/00.jpg", 1), ("train/rose/01.jpg", 1)]
    assert found.val == [(f"{name}/rose/00.jpg", 1), (f"{name}/rose/01.jpg", 1)]
    assert found.notes == [
        f"{name} has no pictures of daisy, so its accuracy leaves them out",
        "test beside train is not read",
    ]


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("seg_train", "seg_val"),
        ("Flowers-Train", "flowers_valid"),
        ("Train", "Val"),
        ("TRAIN", "VAL"),
        ("training", "validation"),
        ("Training", "valid"),
        ("train_set", "dev"),
    ],
)
def test_parts_are_recognised_in_any_case(tmp_path, train, val):
    fill(tmp_path, **{f"{train}__rose": 2, f"{train}__daisy": 1, f"{val}__daisy": 1, f"{val}__rose": 1})
    found = read_own_folder(str(tmp_path))
    assert found.class_names == ["daisy", "rose"]
    assert found.train == [(f"{train}/daisy/00.jpg", 0), (f"{train}/rose/00.jpg", 1), (f"{train}/rose/01.jpg", 1)]
    assert found.val == [(f"{val}/daisy/00.jpg", 0), (f"{val}/rose/00.jpg", 1)]
    assert found.notes == []


def test_a_test_part_validates_where_there_is_no_other(tmp_path):
    fill(tmp_path, training__rose=5, training__daisy=5, test__rose=1)
    found = read_own_folder(str(tmp_path))
    assert len(found.train) == 10
    assert found.val == [("test/rose/00.jpg", 1)]
    assert found.notes == [
        "test is for validation, because there is no val",
        says("test has no pictures of daisy, so its accuracy ..."),
    ]
    (tmp_path / "test" / "rose").rename(tmp_path / "test" / "unknown")
    found = read_own_folder(str(tmp_path))
    assert len(found.train) == 8
    assert found.notes[-1] == "test beside training is not read"


def test_parts_that_were_unpacked_into_folders_of_their_names(tmp_path):
    fill(tmp_path, **{"seg_train/seg_train/rose": 1, "seg_train/seg_train/daisy": 1, "seg_test/seg_test/rose": 1})
    (tmp_path / "seg_pred").mkdir()
    found = read_own_folder(str(tmp_path))
    assert found.train == [("seg_train/seg_train/daisy/00.jpg", 0), ("seg_train/seg_train/rose/00.jpg", 1)]
    assert found.val == [("seg_test/seg_test/rose/00.jpg", 1)]
    assert found.notes == [
        says("seg_test/seg_test is for validation, ..."),
        says("seg_test/seg_test has no pictures of daisy, ..."),
        "seg_pred beside seg_train/seg_train is not read",
    ]


@pytest.mark.parametrize(
    "names", [("steam_train", "electric_train"), ("train_station", "bus_station"), ("a_test", "b_test")]
)
def test_classes_whose_names_speak_of_parts(tmp_path, names):
    fill(tmp_path, **{f"{name}/{name[0]}{i}": 5 for name in names for i in (1, 2)})
    assert read_own_folder(str(tmp_path)).class_names == sorted(names)


def test_an_empty_class_folder_of_the_validation_part_is_lacking(tmp_path):
    fill(tmp_path, train__rose=1, train__daisy=1, val__rose=1, val__daisy=0)
    found = read_own_folder(str(tmp_path))
    assert found.val == [("val/rose/00.jpg", 1)]
    assert found.notes == [says("val has no pictures of daisy, ...")]


def test_output_among_the_pictures_is_left_out(tmp_path):
    fill(tmp_path, rose=5, daisy=5)
    before = read_own_folder(str(tmp_path))
    (tmp_path / "output" / "DLA34" / "latest").mkdir(parents=True)
    (tmp_path / "output" / "DLA34" / "train.log").touch()
    assert read_own_folder(str(tmp_path)) == before


def test_a_lone_train_folder_is_divided(tmp_path):
    fill(tmp_path, train__rose=5, train__daisy=1)
    found = read_own_folder(str(tmp_path))
    assert found.val == [("train/rose/04.jpg", 1)]
    assert len(found.train) == 5


def test_a_class_may_be_named_as_a_part_is(tmp_path):
    fill(tmp_path, train=5, val=1, ship=1)
    found = read_own_folder(str(tmp_path))
    assert found.class_names == ["ship", "train", "val"]
    assert found.val == [("train/04.jpg", 1)]


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ({}, "holds no folders; put the pictures of each class into a folder ..."),
        ({"rose": 5}, "holds one class only (rose); add a folder for each other class"),
        ({"rose": 5, "daisy": 0}, "/daisy holds no pictures (AVIF, ... WebP); add some or remove the folder"),
        ({"rose": 4, "daisy": 4}, ": no class has 5 pictures, ...; add pictures, or ... a folder `val` beside `train`"),
        ({"train__rose": 1, "train__daisy": 1, "val__rose": 1, "valid__rose": 1},
         "holds val and valid; leave one of them for validation"),
        ({"Train": 5, "Val": 5}, ": Train, Val are parts of a data set, not classes, but "),
        ({"Train": 5, "Val__rose": 5}, "/Train holds no class folders; put the pictures of each class into a folder "),
        ({"val__rose": 1}, "holds val and no train; put the class folders to learn from into "),
        ({"train__rose": 1, "train__daisy": 1, "val__Rose": 1}, "/train (did you mean rose?); rename or"),
        ({"Train__rose": 1, "train__daisy": 1}, "holds Train and train; leave one of them for training"),
        ({"a__rose": 5, "a__daisy": 5, "b__rose": 5, "b__daisy": 5},
         "a, b all hold the same folders (daisy, rose), ... parts of a data set"),
        ({"flowers__rose": 5, "flowers__daisy": 5}, "/flowers if the classes are in there, or add a folder for each "),
        ({"train__rose": 1, "train__daisy": 1, "val__rose": 0}, "/val holds no pictures ("),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_learnt_from_is_one_sentence(tmp_path, pictures, message):
    fill(tmp_path, **pictures)
    with pytest.raises(UserError) as error:
        read_own_folder(str(tmp_path))
    assert re.search(pattern(message), str(error.value))
    assert str(error.value).startswith(str(tmp_path))
    assert "\n" not in str(error.value)


def test_a_file_and_nothing_in_place_of_a_folder(tmp_path):
    (tmp_path / "flowers.zip").touch()
    for name, message in (("flowers.zip", "is a file; give the folder"), ("flower", "there is no folder")):
        with pytest.raises(UserError, match=message):
            read_own_folder(str(tmp_path / name))


@pytest.mark.parametrize("name", [b"a\nb.jpg", b"\xff.jpg"])
def test_a_name_that_no_list_can_hold_is_said(tmp_path, name):
    fill(tmp_path, rose=5, daisy=5)
    open(os.fsencode(tmp_path / "rose") + b"/" + name, "w").close()  # noqa: PTH123 - bytes are no Path
    with pytest.raises(UserError, match=r"cannot stand in.*rename the file or folder"):
        read_own_folder(str(tmp_path))


def test_a_list_carries_its_class_names(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "list.txt").write_text("a.jpg 1\n")
    names = tmp_path / "names.txt"
    names.write_text("0 no\n1 yes\n")
    data = ImageNetDataset(str(tmp_path), str(tmp_path / "list.txt"), (DecodeImage(),), class_names=str(names))
    assert data.open(2).class_names == ["no", "yes"]
    with pytest.raises(UserError, match=r"names 2 classes, but Arch.class_num is 3; write Arch.class_num: 2, or the"):
        data.open(3)
