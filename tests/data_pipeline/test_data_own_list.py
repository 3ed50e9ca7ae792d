"""A user's list is divided by the rule for folders, wherever its pictures lie."""

from pathlib import Path

import pytest

from helpers.messages import pattern, refusal, says
from ppcls.data.own_list import ListOptions, read_own_pictures
from ppcls.utils.errors import UserError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fill(folder, names, suffix=".jpg"):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}{suffix}").touch()


def table(file, rows, header="id,breed"):
    Path(file).write_text("\n".join([header, *rows]) + "\n")
    return str(file)


TWELVE = [f"{index:02}" for index in range(12)]
BREEDS = [f"{name},{'pug' if int(name) < 6 else 'boxer'}" for name in TWELVE]


@pytest.mark.parametrize("place", ["", "train", "data/images"])
def test_pictures_are_found_beside_the_list_or_below(here, place):
    """Kaggle's dog breeds: ids without a suffix, pictures in a folder beside the list."""
    fill(here / place, TWELVE)
    found = read_own_pictures(table(here / "labels.csv", BREEDS))
    assert (found.source, found.root) == (f"{here}/labels.csv", str(here / place))
    assert found.class_names == ["boxer", "pug"]
    assert found.val == [("10.jpg", 0), ("04.jpg", 1)]
    assert found.train == [(f"{i:02}.jpg", 0) for i in (6, 7, 8, 9, 11)] + [(f"{i:02}.jpg", 1) for i in (0, 1, 2, 3, 5)]
    where = f"; paths are relative to {here / place}" if place else ""
    assert found.notes == [
        says(f"{here}/labels.csv: ... column 'id', labels in 'breed'; ... completed by .jpg{where}"),
        "every 5th picture of each class is held out for validation",
    ]


def test_pictures_of_the_same_names_in_two_folders_are_not_chosen_from(here):
    fill(here / "train", TWELVE)
    fill(here / "test", TWELVE)
    path = table(here / "labels.csv", BREEDS)
    assert refusal(read_own_pictures, path) == says(
        f"{path}: ... in {here}/test and {here}/train; give one of them as --image-root"
    )
    assert read_own_pictures(path, ListOptions(str(here / "train"))).root == str(here / "train")
    with pytest.raises(UserError, match=r"nor a folder below it holds the pictures .*--image-root"):
        read_own_pictures(table(here / "labels.csv", ["x1,pug", "x2,boxer"]))


def test_a_missing_picture_is_named_where_the_others_are(here):
    fill(here / "photos", TWELVE[1:])
    path = table(here / "labels.csv", BREEDS)
    line = 2 + [row.partition(",")[0] for row in BREEDS].index(TWELVE[0])
    assert refusal(read_own_pictures, path) == (
        f"{path}:{line}: {here}/photos/{TWELVE[0]} is not there; correct the line or --image-root"
    )


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        ("https://example.org/", "labels.csv ... https://example.org/x.jpg; download"),
        ("/of/another/machine/", "labels.csv: there is no /of/another/machine/x.jpg; ... absolute"),
        ("C:\\Users\\me\\", "labels.csv: there is no C:\\Users\\me\\x.jpg; ... absolute"),
    ],
)
def test_paths_of_another_place(here, begin, said):
    path = table(here / "labels.csv", [f"{begin}x.jpg,pug"])
    with pytest.raises(UserError, match=pattern(f"{here}/{said}")):
        read_own_pictures(path)


def test_paths_from_the_working_directory(here):
    fill(here / "photos", TWELVE)
    (here / "lists").mkdir()
    rows = [f"photos/{row.replace(',', '.jpg,')}" for row in BREEDS]
    found = read_own_pictures(table("lists/labels.csv", rows))
    assert (found.root, found.train[0]) == (".", ("photos/06.jpg", 0))


def test_absolute_paths(here):
    fill(here / "photos", TWELVE)
    (here / "lists").mkdir()
    rows = [f"{here}/photos/{row.replace(',', '.jpg,')}" for row in BREEDS]
    found = read_own_pictures(table("lists/labels.csv", rows))
    assert (found.root, found.train[0]) == ("lists", (f"{here}/photos/06.jpg", 0))


