"""PaddleClas's inference models: a program of Paddle 2 and its parameters, in a folder or a tar, without a manifest."""

import io
import json
import os
import shutil
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.messages import refusal, says
from helpers.new_process import output_of
from helpers.pictures import save_picture, solid
from helpers.protobuf import field
from ppcls.arch.weights.sources import find_source
from ppcls.cli import main
from ppcls.data.transforms import Pipeline
from ppcls.deployment.adopt import adopt
from ppcls.inference import Bundle, Classifier, Golden
from ppcls.inference.official.find import find_bundle
from ppcls.untrusted.paddle_programs import check_parameters, declared_inputs
from ppcls.untrusted.tar import unpack
from ppcls.utils import child
from ppcls.utils.errors import Unavailable, UserError

# ruff: noqa: E501 (whole messages stand in one line)

DLA34 = Pipeline.from_list(find_source("DLA34").preprocessing.transform_ops())
# As PaddleClas's deployment has them: without DecodeImage.
TRANSFORMS = [
    {"ResizeImage": {"resize_short": 240}},
    {"CropImage": {"size": 224}},
    {"NormalizeImage": {"scale": 0.00392157, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "order": ""}},
    {"ToCHWImage": None},
]
THEIRS = {
    "Global": {"model_name": "ResNet18"},
    "Hpi": {"backend_configs": {"tensorrt": {"x": [1, 3, 224, 224]}}},
    "PreProcess": {"transform_ops": [{**TRANSFORMS[0]}, *TRANSFORMS[1:]]},
    "PostProcess": {"Topk": {"topk": 5, "label_list": ["ant", "bee", "cat", "dog", 5]}},
}


@pytest.fixture(scope="module", autouse=True)
def _home(tmp_path_factory):
    """What trials of programs found is kept for the tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPCLS_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """The folder of the models `probabilities` and `logits`; tests read it only."""
    folder = tmp_path_factory.mktemp("official")
    script = Path(__file__).with_name("official_child.py")
    output_of("-W", "ignore", script, folder, environment={**os.environ, "FLAGS_enable_pir_api": "0"})
    return folder


@pytest.fixture
def model(official, tmp_path):
    """A copy of `probabilities` that a test may break."""
    return Path(shutil.copytree(official / "probabilities", tmp_path / "DLA34_infer"))


def reference(official, batch):
    """The same numbers by hand: the logits' program through softmax in float64."""
    bundle = find_bundle(official / "logits", "DLA34")
    logits = Classifier(bundle)._prediction.backend._backend.run(batch).astype("float64")
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_a_folder_is_read_with_the_tables_preprocessing(official):
    bundle = find_bundle(official / "probabilities", "DLA34")
    assert bundle.pipeline == DLA34
    assert (bundle.architecture, bundle.program.file, bundle.class_num) == ("DLA34", "inference.pdmodel", 5)
    assert (bundle.input.name, bundle.input.shape, bundle.output.meaning) == ("x", (-1, 3, 224, 224), "probabilities")
    assert bundle.golden is None
    assert bundle.files == ("inference.pdmodel", "inference.pdiparams")


def test_probabilities_and_logits_give_the_same_scores(official):
    batch = np.random.default_rng(0).normal(size=(3, 3, 224, 224)).astype("float32")
    expected = reference(official, batch)
    assert find_bundle(official / "logits", "DLA34").output.meaning == "logits"
    for name in ("probabilities", "logits"):
        for onednn in (True, False):
            scores = Classifier(official / name, model="DLA34", onednn=onednn)._prediction.backend.run(batch)
            np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)


