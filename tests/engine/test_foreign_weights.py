"""Weights of other libraries in every command: what belongs to them is used, and every change is said."""

import csv
import re
from pathlib import Path

import numpy as np
import paddle
import pytest
import yaml

from helpers.messages import says
from helpers.pictures import save_picture
from ppcls.arch import build_model
from ppcls.arch.weights.convert import convert
from ppcls.arch.weights.files import read_weights, write_weights
from ppcls.arch.weights.layouts import known_layouts, to_layout
from ppcls.cli import main
from ppcls.data.transforms import CropImage, DecodeImage, NormalizeImage, Pipeline, ResizeImage
from ppcls.untrusted.unpickle import load_pickle

CONFIG = """
Global: {epochs: 1, device: cpu, console: paddleclas, print_batch_step: 1, image_shape: [3, 64, 64]}
Arch: {name: SqueezeNet1_1, class_num: 4}
Loss: {Train: [CELoss: {}], Eval: [CELoss: {}]}
Optimizer: {name: Momentum, lr: {name: Constant, learning_rate: 0.001}}
DataLoader:
  Train:
    dataset: &data
      name: ImageFolder
      image_root: data
      transform_ops:
        - DecodeImage: {}
        - ResizeImage: {resize_short: 72}
        - CropImage: {size: 64}
        - NormalizeImage: {scale: 1.0/255.0, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
    sampler: {name: DistributedBatchSampler, batch_size: 4}
    loader: {num_workers: 0}
  Eval:
    dataset: *data
    sampler: {name: DistributedBatchSampler, batch_size: 4}
    loader: {num_workers: 0}
Infer: {infer_imgs: data, PostProcess: {name: Topk, topk: 4}}
Metric: {Eval: [TopkAcc: {topk: 1}]}
"""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OURS = Pipeline(
    [
        DecodeImage(),
        ResizeImage(resize_short=72),
        CropImage(64),
        NormalizeImage(scale=1 / 255, mean=(0.5,) * 3, std=(0.5,) * 3),
    ]
)
TORCHVISIONS = Pipeline(
    [
        DecodeImage(backend="pil"),
        ResizeImage(resize_short=256, backend="pil"),
        CropImage(224),
        NormalizeImage(scale=1 / 255, mean=MEAN, std=STD),
    ]
)
TIMMS_DPN = Pipeline(
    [
        DecodeImage(backend="pil"),
        ResizeImage(resize_short=256, interpolation="bicubic", backend="pil"),
        CropImage(224),
        NormalizeImage(scale=1, mean=(124, 117, 104), std=(1 / 0.0167,) * 3),
    ]
)
ADAPTED = "made with stem_padding=0, ceil_pooling=True, as these weights need it"
TORCHVISION = "short side 256 (bilinear, pil), crop 224, mean [0.485, 0.456, 0.406], std [0.229, 0.224, 0.225]"
TAKEN = "; Global.preprocessing=config would keep the configuration's"


def as_published(folder, name, source, file, **arguments):
    """A model's random weights in a library's layout, as a file of it holds them; and the model."""
    paddle.seed(7)
    model = build_model(name, class_num=4, **arguments)
    state = model.state_dict()
    state["fc.weight"].set_value(state["fc.weight"] * 30)  # answers so far apart that pictures count
    if name == "DPN68":  # statistics as of a training, and the stem's so small that epsilon counts
        state["stem.0.weight"].set_value(state["stem.0.weight"] * 0.02)
        for part in model.sublayers():
            part._momentum = 0.0
        model(paddle.randn([8, 3, 64, 64]))
    model.eval()
    layout = next(layout for layout in known_layouts(name) if layout.source == source)
    write_weights(folder / file, to_layout(model, layout))
    return model


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Four pictures, a configuration, and torchvision's weights as they come and converted."""
    place = tmp_path_factory.mktemp("foreign")
    rng = np.random.default_rng(3)
    for name in "abcd":
        pixels = np.kron(rng.integers(0, 256, (10, 9, 3), dtype=np.uint8), np.ones((32, 32, 1), np.uint8))
        save_picture(place / "data" / name / f"{name}.png", pixels)
    (place / "config.yaml").write_text(CONFIG)
    geometry = {"stem_padding": 0, "ceil_pooling": True}
    model = as_published(place, "SqueezeNet1_1", "torchvision", "theirs.safetensors", **geometry)
    convert(place / "theirs.safetensors", place / "converted.pdparams", "SqueezeNet1_1")
    return place, model


