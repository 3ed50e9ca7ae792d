"""Lists as people have them: tables of Kaggle, pandas and spreadsheets, labels that are names or count from 1."""

from __future__ import annotations

import csv
import io
import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import pattern, refusal, says
from ppcls.data import picture_places
from ppcls.data.datasets import ImageNetDataset
from ppcls.data.image_list import read_list_file
from ppcls.data.labels import Classes
from ppcls.data.transforms import DecodeImage

ANIMALS = ("1.jpg", "2.jpg", "3.jpg")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(folder: Path, text: str | bytes, *names: str, file: str = "list.csv") -> str:
    """A list of this text, beside empty files of these names."""
    for name in names or ANIMALS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    path = folder / file
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def read(path: str, class_num: int = 2, root: Path | str | None = None, **options):
    """Names below the list's folder, labels, and class names."""
    images = read_list_file(path, str(Path(path).parent if root is None else root), class_num, **options)
    names = [str(Path(picture).relative_to(Path(path).parent)) for picture in images.paths]
    return names, images.labels.tolist(), images.class_names


def refused(path: str, class_num: int = 2, root: Path | str | None = None, **options) -> str:
    return refusal(read, path, class_num, root, **options)


NAMED = (list(ANIMALS), [0, 1, 0], ["cat", "dog"])


@pytest.mark.parametrize(
    "text",
    [
        "image,label\n1.jpg,cat\n2.jpg,dog\n3.jpg,cat\n",
        "filename,class\r\n1.jpg,cat\r\n2.jpg,dog\r\n3.jpg,cat\r\n",
        "\ufeffimage;label\n1.jpg;cat\n2.jpg;dog\n3.jpg;cat",
        "image\tlabel\n1.jpg\tcat\n2.jpg\tdog\n3.jpg\tcat\n",
        "image label\n1.jpg cat\n2.jpg dog\n3.jpg cat\n",
        "1.jpg,cat\n2.jpg,dog\n3.jpg,cat\n",
        "1.jpg, cat\n2.jpg, dog \n\n3.jpg,cat\n",
        '"image","label"\n"1.jpg","cat"\n"2.jpg","dog"\n"3.jpg","cat"\n',
        "id,breed\n1,cat\n2,dog\n3,cat\n",
        "breed,id\ncat,1\ndog,2\ncat,3\n",
        ",image,label\n0,1.jpg,cat\n1,2.jpg,dog\n2,3.jpg,cat\n",
        "Unnamed: 0,image,label\n7,1.jpg,cat\n9,2.jpg,dog\n1,3.jpg,cat\n",
        "0,1.jpg,cat\n1,2.jpg,dog\n2,3.jpg,cat\n",
        "image,width,label\n1.jpg,10,cat\n2.jpg,20,dog\n3.jpg,30,cat\n",
        "image,label,\n1.jpg,cat,\n2.jpg,dog,\n3.jpg,cat,\n,,\n",
        "image,label\r1.jpg,cat\r2.jpg,dog\r3.jpg,cat\r",
        "image age label\n1.jpg 3 cat\n2.jpg 3 dog\n3.jpg 5 cat\n",
        "sep=;\nimage;label\n1.jpg;cat\n2.jpg;dog\n3.jpg;cat\n",
        "1.jpg|cat\n2.jpg|dog\n3.jpg|cat\n",
        "sep=|\nimage|label\n1.jpg|cat\n2.jpg|dog\n3.jpg|cat\n",
        "whatever,animal\n./1.jpg,cat\n./2.jpg,dog\n./3.jpg,cat\n",
    ],
)
def test_tables_are_read_by_what_is_there(tmp_path, text):
    assert read(put(tmp_path, text)) == NAMED


def test_a_field_in_quotation_marks_may_hold_anything(tmp_path):
    text = 'image,label\n"a, b.jpg","cat, big"\n"say ""hi"".jpg",dog\n"two words.jpg","cat, big"\n'
    names = ("a, b.jpg", 'say "hi".jpg', "two words.jpg")
    assert read(put(tmp_path, text, *names)) == (list(names), [0, 1, 0], ["cat, big", "dog"])


