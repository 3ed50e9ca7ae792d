from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import refusal, says
from ppcls.data import picture_places
from ppcls.data.datasets import DATASETS, ImageFolder, ImageNetDataset, check_same_classes
from ppcls.data.image_list import read_list_file
from ppcls.data.labels import Classes
from ppcls.data.transforms import CropImage, DecodeImage
from ppcls.utils.errors import UserError
from ppcls.utils.fields import Operation, ReadPath


def write(tmp_path: Path, content: str | bytes, files: tuple[str, ...] = ("a.jpg", "b.jpg")) -> str:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    path = tmp_path / "list.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def message(path: str, root: Path, class_num: int = 10, delimiter: str | None = None) -> str:
    return refusal(read_list_file, path, str(root), class_num, delimiter)


def test_paths_and_labels(tmp_path: Path) -> None:
    images = read_list_file(write(tmp_path, "a.jpg 3\nb.jpg 0\n"), str(tmp_path), 4)
    assert images.paths == [f"{tmp_path}/a.jpg", f"{tmp_path}/b.jpg"]
    assert images.labels.dtype == np.int64 and images.labels.tolist() == [3, 0]
    assert len(images) == 2 and images.class_names is None and images.class_to_index is None


def test_blanks_beside_another_delimiter(tmp_path: Path) -> None:
    images = read_list_file(write(tmp_path, "a.jpg , 3\nb.jpg,\t0\n"), str(tmp_path), 4, ",")
    assert [Path(path).name for path in images.paths] == ["a.jpg", "b.jpg"] and images.labels.tolist() == [3, 0]


@pytest.mark.parametrize(
    "content",
    [
        b"a.jpg 3\r\nb.jpg 0\r\n",
        b"\xef\xbb\xbfa.jpg 3\nb.jpg 0",
        b"a.jpg 3 \n\n  \nb.jpg   0\t\n\n",
    ],
)
def test_line_ends_marks_and_spare_blanks(tmp_path: Path, content: bytes) -> None:
    images = read_list_file(write(tmp_path, content), str(tmp_path), 4)
    assert [Path(path).name for path in images.paths] == ["a.jpg", "b.jpg"] and images.labels.tolist() == [3, 0]


def test_the_label_is_the_last_field(tmp_path: Path) -> None:
    files = ("my cat 1.jpg", "n0 1/b c.jpg", "tab\tin name.jpg")
    images = read_list_file(write(tmp_path, "\n".join(f"{name} 2" for name in files), files), str(tmp_path), 3)
    assert images.paths == [f"{tmp_path}/{name}" for name in files]


@pytest.mark.parametrize("delimiter", ["\t", ",", ", "])
def test_other_delimiters(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path, f"a.jpg{delimiter}3\n")
    assert read_list_file(path, str(tmp_path), 4, delimiter).labels.tolist() == [3]
    assert message(path, tmp_path, 3, delimiter).startswith(f"{path}:1: the label 3 is outside 0 to 2;")


def test_an_absolute_path_stands_for_itself(tmp_path: Path) -> None:
    images = read_list_file(write(tmp_path, f"{tmp_path}/a.jpg 1"), "/nowhere", 2)
    assert images.paths == [f"{tmp_path}/a.jpg"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("b.jpg", "'b.jpg' has no label; write the path, ' ' and the label"),
        (" 3", "' 3' has no label; write the path, ' ' and the label"),
        ("b.jpg cat", "the label 'cat' is not a whole number, ...; write a number"),
        ("b.jpg 1.5", "the label '1.5' is not a whole number, ...; write a number"),
        ("b.jpg \uff11", "the label '\uff11' is not a whole number, ...; write a number"),
        ("b.jpg 1_0", "the label '1_0' is not a whole number, ...; write a number"),
        ("b.jpg 11", "the label 11 is outside 0 to 9; ... Arch.class_num (10)"),
        ("b.jpg -1", "the label -1 is outside 0 to 9; ... Arch.class_num (10)"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = write(tmp_path, f"a.jpg 1\n\n{line}\na.jpg 1\n")
    assert message(path, tmp_path) == says(f"{path}:3: {problem}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jpg 1\n\nc.jpg 2\n")
    assert message(path, tmp_path) == f"{path}:3: {tmp_path}/c.jpg is not there; correct the line or image_root"


def test_five_wrong_lines_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f"a.jpg {label}\n" for label in range(17)))
    lines = message(path, tmp_path).splitlines()
    assert [line.split(" ")[0] for line in lines[:5]] == [f"{path}:{number}:" for number in range(11, 16)]
    assert lines[5:] == ["... and 2 lines more"]


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
def test_an_empty_list_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    assert message(path, tmp_path) == says(f"{path} lists no picture; ... `relative/path label` line ...")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a.jpg 1\nb\u00e4.jpg 2\n".encode("latin-1"), 2),
        ("a.jpg 1\n".encode("utf-16"), 1),
        ("a.jpg 1\n".encode("utf-16-le"), 1),
        ("a.jpg 1\r\n\u732b.jpg 1\r\n".encode("shift-jis"), 2),
    ],
)
def test_another_encoding_is_named_by_its_line(tmp_path: Path, content: bytes, line: int) -> None:
    path = write(tmp_path, content)
    assert message(path, tmp_path) == f"{path}:{line}: the line is not UTF-8; save the file as UTF-8"


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    path = str(tmp_path / "none.txt")
    assert message(path, tmp_path) == f"{path}: No such file or directory; give a file that can be read"


