from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shard_data import PLAIN, loader, shard_list

from helpers.messages import refusal, says
from helpers.new_process import new_python
from helpers.pictures import encoded, noise, save_picture, solid
from ppcls.cli import main
from ppcls.data.shards import pack as packing
from ppcls.data.shards import write
from ppcls.data.shards.archive import samples_of
from ppcls.data.shards.pack import PackOptions, pack
from ppcls.data.transforms import DecodeImage, Pipeline, UnreadableImage
from ppcls.utils.errors import UserError

THREE = PackOptions(shard_count=3)


@pytest.fixture
def source(tmp_path):
    """Eight pictures of their number in two class folders."""
    for number in range(8):
        save_picture(tmp_path / "source" / "ab"[number // 4] / f"{number}.PNG", solid(number, 4, 3))
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "train"


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def fails(*arguments, **keys):
    return refusal(pack, *arguments, **keys)


def members(path):
    with tarfile.open(path) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]


def test_class_folders_become_shards(source, target):
    packed = pack(source, target, options=THREE)
    names = [f"train-{number:06d}.tar" for number in range(3)]
    assert sorted(files(target)) == ["manifest.json", *names]
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["class_names"] == ["a", "b"]
    assert (manifest["pictures"], manifest["largest_label"], manifest["pictures_per_shard"]) == (8, 1, 3)
    for shard, name, count in zip(manifest["shards"], names, (3, 3, 2)):
        content = (target / name).read_bytes()
        assert shard == {
            "name": name, "pictures": count, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
            "unreadable": {},
        }  # fmt: skip
    found = [member for name in names for member in members(target / name)]
    for (picture, data), (label, text) in zip(found[::2], found[1::2]):
        folder, number = re.fullmatch(r"(a|b)/(\d)\.png", picture).groups()
        assert label == f"{folder}/{number}.cls" and text == str("ab".index(folder)).encode()
        assert data == (source / folder / f"{number}.PNG").read_bytes()
    order = [name for name, _ in found[::2]]
    assert len(set(order)) == 8 and order != sorted(order)  # classes are mixed
    size = sum(shard["bytes"] for shard in manifest["shards"]) / 2**20
    assert str(packed) == f"{target}/manifest.json: 3 shards, 8 pictures, {size:.1f} MiB"


def test_what_is_packed_is_what_is_read(source, target):
    pack(source, target, options=THREE)
    images = shard_list(target / "manifest.json", class_num=2)
    assert images.class_names == ["a", "b"]
    batches = list(loader(images, transforms=PLAIN).epoch(0))
    found = {
        int(value): int(label)
        for batch in batches
        for value, label in zip(batch.image.numpy()[:, 0, 0, 0], batch.label.numpy())
    }
    assert found == {number: number // 4 for number in range(8)}
    with pytest.raises(
        UserError, match=r"manifest.json has 2 classes, but Arch.class_num is 3; write Arch.class_num: 2"
    ):
        shard_list(target / "manifest.json", class_num=3)


@pytest.mark.parametrize(
    ("folder", "prefix"),
    [("my photos (new)", "my_photos_new_"), (".hidden", "hidden"), ("\u7167\u7247", "shard"), ("-x'y", "x_y")],
)
def test_names_of_shards_are_plain_whatever_the_folder_is_called(source, tmp_path, folder, prefix):
    pack(source, tmp_path / folder, options=PackOptions(shard_count=9))
    assert (tmp_path / folder / f"{prefix}-000000.tar").is_file()
    assert len(shard_list(tmp_path / folder / "manifest.json", class_num=2)) == 8


def test_a_list_says_what_and_in_which_order(source, target, tmp_path):
    (tmp_path / "list.txt").write_text("b/7.PNG 3\na/0.PNG 5\nb/7.PNG 3\n")
    pack(source, target, tmp_path / "list.txt", PackOptions(shard_count=9, keep_order=True))
    found = [(Path(sample.path).name, sample.label) for sample in samples_of(f"{target}/train-000000.tar")]
    assert found == [("7", 3), ("0", 5), ("7-2", 3)]
    manifest = json.loads((target / "manifest.json").read_text())
    assert (manifest["class_names"], manifest["largest_label"]) == (None, 5)


def test_bytes_depend_on_pictures_and_options_alone(source, target, tmp_path):
    pack(source, target, options=THREE)
    for path in source.rglob("*.PNG"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    pack(source, tmp_path / "again" / "train", options=THREE, workers=3)
    assert files(tmp_path / "again" / "train") == files(target)
    with tarfile.open(target / "train-000000.tar") as archive:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in archive} == {(0, 0, 0, "", "", 0o644)}


def test_a_size_is_met_by_the_mean_picture(source, target):
    for number, path in enumerate(sorted(source.rglob("*.PNG"))):
        path.write_bytes(encoded(noise(300, 300, number)))  # 264 KiB each
    packed = pack(source, target, options=PackOptions(shard_size=1))
    assert (packed.shards, packed.pictures) == (3, 8)
    assert sorted(path.stat().st_size // 2**19 for path in target.glob("*.tar")) == [1, 1, 1]


def test_long_sides_are_reduced_and_short_ones_kept(source, target):
    pixels = cv2.resize(noise(9, 6), (90, 60), interpolation=cv2.INTER_CUBIC)
    (source / "a" / "0.PNG").write_bytes(encoded(pixels))
    pack(source, target, options=PackOptions(resize_short=30, quality=80, shard_count=8, keep_order=True))
    found = dict(members(target / "train-000000.tar"))
    assert found["a/1.png"] == (source / "a" / "1.PNG").read_bytes()
    reduced = cv2.resize(pixels[..., ::-1], (45, 30), interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, 80, cv2.IMWRITE_JPEG_RST_INTERVAL, 1]
    assert found["a/0.jpg"] == cv2.imencode(".jpg", reduced, options)[1].tobytes()
    shown = DecodeImage()(found["a/0.jpg"])
    assert shown.shape == (30, 45, 3)
    assert np.abs(shown[..., ::-1].astype(int) - reduced).mean() < 12


def test_what_is_not_reduced_may_be_encoded_too(source, target):
    pixels = noise(21, 20)
    (source / "a" / "0.PNG").write_bytes(encoded(pixels))
    pack(source, target, options=PackOptions(quality=90, shard_count=8, keep_order=True, reencode=True))
    found = dict(members(target / "train-000000.tar"))
    assert {name.rpartition(".")[2] for name in found} == {"jpg", "cls"}
    options = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_RST_INTERVAL, 1]
    assert found["a/0.jpg"] == cv2.imencode(".jpg", pixels[..., ::-1], options)[1].tobytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_unreadable_pictures_are_named_and_left_out(source, target, workers):
    (source / "a" / "2.PNG").write_bytes(b"no picture")
    (source / "b" / "5.PNG").write_bytes(b"")
    said = {f"{source}/a/2.PNG": "no known picture format", f"{source}/b/5.PNG": "the file is empty"}
    for _ in range(2):  # kept shards are named for again
        packed = pack(source, target, options=THREE, workers=workers)
        assert (packed.pictures, packed.unreadable) == (6, said)
    assert sum(1 for name in target.glob("*.tar") for _ in samples_of(str(name))) == 6
    for folder in (target, target.with_name("other")):
        with pytest.raises(UnreadableImage) as caught:
            pack(source, folder, options=THREE, workers=workers, on_error="raise")
        assert re.fullmatch(
            r"cannot read the picture .*\.PNG: (no known picture format|the file is empty); replace the file, or pack "
            "with --on-error skip",
            str(caught.value),
        )


def test_a_second_run_writes_what_is_missing_or_damaged(source, target, monkeypatch):
    pack(source, target, options=THREE)
    whole = files(target)
    written = []
    original = packing.write_shard
    monkeypatch.setattr(packing, "write_shard", lambda path, *rest: written.append(path.name) or original(path, *rest))
    pack(source, target, options=THREE)
    assert written == []
    (target / "train-000000.tar").unlink()
    damaged = bytearray(whole["train-000002.tar"])
    damaged[700] ^= 1
    (target / "train-000002.tar").write_bytes(damaged)
    pack(source, target, options=THREE)
    assert written == ["train-000000.tar", "train-000002.tar"]
    assert files(target) == whole


def test_a_run_that_fails_goes_on_where_it_stood(source, target, monkeypatch):
    pack(source, target.with_name("whole") / "train", options=THREE)
    original, written = packing.write_shard, []

    def until_the_disk_is_full(path, *rest):
        if len(written) == 1:
            raise OSError(28, "No space left on device", str(path))
        written.append(path.name)
        return original(path, *rest)

    monkeypatch.setattr(packing, "write_shard", until_the_disk_is_full)
    with pytest.raises(OSError, match="No space left"):
        pack(source, target, options=THREE)
    assert sorted(files(target)) == [".manifest.json", "train-000000.tar"]
    monkeypatch.setattr(packing, "write_shard", lambda path, *rest: written.append(path.name) or original(path, *rest))
    pack(source, target, options=THREE)
    assert written == ["train-000000.tar", "train-000001.tar", "train-000002.tar"]
    assert files(target) == files(target.with_name("whole") / "train")


def test_what_is_half_written_is_not_left(source, target, monkeypatch):
    def fail(self, path):
        raise MemoryError

    monkeypatch.setattr(write.Encoding, "encode", fail)
    with pytest.raises(MemoryError):
        pack(source, target, options=THREE, workers=2)
    assert not target.exists()
    target.mkdir()
    (target / ".mine.part").touch()
    with pytest.raises(MemoryError):
        pack(source, target, options=THREE, workers=2)
    assert sorted(files(target)) == [".mine.part"]


KILLED = """
import os, signal, sys
from ppcls.cli import main
from ppcls.data.shards import write
adding, count = write._add, [0]
def add(*arguments):
    count[0] += 1
    if count[0] == 9:  # within the second shard
        os.kill(os.getpid(), signal.SIGKILL)
    adding(*arguments)
write._add = add
main(sys.argv[1:])
"""


def test_a_killed_run_goes_on(source, target, capsys):
    command = ["pack", str(source), str(target), "--shard-count", "3", "--workers", "1"]
    ran = new_python("-c", KILLED, *command)
    assert ran.code == -signal.SIGKILL, ran.err
    assert {".manifest.json", ".train-000001.tar.part", "train-000000.tar"} <= files(target).keys()
    (target / ".manifest.json.old").touch()  # a user's
    (target / ".download.part").touch()
    (target / "..manifest.json.1").touch()  # as a run leaves it that is killed while it notes a shard
    assert main(command) == 0
    pack(source, target.with_name("whole") / "train", options=THREE)
    packed = files(target)
    assert {packed.pop(".manifest.json.old"), packed.pop(".download.part")} == {b""}
    assert packed == files(target.with_name("whole") / "train")
    assert capsys.readouterr().out.startswith(f"{target}/manifest.json: 3 shards, 8 pictures, ")


def test_changed_options_are_refused_with_both_values(source, target, tmp_path):
    pack(source, target, options=PackOptions(shard_count=3, resize_short=256))
    other = "give the same, or another DST"
    for options, text in (
        (THREE, f"--resize-short 256, but now it is not given; {other}"),
        (PackOptions(shard_count=3, resize_short=224), f"--resize-short 256, but now it is 224; {other}"),
        (PackOptions(shard_count=4, resize_short=256), f"--shard-count 3, but now it is 4; {other}"),
        (
            PackOptions(shard_count=3, resize_short=256, quality=90),
            f"--quality not given, but now it is 90; {other}",
        ),
        (
            PackOptions(shard_count=3, resize_short=256, keep_order=True),
            f"--keep-order not given, but now it is given; {other}",
        ),
        (
            PackOptions(shard_count=3, resize_short=256, reencode=True),
            f"--reencode not given, but now it is given; {other}",
        ),
    ):
        assert fails(source, target, options=options) == f"{target} was begun with {text}"
    (source / "a" / "9.png").write_bytes(encoded(noise(3, 3)))
    assert fails(source, target, options=PackOptions(shard_count=3, resize_short=256)) == says(
        f"{target} was begun with other pictures or labels; ..."
    )


def test_a_packing_that_an_older_version_began_goes_on(source, target):
    packed = pack(source, target, options=THREE)
    manifest = json.loads(packed.manifest.read_text())
    del manifest["options"]["reencode"]
    packed.manifest.write_text(json.dumps(manifest))
    assert pack(source, target, options=THREE) == packed


def test_a_folder_of_other_shards_is_left_alone(source, target):
    target.mkdir()
    (target / "train-000000.tar").write_bytes(b"precious")
    assert fails(source, target) == says(f"{target}/train-000000.tar is there already, ...; give another DST")
    assert files(target) == {"train-000000.tar": b"precious"}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["--quality", "90"],
            "--quality is 90; give 1 to 100, and --resize-short or --reencode, ...",
        ),
        (
            ["--resize-short", "256", "--quality", "101"],
            "--quality is 101; give 1 to 100, and --resize-short or --reencode, ...",
        ),
        (["--resize-short", "0"], "--resize-short is 0; give a number of at least 1"),
        (["--shard-count", "-1"], "--shard-count is -1; give a number of at least 1"),
        (["--workers", "0"], "--workers is 0; give a number of at least 1"),
        (["--list", "absent.txt"], "absent.txt: No such file or directory; give a file that ..."),
    ],
)
def test_mistakes_on_the_command_line(source, target, capsys, words, text):
    assert main(["pack", str(source), str(target), *words]) == 2
    assert capsys.readouterr().err == says(f"{text} ...\n")
    assert not target.exists()