def test_its_pictures_are_classified_and_nothing_can_be_verified(official):
    picture = np.random.default_rng(1).integers(0, 256, (300, 280, 3), dtype=np.uint8)
    classifier = Classifier(official / "probabilities", model="DLA34", class_names=["a", "b", "c", "d", "e"])
    (result,) = classifier.predict([picture], color="RGB")
    expected = reference(official, DLA34.from_array(picture, "RGB")[np.newaxis])[0]
    assert result.class_ids == list(np.argsort(-expected))
    assert result.names[0] == "abcde"[expected.argmax()]
    assert refusal(classifier.verify) == says(
        f"{official / 'probabilities'}: there is no golden picture ...; export a bundle ..., or `ppcls adopt` it"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"preprocess": TRANSFORMS}, Pipeline.from_list([{"DecodeImage": {}}, *TRANSFORMS])),
        ({"preprocess": Pipeline.from_list([{"DecodeImage": {"to_rgb": False}}, *TRANSFORMS])}, None),
        ({"preprocess": {"resize_short": 232}}, DLA34.to_list()),
        ({"preprocess": {"resize_short": 232}, "model": "DLA34"}, DLA34.to_list()),
    ],
)
def test_preprocessing_may_be_given(official, given, expected):
    found = find_bundle(official / "probabilities", **given).pipeline
    if isinstance(expected, list):
        expected[1]["ResizeImage"]["resize_short"] = 232
        expected = Pipeline.from_list(expected)
    assert found == (expected or given["preprocess"])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "{} does not state its preprocessing; name the model (... model='DLA34'"),
        ({"model": "DLA35"}, "... 'DLA35' (did you mean DLA34?); or give the transforms"),
        ({"model": "DarkNet53"}, "{} takes pictures of [3, 224, 224] ..., but its preprocessing gives [3, 256, 256]"),
        ({"preprocess": {"sizes": 1}}, "{}: ... impossible: unknown key 'sizes'. Did you mean 'size'?"),
        ({"preprocess": {"size": 288}}, "{}: ... impossible: a size of 288 out of 256 pixels"),
        ({"preprocess": [{"Resize": {}}]}, "{}: ... impossible: there is no transform named 'Resize'"),
        ({"preprocess": TRANSFORMS[:1]}, "{}: ... pictures of no fixed size; end it with a crop"),
    ],
)  # fmt: skip
def test_preprocessing_that_is_not_known_or_does_not_fit(official, given, sentence):
    place = official / "probabilities"
    assert refusal(find_bundle, place, **given) == says(f"{sentence.format(place)} ...")


def test_paddleclas_own_description_is_read(model):
    (model / "inference.yml").write_text(yaml.safe_dump(THEIRS))
    bundle = find_bundle(model)
    assert bundle.architecture == "ResNet18"
    assert bundle.pipeline == Pipeline.from_list([{"DecodeImage": {"to_rgb": True}}, *TRANSFORMS])
    assert bundle.class_names == ("ant", "bee", "cat", "dog", "5")
    assert refusal(find_bundle, model, "DLA34") == says(f"{model} is a model ResNet18, not DLA34; leave ... out")


@pytest.mark.parametrize(
    ("section", "value", "sentence"),
    [
        ("PostProcess", {"ThreshOutput": {}}, "{}: PostProcess.ThreshOutput ..., only Topk is; use another model"),
        ("PreProcess", [], "{}: PreProcess is not a mapping; give PaddleClas's own file"),
        ("PreProcess", {"transform_ops": [{"AugMix": {}}]}, "the transform AugMix ...; remove it or write RandAugment"),
        ("PostProcess", {"Topk": {"label_list": ["a"]}}, "{folder}: class_names has 1 names for 5 classes"),
    ],
)  # fmt: skip
def test_a_description_that_cannot_be_followed(model, section, value, sentence):
    file = model / "inference.yml"
    file.write_text(yaml.safe_dump({**THEIRS, section: value or ["x"]}))
    assert refusal(find_bundle, model) == says(f"... {sentence.format(file, folder=model)} ...")


