from __future__ import annotations

import functools
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from shard_data import chained, loader, numbers, sample, shard_list, tar, write_shards

from helpers.bounds import assert_bounded
from helpers.messages import refusal, says
from ppcls.data.datasets import WebDatasetDataset
from ppcls.data.shards import manifest as shards_manifest
from ppcls.data.shards.archive import samples_of
from ppcls.data.transforms import DecodeImage
from ppcls.utils import download

# Python 3.12 and later warn of every fork beside threads; Paddle's workers are forks.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture
def address(tmp_path, monkeypatch):
    """The address at which a server on this machine offers the files of the folder `site`."""
    (tmp_path / "site").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def read(images, **keys):
    return sorted(chained(numbers(batch) for batch in loader(images, **keys).epoch(0)))


@pytest.mark.parametrize("workers", [0, 2])
def test_shards_of_a_server(tmp_path, address, workers):
    write_shards(tmp_path / "site", (3, 4, 2))
    images = shard_list(f"{address}/manifest.json")
    assert images.addresses == [f"{address}/t-{place:06d}.tar" for place in range(3)]
    assert read(images, num_workers=workers) == list(range(9))
    assert read(shard_list(f"{address}/t-{{000000..000002}}.tar"), shuffle=False) == list(range(9))
    (tmp_path / "site" / "t-000001.tar").unlink()
    assert refusal(read, images, num_workers=workers) == says(
        f"{address}/t-000001.tar: ... answered 404 (File not found); check the address"
    )
    assert refusal(shard_list, f"{address}/other.json") == says(
        f"{address}/other.json: ... answered 404 (File not found); give the manifest.json that `ppcls pack` wrote"
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_shards_of_a_command(tmp_path, workers):
    write_shards(tmp_path, (3, 4, 2))
    images = shard_list(f"pipe:cat {tmp_path}/t-{{000000..000002}}.tar", length=9)
    assert read(images, num_workers=workers, shuffle=False) == list(range(9))
    absent = shard_list(f"pipe:cat {tmp_path}/absent.tar 2> {tmp_path}/said")
    assert refusal(read, absent, shuffle=False) == says(
        f"pipe:cat {tmp_path}/absent.tar 2> {tmp_path}/said: ... ended with code 1; run it by itself ..."
    )


def test_a_command_that_fails_behind_its_last_byte(tmp_path):
    write_shards(tmp_path, (2,))
    broken = f"pipe:cat {tmp_path}/t-000000.tar; exit 3"
    assert refusal(read, shard_list(broken), shuffle=False) == says(
        f"{broken}: ... ended with code 3; run it by itself ..."
    )


def test_a_reader_that_leaves_early_does_not_mind_the_command(tmp_path, recwarn):
    write_shards(tmp_path, (2, 2))
    samples = samples_of(f"pipe:cat {tmp_path}/t-000000.tar; cat /dev/zero")
    assert next(samples).path.endswith("/p0")
    samples.close()
    assert len(recwarn) == 0


@pytest.mark.parametrize("kind", ["w", "w:gz"])
def test_a_truncated_shard_is_named_wherever_it_ends(tmp_path, kind):
    whole = tar((member for number in range(3) for member in sample(number)), kind)
    path = tmp_path / "cut.tar"
    path.write_bytes(whole)
    assert [found.label for found in samples_of(str(path))] == [0, 2, 4]
    # In a tar the last kilobytes are padding; cuts within headers, pictures, labels, and between members.
    cuts = range(0, 6 * 1024 + 1, 256) if kind == "w" else range(0, len(whole) - 16, 16)
    for cut in cuts:
        path.write_bytes(whole[:cut])
        message = refusal(list, samples_of(str(path)))
        assert message.startswith((f"{path}: ", f"{path}/p")), message
        assert "truncated" in message or kind == "w:gz" or "has no" in message, (cut, message)
    if kind == "w":
        path.write_bytes(whole[: 2 * 1024])  # the first picture and its label, and nothing behind them
        message = "... truncated; copy or pack it again"
        assert refusal(list, samples_of(str(path))) == says(f"{path}: {message}")


BAD = [
    ([("a.cls", b"1")], "/a: the sample has no picture, only cls; write it as KEY.jpg"),
    ([("a.jpg", b""), ("a.txt", b"")], "/a: the sample has no label, only jpg, txt; ... KEY.cls"),
    ([("a.jpg", b""), ("a.cls", b"-1")], "/a.cls: the label '-1' is not a whole number; ... from 0"),
    ([("a.jpg", b""), ("a.cls", b"\xffx")], "/a.cls: the label '\ufffdx' is not a whole number; ... from 0"),
    (
        [("a.jpg", b""), ("a.jpg", b"")],
        ": cannot read the shard: a.jpg is in it twice; ... WebDataset convention",
    ),
]


@pytest.mark.parametrize(("members", "message"), BAD)
def test_samples_that_are_none(tmp_path, members, message):
    path = tmp_path / "bad.tar"
    path.write_bytes(tar(members))
    assert refusal(list, samples_of(str(path))) == says(f"{path}{message}")


def test_what_else_stands_in_a_shard_is_passed_over(tmp_path):
    members = [("__meta__", b""), ("a.json", b"{}"), ("a.JPEG", b"picture"), ("a.cls", b" 7\n"), ("no_dot", b"")]
    (tmp_path / "a.tar").write_bytes(tar(members))
    assert [tuple(found) for found in samples_of(str(tmp_path / "a.tar"), 2)] == [
        (2 << 32, f"{tmp_path}/a.tar/a", b"picture", 7)
    ]


def test_a_file_that_is_no_tar(tmp_path):
    path = tmp_path / "text.tar"
    path.write_bytes(b"not a tar" * 100)
    assert refusal(list, samples_of(str(path))).startswith(f"{path}: cannot read the shard: ")
    assert refusal(list, samples_of("s3://bucket/a.tar")) == says(
        "s3://bucket/a.tar: ... no gopen handler defined; give a tar file ..."
    )


def test_patterns(tmp_path):
    write_shards(tmp_path, (1, 1, 1))
    assert shard_list([f"{tmp_path}/t-{{000000..000001}}.tar", f"{tmp_path}/t-000002.tar"]).addresses == [
        f"{tmp_path}/t-{place:06d}.tar" for place in range(3)
    ]
    assert refusal(shard_list, f"{tmp_path}/t-{{000000..000008}}.tar").splitlines() == [
        *(f"{tmp_path}/t-{place:06d}.tar is not there; correct shards" for place in range(3, 8)),
        "... and 1 shards more",
    ]
    assert refusal(shard_list, "{a") == (
        "shards '{a': Unbalanced braces: '{a'; write a pattern such as train-{000000..000099}.tar"
    )


@pytest.mark.parametrize(
    "pattern",
    ["x{0..999999999}.tar", "x{0..9}{1..99999999999999999}.tar", "{a,b}" * 40, "{a..z}" * 9, "{1..300}{a,{1..400}}"],
)
def test_a_pattern_of_too_many_shards_is_not_expanded(pattern):
    message = assert_bounded(lambda: shard_list(pattern))
    assert message == says("shards '... more than 100,000 shards; ... manifest.json of `ppcls pack`")


def test_a_pattern_of_braces_in_braces():
    message = assert_bounded(lambda: shard_list("{" * 1500 + "b" + "}" * 1500))
    assert message == says("shards '{{{... too many braces in each other; write a pattern such as ...")


@pytest.mark.parametrize("pattern", ["{p,p}ipe:touch ran", "{pipe:touch ran,a.tar}", "{pipe,pipe}:touch ran"])
def test_braces_make_no_command(pattern, tmp_path, monkeypatch):
    """A configuration whose text does not begin with `pipe:` was not consented to."""
    monkeypatch.chdir(tmp_path)
    assert refusal(shard_list, pattern) == says(f"shards '{pattern}': the braces make a command of it; write ...")
    assert refusal(shard_list, ["a.tar", pattern]) == says(f"shards '{pattern}': the braces make a command of it; ...")
    assert shard_list("pipe:cat {a,b}.tar").addresses == ["pipe:cat a.tar", "pipe:cat b.tar"]
    assert list(tmp_path.iterdir()) == []


def test_a_command_in_another_spelling_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for address in ("PIPE://;touch ran", " pipe://;touch ran"):
        assert refusal(list, samples_of(address)) == says(f"{address}: cannot read the shard: a command is written ...")
    assert list(tmp_path.iterdir()) == []


def test_pipes_and_devices_in_the_place_of_a_shard_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.tar")
    os.mkfifo(tmp_path / "manifest.json")
    for address in (f"{tmp_path}/a.tar", f"file:{tmp_path}/a.tar", "file:///dev/zero"):
        assert refusal(list, samples_of(address)) == says(f"{address}: cannot read ... not a regular file; ...")
    assert refusal(shard_list, f"{tmp_path}/manifest.json") == says(
        "... it is not a regular file; give the manifest.json ..."
    )


def test_a_scheme_whose_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert refusal(list, samples_of("hf://a/b.tar")) == says("hf://a/b.tar: ... package huggingface_hub; run `pip ...")


def test_keys_of_the_data_set_are_checked():
    for nothing in ("", (), ("a.tar", "")):
        with pytest.raises(ValueError, match=r"shards is empty; write the manifest.json of `ppcls pack`, or a pattern"):
            WebDatasetDataset(nothing, (DecodeImage(),))
    with pytest.raises(ValueError, match="on_error is 'ignore'; write 'raise' or 'skip' or null"):
        WebDatasetDataset("a.tar", (DecodeImage(),), on_error="ignore")


def test_a_manifest_that_does_not_fit_its_shards(tmp_path):
    manifest = write_shards(tmp_path, (2, 3))
    images = shard_list(manifest)
    assert (images.counts.tolist(), len(images), images.class_names) == ([2, 3], 5, None)
    assert refusal(shard_list, manifest, class_num=8) == says(
        f"{manifest}: the label 8 is outside 0 to 7; ... Arch.class_num (8)"
    )
    first, second = (tmp_path / f"t-{place:06d}.tar" for place in range(2))
    size = second.stat().st_size
    second.write_bytes(second.read_bytes()[:-512])
    first.unlink()
    assert refusal(shard_list, manifest).splitlines() == [
        says(f"{first} is not there, but the manifest ...; bring it, or pack again"),
        says(f"{second} has {size - 512} bytes, ... says {size}; bring it again, or pack again"),
    ]
    assert refusal(shard_list, tmp_path / "absent.json") == says(
        f"{tmp_path}/absent.json: No such file or directory; ... `ppcls pack` ..."
    )


def test_shards_without_a_picture(tmp_path):
    manifest = write_shards(tmp_path, (0, 0))
    assert refusal(loader, shard_list(manifest)) == says(
        f"{tmp_path}/t-000000.tar and the other shards hold no picture; ..."
    )


@pytest.mark.parametrize(
    "change",
    [
        {"format": "another"},
        {"shards": [{"name": "pipe:rm -r x.tar", "pictures": 1, "bytes": 1}]},
        {"shards": [{"name": "../x.tar", "pictures": 1, "bytes": 1}]},
        {"shards": [{"name": ".tar", "pictures": 1, "bytes": 1}]},
        {"shards": [{"name": "x.tar", "pictures": -1, "bytes": 1}]},
        {"shards": [{"name": "x.tar", "bytes": 1}]},
        {"shards": 7},
        {"class_names": [1]},
        {"largest_label": "1"},
    ],
)
def test_what_is_no_manifest(tmp_path, change):
    manifest = write_shards(tmp_path, (2,))
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **change}))
    message = refusal(shard_list, manifest)
    assert message.startswith(f"{manifest} is not a manifest of shards")
    assert message.endswith("; give the manifest.json that `ppcls pack` wrote")