@pytest.fixture
def command(home, tmp_path, monkeypatch, capsys):
    """Runs a command in a folder of its own; gives its exit code, its log without times, and what it complains of."""
    for name in ("data", "config.yaml", "theirs.safetensors", "converted.pdparams"):
        (tmp_path / name).symlink_to(home[0] / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PPCLS_OFFLINE", "1")
    monkeypatch.setenv("PPCLS_HOME", "cache")

    def run(name, *overrides, options=()):
        words = [name, "-c", "config.yaml", *options]
        code = main(words + [word for override in overrides for word in ("-o", override)])
        said = capsys.readouterr()
        lines = [re.sub(r"^\S+ \S+ (?:INFO|WARNING): ", "", line) for line in said.out.splitlines()]
        # Said of data and of this machine alone
        others = ("numbered in the order of their names", "convolutions by ")
        lines = [line for line in lines if not any(other in line for other in others)]
        return code, lines, said.err

    return run


def scores(file):
    """Scores by class of each picture, from a command's file of rows."""
    with Path(file).open(newline="") as rows:
        found = {Path(row["picture"]).stem: row for row in csv.DictReader(rows)}
    return np.array(
        [
            [score for _, score in sorted((int(row[f"class_id_{k}"]), float(row[f"score_{k}"])) for k in range(1, 5))]
            for _, row in sorted(found.items())
        ]
    )


def expected(model, pipeline):
    """The same, computed by hand."""
    inputs = np.stack([pipeline(Path("data", name, f"{name}.png").read_bytes()) for name in "abcd"])
    return paddle.nn.functional.softmax(model(paddle.to_tensor(inputs)), axis=-1).numpy()


def assert_same(found, wanted):
    assert np.ptp(wanted, axis=0).max() > 0.01  # the scores tell the pictures apart
    np.testing.assert_allclose(found, wanted, atol=2e-4)


@pytest.mark.parametrize("weights", ["theirs.safetensors", "converted.pdparams"])
def test_evaluation_takes_arguments_and_preprocessing_from_the_weights(command, home, weights):
    code, lines, _ = command("eval", f"Global.pretrained_model={weights}", options=["--output", "rows.csv"])
    assert code == 0
    assert lines[1:4] == [
        f"weights: {weights}", ADAPTED, f"preprocessing is that of torchvision's weights: {TORCHVISION}{TAKEN}",
    ]  # fmt: skip
    assert lines[4].startswith("epoch:0  , valid step:0 ")
    assert_same(scores("rows.csv"), expected(home[1], TORCHVISIONS))


@pytest.mark.parametrize("weights", ["theirs.safetensors", "converted.pdparams"])
def test_the_configurations_preprocessing_is_kept_on_request(command, home, weights):
    keep = ("Global.preprocessing=config", f"Global.pretrained_model={weights}")
    code, lines, _ = command("eval", *keep, options=["--output", "rows.csv"])
    assert code == 0
    assert lines[2:4] == [ADAPTED, f"torchvision's weights were evaluated with another preprocessing: {TORCHVISION}"]
    found, wanted = scores("rows.csv"), expected(home[1], OURS)
    assert_same(found, wanted)
    assert abs(wanted - expected(home[1], TORCHVISIONS)).max() > 0.01


def test_what_is_configured_as_it_belongs_to_the_weights_is_no_change(command):
    operations = [
        "{DecodeImage: {backend: pil}}", "{ResizeImage: {resize_short: 256, backend: pil}}", "{CropImage: {size: 224}}",
        f"{{NormalizeImage: {{scale: 1.0/255.0, mean: {list(MEAN)}, std: {list(STD)}}}}}",
    ]  # fmt: skip
    code, lines, _ = command(
        "eval", "Global.pretrained_model=theirs.safetensors", "Arch.stem_padding=0", "Arch.ceil_pooling=true",
        f"DataLoader.Eval.dataset.transform_ops=[{', '.join(operations)}]",
    )  # fmt: skip
    assert code == 0
    assert lines[1] == "weights: theirs.safetensors"
    assert lines[2].startswith("epoch:0  , valid step:0 ")


def test_the_exported_bundle_carries_what_belongs_to_the_weights(command, home):
    code, lines, _ = command("export", "Global.pretrained_model=converted.pdparams")
    assert code == 0
    assert lines[2:4] == [ADAPTED, f"preprocessing is that of torchvision's weights: {TORCHVISION}{TAKEN}"]
    manifest = yaml.safe_load(Path("inference/inference.yml").read_text())
    assert manifest["input"]["shape"] == [-1, 3, 224, 224]
    words = ["Global.infer_imgs=data", "Global.output=rows.csv", "PostProcess.Topk.topk=4"]
    assert main(["predict", *(word for override in words for word in ("-o", override))]) == 0
    assert_same(scores("rows.csv"), expected(home[1], TORCHVISIONS))


def test_prediction_without_export_takes_them_too(command, home):
    code, lines, _ = command("infer", "Global.pretrained_model=theirs.safetensors", options=["--output", "rows.csv"])
    assert code == 0
    assert lines[2:4] == [ADAPTED, f"preprocessing is that of torchvision's weights: {TORCHVISION}{TAKEN}"]
    assert_same(scores("rows.csv"), expected(home[1], TORCHVISIONS))


def test_training_keeps_its_own_preprocessing_and_its_checkpoints_remember_the_arguments(command):
    code, lines, _ = command("train", "Arch.pretrained=theirs.safetensors")
    assert code == 0
    assert lines[1:4] == [
        "weights: theirs.safetensors", ADAPTED,
        f"torchvision's weights were evaluated with another preprocessing: {TORCHVISION}",
    ]  # fmt: skip
    run = Path("output/SqueezeNet1_1")
    saved = yaml.safe_load((run / "config.yaml").read_text())
    assert (saved["Arch"]["stem_padding"], saved["Arch"]["ceil_pooling"]) == (0, True)
    assert saved["DataLoader"]["Eval"]["dataset"]["transform_ops"][2]["CropImage"]["size"] == 64
    results = [line for line in lines if line.startswith("END epoch:0   valid ")]
    again = command("eval", f"Global.pretrained_model={run}/best_model")[1]
    assert again[1:3] == [f"weights: {run}/best_model/ppcls.pdparams", ADAPTED]
    assert again[3].startswith("epoch:0  , valid step:0 ")
    assert again[-1].split(",  batch_cost")[0] == results[0].split(",  batch_cost")[0]


def test_a_tuned_run_goes_on_by_itself_when_the_weights_it_began_with_are_gone(command):
    assert command("train", "Arch.pretrained=theirs.safetensors")[0] == 0
    Path("theirs.safetensors").unlink()
    run = Path("output/SqueezeNet1_1")
    code, lines, error = command("train", "Global.epochs=2", f"Global.checkpoints={run}/latest")
    assert (code, error) == (0, "")
    assert ADAPTED in lines and f"resumed {run}/latest at epoch 1, step 0" in lines
    again = ["-c", str(run / "config.yaml"), "-o", f"Global.pretrained_model={run}/latest"]
    assert main(["eval", *again]) == 0
    saved = yaml.safe_load((run / "config.yaml").read_text())
    assert (saved["Arch"]["stem_padding"], saved["Arch"]["ceil_pooling"]) == (0, True)


def test_a_checkpoint_that_remembers_arguments_is_a_state_dict_for_paddle(command, home):
    command("train", "Arch.pretrained=theirs.safetensors", "Global.eval_during_train=false")
    file = Path("output/SqueezeNet1_1/latest/ppcls.pdparams")
    assert read_weights(file).record == home[1].params.record
    state, plain = paddle.load(str(file)), load_pickle(file)
    assert set(state) == set(plain) == {*home[1].state_dict(), "ppcls_record@@"}
    assert plain["fc.weight"].dtype == np.float32
    np.testing.assert_array_equal(state["fc.weight"].numpy(), plain["fc.weight"])
    assert home[1].set_state_dict(state) == ([], [])


def test_training_for_other_classes_begins_with_a_new_classifier(command):
    Path("five.txt").write_text("a\nb\nc\nd\ne\n")
    five = ["Arch.class_num=5"]
    five += [f"DataLoader.{part}.dataset.class_to_index=five.txt" for part in ("Train", "Eval")]
    code, lines, _ = command("train", "Arch.pretrained=converted.pdparams", *five)
    assert code == 0
    lacking = "data has no pictures of e (1 of 5 classes)"
    lines = [line for line in lines if not line.endswith(lacking)]
    assert lines[1:4] == [
        "converted.pdparams: has a classifier of 4 classes and the model one of 5 classes, so the model starts with a "
        "new one",
        "weights: converted.pdparams",
        ADAPTED,
    ]
    code, _, err = command("eval", "Global.pretrained_model=converted.pdparams", *five)
    assert code == 2
    assert err == (
        "converted.pdparams: fc.weight has the shape [4, 512, 1, 1] and SqueezeNet1_1's is [5, 512, 1, 1]; write "
        "Arch.class_num=4 (in Python: class_num=4, and reset_classifier after loading)\n"
    )


@pytest.mark.parametrize("name", ["train", "eval", "infer", "export"])
@pytest.mark.parametrize("weights", ["theirs.safetensors", "converted.pdparams"])
def test_an_argument_that_contradicts_the_weights_is_refused(command, name, weights):
    code, _, err = command(name, f"Global.pretrained_model={weights}", "Arch.stem_padding=3")
    assert (code, err) == (
        2, says(f"{weights}: made for stem_padding=0, ... stem_padding=3; leave Arch.stem_padding out\n"),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["train", "eval", "infer", "export"])
def test_published_weights_without_a_network_are_one_sentence(command, name, tmp_path):
    code, _, err = command(name, "Arch.pretrained=true")
    address = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/SqueezeNet1_1_pretrained.pdparams"
    assert code == 2
    found = re.fullmatch(
        (
            rf"{address}: PPCLS_OFFLINE=1 .* weights of SqueezeNet1_1.*; put the file at "
            r"(cache/weights/\S+\.pdparams) by hand, or unset PPCLS_OFFLINE\n"
        ),
        err,
    )
    assert found, err
    assert not Path("cache").exists()
    model = build_model("SqueezeNet1_1")
    write_weights(found[1], {key: value.numpy() for key, value in model.state_dict().items()})
    if name == "export":
        assert command(name, "Arch.pretrained=true", "Arch.class_num=1000")[0] == 0


@pytest.mark.parametrize("key", ["Global.pretrained_model", "Arch.pretrained"])
def test_weights_by_their_address_without_a_network(command, key):
    code, _, err = command("export", f"{key}=http://127.0.0.1:9/mine.pth")
    assert code == 2
    assert re.fullmatch(
        (
            r"http://127\.0\.0\.1:9/mine\.pth: PPCLS_OFFLINE=1 .*; put the file at "
            r"cache/weights/127\.0\.0\.1_mine-\w{8}\.pth by hand, or unset PPCLS_OFFLINE\n"
        ),
        err,
    ), err


def test_a_runs_weights_come_before_the_published_ones(command):
    code, lines, _ = command("eval", "Global.pretrained_model=converted.pdparams", "Arch.pretrained=true")
    assert code == 0
    assert lines[1] == "weights: converted.pdparams"


def test_a_source_that_a_model_lacks(command):
    code, _, err = command("export", "Arch.pretrained=timm")
    assert (code, err) == (
        2, says("SqueezeNet1_1 ... weights named 'timm'; it has paddleclas, torchvision\n"),
    )  # fmt: skip


def test_data_that_cannot_be_used_is_said_before_weights_are_looked_for(command):
    Path("empty").mkdir()
    for name, part in (("train", "Train"), ("eval", "Eval")):
        code, _, err = command(name, "Arch.pretrained=true", f"DataLoader.{part}.dataset.image_root=empty")
        assert code == 2
        assert err.startswith("empty")


def test_gray_pictures_keep_the_configurations_preprocessing(command):
    """And the first convolution of weights for colours becomes the sum over its channels."""
    ops = "DataLoader.Eval.dataset.transform_ops"
    normalize = "NormalizeImage: {mean: [0.5], std: [0.25]}"
    gray = (
        "Arch.in_channels=1", "Global.image_shape=[1, 64, 64]", "Global.pretrained_model=theirs.safetensors",
        f"{ops}=[DecodeImage: {{channels: 1}}, ResizeImage: {{size: 64}}, {normalize}]",
    )  # fmt: skip
    code, lines, err = command("eval", *gray)
    assert (code, err) == (0, "")
    assert lines[1:4] == [
        says("theirs.safetensors: ... reads 3 channels ... adapted to 1"),
        "weights: theirs.safetensors",
        ADAPTED,
    ]


@pytest.mark.slow
def test_a_dual_path_network_follows_the_epsilon_and_the_preprocessing_of_timms_weights(command, tmp_path):
    model = as_published(tmp_path, "DPN68", "timm", "dpn68.safetensors", epsilon=1e-3)
    weights = ("Arch.name=DPN68", "Global.pretrained_model=dpn68.safetensors")
    code, lines, _ = command("eval", *weights, options=["--output", "rows.csv"])
    assert code == 0
    assert lines[2:4] == [
        "made with epsilon=0.001, as these weights need it",
        "preprocessing is that of timm's weights: short side 256 (bicubic, pil), crop 224, "
        f"mean [0.4863, 0.4588, 0.4078], std [0.2348, 0.2348, 0.2348]{TAKEN}",
    ]
    wanted = expected(model, TIMMS_DPN)
    assert_same(scores("rows.csv"), wanted)
    code, lines, _ = command("eval", *weights, "Arch.epsilon=1e-4", options=["--output", "shifted.csv"])
    assert code == 0
    assert lines[2].startswith("preprocessing is that of timm's weights: ")
    assert_same(scores("shifted.csv"), wanted)


@pytest.mark.parametrize("name", ["train", "eval", "infer", "export"])
def test_verbose_accounts_for_every_key(command, name):
    weights = "Global.pretrained_model=theirs.safetensors"
    code, lines, _ = command(name, weights, options=["--verbose"])
    assert code == 0
    begin = next(
        index for index, line in enumerate(lines) if line.endswith("DEBUG: theirs.safetensors: torchvision's layout")
    )
    keys = list(read_weights("theirs.safetensors").arrays)
    account = lines[begin + 1 : begin + 1 + len(keys)]
    assert [line.split(" -> ")[0] for line in account] == keys
    assert account[:2] == ["classifier.1.bias -> fc.bias", "classifier.1.weight -> fc.weight"]
    assert account[2:4] == ["features.0.bias -> stem.bias", "features.0.weight -> stem.weight"]
    if name != "export":  # which takes seconds, and begins as the others do
        assert [line for line in command(name, weights)[1] if "DEBUG:" in line] == []


def test_prediction_from_a_bundle_loads_no_weights_and_has_no_verbose(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["predict", "--verbose"])
    assert caught.value.code == 2
    assert "--verbose" in capsys.readouterr().err