@pytest.mark.parametrize(
    ("labels", "names", "remark"),
    [
        (("0", "1"), ["0", "1"], None),
        (("1", "2"), ["1", "2"], "... names, not as numbers of classes: class 0 is '1'"),
        (("30", "7"), ["7", "30"], "... names, not as numbers of classes: class 0 is '7'"),
        (("Pug", "pug"), ["Pug", "pug"], "Pug and pug differ by their case alone ..."),
    ],
)
def test_labels_of_a_list_are_names(here, labels, names, remark):
    fill(here, TWELVE)
    found = read_own_pictures(table(here / "l.csv", [f"{name},{labels[int(name) // 6]}" for name in TWELVE]))
    assert found.class_names == names
    assert found.notes[1:-1] == ([says(remark)] if remark else [])


def test_a_column_of_parts(here):
    fill(here, TWELVE)
    rows = [f"{row},{'test' if int(row[:2]) % 3 else 'Train'}" for row in BREEDS]
    found = read_own_pictures(table(here / "l.csv", rows, "id,breed,data set"))
    assert found.train == [("00.jpg", 1), ("03.jpg", 1), ("06.jpg", 0), ("09.jpg", 0)]
    assert len(found.val) == 8
    assert found.notes[1] == "its part test is for validation, because there is no val"
    found = read_own_pictures(table(here / "l.csv", [*rows[:-1], "11,boxer,valid"], "id,breed,data set"))
    assert (found.val, found.notes[1]) == ([("11.jpg", 0)], "its part test is not read")
    assert found.notes[2] == says("no picture for validation is of pug ...")
    with pytest.raises(UserError, match=r"those for training lack \(cat\); remove their lines"):
        read_own_pictures(table(here / "l.csv", [*rows[:-1], "11,cat,valid"], "id,breed,data set"))


@pytest.mark.parametrize(("train", "val"), [("train.csv", "val.csv"), ("my_train_list.txt", "my_valid_list.txt")])
def test_a_list_of_validation_beside_that_of_training(here, train, val):
    fill(here / "a", TWELVE)
    fill(here / "b", ["x", "y"])
    table(here / val, ["x,pug", "y,pug"])
    found = read_own_pictures(table(train, BREEDS))
    assert len(found.train) == 12
    assert (found.root, found.val) == ("a", [(f"{here}/b/x.jpg", 1), (f"{here}/b/y.jpg", 1)])
    assert f"{val} is for validation" in found.notes
    assert found.notes[-1] == says("no picture for validation is of boxer ...")
    table(here / val, ["x,cat"])
    assert refusal(read_own_pictures, train).startswith(
        f"{val}: the pictures for validation have classes that those for training lack"
    )


def test_a_picture_that_is_listed_twice_counts_once(here):
    fill(here, TWELVE)
    found = read_own_pictures(table(here / "l.csv", [*BREEDS, *BREEDS[:2]]))
    assert len(found.train) + len(found.val) == 12
    assert says("2 lines name a picture ...; it counts once") in found.notes


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([f"{name},pug" for name in TWELVE], "names one class only (pug); add pictures of other classes"),
        ([f"{name},0.{name}" for name in TWELVE], "the labels are fractions such as 0.00, not classes"),
        ([f"{name},a{name}" for name in TWELVE], "no class has 5 pictures ...; add pictures"),
        ([*BREEDS, "00,boxer"], "... :14: {root}/00.jpg ... 'boxer' here and 'pug' in line 2"),
        ([*BREEDS, "12,boxer"], ":14: {root}/12 is not there; correct the line or --image-root"),
    ],
)
def test_a_list_that_cannot_be_learnt_from_is_one_sentence(here, rows, said):
    fill(here, TWELVE)
    with pytest.raises(UserError) as caught:
        read_own_pictures(table(here / "l.csv", rows))
    assert str(caught.value).startswith(f"{here}/l.csv")
    assert str(caught.value) == says(f"... {said.format(root=here)} ...")
    assert "\n" not in str(caught.value)


def test_a_list_that_is_not_there_or_holds_nothing(here):
    with pytest.raises(UserError, match=r"^there is no file labels\.csv; give a list of pictures and labels"):
        read_own_pictures("labels.csv")
    with pytest.raises(UserError, match=r"^labels\.csv lists no picture below its header"):
        read_own_pictures(table("labels.csv", []))


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.zip", "packed file; give the folder"), ("a.xlsx", "save it as .csv"), ("a.jpg", "is a picture; give the")],
)
def test_other_files(here, name, said):
    (here / name).touch()
    with pytest.raises(UserError, match=said):
        read_own_pictures(name)
    with pytest.raises(UserError, match=r"--label-column is for a list, but \. is not a file"):
        read_own_pictures(".", ListOptions(label_column="breed"))