def test_blanks_in_names_beside_every_delimiter(tmp_path):
    for delimiter in " \t,;":
        path = put(tmp_path, f"my cat 1.jpg{delimiter}0\nmy dog.jpg{delimiter}1\n", "my cat 1.jpg", "my dog.jpg")
        assert read(path) == (["my cat 1.jpg", "my dog.jpg"], [0, 1], None)


def test_labels_with_blanks_behind_names_without(tmp_path):
    path = put(tmp_path, "1.jpg golden retriever\n2.jpg pug\n3.jpg golden retriever\n")
    assert read(path) == (list(ANIMALS), [0, 1, 0], ["golden retriever", "pug"])


def test_a_comma_before_a_number_at_the_end_of_a_name(tmp_path):
    """Every line ends in a blank and a number, so it could be a `path label` line; the files tell."""
    path = put(tmp_path, "1.jpg,class 2\n2.jpg,class 1\n")
    assert read(path) == (["1.jpg", "2.jpg"], [1, 0], ["class 1", "class 2"])


def test_backslashes(tmp_path):
    path = put(tmp_path, "train\\a.jpg,0\ntrain\\b.jpg,1\n", "train/a.jpg", "train/b.jpg")
    assert read(path)[0] == ["train/a.jpg", "train/b.jpg"]
    (tmp_path / "train\\a.jpg").touch()  # a name that has a backslash is itself
    assert read(path)[0] == ["train\\a.jpg", "train/b.jpg"]


def test_a_root_that_the_paths_have_already(here):
    put(here, "train/a.jpg 0\ntrain/b.jpg 1\n", "data/train/a.jpg", "data/train/b.jpg", file="list.txt")
    assert read_list_file("list.txt", "data/train", 2).paths == ["data/train/a.jpg", "data/train/b.jpg"]
    put(here, "data/train/a.jpg 0\ndata/train/b.jpg 1\n", file="list.txt")
    assert read_list_file("list.txt", "data/train", 2).paths == ["data/train/a.jpg", "data/train/b.jpg"]
    absolute = f"{here}/data/train"
    assert read_list_file("list.txt", absolute, 2).paths == [f"{absolute}/a.jpg", f"{absolute}/b.jpg"]


def test_an_empty_root_is_the_working_directory(here):
    put(here, f"{here}/1.jpg 0\n2.jpg 1\n", file="list.txt")
    assert read_list_file("list.txt", "", 2).paths == [f"{here}/1.jpg", "2.jpg"]


def test_pictures_in_a_folder_below_the_root_are_said(tmp_path):
    path = put(tmp_path, "image,label\na.jpg,cat\nb.jpg,dog\n", "images/train/a.jpg", "images/train/b.jpg")
    assert f"but in {tmp_path}/images/train; write image_root: {tmp_path}/images/train" in refused(path)
    put(tmp_path, "", "test/a.jpg", "test/b.jpg", file="empty")
    assert f"but in {tmp_path}/test and in {tmp_path}/images/train; give one as image_root" in refused(path)


def test_labels_with_gaps_are_kept_by_a_file_of_names(tmp_path):
    path = put(tmp_path, "1.jpg 7\n2.jpg 30\n3.jpg 7\n")
    assert refused(path).endswith(
        ":1: the label 7 is outside 0 to 1; correct it or Arch.class_num (2); to keep these labels, write them in "
        "order, one per line, into a file and give it as class_names\n"
        f"{path}:2: the label 30 is outside 0 to 1; correct it or Arch.class_num (2); to keep these labels, write them "
        "in order, one per line, into a file and give it as class_names\n"
        f"{path}:3: the label 7 is outside 0 to 1; correct it or Arch.class_num (2); to keep these labels, write them "
        "in order, one per line, into a file and give it as class_names"
    )
    (tmp_path / "names.txt").write_text("7\n30\n")
    names = str(tmp_path / "names.txt")
    data = ImageNetDataset(str(tmp_path), path, (DecodeImage(),), class_names=names)
    assert (data.open(2).labels.tolist(), data.open(2).class_names) == ([0, 1, 0], ["7", "30"])