def test_exit_code_of_unreadable_pictures(source, target, capsys):
    (source / "a" / "2.PNG").write_bytes(b"no picture")
    assert main(["pack", str(source), str(target)]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"{target}/manifest.json: 1 shards, 7 pictures, ")
    assert said.err == (f"{source}/a/2.PNG: no known picture format\n1 pictures could not be read and were left out\n")
    assert main(["pack", str(source), str(target), "--on-error", "raise"]) == 2
    assert capsys.readouterr().err.startswith(f"cannot read the picture {source}/a/2.PNG: no known picture format; ")
    assert main(["pack", str(source / "absent"), str(target)]) == 2


PATH = st.lists(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=6).filter(
        lambda part: part not in (".", "..")
    ),
    min_size=1,
    max_size=3,
).map("/".join)


@given(st.lists(PATH, max_size=8))
def test_keys_are_unique_and_mean_the_same_to_webdataset(paths):
    from webdataset.tariterators import base_plus_ext

    keys = write.keys_of([f"root/{path}.jpg" for path in paths], Path("root"))
    assert len(set(keys)) == len(paths)
    for key in keys:
        if "\n" not in key:
            assert base_plus_ext(f"{key}.jpg") == (key, "jpg")
        assert not re.match(r"__[^/]*__($|/)", key)


def test_keys():
    paths = ["r/a/x.y.jpg", "r/a/x_y.jpg", "r/__a__/b.jpg", "q/c.jpg", "r/d", "r/a/x_y.png"]
    assert write.keys_of(paths, Path("r")) == ["a/x_y", "a/x_y-2", "_a__/b", "q/c", "d", "a/x_y-3"]


def test_every_kind_of_name_survives(source, target):
    names = ["ä ö", "x" * 120, "tab\tbed", "a.b.c", "__meta__"]
    for number, name in enumerate(names):
        (source / "a" / f"{name}.jpg").write_bytes(encoded(solid(100 + number, 4, 3)))
    pack(source, target, options=PackOptions(shard_count=99))
    plain = Pipeline(PLAIN.ops)
    values = {int(plain(sample.data)[0, 0, 0]) for sample in samples_of(f"{target}/train-000000.tar")}
    assert values == {*range(8), *range(100, 105)}