@pytest.mark.parametrize("name", ["inference.pdmodel", "inference.pdiparams"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_damage_is_one_sentence(model, name, share):
    content = (model / name).read_bytes()
    (model / name).write_bytes(content[: int(share * len(content))])
    said = refusal(find_bundle, model, "DLA34")
    assert said.startswith(str(model))
    assert "\n" not in said


@pytest.mark.parametrize("program", ["inference.pdmodel", "inference.json"])
def test_what_a_program_says_of_its_inputs(official, exported, program):
    folder, expected = {
        "inference.pdmodel": (official / "logits", {"x": (-1, 3, 224, 224)}),
        "inference.json": (exported, {"image": (-1, 3, 32, 32)}),
    }[program]
    assert declared_inputs(folder / program) == expected


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["inference.pdmodel", "inference.json"]), data=st.data())
def test_a_hostile_program_is_read_or_refused(official, exported, tmp_path, name, data):
    source = official / "logits" if name.endswith("pdmodel") else exported
    content = bytearray((source / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / name).write_bytes(content)
    try:
        assert all(isinstance(side, int) for shape in declared_inputs(tmp_path / name).values() for side in shape)
    except UserError as error:
        assert str(error).startswith(str(tmp_path / name))


def test_without_paddle_nobody_is_sent_to_download_again(model, monkeypatch):
    from ppcls.inference.official import trial

    def absent(*_):
        raise Unavailable("Paddle is not installed; run `pip install paddlepaddle`")

    monkeypatch.setattr(trial, "load_paddle", absent)
    with pytest.raises(Unavailable, match=r"^Paddle is not installed; run"):
        find_bundle(model, "DLA34")


def test_a_program_that_ends_the_process_inside_paddle_is_a_sentence(model, monkeypatch):
    monkeypatch.setenv("PPCLS_HOME", str(model / "home"))
    monkeypatch.setattr(child, "command", lambda module: [sys.executable, "-c", "import os; os.abort()"])
    program = model / "inference.pdmodel"
    assert refusal(find_bundle, model, "DLA34") == says(
        f"{program}: Paddle ends with a crash ...; download or export it again"
    )
    assert not list((model / "home").rglob("*.json"))


def test_a_program_is_tried_once(model, monkeypatch):
    monkeypatch.setenv("PPCLS_HOME", str(model / "home"))
    found = find_bundle(model, "DLA34")
    (record,) = (model / "home" / "programs").iterdir()
    assert json.loads(record.read_text()) == {
        "output": found.output.name, "class_num": 5, "meaning": "probabilities",
    }  # fmt: skip
    monkeypatch.setattr(child, "call", None)  # which nobody calls again
    assert find_bundle(model, "DLA34") == found
    # Other parameters are another model
    (model / "inference.pdiparams").write_bytes(zeroed((model / "inference.pdiparams").read_bytes()))
    with pytest.raises(TypeError):
        find_bundle(model, "DLA34")


def zeroed(parameters):
    """The same tensors, the last value of the last one being 0."""
    assert parameters[-4:] != bytes(4)
    return parameters[:-4] + bytes(4)


def test_a_damaged_record_of_a_trial_is_written_anew(model, monkeypatch):
    monkeypatch.setenv("PPCLS_HOME", str(model / "home"))
    found = find_bundle(model, "DLA34")
    (record,) = (model / "home" / "programs").iterdir()
    whole = record.read_bytes()
    wrong = b'{"output": "x", "class_num": "5", "meaning": "logits"}'
    for damage in (b"", b"[" * 5000, wrong):
        record.write_bytes(damage)
        assert find_bundle(model, "DLA34") == found
        assert record.read_bytes() == whole


def tensor(*sides, levels=0, length=None):
    """A tensor of bytes as a file of parameters has it, without its values."""
    description = b"\x08\x14" + b"".join(field(2, side % (1 << 64)) for side in sides)
    length = len(description) if length is None else length
    return struct.pack("<IQIi", 0, levels, 0, length) + description


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (tensor(-len(tensor(-10))), "a tensor of the impossible shape [-33]"),  # back to its beginning, for ever
        (tensor(2, -1), "a tensor of the impossible shape [2, -1]"),
        (tensor(*[1] * 10), "a tensor of the impossible shape [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"),
        (tensor(*[1 << 62] * 9), f"its last tensor ends at byte {112 + (1 << 558)} of 112"),
        (tensor(3, length=-1), "a tensor's description of -1 bytes"),
        (tensor(3, levels=1 << 60), "a tensor with 1152921504606846976 levels of detail"),
        (tensor(3), "its last tensor ends at byte 27 of 24"),
    ],
)
def test_a_file_of_parameters_that_cannot_be(tmp_path, content, text):
    path = tmp_path / "inference.pdiparams"
    path.write_bytes(content)
    assert refusal(check_parameters, path).startswith(f"{path}: not a valid file of parameters ({text}")
    path.write_bytes(tensor(2, 0) + tensor(3) + b"abc" + tensor() + b"a")
    check_parameters(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_hostile_file_of_parameters_is_passed_or_refused(tmp_path, data):
    path, content = tmp_path / "inference.pdiparams", bytearray((tensor(2, 0) + tensor(3, 1) + b"abc") * 3)
    for _ in range(data.draw(st.integers(1, 12))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
    path.write_bytes(content)
    try:
        check_parameters(path)
    except UserError as error:
        assert str(error).startswith(f"{path}: not a valid file of parameters (")


def test_a_missing_part_is_said(model, tmp_path):
    (model / "inference.pdiparams").unlink()
    assert refusal(find_bundle, model, "DLA34") == says(
        f"{model}: ... (inference.json or inference.pdmodel) ... (inference.pdiparams); one of "
        "them is missing, download both again"
    )
    assert "no inference.yml there; give the folder that `ppcls export`" in refusal(find_bundle, tmp_path, "DLA34")


@pytest.mark.parametrize(
    ("program", "parameters"),
    [("DLA34.pdmodel", "DLA34.pdiparams"), ("__model__", "__params__"), ("model", "params")],
)
def test_a_model_whose_files_have_other_names_is_told_how_to_rename_them(tmp_path, program, parameters):
    (tmp_path / program).touch()
    assert refusal(find_bundle, tmp_path) == says(
        f"{tmp_path} has the program {program}, ... export the model again ..."
    )
    (tmp_path / parameters).touch()
    remedy = f"rename it to inference.pdmodel and {parameters} to inference.pdiparams, and give the folder"
    assert refusal(find_bundle, tmp_path) == f"{tmp_path}: its program is called {program}; {remedy}"
    assert refusal(find_bundle, tmp_path / program) == f"{tmp_path}: its program is called {program}; {remedy}"


def test_a_part_of_a_model_is_told_its_folder(model):
    for name in ("inference.pdmodel", "inference.pdiparams"):
        assert refusal(find_bundle, model / name, "DLA34") == (
            f"{model / name} is a part of a model; give its folder, {model}"
        )


def test_a_compressed_archive_is_told_how_to_unpack_it(tmp_path):
    archive = tmp_path / "DLA34_infer.tgz"
    archive.touch()
    assert refusal(find_bundle, archive) == says(
        f"{archive} is a compressed archive, ... `tar -xf {archive}`, ... folder ..."
    )


def test_a_bundle_of_ours_needs_no_telling(exported):
    assert find_bundle(exported, "Tiny") == Bundle.load(exported)
    assert refusal(find_bundle, exported, "DLA34") == says(
        f"{exported} is a bundle of Tiny, not of DLA34; leave ... out"
    )
    own = Bundle.load(exported)
    assert find_bundle(exported, None, own.pipeline) == own
    (resize,) = [entry for entry in own.transforms if "ResizeImage" in entry]
    (normalize,) = [entry["NormalizeImage"] for entry in own.transforms if "NormalizeImage" in entry]
    rounded = [entry for entry in own.transforms if "NormalizeImage" not in entry and "ToCHWImage" not in entry]
    rounded.append({"NormalizeImage": {**normalize, "scale": round(normalize["scale"], 8)}})
    assert find_bundle(exported, None, rounded) == own
    other = [{"ResizeImage": {"size": 40}} if entry is resize else entry for entry in own.transforms]
    assert refusal(find_bundle, exported, None, other) == says(
        f"{exported} carries its preprocessing (inference.yml), and the given one (PreProcess) differs: ResizeImage ... "
        "'size': [40, 40], ... is given, the bundle has ResizeImage ...; leave PreProcess out, or change "
        "DataLoader.Eval.dataset.transform_ops and export again"
    )


def archive(place, members, **options):
    """A tar of (name or TarInfo, bytes)."""
    with tarfile.open(place, options.pop("mode", "w"), **options) as tar:
        for name, content in members:
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if member.isreg():
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return place


def official_members(model, folder="DLA34_infer/"):
    return [(f"{folder}{path.name}", path.read_bytes()) for path in sorted(model.iterdir())]


@pytest.mark.parametrize("folder", ["DLA34_infer/", "./DLA34_infer/", ""])
def test_a_tar_is_read(official, tmp_path, folder):
    members = official_members(official / "probabilities", folder)
    assert any(name.endswith(".info") for name, _ in members)
    found = find_bundle(archive(tmp_path / "x.tar", [*members, ("README.md", b"hello")]), "DLA34")
    assert sorted(path.name for path in found.folder.iterdir()) == ["inference.pdiparams", "inference.pdmodel"]
    assert found.program == find_bundle(official / "probabilities", "DLA34").program


def link(name, kind):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ([("../inference.pdmodel", b"x")], "a member outside of its folder (../inference.pdmodel)"),
        ([("/tmp/inference.pdmodel", b"x")], "a member outside of its folder (/tmp/inference.pdmodel)"),
        ([("a\\inference.pdmodel", b"x")], "a member outside of its folder"),
        ([(link("a/inference.pdmodel", tarfile.SYMTYPE), b"")], "neither a plain file nor a folder (a/inference.pdmodel)"),
        ([(link("a/inference.pdmodel", tarfile.LNKTYPE), b"")], "neither a plain file nor a folder"),
        ([(link("a/pipe", tarfile.FIFOTYPE), b"")], "neither a plain file nor a folder (a/pipe)"),
        ([("a/inference.pdmodel", b"x"), ("a/inference.pdmodel", b"y")], "two files named inference.pdmodel"),
        ([("a/inference.pdmodel", b"x"), ("b/inference.pdiparams", b"y")], "its model's files in 2 folders"),
        ([("a/model.onnx", b"x")], "holds none of inference.pdmodel"),
    ],
)  # fmt: skip
def test_a_tar_that_is_no_model_writes_nothing(tmp_path, members, sentence):
    place, out = archive(tmp_path / "x.tar", members), tmp_path / "out"
    out.mkdir()
    said = refusal(unpack, place, out)
    assert said.startswith(str(place))
    assert sentence in said
    assert list(out.iterdir()) == []


