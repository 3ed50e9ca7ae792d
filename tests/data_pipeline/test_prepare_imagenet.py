import gzip
import io
import os
import random
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from helpers.messages import refusal, says
from ppcls.data.imagenet_labels import read_labels
from ppcls.data.prepare_imagenet import Prepared, prepare_imagenet
from ppcls.utils.errors import UserError

# As in the real kit the IDs are in no order of the wnids, and an inner node of the hierarchy follows the classes.
IDS = {1: "n02119789", 2: "n02100735", 3: "n01440764"}
WNIDS = ["n01440764", "n02100735", "n02119789"]
DEVKIT = "ILSVRC2012_devkit_t12"


def tar_of(members):
    """Bytes of a tar; `members` are (name, bytes) or TarInfo without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def pictures_of_class(wnid, count):
    return [(f"{wnid}_{index}.JPEG", f"{wnid} {index}".encode()) for index in range(count)]


def train_archive(folder, order=(2, 0, 1)):
    """Classes of 2, 3 and 4 pictures, in an order of their own."""
    classes = [(f"{WNIDS[k]}.tar", tar_of(pictures_of_class(WNIDS[k], k + 2))) for k in order]
    (folder / "ILSVRC2012_img_train.tar").write_bytes(tar_of(classes))


def val_archive(folder, count=4):
    members = [(f"ILSVRC2012_val_0000000{k}.JPEG", f"picture {k}".encode()) for k in range(count, 0, -1)]
    (folder / "ILSVRC2012_img_val.tar").write_bytes(tar_of(members))


def devkit(folder, truth=(1, 3, 2, 1), archived=True):
    kind = [("ILSVRC2012_ID", "f8"), ("WNID", object), ("num_children", "f8")]
    rows = [(number, wnid, 0) for number, wnid in IDS.items()] + [(4, "n00001740", 3)]
    meta = io.BytesIO()
    savemat(meta, {"synsets": np.array(rows, kind).reshape(-1, 1)})
    files = {
        "data/ILSVRC2012_validation_ground_truth.txt": "".join(f"{n}\n" for n in truth).encode(),
        "data/meta.mat": meta.getvalue(),
    }
    if archived:
        members = [(f"{DEVKIT}/{name}", content) for name, content in files.items()]
        (folder / f"{DEVKIT}.tar.gz").write_bytes(gzip.compress(tar_of(members)))
        return
    (folder / DEVKIT / "data").mkdir(parents=True)
    for name, content in files.items():
        (folder / DEVKIT / name).write_bytes(content)


TRAIN_LIST = """\
train/n01440764/n01440764_0.JPEG 0
train/n01440764/n01440764_1.JPEG 0
train/n02100735/n02100735_0.JPEG 1
train/n02100735/n02100735_1.JPEG 1
train/n02100735/n02100735_2.JPEG 1
train/n02119789/n02119789_0.JPEG 2
train/n02119789/n02119789_1.JPEG 2
train/n02119789/n02119789_2.JPEG 2
train/n02119789/n02119789_3.JPEG 2
"""
# By the devkit the pictures are of the IDs 1, 3, 2, 1, which are the labels 2, 0, 1, 2.
VAL_LIST = """\
val/ILSVRC2012_val_00000001.JPEG 2
val/ILSVRC2012_val_00000002.JPEG 0
val/ILSVRC2012_val_00000003.JPEG 1
val/ILSVRC2012_val_00000004.JPEG 2
"""
CLASS_LIST = "0 n01440764\n1 n02100735\n2 n02119789\n"


def tree(folder):
    """Every file of a folder, hidden ones too, with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in files_under(folder)}


def files_under(folder):
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]


@pytest.fixture
def src(tmp_path):
    folder = tmp_path / "src"
    folder.mkdir()
    return folder


@pytest.fixture
def dst(tmp_path):
    return tmp_path / "dst"


def lists(folder):
    return [(folder / name).read_text() for name in ("train_list.txt", "val_list.txt", "class_list.txt")]


