"""Published models by name: made once in the cache, from a server on this machine with tiny stand-ins."""

from __future__ import annotations

import os
import pickle
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.fickle_server import Answer, FickleServer
from helpers.messages import pattern
from ppcls import Classifier
from ppcls.api import published
from ppcls.api.published import bundle_of, find_published, published_names
from ppcls.arch import model_table
from ppcls.arch.model_table import MODELS, ModelInfo, Published
from ppcls.arch.weights import sources
from ppcls.arch.weights.sources import Preprocessing, PretrainedWeights
from ppcls.cli import main
from ppcls.inference import Bundle
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.utils import child, lock
from ppcls.utils.download import cached_path
from ppcls.utils.errors import UserError

PICTURE = GOLDEN_PICTURE.read_bytes()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh cache, no proxy, and children that are functions of this process."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "PPCLS_OFFLINE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PPCLS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(child, "call", lambda function, *arguments, **_: function(*arguments))
    monkeypatch.setattr(lock, "POLL_SECONDS", 0.01)
    return tmp_path / "home"


@pytest.fixture(scope="module")
def tar(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The tiny network as PaddleClas publishes an inference model."""
    place = tmp_path_factory.mktemp("tar") / "Tiny_infer.tar"
    with tarfile.open(place, "w") as archive:
        for name in ("inference.json", "inference.pdiparams"):
            archive.add(exported / name, f"Tiny_infer/{name}")
    return place.read_bytes()


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a server's files the published ones of a model."""

    def make(server: FickleServer, model: str, source: str, **info: Any) -> None:
        facts = ModelInfo(model, "Tiny", published={source: Published(1.0, 2.0)}, **info)
        monkeypatch.setitem(MODELS, model, facts)
        monkeypatch.setattr(model_table, "_INFERENCE_URL", f"{server.address}/{{name}}_infer.tar")
        monkeypatch.setattr(model_table, "_WEIGHTS_URL", f"{server.address}/{{name}}.pdparams")
        preprocessing = Preprocessing(size=32, resize_short=40)
        row = PretrainedWeights(model, source, f"{server.address}/{model}.pdparams", preprocessing=preprocessing)
        monkeypatch.setattr(sources, "_ROWS", [*sources._ROWS, row])

    return make


@pytest.fixture
def tiny(tar: bytes, publish: Callable[..., None]) -> Iterator[FickleServer]:
    """A server that publishes the inference model of `Tiny`."""
    with FickleServer(Answer(tar)) as server:
        publish(server, "Tiny", "paddleclas", input_size=(3, 32, 32), resize_short=40)
        yield server


def refused(name: str) -> str:
    with pytest.raises(UserError) as caught:
        Classifier(name)
    return str(caught.value)


def test_the_inference_model_becomes_a_bundle_once(
    tiny: FickleServer, exported: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ppcls")
    classifier = Classifier("Tiny", topk=2)
    folder = home / "bundles" / "Tiny-paddleclas"
    assert caplog.messages[-1] == f"made a bundle of Tiny from {tiny.address}/Tiny_infer.tar: {folder}"
    assert (classifier.bundle.folder, classifier.bundle.architecture) == (folder, "Tiny")
    classifier.verify()
    expected = Classifier(exported, topk=2).predict(PICTURE)[0]
    assert classifier.predict(PICTURE)[0].class_ids == expected.class_ids
    for name in ("Tiny", "Tiny/paddleclas"):
        assert Classifier(name).bundle == classifier.bundle
    assert tiny.paths == ["/Tiny_infer.tar"]
    assert len(caplog.messages) == 2  # of the download and of the bundle
    assert pickle.loads(pickle.dumps(classifier)) is classifier


def test_predict_takes_the_name_and_says_on_stderr_where_the_bundle_is(
    tiny: FickleServer, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cat.png").write_bytes(PICTURE)
    words = ["predict", "Tiny", str(tmp_path / "cat.png"), "--topk", "1"]
    assert main(words) == 0
    said = capsys.readouterr()
    folder = home / "bundles" / "Tiny-paddleclas"
    assert said.err == f"made a bundle of Tiny from {tiny.address}/Tiny_infer.tar: {folder}\n"
    assert said.out.startswith("cat.png:\tclass id(s): [")
    assert main(words) == 0
    assert capsys.readouterr() == (said.out, "")


def test_two_at_once_make_it_once(tiny: FickleServer, home: Path) -> None:
    said: list[str] = []
    barrier = threading.Barrier(2)

    def ask() -> None:
        barrier.wait()
        bundle_of("Tiny", said.append)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(said) == 1
    assert [path.name for path in (home / "bundles").iterdir()] == ["Tiny-paddleclas"]


def test_a_damaged_bundle_is_noticed_moved_and_made_anew(tiny: FickleServer, home: Path) -> None:
    said: list[str] = []
    folder = bundle_of("Tiny", said.append)
    parameters = folder / "inference.pdiparams"
    whole = parameters.read_bytes()
    parameters.write_bytes(whole[:-1] + b"x")
    assert bundle_of("Tiny", said.append) == folder
    assert parameters.read_bytes() == whole
    assert (home / "bundles" / "Tiny-paddleclas.1" / parameters.name).read_bytes() == whole[:-1] + b"x"
    assert len(said) == 3 and said[1].startswith(f"{parameters} is not the file that inference.yml describes")
    assert tiny.paths == ["/Tiny_infer.tar"]


def test_weights_are_exported_with_their_preprocessing_and_names(
    publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import paddle

    from ppcls.arch import SqueezeNet1_1

    paddle.seed(1)
    paddle.save(SqueezeNet1_1().state_dict(), str(tmp_path / "w.pdparams"))
    said: list[str] = []
    with FickleServer(Answer((tmp_path / "w.pdparams").read_bytes())) as server:
        monkeypatch.setattr(sources, "_ROWS", [])
        publish(server, "SqueezeNet1_1", "torchvision", input_size=(3, 32, 32))
        bundle = Bundle.load(bundle_of("SqueezeNet1_1/torchvision", said.append))
        url = f"{server.address}/SqueezeNet1_1.pdparams"
        assert (bundle.weights_source, said) == (
            url,
            [f"made a bundle of SqueezeNet1_1/torchvision from {url}: {bundle.folder}"],
        )
    assert (bundle.architecture, bundle.input.shape) == ("SqueezeNet1_1", (-1, 3, 32, 32))
    assert bundle.class_names is not None and bundle.class_names[:2] == (
        "tench, Tinca tinca",
        "goldfish, Carassius auratus",
    )
    assert {
        "ResizeImage": {"resize_short": 40, "size": None, "interpolation": "bilinear", "backend": "cv2"}
    }.items() <= dict(bundle.transforms[1]).items()


def test_weights_that_are_there_already_are_taken(tiny: FickleServer) -> None:
    assert find_published("Tiny").url == f"{tiny.address}/Tiny_infer.tar"
    weights = cached_path(f"{tiny.address}/Tiny.pdparams")
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"")
    assert find_published("Tiny").url == f"{tiny.address}/Tiny.pdparams"


def test_offline_the_sentence_says_which_file_to_put_where(
    tiny: FickleServer, tar: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PPCLS_OFFLINE", "1")
    url = f"{tiny.address}/Tiny_infer.tar"
    assert refused("Tiny") == (
        f"{url}: PPCLS_OFFLINE=1 forbids downloading the inference model of Tiny; put the file at {cached_path(url)} "
        "by hand, or unset PPCLS_OFFLINE"
    )
    cached_path(url).parent.mkdir(parents=True)
    cached_path(url).write_bytes(tar)
    assert Classifier("Tiny").bundle.architecture == "Tiny"
    assert tiny.paths == []


def test_a_damaged_download_is_named_with_what_to_remove(publish: Callable[..., None], home: Path) -> None:
    with FickleServer(Answer(b"no tar" * 1000)) as server:
        publish(server, "Tiny", "paddleclas", input_size=(3, 32, 32), resize_short=40)
        url = f"{server.address}/Tiny_infer.tar"
        text = refused("Tiny")
    assert text.startswith(f"{cached_path(url)}") and text.endswith(
        f"; this is the kept download of {url}: remove it first"
    )
    assert list((home / "bundles").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "DLX34",
            "DLX34: neither a bundle's path nor a published model's name (did you mean DLA34?); give the folder ...",
        ),
        (
            "DLA34/tim",
            "DLA34 has no pretrained weights named 'tim' (did you mean timm?); it has paddleclas, timm, ucbdrive",
        ),
        (
            "runs/none",
            "runs/none: neither a bundle's path nor a published model's name; give the folder that `ppcls export` ...",
        ),
    ],
)
def test_what_is_neither_a_path_nor_a_name_is_said(name: str, says: str) -> None:
    import re

    assert re.match(pattern(says), refused(name))


def test_a_folder_goes_before_a_name(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "DLA34").symlink_to(exported)
    monkeypatch.chdir(tmp_path)
    assert Classifier("DLA34").bundle.architecture == "Tiny"


def test_every_published_model_has_an_address() -> None:
    names = published_names()
    assert {"DLA34", "DLA34/timm", "SqueezeNet1_1/torchvision", "DarkNet53/darknet"} <= set(names)
    tars = [name for name in names if find_published(name).inference_url]
    assert {"DLA34", "DLA34/paddleclas", "SENet154_vd"} <= set(tars)
    # PaddleClas publishes weights alone of the first, and nothing of the second
    assert {"DLA46x_c", "DLA60_res2net", "DLA34/timm"}.isdisjoint(tars)
    assert find_published("DLA34").url == (
        "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/inference/DLA34_infer.tar"
    )
    assert published.find_published("DLA60_res2net").weights.source == "timm"