def test_labels_with_gaps_are_numbered_in_their_order(tmp_path, caplog):
    path = put(tmp_path, "1.jpg 30\n2.jpg 7\n3.jpg 30\n")
    caplog.set_level(logging.INFO)
    data = ImageNetDataset(str(tmp_path), path, (DecodeImage(),), relabel=True)
    images = data.open(2)
    assert (images.labels.tolist(), images.class_names, images.names_itself) == ([1, 0, 1], ["7", "30"], True)
    assert "relabel: labels are numbered in their order, so class 0 is '7'" in caplog.text
    lacking = put(tmp_path, "1.jpg 30\n", file="val.txt")
    evaluated = ImageNetDataset(str(tmp_path), lacking, (DecodeImage(),), relabel=True)
    assert evaluated.open(2, Classes(["7", "30"], "the training")).labels.tolist() == [1]
    assert evaluated.open(1).labels.tolist() == [0]
    assert "the labels name 2 classes (7, 30), but Arch.class_num is 3; write" in refusal(data.open, 3)
    with pytest.raises(ValueError, match=r"relabel is set beside class_names, .*; leave one of the two out"):
        ImageNetDataset(str(tmp_path), path, (DecodeImage(),), relabel=True, class_names=path)


def test_a_name_without_suffix_that_several_pictures_have(tmp_path):
    path = put(tmp_path, "id,label\na,cat\nb,dog\n", "a.jpg", "b.jpg", "b.png")
    assert refused(path) == f"{path}:3: {tmp_path}/b may be b.jpg or b.png; write the suffix"


@pytest.mark.parametrize(
    ("labels", "class_num", "numbers", "names"),
    [
        ("0 1 2", 3, [0, 1, 2], None),
        ("1 2 3", 3, [0, 1, 2], ["1", "2", "3"]),
        ("1 3 3", 3, [0, 2, 2], ["1", "2", "3"]),
        ("1 2 2", 3, [1, 2, 2], None),
        ("1.0 0.0 1.0", 2, [1, 0, 1], None),
        ("Rose daisy daisy", 2, [0, 1, 1], ["Rose", "daisy"]),
        ("v1.10 v1.9 v1.9", 2, [0, 1, 1], ["v1.10", "v1.9"]),
    ],
)
def test_numbers_of_labels(tmp_path, labels, class_num, numbers, names):
    rows = zip(ANIMALS, labels.split())
    path = put(tmp_path, "".join(f"{name},{label}\n" for name, label in rows))
    assert read(path, class_num)[1:] == (numbers, names)


@pytest.mark.parametrize(
    ("labels", "numbers"), [("4 3 4", [1, 0, 1]), ("7 7 7", [2, 2, 2]), ("cat cat cat", None), ("0 1 2", None)]
)
def test_known_classes_that_are_numbers_are_looked_up(tmp_path, labels, numbers):
    """So a list that lacks the last class is numbered as the training's list, which had it."""
    known = Classes(["3", "4", "7"], "the training")
    path = put(tmp_path, "".join(f"{name} {label}\n" for name, label in zip(ANIMALS, labels.split())))
    if numbers is None:
        wrong = labels.split()[0]
        assert f"{path}:1: the label {wrong!r} is not a class of the training" in refused(path, 3, learned=known)
    else:
        assert read(path, 3, learned=known)[1:] == (numbers, ["3", "4", "7"])


def test_any_number_of_classes(tmp_path):
    assert read(put(tmp_path, "1.jpg 1\n2.jpg 7\n"), None)[1:] == ([1, 7], None)
    assert read(put(tmp_path, "1.jpg,dog\n2.jpg,cat\n"), None)[1:] == ([1, 0], ["cat", "dog"])
    path = put(tmp_path, "1.jpg 1\n2.jpg -1\n")
    assert refused(path, None) == f"{path}:2: the label -1 is below 0; write one from 0"