def fails(*arguments, **keywords):
    return refusal(prepare_imagenet, *arguments, **keywords)


# The official archives


@pytest.mark.parametrize("archived", [True, False])
def test_the_official_archives(src, dst, archived):
    train_archive(src), val_archive(src), devkit(src, archived=archived)
    prepared = prepare_imagenet(str(src), str(dst))
    assert prepared == Prepared(dst, 3, 9, 4)
    assert str(prepared) == f"{dst}: 3 classes, 9 pictures to train on, 4 to evaluate on"
    assert lists(dst) == [TRAIN_LIST, VAL_LIST, CLASS_LIST]
    found = tree(dst)
    assert len(found) == 9 + 4 + 3
    assert found["train/n02100735/n02100735_2.JPEG"] == b"n02100735 2"
    assert found["val/ILSVRC2012_val_00000003.JPEG"] == b"picture 3"


def test_in_place_and_again(src):
    train_archive(src), val_archive(src), devkit(src)
    prepare_imagenet(src, src)
    before = {name: (src / name).stat().st_mtime_ns for name in tree(src) if not name.endswith("_list.txt")}
    first = lists(src)
    assert prepare_imagenet(src, src) == Prepared(src, 3, 9, 4)
    assert lists(src) == first == [TRAIN_LIST, VAL_LIST, CLASS_LIST]
    assert before == {name: (src / name).stat().st_mtime_ns for name in before}


def test_without_the_archives_what_they_gave_is_enough(src):
    train_archive(src), val_archive(src), devkit(src)
    prepare_imagenet(src, src)
    for name in ("ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", f"{DEVKIT}.tar.gz", "class_list.txt"):
        (src / name).unlink()
    assert prepare_imagenet(src, src) == Prepared(src, 3, 9, 4)
    assert lists(src) == [TRAIN_LIST, VAL_LIST, CLASS_LIST]


def test_train_alone(src, dst):
    train_archive(src)
    assert prepare_imagenet(src, dst) == Prepared(dst, 3, 9, 0)
    assert (dst / "train_list.txt").read_text() == TRAIN_LIST
    assert not (dst / "val_list.txt").exists()


def test_val_alone_takes_its_classes_from_the_devkit(src, dst):
    val_archive(src), devkit(src, truth=(1, 1, 1, 1))
    assert prepare_imagenet(src, dst) == Prepared(dst, 3, 0, 4)
    assert {line.split()[1] for line in (dst / "val_list.txt").read_text().splitlines()} == {"2"}


def test_an_interrupted_run_goes_on(src, dst, monkeypatch):
    """Stopped in the middle of every single file, it ends as an unbroken one does."""
    from ppcls.data import imagenet_archives

    train_archive(src), val_archive(src), devkit(src)
    original, done, stops = imagenet_archives.shutil.copyfileobj, [], 0

    def stopping(source, target, length):
        content = source.read()
        if content not in done:
            done.append(content)
            target.write(content[:3])
            raise KeyboardInterrupt
        target.write(content)

    monkeypatch.setattr(imagenet_archives.shutil, "copyfileobj", stopping)
    while stops < 50:
        try:
            prepare_imagenet(src, dst)
            break
        except KeyboardInterrupt:
            stops += 1
            assert not (dst / "val_list.txt").exists()
            assert all(b" " in content for name, content in tree(dst).items() if ".part" not in name)
    assert stops == 9 + 4
    monkeypatch.setattr(imagenet_archives.shutil, "copyfileobj", original)
    broken = tree(dst)
    prepare_imagenet(src, dst.with_name("unbroken"))
    assert broken == tree(dst.with_name("unbroken"))


def test_a_finished_class_is_not_extracted_again(src, dst):
    train_archive(src)
    prepare_imagenet(src, dst)
    kept = dst / "train" / "n01440764" / "n01440764_0.JPEG"
    kept.write_bytes(b"mine")
    (dst / "train" / "n02100735" / "n02100735_0.JPEG").unlink()
    prepare_imagenet(src, dst)
    assert kept.read_bytes() == b"mine"
    assert "train/n02100735/n02100735_0.JPEG" not in (dst / "train_list.txt").read_text()