def test_without_webdataset_the_sentence_names_the_remedy(tmp_path, monkeypatch):
    manifest: Path = write_shards(tmp_path, (2,))
    monkeypatch.setitem(sys.modules, "webdataset.gopen", None)
    assert refusal(shard_list, manifest).endswith("; install it: pip install 'webdataset>=1.0'")
    assert refusal(shard_list, manifest).startswith(
        "shards are read by the package webdataset, which is missing here ("
    )


@pytest.mark.parametrize("installed", ["0.2.100", "0.1"])
def test_an_old_webdataset_is_refused(tmp_path, monkeypatch, installed):
    manifest = write_shards(tmp_path, (2,))
    monkeypatch.setattr("importlib.metadata.version", lambda name: installed)
    message = refusal(shard_list, manifest)
    assert f"webdataset {installed} is installed" in message
    assert message.endswith("install a newer one: pip install 'webdataset>=1.0'")


@pytest.mark.parametrize(
    "name",
    [
        "x';touch ran;'.tar",
        "$(touch ran).tar",
        "`touch ran`.tar",
        "x&touch ran.tar",
        "a b.tar",
        "-o.tar",
        "\n.tar",
        "x.tar\n",
        "ü.tar",
    ],
)
def test_names_of_a_manifest_are_plain(tmp_path, name):
    manifest = write_shards(tmp_path, (2,))
    content = json.loads(manifest.read_text())
    content["shards"][0]["name"] = name
    manifest.write_text(json.dumps(content))
    message = refusal(shard_list, manifest)
    assert "not made of A-Z, a-z, 0-9, '.', '_' and '-' alone" in message
    assert str(manifest) in message
    assert "\n" not in message


