import hashlib
import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.messages import pattern, refusal, says
from ppcls.inference import Bundle
from ppcls.inference.backends.paddle import PaddleBackend
from ppcls.inference.manifest import is_ours, paddlex_fields
from ppcls.inference.settings import Settings
from ppcls.utils.errors import UserError

CHW = "(channels, height, width)"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def message(folder):
    return refusal(Bundle.load, folder).replace(str(folder / "inference.yml"), "MANIFEST")


def test_the_manifest_says_everything(exported):
    manifest = yaml.safe_load((exported / "inference.yml").read_text(encoding="utf-8"))
    transforms = manifest.pop("transforms")
    assert manifest.pop("paddle").count(".") == 2
    for key in ("Global", "PreProcess", "PostProcess"):
        del manifest[key]
    assert manifest == {
        "schema": 3,
        "library": "0.1.0",
        "architecture": "Tiny",
        "config_sha256": "c" * 64,
        "weights_sha256": None,
        "program": {"file": "inference.json", "sha256": digest(exported / "inference.json")},
        "parameters": {"file": "inference.pdiparams", "sha256": digest(exported / "inference.pdiparams")},
        "input": {
            "name": "image",
            "shape": [-1, 3, 32, 32],
            "dtype": "float32",
            "layout": "NCHW",
            "color": "RGB",
        },
        "output": {"name": "fetch_name_0", "shape": [-1, 5], "meaning": "probabilities", "kind": "classification"},
        "class_names": ["tench, Tinca tinca", "goldfish", 'a "shark"', "naïve ray", "hen"],
        "golden": {
            "file": "golden.npz",
            "source": "drawn by the library (ppcls/inference/golden.png)",
            "sha256": digest(exported / "golden.npz"),
        },
        "architecture_arguments": {"class_num": 5, "depths": [1, 2]},
        "weights_source": "https://example.org/tiny.pdparams",
        "onnx": None,
        "quantized": [],
        "settings": None,
    }
    assert [next(iter(entry)) for entry in transforms] == [
        "DecodeImage",
        "ResizeImage",
        "CropImage",
        "NormalizeImage",
        "ToCHWImage",
    ]
    assert transforms[2] == {"CropImage": {"size": [32, 32]}}


def test_the_manifest_says_what_paddlex_reads(exported):
    manifest = yaml.safe_load((exported / "inference.yml").read_text(encoding="utf-8"))
    assert manifest["Global"] == {"model_name": "Tiny"}
    assert manifest["PostProcess"] == {"Topk": {"topk": 5, "label_list": manifest["class_names"]}}
    operations = manifest["PreProcess"]["transform_ops"]
    assert [next(iter(entry)) for entry in operations] == ["ResizeImage", "CropImage", "NormalizeImage", "ToCHWImage"]
    assert operations[0] == {"ResizeImage": {"resize_short": 40}}
    assert operations[1] == {"CropImage": {"size": [32, 32]}}
    normalize = operations[2]["NormalizeImage"]
    assert (normalize["order"], normalize["channel_num"], normalize["scale"]) == ("", 3, 1 / 255)
    assert operations[3] == {"ToCHWImage": None}


def test_these_keys_follow_the_bundles_own(copy):
    Bundle.load(copy).change(class_names=("a", "b", "c", "d", "e"))
    manifest = yaml.safe_load((copy / "inference.yml").read_text(encoding="utf-8"))
    assert manifest["PostProcess"]["Topk"]["label_list"] == ["a", "b", "c", "d", "e"]
    Bundle.load(copy).change(class_names=None)
    manifest = yaml.safe_load((copy / "inference.yml").read_text(encoding="utf-8"))
    assert manifest["PostProcess"] == {"Topk": {"topk": 5}}


@pytest.mark.parametrize("decode", [{"to_rgb": False}, {"channels": 1}])
def test_pictures_that_paddlex_would_read_otherwise_have_no_such_keys(decode):
    assert paddlex_fields("DLA34", [{"DecodeImage": decode}], None, 5) == {}


