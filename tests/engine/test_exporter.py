"""Export finishes only if the written bundle is the model: each planted error is noticed and leaves nothing behind."""

import errno
import resource
from pathlib import Path

import numpy as np
import paddle
import pytest
import yaml

from helpers.forking import in_fork
from helpers.messages import refusal, says
from helpers.pictures import noise, save_picture
from helpers.tiny_run import Tiny
from ppcls.arch.families.dla.facts import DLAParams
from ppcls.arch.weights.load import Found
from ppcls.data.transforms import CropImage, DecodeImage, NormalizeImage, Pipeline, ResizeImage
from ppcls.engine import exporter
from ppcls.engine.export import source_of
from ppcls.engine.exporter import export_bundle
from ppcls.inference import Bundle, Classifier, Golden, GoldenMismatch
from ppcls.inference.settings import Settings
from ppcls.utils.errors import UserError

PIPELINE = Pipeline(
    [
        DecodeImage(),
        ResizeImage(resize_short=36),
        CropImage(size=32),
        NormalizeImage(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    ]
)


@pytest.fixture(scope="module")
def model():
    """A small network with batch norms, whose variances are so small that epsilon counts."""
    paddle.seed(1)
    network = Tiny(DLAParams("DLA46_c", class_num=7))
    for norm in norms_of(network):
        norm._variance.set_value(paddle.full_like(norm._variance, 0.05))
    return network


def norms_of(network):
    return [layer for layer in network.sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]


def export(model, folder, **changes):
    arguments = {"architecture": "DLA46_c", "class_num": 7, "image_shape": (3, 32, 32), **changes}
    return export_bundle(model, arguments.pop("pipeline", PIPELINE), folder, **arguments)


def test_a_bundle_is_whole_and_computes_what_the_model_does(tmp_path, model):
    agreement = export(model, tmp_path / "bundle", class_names=[f"c{i}" for i in range(7)], weights_sha256="ab")
    assert agreement.input_difference == 0
    assert agreement.score_difference < 1e-4
    assert agreement.classes_compared == 7
    names = sorted(path.name for path in (tmp_path / "bundle").iterdir())
    assert names == ["golden.npz", "inference.json", "inference.pdiparams", "inference.yml"]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    manifest = yaml.safe_load((tmp_path / "bundle" / "inference.yml").read_text())
    assert manifest["input"]["shape"] == [-1, 3, 32, 32]
    assert manifest["weights_sha256"] == "ab"
    pixels = np.random.default_rng(0).integers(0, 256, (5, 50, 40, 3), dtype=np.uint8)
    results = list(Classifier(tmp_path / "bundle", batch_size=3, topk=7).predict(list(pixels), color="RGB"))
    model.eval()
    inputs = np.stack([PIPELINE.from_array(array, "RGB") for array in pixels])
    expected = paddle.nn.functional.softmax(model(paddle.to_tensor(inputs)), axis=-1).numpy()
    for result, row in zip(results, expected):
        assert result.scores == pytest.approx(sorted(row, reverse=True), abs=1e-5)
        assert result.names == [f"c{i}" for i in result.class_ids]


def swapped_colours(pipeline):
    return Pipeline([DecodeImage(to_rgb=False), *pipeline.ops[1:]])


def other_interpolation(pipeline):
    return Pipeline([pipeline.ops[0], ResizeImage(resize_short=36, interpolation="area"), *pipeline.ops[2:]])


@pytest.mark.parametrize("plant", [swapped_colours, other_interpolation])
def test_wrong_preprocessing_in_the_manifest_is_noticed(tmp_path, model, monkeypatch, plant):
    original = exporter.write_manifest

    def planted(folder, **values):
        return original(folder, **{**values, "transforms": plant(values["transforms"])})

    monkeypatch.setattr(exporter, "write_manifest", planted)
    with pytest.raises(GoldenMismatch, match="input tensor is off by"):
        export(model, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_batch_norm_epsilon_in_the_program_is_noticed_and_the_old_bundle_stays(tmp_path, model, monkeypatch):
    export(model, tmp_path / "bundle", weights_sha256="old")
    original = exporter._save_program

    def planted(network, folder, image_shape):
        norms = norms_of(network)
        assert len(norms) == 2
        for layer in norms:
            layer._epsilon = 1e-3
        try:
            return original(network, folder, image_shape)
        finally:
            for layer in norms:
                layer._epsilon = 1e-5

    monkeypatch.setattr(exporter, "_save_program", planted)
    with pytest.raises(GoldenMismatch, match="scores are off by"):
        export(model, tmp_path / "bundle", weights_sha256="new")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert yaml.safe_load((tmp_path / "bundle" / "inference.yml").read_text())["weights_sha256"] == "old"


def test_a_folder_with_other_things_is_not_replaced(tmp_path, model):
    (tmp_path / "notes.txt").write_text("mine")
    assert refusal(export, model, tmp_path) == says(
        f"{tmp_path} ... (it holds 'notes.txt'); give another as Global.save_inference_dir"
    )
    assert (tmp_path / "notes.txt").read_text() == "mine"


def a_run(folder):
    folder.mkdir(parents=True)
    for name in ("config.yaml", "train.log"):
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("inside", [True, False])
def test_a_bundle_stands_beside_the_runs_of_a_folder_or_in_a_run(tmp_path, model, inside):
    run = a_run(tmp_path / "output" / "DLA46_c")
    folder = run if inside else run.parent
    export(model, folder, weights_sha256="first")
    export(model, folder, weights_sha256="again")
    assert Bundle.load(folder).weights_sha256 == "again"
    assert len(next(iter(Classifier(folder).predict(["tests/data/none.png"]))).error) > 0
    assert [(run / name).read_text() for name in ("config.yaml", "train.log")] == ["config.yaml", "train.log"]
    names = {path.name for path in folder.iterdir()} - {"config.yaml", "train.log", "DLA46_c"}
    assert names == {"golden.npz", "inference.json", "inference.pdiparams", "inference.yml"}


def test_another_models_bundle_beside_runs_is_not_replaced(tmp_path, model):
    folder = a_run(tmp_path / "output" / "DLA46_c").parent
    export(model, folder)
    before = (folder / "inference.yml").read_bytes()
    with pytest.raises(UserError) as error:
        export(model, folder, architecture="Other")
    assert str(error.value) == says(
        f"{folder} holds a bundle of another model (DLA46_c, 7 classes) ...; give another ..."
    )
    assert (folder / "inference.yml").read_bytes() == before


def test_a_bundle_that_fails_its_check_leaves_a_run_without_one(tmp_path, model, monkeypatch):
    folder = a_run(tmp_path / "output" / "DLA46_c").parent
    monkeypatch.setattr(exporter, "_verified", lambda bundle: (_ for _ in ()).throw(GoldenMismatch("off")))
    with pytest.raises(GoldenMismatch):
        export(model, folder)
    assert [path.name for path in folder.iterdir()] == ["DLA46_c"]


def test_another_models_bundle_is_moved_aside_whole(tmp_path, model, caplog):
    caplog.set_level("INFO", "ppcls")
    folder = tmp_path / "bundle"
    export(model, folder, weights_sha256="first")
    export(model, folder, weights_sha256="again")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    first = (folder / "inference.yml").read_bytes()
    export(model, folder, architecture="Other")
    Bundle.load(folder).change(settings=Settings(threads=1))
    export(model, folder, architecture="Other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "bundle.1", "bundle.2"]
    assert (tmp_path / "bundle.1" / "inference.yml").read_bytes() == first
    assert Bundle.load(tmp_path / "bundle.2").settings == Settings(threads=1)
    assert Bundle.load(folder).settings is None
    assert f"which is now {tmp_path / 'bundle.2'}" in caplog.text


def test_a_damaged_bundle_is_replaced(tmp_path, model):
    folder = tmp_path / "bundle"
    export(model, folder)
    (folder / "inference.yml").write_text("schema: [")
    export(model, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert Bundle.load(folder).architecture


def test_shapes_must_agree(tmp_path, model):
    with pytest.raises(UserError, match=r"transform_ops give \[3, 32, 32\], but Global.image_shape is \[3, 64, 64\]"):
        export(model, tmp_path / "bundle", image_shape=(3, 64, 64))


def test_ones_own_golden_picture(tmp_path, model):
    save_picture(tmp_path / "mine.png", noise(70, 60))
    export(model, tmp_path / "bundle", golden_picture=tmp_path / "mine.png")
    assert Golden.load(tmp_path / "bundle" / "golden.npz").picture == (tmp_path / "mine.png").read_bytes()
    manifest = yaml.safe_load((tmp_path / "bundle" / "inference.yml").read_text())
    assert manifest["golden"]["source"] == "mine.png"


def test_the_model_is_left_in_the_mode_it_came_in(tmp_path, model):
    model.train()
    export(model, tmp_path / "bundle")
    assert model.training


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, model):
    """Paddle writes a short file and reports no error; what shows it is that the program cannot be opened."""

    def short_of_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        with pytest.raises(OSError) as caught:
            export(model, tmp_path / "bundle")
        return caught.value.errno, caught.value.filename

    assert in_fork(short_of_disk) == (errno.EFBIG, str(tmp_path / "bundle"))
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


def test_another_error_of_paddle_is_not_called_a_full_disk(tmp_path, model, monkeypatch):
    monkeypatch.setattr(exporter, "_save_program", lambda *_: (_ for _ in ()).throw(RuntimeError("cannot read")))
    with pytest.raises(RuntimeError, match="cannot read"):
        export(model, tmp_path / "bundle")


@pytest.mark.parametrize("name", [".onnx", ".openvino-int8", ".onnxruntime-int8", ".inference.yml.4711"])
def test_what_a_killed_process_left_in_a_bundle_goes_with_it(tmp_path, name):
    (tmp_path / "bundle" / name).mkdir(parents=True)
    (tmp_path / "bundle" / "inference.json").touch()
    exporter._check_place(tmp_path / "bundle")
    (tmp_path / "bundle" / ".git").mkdir()
    with pytest.raises(UserError, match=r"is not a bundle's folder \(it holds '\.git'\)"):
        exporter._check_place(tmp_path / "bundle")


def test_the_folder_one_is_in_is_not_replaced(tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"is the folder you are in; give one of its own as Global.save_inference_dir"):
        export(model, tmp_path)


def test_the_manifest_has_what_the_model_can_be_made_from_again(tmp_path, model):
    arguments = {"class_num": 7, "in_channels": 3, "drop_rate": 0.5, "channels": (16, 32)}
    export(model, tmp_path / "bundle", architecture_arguments=arguments, weights_source="best_model.pdparams")
    manifest = yaml.safe_load((tmp_path / "bundle" / "inference.yml").read_text())
    assert manifest["architecture_arguments"] == {**arguments, "channels": [16, 32]}
    assert manifest["weights_source"] == "best_model.pdparams"


@pytest.mark.parametrize(
    ("found", "source"),
    [
        (Found(Path("output/best_model.pdparams")), "output/best_model.pdparams"),
        (Found(Path("x"), url="https://host/a/dla34.pth"), "https://host/a/dla34.pth"),
        (Found(Path("x"), url="https://me:secret@host:81/dla34.pth?token=secret#x"), "https://host:81/dla34.pth"),
    ],
)
def test_the_source_of_weights_has_no_secrets(found, source):
    assert source_of(found) == source