def test_a_half_written_validation_picture_is_written_again(src, dst):
    val_archive(src), devkit(src)
    prepare_imagenet(src, dst)
    (dst / "val" / "ILSVRC2012_val_00000001.JPEG").write_bytes(b"pict")
    prepare_imagenet(src, dst)
    assert (dst / "val" / "ILSVRC2012_val_00000001.JPEG").read_bytes() == b"picture 1"


@pytest.mark.parametrize("archive", ["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"])
def test_an_archive_that_is_cut_anywhere_is_noticed(src, tmp_path, archive):
    train_archive(src), val_archive(src), devkit(src)
    whole = (src / archive).read_bytes()
    end = len(whole.rstrip(b"\0")) // 512 * 512 + 512
    for cut in [*range(0, end, 512), *random.Random(1).sample(range(end), 20)]:
        (src / archive).write_bytes(whole[:cut])
        said = fails(src, tmp_path / f"dst{cut}")
        assert said.startswith(f"{src / archive} is damaged or incomplete (")
        assert said.endswith("); download it again and run again")
        assert not (tmp_path / f"dst{cut}" / "val_list.txt").exists()
    (src / archive).write_bytes(whole)
    assert prepare_imagenet(src, tmp_path / "dst0") == Prepared(tmp_path / "dst0", 3, 9, 4)


def test_a_class_archive_that_was_packed_incomplete_is_noticed(src, dst):
    inner = tar_of(pictures_of_class("n01440764", 2))
    (src / "ILSVRC2012_img_train.tar").write_bytes(tar_of([("n01440764.tar", inner[:1024])]))  # one picture of two
    assert "is damaged or incomplete" in fails(src, dst)
    assert not (dst / "train" / "n01440764").exists()