def test_paddlex_finds_a_resize_that_is_not_its_own():
    resize = {"ResizeImage": {"resize_short": None, "size": [8, 8], "interpolation": "bicubic", "backend": "pil"}}
    fields = paddlex_fields("DLA34", [{"DecodeImage": {}}, resize], None, 3)
    assert fields["PreProcess"]["transform_ops"] == [
        {"ResizeImage": {"size": [8, 8], "interpolation": "bicubic", "backend": "pil"}}
    ]
    assert fields["PostProcess"] == {"Topk": {"topk": 3}}


def test_a_loaded_bundle_has_the_manifests_values(exported):
    bundle = Bundle.load(str(exported))
    assert (bundle.architecture, bundle.class_num, bundle.input.shape) == ("Tiny", 5, (-1, 3, 32, 32))
    assert bundle.pipeline.to_list() == list(bundle.transforms)
    assert bundle.path_of(bundle.parameters) == exported / "inference.pdiparams"
    assert bundle.checked(bundle.program) == (exported / "inference.json",)


def test_a_change_keeps_what_others_changed(copy):
    one, other = Bundle.load(copy), Bundle.load(copy)
    other.change(architecture="Other", class_names=None)
    changed = one.change(settings=Settings(threads=1))
    assert (changed.architecture, changed.class_names, changed.settings) == ("Other", None, Settings(threads=1))
    assert Bundle.load(copy) == changed
    with pytest.raises(ValueError, match="class_names has 1 names for 5 classes"):
        one.change(class_names=("a",))
    assert Bundle.load(copy) == changed


def test_a_name_that_is_no_utf8_leaves_a_manifest_that_can_be_read(copy):
    bundle = Bundle.load(copy)
    bundle.change(golden=replace(bundle.golden, source="caf\udce9.png"))
    assert Bundle.load(copy).golden.source == r"caf\udce9.png"


def test_no_manifest(tmp_path):
    assert message(tmp_path) == says(
        f"{tmp_path}: no inference.yml there; give the folder that `ppcls export` ... or ... `ppcls adopt` ..."
    )


@pytest.mark.parametrize("text", ["Global:\n  model_name: PPLCNet_x1_0\n", "- 1\n", ""])
def test_a_manifest_of_somebody_else(copy, text):
    (copy / "inference.yml").write_text(text)
    assert message(copy) == says("MANIFEST has no schema number: ... export the model again")


def test_a_manifest_that_is_not_yaml(copy):
    (copy / "inference.yml").write_text("schema: [1\n")
    said = message(copy)
    assert said.startswith("MANIFEST:2: is not YAML (")
    assert said.endswith(", or copy the bundle again, or export again")


@pytest.mark.parametrize(
    ("written", "message_end"),
    [
        ("library: 2001-13-45", ""),  # text, as any version is
        ("library: !!int abc", ":3 library: the tag !!int does not fit 'abc'; "),
        ("library: !!python/name:os.system", ":3 library: the tag !!python/name:os.system is not supported; "),
        (f"library: {'7' * 5000}", " library: str is expected, not inf; "),
        ("library: {a: 1}", " library: str is expected, not a mapping; "),
        (f"library: {'[' * 200}{']' * 200}", ":3 library.0.0"),
    ],
)
def test_damaged_text_is_one_sentence(copy, written, message_end):
    manifest = copy / "inference.yml"
    first, second, third, *rest = manifest.read_text(encoding="utf-8").splitlines()
    assert second.startswith("library: ")
    manifest.write_text("\n".join([first, "# a comment", written, third, *rest]), encoding="utf-8")
    if not message_end:
        assert Bundle.load(copy).library == "2001-13-45"
        return
    found = message(copy)
    assert found.startswith(f"MANIFEST{message_end}")
    assert "\n" not in found and len(found) < 1000


NUMBERS = ["1e5", "1.5e5", "0o17", "0x1F", "12", "1_000", "12:30", "yes", "null", "2001-12-14", ".5", "-.5", "", "~"]


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("schema: 3\n", True),
        ("# a comment\nlibrary: 0.1.0\nschema: [\n", True),  # damaged
        ('{"schema": 3}', True),
        ("Global:\n  library: x\n  schema: 1\n", False),
        ("Global: {schema: 3}\n", False),
        ("", False),
        ("schemas: 1\n", False),
    ],
)
def test_a_manifest_of_this_library_is_known_by_its_keys(tmp_path, text, ours):
    (tmp_path / "inference.yml").write_text(text)
    assert is_ours(tmp_path) is ours