def test_of_long_lists_a_sample_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_for = []
    monkeypatch.setattr(picture_places, "_is_file", lambda path: looked_for.append(path.rpartition("/")[2]) or True)
    path = write(tmp_path, "".join(f"{i}.jpg 0\n" for i in range(1001)))
    read_list_file(path, str(tmp_path), 1)
    numbers = sorted({int(name.split(".")[0]) for name in looked_for if name.endswith(".jpg")})
    assert len(looked_for) < 400 and (numbers[0], numbers[-1]) == (0, 1000)
    assert max(np.diff(numbers)) <= 16
    looked_for.clear()
    read_list_file(write(tmp_path, "".join(f"{i}.jpg 0\n" for i in range(1000))), str(tmp_path), 1)
    assert len({name for name in looked_for if name.endswith(".jpg")}) == 1000


class Everything:
    """A set that holds whatever is asked for."""

    def __contains__(self, item: object) -> bool:
        return True


EVERYTHING = Everything()
# What a file's name may hold: neither a slash (here), nor NUL, nor a line's end; a blank at its end is not found again.
names = st.text(st.characters(exclude_characters="/\0\n\r", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name == name.rstrip() and name.strip() not in ("", ".", "..") and not name.startswith("\ufeff")
)


rows_of_a_list = st.lists(st.tuples(names, st.integers(0, 999)), min_size=1, max_size=5, unique_by=lambda row: row[0])


@given(rows_of_a_list, st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list, end: str) -> None:
    path = tmp_path_factory.getbasetemp() / "written.txt"
    path.write_bytes("".join(f"{name} {label}{end}" for name, label in rows).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture_places, "_is_file", lambda path: True)
        patch.setattr(picture_places, "_list", lambda folder: picture_places._Listing(EVERYTHING, {}))
        images = read_list_file(str(path), "pictures", 1000)
    assert images.paths == [f"pictures/{name}" for name, _ in rows]
    assert images.labels.tolist() == [label for _, label in rows]


def test_datasets_open_what_their_keys_name(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jpg,3\n", ("a.jpg", "cat/1.jpg"))
    listed = ImageNetDataset(str(tmp_path), path, (DecodeImage(),), delimiter=",")
    assert listed.open(4).labels.tolist() == [3]
    with pytest.raises(UserError, match="outside 0 to 2"):
        listed.open(3)
    assert ImageFolder(str(tmp_path), [DecodeImage()]).open(1).class_names == ["cat"]
    names = tmp_path / "names.txt"
    names.write_text("dog\ncat\n")
    assert ImageFolder(str(tmp_path), [DecodeImage()], class_to_index=str(names)).open(2).labels.tolist() == [1]


def test_keys_of_datasets_are_checked() -> None:
    dataset = ImageFolder("root", [DecodeImage()], on_error="skip")
    assert dataset.transform_ops == (DecodeImage(),) and dataset.batch_transform_ops == ()
    with pytest.raises(ValueError, match="on_error is 'ignore'; write 'raise' or 'skip' or null"):
        ImageFolder("root", (DecodeImage(),), on_error="ignore")
    with pytest.raises(ValueError, match="transforms start with DecodeImage"):
        ImageNetDataset("root", "list", (CropImage(2),))
    with pytest.raises(ValueError, match="delimiter is empty"):
        ImageNetDataset("root", "list", (DecodeImage(),), delimiter="")


def test_annotations_tell_the_configuration_what_to_read() -> None:
    from typing import get_type_hints

    hints = get_type_hints(ImageNetDataset, include_extras=True)
    assert hints["image_root"].__metadata__ == (ReadPath("dir", names=("",)),)
    assert hints["cls_label_path"].__metadata__ == (ReadPath("file"),)
    assert hints["transform_ops"].__args__[0].__metadata__ == (Operation("transform"),)
    assert hints["batch_transform_ops"].__args__[0].__metadata__ == (Operation("batch transform"),)
    assert sorted(DATASETS) == ["ImageFolder", "ImageNetDataset", "WebDatasetDataset"]


def test_other_classes_than_the_learned_ones_are_refused(tmp_path):
    same = ["a", "b", "c"]
    learned = Classes([*same, "d", "e"], "the training (there)")
    check_same_classes("names.txt", None, learned, "stop")
    check_same_classes("names.txt", same, None, "stop")
    check_same_classes("names.txt", learned.names, learned, "stop")
    for shown, said in [
        ([*same, "e", "d"], "class 3 is e here and d there"),
        ([*same, "d"], "class 4 is missing here and e there"),
        ([*same, "d", "e", "f"], "class 5 is f here and missing there"),
    ]:
        assert refusal(check_same_classes, "names.txt", shown, learned, "stop") == says(
            f"names.txt: ... training (there): {said}; stop"
        )


def test_names_of_a_dataset_are_compared_with_the_learned_ones(tmp_path):
    path = write(tmp_path, "a.jpg 0\n", ("a.jpg", "cat/1.jpg", "dog/1.jpg"))
    (tmp_path / "names.txt").write_text("dog\ncat\n")
    learned, names = Classes(["cat", "dog"], "the training (there)"), str(tmp_path / "names.txt")
    for dataset in (
        ImageNetDataset(str(tmp_path), path, (DecodeImage(),), class_names=names),
        ImageFolder(str(tmp_path), (DecodeImage(),), class_to_index=names),
    ):
        with pytest.raises(UserError, match="class 0 is dog here and cat there; "):
            dataset.open(2, learned)
        assert dataset.open(2).class_names == ["dog", "cat"]
    assert ImageFolder(str(tmp_path), (DecodeImage(),)).open(2, learned).labels.tolist() == [0, 1]