def test_nothing_of_a_server_reaches_a_program(tmp_path, address, monkeypatch):
    write_shards(tmp_path / "site", (3,))
    images = shard_list(f"{address}/manifest.json")

    def started(*arguments, **keys):
        raise AssertionError(f"started {arguments}")

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(sys.modules["webdataset.gopen"], "Popen", started)
    assert read(images) == [0, 1, 2]
    with pytest.raises(AssertionError, match="started"):
        list(samples_of("pipe:cat x.tar"))


def test_a_manifest_is_not_read_from_a_command(tmp_path):
    write_shards(tmp_path, (2,))
    message = refusal(shard_list, f"pipe:cat {tmp_path}/manifest.json")
    assert message.startswith(f"shards is 'pipe:cat {tmp_path}/manifest.json'")
    assert "epoch_length" in message


def test_a_server_that_is_gone(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(download, "wait", waited.append)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{closed.getsockname()[1]}/a.tar"
    assert refusal(list, samples_of(gone)) == says(f"{gone}: ... Connection refused; check the address")
    assert waited == [1.0, 3.0, 9.0]


def test_a_server_that_breaks_off(tmp_path, address, monkeypatch):
    write_shards(tmp_path / "site", (3,))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "copyfile", lambda self, source, target: target.write(
        source.read(1024)
    ))  # fmt: skip
    message = refusal(list, samples_of(f"{address}/t-000000.tar"))
    assert message == says(f"{address}/t-000000.tar: ... connection ended early; check the address")


def test_a_manifest_larger_than_any(tmp_path, monkeypatch):
    manifest = write_shards(tmp_path, (2,))
    monkeypatch.setattr(shards_manifest, "_MOST_BYTES", manifest.stat().st_size)
    assert len(shard_list(manifest)) == 2
    monkeypatch.setattr(shards_manifest, "_MOST_BYTES", manifest.stat().st_size - 1)
    assert "has more than" in refusal(shard_list, manifest)