def test_class_names_that_look_like_numbers_stay_text(copy):
    names = tuple(NUMBERS[:5])
    assert Bundle.load(copy).change(class_names=names).class_names == names
    assert yaml.safe_load((copy / "inference.yml").read_text())["class_names"] == list(names)


@pytest.mark.parametrize("name", NUMBERS)
def test_names_that_pyyaml_wrote_without_quotes_stay_text(edit, name):
    assert Bundle.load(edit({"class_names": [name, "b", "c", "d", "e"]})).class_names[0] == name


def test_a_manifest_of_schema_2_is_read(edit, copy):
    edit(remove="architecture_arguments")
    edit({"output": OUTPUT, "schema": 2}, remove="weights_source")
    bundle = Bundle.load(copy)
    assert bundle.output.kind == "classification"
    assert (bundle.architecture_arguments, bundle.weights_source) == (None, None)


def test_a_newer_schema_is_named_before_its_unknown_keys(edit):
    assert message(edit({"schema": 5, "library": "0.9.0", "surprise": 1})) == says(
        "MANIFEST was written by ... '0.9.0' (schema 5; ... 0.1.0 ... schema 4); install that version"
    )


@pytest.mark.parametrize("schema", [0, "one", None, True])
def test_an_impossible_schema(edit, schema):
    assert message(edit({"schema": schema})) == says(
        f"MANIFEST: schema is {schema!r}; ... reads 1 to 4; export the model again"
    )


SHA = {"sha256": "0" * 64}
INPUT = {"name": "image", "shape": [-1, 3, 32, 32], "dtype": "float32", "layout": "NCHW", "color": "RGB"}
OUTPUT = {"name": "fetch_name_0", "shape": [-1, 5], "meaning": "probabilities"}
DECODE, CROP = {"DecodeImage": {}}, {"CropImage": {"size": 32}}


@pytest.mark.parametrize(
    ("values", "rest"),
    [
        ({"clas_names": None}, ": unknown key 'clas_names'. Did you mean 'class_names'?"),
        ({"architecture": 5}, " architecture: str is expected, not 5; export the model again"),
        ({"input": []}, " input: a mapping is expected, not []; export the model again"),
        ({"input": {**INPUT, "shape": 3}}, " input shape: a list is expected, not 3; export the model again"),
        (
            {"input": {**INPUT, "shape": [-1, 3, True, 32]}},
            " input shape[2]: int is expected, not True; export the model again",
        ),
        (
            {"input": {**INPUT, "shape": [2, 3, 32, 32]}},
            " input: shape is [2, 3, 32, 32]; it is [-1 or 1, channels, height, width]",
        ),
        ({"input": {**INPUT, "dtype": "uint8"}}, " input: dtype is 'uint8'; this library runs float32"),
        ({"input": {**INPUT, "layout": "NHWC"}}, " input: layout is 'NHWC'; this library runs NCHW"),
        ({"input": {**INPUT, "color": "GBR"}}, " input: color is 'GBR'; this library runs RGB or BGR"),
        ({"input": {**INPUT, "color": "BGR"}}, ": input.color is BGR, but the transforms give RGB"),
        (
            {"input": {**INPUT, "shape": [-1, 3, 32, 48]}},
            f": ... [3, 32, 32] {CHW}, ... takes [3, 32, 48] {CHW}; end them with a crop or a size ...",
        ),
        (
            {"output": {**OUTPUT, "meaning": "features"}},
            " output: meaning is 'features'; ... probabilities or logits",
        ),
        (
            {"output": {**OUTPUT, "kind": "embedding"}},
            " output: kind is 'embedding'; ... classification; install a newer one",
        ),
        (
            {"output": {**OUTPUT, "shape": [-1, 10**9]}},
            " output: shape is [-1, 1000000000]; ... 16,777,216 classes",
        ),
        (
            {"input": {**INPUT, "shape": [-1, 3, 100_000, 100_000]}},
            " input: shape is [-1, 3, 100000, 100000]; ... 134,217,728 values",
        ),
        ({"output": {**OUTPUT, "shape": [-1]}}, " output: shape is [-1]; it is [-1, class_num]"),
        ({"class_names": ["a", "b"]}, ": class_names has 2 names for 5 classes"),
        (
            {"transforms": [DECODE]},
            f": ... no fixed size, ... [3, 32, 32] {CHW}; end them with a crop or a size ...",
        ),
        (
            {"transforms": [DECODE, {"RandCropImage": {"size": 32}}]},
            ": a transform draws at random; export with the transforms of evaluation",
        ),
        ({"transforms": [DECODE, CROP, {"Sharpen": {}}]}, ": there is no transform named 'Sharpen'"),
        ({"transforms": [DECODE, {5: None}]}, ": there is no transform named '5'"),
        ({"transforms": [{"DecodeImage": 5}]}, ": DecodeImage is 5; write its keys and their values, or null"),
        (
            {"transforms": [DECODE, {"ResizeImage": {"resize_short": "x"}}, CROP]},
            ": ResizeImage: resize_short is 'x'; ... at least 1",
        ),
        (
            {"program": {"file": "../secret.json", **SHA}},
            ": '../secret.json' is not the name of a file beside it; export again",
        ),
    ],
)
def test_what_cannot_be_is_said(edit, values, rest):
    found = message(edit(values))
    assert re.match(pattern(f"MANIFEST{rest}"), found)