def link(name, kind, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


EVIL = [
    ("../evil.JPEG", b"evil"),
    ("/tmp/evil.JPEG", b"evil"),
    ("a/../../evil.JPEG", b"evil"),
    ("sub/evil.JPEG", b"evil"),
    ("..", b"evil"),
    ("..\\evil.JPEG", b"evil"),
    link("evil.JPEG", tarfile.SYMTYPE, "/etc/passwd"),
    link("evil.JPEG", tarfile.LNKTYPE, "../../evil.JPEG"),
    link("evil.JPEG", tarfile.FIFOTYPE, ""),
    link("evil", tarfile.DIRTYPE, ""),
]


@pytest.mark.parametrize("member", EVIL)
def test_nothing_is_written_outside(src, dst, member, tmp_path):
    name = member.name if isinstance(member, tarfile.TarInfo) else member[0]
    inner = tar_of([("good.JPEG", b"good"), member])
    (src / "ILSVRC2012_img_train.tar").write_bytes(tar_of([("n01440764.tar", inner)]))
    assert fails(src, dst) == says(f"n01440764.tar: {name!r} is not a plain file; give the official archive ...")
    (src / "ILSVRC2012_img_train.tar").unlink()
    (src / "ILSVRC2012_img_val.tar").write_bytes(inner)
    (src / "val.txt").write_text("good 0\n")
    assert fails(src, dst) == says(
        f"{src / 'ILSVRC2012_img_val.tar'}: {name!r} is not a plain file; give the official archive ..."
    )
    assert {entry.name for entry in tmp_path.iterdir()} == {"src", "dst"}
    assert set(tree(dst)) <= {"train/.n01440764.part/good.JPEG", "val/good.JPEG"}


def test_a_class_archive_is_a_plain_tar_too(src, dst):
    (src / "ILSVRC2012_img_train.tar").write_bytes(tar_of([("../n01440764.tar", tar_of([]))]))
    assert "'../n01440764.tar' is not a plain file" in fails(src, dst)
    (src / "ILSVRC2012_img_train.tar").write_bytes(tar_of([("picture.JPEG", b"x")]))
    assert fails(src, dst) == says(
        f"{src / 'ILSVRC2012_img_train.tar'}: 'picture.JPEG' ... class archive; give the official "
        "ILSVRC2012_img_train.tar"
    )


def test_without_scipy_the_devkit_says_what_to_install(src, dst, monkeypatch):
    val_archive(src), devkit(src)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    assert fails(src, dst) == says(f"{src / DEVKIT}.tar.gz: data/meta.mat ... scipy; run `pip install scipy` ...")


def test_a_devkit_without_its_files(src, dst):
    val_archive(src)
    (src / f"{DEVKIT}.tar.gz").write_bytes(gzip.compress(tar_of([("readme.txt", b"")])))
    assert fails(src, dst) == says(
        f"{src / DEVKIT}.tar.gz: no data/ILSVRC2012_validation_ground_truth.txt ...; give the "
        "official ILSVRC2012_devkit_t12.tar.gz"
    )


def test_a_truncated_devkit(src, dst):
    val_archive(src), devkit(src)
    whole = (src / f"{DEVKIT}.tar.gz").read_bytes()
    (src / f"{DEVKIT}.tar.gz").write_bytes(whole[: len(whole) // 2])
    assert f"{src / DEVKIT}.tar.gz is damaged or incomplete" in fails(src, dst)


# Folders


def class_folders(folder, name, counts):
    for wnid, count in counts.items():
        (folder / name / wnid).mkdir(parents=True)
        for picture, content in pictures_of_class(wnid, count):
            (folder / name / wnid / picture).write_bytes(content)


def flat_val(folder, count=4, suffix=".JPEG"):
    (folder / "val").mkdir(parents=True)
    for k in range(count, 0, -1):
        (folder / "val" / f"ILSVRC2012_val_0000000{k}{suffix}").write_bytes(f"picture {k}".encode())


COUNTS = {"n01440764": 2, "n02100735": 3, "n02119789": 4}


def test_class_folders_are_linked(src, dst):
    class_folders(src, "train", COUNTS), class_folders(src, "val", {"n02119789": 1, "n01440764": 2})
    (src / "train" / "n01440764" / "notes.txt").write_text("no picture")
    (src / "train" / "n01440764" / "._n01440764_0.JPEG").write_text("no picture")
    (src / "train" / ".cache").mkdir()
    assert prepare_imagenet(src, dst) == Prepared(dst, 3, 9, 3)
    assert lists(dst) == [
        TRAIN_LIST,
        "val/n01440764/n01440764_0.JPEG 0\nval/n01440764/n01440764_1.JPEG 0\nval/n02119789/n02119789_0.JPEG 2\n",
        CLASS_LIST,
    ]
    assert str((dst / "train").readlink()) == "../src/train"
    assert (dst / "train" / "n02100735" / "n02100735_2.JPEG").read_bytes() == b"n02100735 2"
    assert prepare_imagenet(src, dst) == Prepared(dst, 3, 9, 3)


def test_class_folders_in_place(src):
    class_folders(src, "train", COUNTS)
    prepare_imagenet(src, src)
    assert (src / "train_list.txt").read_text() == TRAIN_LIST
    assert not (src / "train").is_symlink()


def test_class_folders_are_copied_where_asked(src, dst):
    class_folders(src, "train", COUNTS)
    assert prepare_imagenet(src, dst, copy=True) == Prepared(dst, 3, 9, 0)
    assert not (dst / "train").is_symlink()
    assert {name: content for name, content in tree(dst).items() if "_list" not in name} == tree(src)
    (dst / "train" / "n01440764" / "n01440764_0.JPEG").write_bytes(b"half")
    (dst / "train" / "n01440764" / "n01440764_1.JPEG").unlink()
    prepare_imagenet(src, dst, copy=True)
    assert {name: content for name, content in tree(dst).items() if "_list" not in name} == tree(src)


def test_what_stands_in_the_way_is_not_touched(src, dst):
    class_folders(src, "train", COUNTS), class_folders(dst, "train", {"n01440764": 1})
    before = tree(dst)
    assert fails(src, dst) == says(
        f"{dst / 'train'} is there already ... not {src / 'train'}; remove it, or give another DST"
    )
    assert tree(dst) == before


def test_a_link_is_not_copied_into(src, dst):
    class_folders(src, "train", COUNTS)
    prepare_imagenet(src, dst)
    assert "is there already" in fails(src, dst, copy=True)


def test_a_file_system_without_links(src, dst, monkeypatch):
    def refuse(self, target, target_is_directory=False):
        raise OSError(1, "Operation not permitted")

    class_folders(src, "train", COUNTS)
    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    assert fails(src, dst) == says(f"{dst / 'train'}: ... (Operation not permitted); copy with --copy")


def test_a_class_that_train_does_not_have(src, dst):
    class_folders(src, "train", {"n01440764": 1}), class_folders(src, "val", {"n02119789": 1})
    assert fails(src, dst) == says(
        "val/n02119789/n02119789_0.JPEG: ... n02119789 ... one of the 1 known; give them all (train)"
    )


def test_val_folders_alone_count_an_empty_class(src, dst):
    class_folders(src, "val", {"n02100735": 0, "n01440764": 1, "n02119789": 1})
    assert prepare_imagenet(src, dst) == Prepared(dst, 3, 0, 2)
    assert (dst / "val_list.txt").read_text() == "val/n01440764/n01440764_0.JPEG 0\nval/n02119789/n02119789_0.JPEG 2\n"


def test_a_val_of_both_kinds(src, dst):
    class_folders(src, "val", COUNTS)
    (src / "val" / "stray.JPEG").write_bytes(b"")
    assert fails(src, dst) == says(f"{src / 'val'} holds pictures and folders; sort all into class folders ...")


@pytest.mark.parametrize("case", ["flat val", "val archive", "class", "label", "scipy", "in the way"])
def test_what_is_refused_leaves_nothing_behind(src, dst, monkeypatch, case):
    """Neither links and unpacked pictures, nor a list of one part without the other."""
    class_folders(src, "train", COUNTS)
    if case == "flat val":
        flat_val(src)
    elif case == "val archive":
        val_archive(src)
    elif case == "class":
        class_folders(src, "val", {"n99999999": 1})
    elif case == "label":
        flat_val(src)
        (src / "val.txt").write_text("".join(f"ILSVRC2012_val_0000000{k} 3\n" for k in range(1, 5)))
    elif case == "scipy":
        val_archive(src), devkit(src)
        monkeypatch.setitem(sys.modules, "scipy.io", None)
    else:
        class_folders(src, "val", COUNTS)
        (dst / "val").mkdir(parents=True)
    fails(src, dst)
    left = sorted(path.name for path in dst.parent.rglob("*") if dst in (path, *path.parents))
    assert left == (["dst", "val"] if case == "in the way" else [])


def test_a_list_of_the_users_is_kept(src, dst):
    class_folders(src, "train", COUNTS)
    dst.mkdir()
    (dst / "train_list.txt").write_text("my/own.png 0\n")
    for _ in range(2):
        prepare_imagenet(src, dst)
        assert (dst / "train_list.txt").read_text() == TRAIN_LIST
        assert (dst / "train_list.1.txt").read_text() == "my/own.png 0\n"
    assert not (dst / "train_list.2.txt").exists()


def test_nothing_there(src, dst):
    assert fails(src / "absent", dst) == says(
        f"{src / 'absent'}: no such folder; give the one ... archives, or train and val"
    )
    assert fails(src, dst) == says(
        f"{src}: neither ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar, nor ... train or val ...; give their folder"
    )


@pytest.mark.parametrize("parent", ["ILSVRC/Data/CLS-LOC", "Data/CLS-LOC"])
def test_kaggles_copy(src, dst, parent):
    place = src / parent
    class_folders(place, "train", COUNTS), flat_val(place)
    (src / "LOC_val_solution.csv").write_text(
        "ImageId,PredictionString\nILSVRC2012_val_00000004,n02119789 85 1 499 272\n"
        "ILSVRC2012_val_00000002,n01440764 131 0 499 254 n01440764 1 2 3 4 \n"
        "ILSVRC2012_val_00000003,n02100735 1 2 3 4\nILSVRC2012_val_00000001,n02119789 1 2 3 4\n"
    )
    assert prepare_imagenet(src, dst) == Prepared(dst, 3, 9, 4)
    assert lists(dst) == [TRAIN_LIST, VAL_LIST, CLASS_LIST]


def test_kaggles_val_alone_takes_its_classes_from_the_mapping(src, dst):
    flat_val(src, count=1)
    (src / "LOC_synset_mapping.txt").write_text(
        "n02119789 kit fox, Vulpes macrotis\nn01440764 tench\nn02100735 setter\n"
    )
    (src / "LOC_val_solution.csv").write_text("ImageId,PredictionString\nILSVRC2012_val_00000001,n02100735 1 2 3 4\n")
    assert prepare_imagenet(src, dst) == Prepared(dst, 3, 0, 1)
    assert (dst / "val_list.txt").read_text() == "val/ILSVRC2012_val_00000001.JPEG 1\n"


# A flat val with a label file

LABEL_FILES = [
    "ILSVRC2012_val_00000001.JPEG 2\nILSVRC2012_val_00000002.JPEG 0\n"
    "ILSVRC2012_val_00000003.JPEG 1\nILSVRC2012_val_00000004.JPEG 2\n",
    "val/ILSVRC2012_val_00000004.JPEG\tn02119789\r\nILSVRC2012_val_00000002.JPEG  n01440764\r\n"
    "ILSVRC2012_val_00000003.JPEG n02100735\r\nILSVRC2012_val_00000001.JPEG n02119789\r\n",
    "ILSVRC2012_val_00000009.JPEG 0\nILSVRC2012_val_00000001 2\nILSVRC2012_val_00000002 0\n"
    "ILSVRC2012_val_00000003 1\nILSVRC2012_val_00000004 2\n",
    "2\n0\n1\n2\n",
]


@pytest.mark.parametrize("text", LABEL_FILES)
def test_label_files(src, dst, text, tmp_path):
    class_folders(src, "train", COUNTS), flat_val(src)
    labels = tmp_path / "labels.txt"
    labels.write_bytes(text.encode())
    assert prepare_imagenet(src, dst, labels=labels) == Prepared(dst, 3, 9, 4)
    assert lists(dst) == [TRAIN_LIST, VAL_LIST, CLASS_LIST]


@pytest.mark.parametrize("name", ["val.txt", "ILSVRC2012_validation_ground_truth.txt", "val_list.txt"])
def test_the_usual_names_are_found(src, dst, name):
    flat_val(src)
    (src / name).write_text("2\n0\n1\n2\n")
    prepared = prepare_imagenet(src, dst)
    assert prepared == Prepared(dst, None, 0, 4)
    assert str(prepared) == says(f"{dst}: classes not named, 0 pictures ..., 4 to evaluate on")
    assert (dst / "val_list.txt").read_text() == VAL_LIST
    assert not (dst / "class_list.txt").exists()


def test_numbers_from_one_are_ids_and_need_the_devkit(src, dst, tmp_path):
    class_folders(src, "train", COUNTS), flat_val(src)
    labels = tmp_path / "truth.txt"
    labels.write_text("1\n3\n2\n1\n")
    assert fails(src, dst, labels=labels) == says(
        f"{labels}: ... ILSVRC2012_IDs ...; put ILSVRC2012_devkit_t12.tar.gz beside the pictures, or ... count from 0"
    )
    devkit(src, truth=(9,))
    prepare_imagenet(src, dst, labels=labels)
    assert (dst / "val_list.txt").read_text() == VAL_LIST
    labels.write_text("1\n4\n2\n1\n")  # 4 is an inner node
    assert fails(src, dst, labels=labels) == says(
        f"{labels}: 4 is not the ILSVRC2012_ID ... {src / DEVKIT}.tar.gz; give labels from 0"
    )


BAD_LABELS = [
    ("", "LABELS is empty; give the labels of the 4 pictures"),
    ("0\n1\n2\n", "LABELS: 3 numbers for 4 pictures; give a number for each ..."),
    ("0\n1\n2\nx\n", "LABELS:4: 'x' is not a number; write ... `name label`, per line"),
    ("0\n1\n3\n0\n", "val/ILSVRC2012_val_00000003.JPEG: label 3, ... 3 classes, counted from 0"),
    (
        "ILSVRC2012_val_00000001.JPEG 0\nILSVRC2012_val_00000002.JPEG\n",
        "LABELS:2: 'ILSVRC2012_val_00000002.JPEG' is not `name label`; write ...",
    ),
    (
        "ILSVRC2012_val_00000001.JPEG 0\nval/ILSVRC2012_val_00000001.JPEG 1\n",
        "LABELS:2: ILSVRC2012_val_00000001.JPEG has a label already; remove one ...",
    ),
    (
        "ILSVRC2012_val_00000002.JPEG 0\nILSVRC2012_val_00000004.JPEG 1\n",
        "LABELS: no label for ILSVRC2012_val_00000001.JPEG (2 of 4 ...)",
    ),
    (
        "".join(f"ILSVRC2012_val_0000000{k} n00000001\n" for k in (1, 2, 3, 4)),
        "val/ILSVRC2012_val_00000001.JPEG: ... n00000001 ... one of the 3 known; give them all (train)",
    ),
    (
        "".join(f"ILSVRC2012_val_0000000{k} -1\n" for k in (1, 2, 3, 4)),
        "val/ILSVRC2012_val_00000001.JPEG: ... class -1 ... one of the 3 known; give them all (train)",
    ),
    (
        "ImageId,PredictionString\nILSVRC2012_val_00000001,\n",
        "LABELS: no PredictionString for 'ILSVRC2012_val_00000001'; ...",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD_LABELS)
def test_bad_label_files(src, dst, tmp_path, text, message):
    class_folders(src, "train", COUNTS), flat_val(src)
    labels = tmp_path / "labels.csv"
    labels.write_text(text)
    assert fails(src, dst, labels=labels).replace(str(labels), "LABELS") == says(message)
    assert not (dst / "val_list.txt").exists()


def test_a_flat_val_without_labels(src, dst, tmp_path):
    flat_val(src)
    message = "no labels ...; put ILSVRC2012_devkit_t12.tar.gz or LOC_val_solution.csv there, or ..."
    assert fails(src, dst) == says(f"{src}: {message} a label file with --labels")
    absent = tmp_path / "absent.txt"
    assert fails(src, dst, labels=absent) == says(f"{absent}: {message} a label file with --labels")


NAME = st.text(st.characters(categories=["L", "N"], include_characters=" ._-"), min_size=1, max_size=9).map(
    lambda text: f"x{text.strip()}y.png"
)


@given(st.dictionaries(NAME, st.integers(0, 9), min_size=1, max_size=5), st.randoms())
def test_name_label_lines_give_every_picture_its_label(tmp_path_factory, labels, order):
    file = tmp_path_factory.mktemp("labels") / "labels.txt"
    lines = [f"{name} {label}\n" for name, label in labels.items()]
    order.shuffle(lines)
    file.write_text("".join(lines), encoding="utf-8")
    assert read_labels(file, sorted(labels), None) == [labels[name] for name in sorted(labels)]


@given(st.binary(max_size=60))
def test_any_bytes_are_labels_or_the_users_mistake(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("labels") / "labels.txt"
    file.write_bytes(content)
    try:
        assert len(read_labels(file, ["a.png", "b.png"], None)) == 2
    except UserError as error:
        assert str(error).startswith(str(file))