def test_known_classes_that_are_names(tmp_path):
    known = Classes(["dog", "emu", "cat"], "the training")
    assert read(put(tmp_path, "1.jpg,cat\n2.jpg,dog\n"), 3, learned=known)[1] == [2, 0]
    assert read(put(tmp_path, "1.jpg,1\n2.jpg,0\n"), 3, learned=known)[1:] == ([1, 0], known.names)
    assert "count from 1 to 3, but the classes of the training have names" in refused(
        put(tmp_path, "1.jpg,1\n2.jpg,3\n"), 3, learned=known
    )
    path = put(tmp_path, "image,label\n1.jpg,cat\n2.jpg,Dog\n")
    assert refused(path, 3, learned=known) == says(f"{path}:3: the label 'Dog' ... (did you mean dog?); correct it")
    twice = Classes(["crane", "crane", "cat"], "names.txt")
    path = put(tmp_path, "1.jpg,crane\n")
    assert "several classes of names.txt are called 'crane'" in refused(path, 3, learned=twice)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,label\n1.jpg,cat\n2.jpg,\n3.jpg,dog\n", ":3: the label is missing; write it or remove the line"),
        ("image,label\n1.jpg,cat\n2.jpg,nan\n", ":3: the label is missing"),
        ("image,label\n1.jpg,cat\n2.jpg\n", ":3: the line has 1 fields, but line 1 has 2"),
        ("image,label\n1.jpg,cat\n2.jpg,big, cat\n", ":3: the line has 3 fields, but line 1 has 2"),
        ('image,label\n1.jpg,cat\n"2.jpg,dog\n3.jpg,cat\n', ":3: the quotation mark at the beginning of a field"),
        ("image,label\n1.jpg,cat\r2.jpg,dog\n3.jpg,cat\n", ":2: the line holds a carriage return"),
        ("image,label\n1.jpg,cat\n9.jpg,dog\n", ":3: {root}/9.jpg is not there; correct the line or image_root"),
        ("9.jpg,cat\n1.jpg,cat\n2.jpg,dog\n", ":1: {root}/9.jpg is not there; correct the line or image_root"),
        ("9,cat\n1,cat\n2,dog\n", ":1: {root}/9 is not there; correct the line or image_root"),
        ("image,label\n1.jpg,cat\n2.jpg,dog\n1.jpg,dog\n",
         "... :4: {root}/1.jpg ... 'dog' here and 'cat' in line 2; keep one ..."),
        ("image,label\n1.jpg,cat\n2.jpg,dog\n./1.jpg,dog\n", ":4: {root}/./1.jpg has the label 'dog' here and 'cat'"),
        ("image,label\n1.jpg,cat\n2.jpg,dog\n3.jpg,7\n", ":4: the label '7' is a number, but most others are names"),
        ("image,label\n1.jpg,0\n2.jpg,1\n3.jpg,cat\n", ":4: the label 'cat' is not a whole number, but most"),
        ("image,label\n1.jpg,cat\n2.jpg,dog\n3.jpg,emu\n",
         "... 3 classes (cat, dog, emu), but Arch.class_num is 2; write Arch.class_num: 3, or"),
        ("image,label\n1.jpg,0\n2.jpg,1\n3.jpg,2\n",
         ":4: the label 2 is outside 0 to 1; ... Arch.class_num (2); ... 0 to 2, which Arch.class_num: 3 takes"),
        ("image,cat,dog\n1.jpg,1,0\n2.jpg,0,1\n3.jpg,1,0\n",
         ": the columns cat, dog ... by a 1, ...; write the name of the class"),
        ("image,sex,age\n1.jpg,f,1\n2.jpg,m,2\n3.jpg,f,1\n",
         "... columns sex, age may be the label; write which one as label_column"),
        ("image sex breed\n1.jpg f pug\n2.jpg m boxer\n", ": any of the columns sex, breed may be the label; write"),
        ("image\n1.jpg\n2.jpg\n", ":1: 'image' has no label"),
        ("image,label\n", " lists no picture below its header"),
        ("a,b\n1.jpg,2.jpg\n2.jpg,1.jpg\n", "... columns 0 ('a') and 1 ('b') both name pictures; write which one as"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_refused_with_the_line_or_the_key(tmp_path, text, said):
    path = put(tmp_path, text)
    message = refused(path)
    assert message.startswith(path)
    assert re.search(pattern(said.format(root=tmp_path)), message)


def test_columns_that_a_user_names(tmp_path):
    text = "a,b,sex,kind\n1.jpg,2.jpg,f,cat\n2.jpg,3.jpg,m,dog\n3.jpg,1.jpg,f,cat\n"
    path = put(tmp_path, text)
    assert read(path, image_column="a", label_column="kind") == NAMED
    assert read(path, image_column=0, label_column=3) == NAMED
    assert read(path, image_column="b", label_column="sex") == (["2.jpg", "3.jpg", "1.jpg"], [0, 1, 0], ["f", "m"])
    assert "no column is called 'knd' (did you mean kind?), which label_column names; the columns are a, b," in refused(
        path, image_column="a", label_column="knd"
    )
    assert re.search(
        pattern("image_column is 4, but the list has 4 columns; count them from 0"), refused(path, image_column=4)
    )


def test_a_missing_picture_beside_columns_that_a_user_names(tmp_path):
    path = put(tmp_path, "a,b c,kind\n1.jpg,x y,cat\n9.jpg,x y,dog\n")
    said = f"{path}:3: {tmp_path}/9.jpg is not there; correct the line or image_root"
    assert refused(path, image_column="a", label_column="kind") == said
    assert refused(path, label_column="kind") == said


def test_a_picture_that_is_listed_twice_alike_counts_twice(tmp_path):
    assert read(put(tmp_path, "1.jpg 0\n2.jpg 1\n1.jpg 0\n"))[:2] == (["1.jpg", "2.jpg", "1.jpg"], [0, 1, 0])


def test_how_a_list_was_read_is_one_line(tmp_path, caplog):
    caplog.set_level(logging.INFO, "ppcls")
    path = put(tmp_path, "id,breed,age\na\\1,cat,3\na\\2,dog,4\na\\3,cat,3\n", "a/1.jpg", "a/2.jpg", "a/3.png")
    read(path, label_column="breed")
    assert caplog.messages == [
        says(f"{path}: ... column 'id', labels in 'breed'; not read: age; ... .jpg or .png; ... class 0 is 'cat'")
    ]
    caplog.clear()
    read(put(tmp_path, "1.jpg 0\n2.jpg 1\n", *ANIMALS))
    assert caplog.messages == []
    read(put(tmp_path, "1.jpg 1\n2.jpg 2\n"))
    assert caplog.messages == [f"{path}: labels count from 1 to 2, so class 0 is named '1'"]


texts = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda text: text == text.strip() and text.lower() != "nan" and not text.startswith("\ufeff")
)
file_names = texts.filter(lambda text: "/" not in text and "\\" not in text).map(lambda text: f"{text}.jpg")


@given(
    st.lists(st.tuples(file_names, texts), min_size=2, max_size=6, unique_by=lambda row: row[0]),
    st.sampled_from("\t,;|"),
    st.booleans(),
)
def test_what_python_writes_is_read(tmp_path_factory, rows, delimiter, with_header):
    """Every table of the csv module, names and labels of any characters; the files are there by their suffix."""
    labels = [f"x{label}" for _, label in rows]  # a name, never a number
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    if with_header:
        writer.writerow(["image", "label"])
    writer.writerows([(name, label) for (name, _), label in zip(rows, labels)])
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_bytes(text.getvalue().encode())
    there = {name for name, _ in rows}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture_places, "_is_file", lambda path: path in there)
        patch.setattr(picture_places, "_list", lambda folder: picture_places._Listing(there, {}))
        images = read_list_file(str(path), "", len(set(labels)))
    assert images.paths == [name for name, _ in rows]
    assert [images.class_names[number] for number in images.labels] == labels