def test_a_missing_key_is_named(edit):
    assert message(edit(remove="input")) == "MANIFEST: input is missing; export the model again"


@pytest.mark.parametrize("name", ["inference.json", "inference.pdiparams", "golden.npz"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    assert message(copy) == says(f"{copy / name} is missing; copy the bundle's folder whole, or export again")


@pytest.mark.parametrize("name", ["inference.json", "inference.pdiparams"])
def test_a_changed_byte_is_noticed_before_the_program_is_loaded(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    bundle = Bundle.load(copy)
    assert refusal(PaddleBackend, bundle) == says(
        f"{copy / name} is not the file ... (its SHA-256 differs); copy the bundle's folder again, or export again"
    )


def test_a_program_of_other_names_is_refused(edit):
    bundle = Bundle.load(edit({"output": {**OUTPUT, "name": "probabilities"}}))
    with pytest.raises(UserError, match=r"takes \['image'\] and gives \['fetch_name_0'\], but its manifest says image"):
        PaddleBackend(bundle)


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    key=st.sampled_from(["architecture", "program", "input", "output", "transforms", "class_names", "golden", "new"]),
    value=PLAIN | st.dictionaries(st.sampled_from(["name", "shape", "file", "sha256", "x"]), PLAIN, max_size=4),
)
def test_any_value_is_either_right_or_the_users_mistake(edit, key, value):
    folder = edit()
    manifest = (folder / "inference.yml").read_bytes()
    edit({key: value})
    try:
        Bundle.load(folder)
        assert key in ("architecture", "class_names", "golden") and (value is None or isinstance(value, (str, list)))
    except UserError as error:
        assert str(folder) in str(error)
    finally:
        (folder / "inference.yml").write_bytes(manifest)


KEYS = ["to_rgb", "resize_short", "size", "interpolation", "backend", "scale", "mean", "std", "order"]
VALUES = PLAIN | st.floats(allow_nan=False) | st.lists(PLAIN, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    name=st.sampled_from(["DecodeImage", "ResizeImage", "CropImage", "NormalizeImage", "ToCHWImage", 5, None]),
    keys=PLAIN | st.dictionaries(st.sampled_from([*KEYS, 5]), VALUES, max_size=2),
)
def test_any_transform_is_either_right_or_the_users_mistake(edit, name, keys):
    folder = edit({"transforms": [DECODE, {name: keys}, CROP] if name != "DecodeImage" else [{name: keys}, CROP]})
    try:
        Bundle.load(folder)
    except UserError as error:
        assert str(error).startswith(f"{folder}/inference.yml: ")