def test_a_tar_that_claims_more_than_it_has_or_is_compressed(tmp_path):
    member = tarfile.TarInfo("a/inference.pdmodel")
    member.size = 1 << 40
    (tmp_path / "x.tar").write_bytes(member.tobuf() + bytes(10240))
    said = refusal(unpack, tmp_path / "x.tar", tmp_path)
    assert said.startswith(f"{tmp_path / 'x.tar'}: not a valid uncompressed tar (")
    place = archive(tmp_path / "x.tar.gz", [("a/inference.pdmodel", b"x")], mode="w:gz")
    assert refusal(unpack, place, tmp_path).startswith(f"{place}: not a valid uncompressed tar (")
    assert not (tmp_path / "inference.pdmodel").exists()


def test_a_file_or_a_tar_of_a_bundle_is_not_taken_for_a_model_of_paddleclas(exported, tmp_path):
    for name in ("inference.json", "inference.yml"):
        assert refusal(find_bundle, exported / name) == (
            f"{exported / name} is a file of a bundle; give the bundle's folder, {exported}"
        )
    with tarfile.open(tmp_path / "bundle.tar", "w") as tar:
        tar.add(exported, "bundle")
    assert refusal(find_bundle, tmp_path / "bundle.tar") == says(
        f"{tmp_path / 'bundle.tar'} ... bundle of this library ...; unpack it, and give the bundle's folder"
    )


@pytest.mark.parametrize("name", ["probabilities", "logits"])
def test_an_adopted_model_is_a_bundle_that_verifies(official, tmp_path, name):
    place = archive(tmp_path / "DLA34_infer.tar", official_members(official / name))
    assert adopt(place, tmp_path / "bundle", "DLA34", class_names=["a", "b", "c", "d", "e"]).score_difference < 1e-4
    bundle = Bundle.load(tmp_path / "bundle")
    assert bundle.class_names == ("a", "b", "c", "d", "e")
    assert bundle.golden.source.endswith(
        "its scores are this program's own, on Paddle's plain kernels, when it was adopted"
    )
    golden = Golden.of(bundle)
    np.testing.assert_allclose(golden.scores, reference(official, golden.input), rtol=0, atol=1e-6)
    assert Classifier(tmp_path / "bundle").verify().classes_compared == 5
    names = sorted(path.name for path in (tmp_path / "bundle").iterdir())
    assert names == ["golden.npz", "inference.pdiparams", "inference.pdmodel", "inference.yml"]
    assert refusal(adopt, place, tmp_path / "bundle", "DLA34").endswith("exists already; give the name of a new folder")
    again = refusal(adopt, tmp_path / "bundle", tmp_path / "other")
    assert again == f"{tmp_path / 'bundle'} is a bundle already; use it as it is"


def test_names_that_do_not_fit_leave_nothing(official, tmp_path):
    said = refusal(adopt, official / "logits", tmp_path / "bundle", "DLA34", class_names=["a"])
    assert said == "class_names has 1 names for 5 classes; give one name per class"
    assert list(tmp_path.iterdir()) == []


def test_the_commands(official, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("a\nb\nc\nd\ne\n")
    save_picture(Path("p.png"), solid(90, 240, 260))
    shown = []
    source = str(official / "probabilities")
    flags = ["--size", "224", "--resize-short", "240", "--mean", "0.5", "0.5", "0.5", "--std", "0.5", "0.5", "0.5"]
    assert main(["adopt", source, "out", *flags, "--labels", "names.txt"]) == 0
    assert capsys.readouterr().out.startswith("out: oneDNN's scores differ from those of plain kernels by ")
    deploy = {
        "PreProcess": {"transform_ops": TRANSFORMS},
        "Global": {"inference_model_dir": source, "infer_imgs": "p.png"},
    }
    Path("deploy.yaml").write_text(json.dumps(deploy))
    for words in (
        ["-c", "deploy.yaml"],
        ["-c", "deploy.yaml", "-o", "PreProcess=null", "-o", "Global.model_name=DLA34"],
    ):
        assert main(["predict", *words, "-o", "PostProcess.Topk.class_id_map_file=names.txt"]) == 0
        shown.append(capsys.readouterr().out)
    assert main(["predict", "-o", "Global.inference_model_dir=out", "-o", "Global.infer_imgs=p.png"]) == 0
    assert capsys.readouterr().out == shown[0] != shown[1]
