"""Damaged copies of every file of a bundle or model: each reader reads them, or refuses them by one sentence."""

import io
import json
import shutil
import tarfile

import numpy as np
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.fuzzing import FUZZING, assert_every_mutant_is_read_or_refused, mutant, seeds
from helpers.protobuf import field
from ppcls.data.labels import load_class_names
from ppcls.inference import Bundle, Classifier, Golden
from ppcls.inference.manifest import is_ours
from ppcls.inference.official.find import find_bundle
from ppcls.inference.onnx_file import bundle_of_onnx
from ppcls.untrusted.npz import read_arrays
from ppcls.untrusted.paddle_programs import check_parameters, declared_inputs
from ppcls.untrusted.tar import unpack
from ppcls.utils.errors import ConfigError, UserError


class Scores:
    """A backend that gives equal scores."""

    def run(self, batch):
        return np.full((len(batch), 5), 0.2, np.float32)


def reader(path, read):
    """Writes a content to `path` and reads it."""

    def write_and_read(content):
        path.write_bytes(content)
        return read()

    return write_and_read


def assert_both(seen):
    """Both outcomes occur, so the mutants are neither all refused nor all harmless."""
    assert min(seen.values()) > 0, seen


def test_manifests(copy):
    path = copy / "inference.yml"

    def use():
        is_ours(copy)
        classifier = Classifier(Bundle.load(copy), backend=Scores())
        classifier.verify(input_tolerance=np.inf, score_tolerance=np.inf)

    assert_both(assert_every_mutant_is_read_or_refused(reader(path, use), path.read_bytes(), 100))


PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(max_size=8) | st.binary(max_size=8)
)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=2000 if FUZZING else 60, deadline=None
)
@given(data=st.data())
def test_values_of_manifests(copy, data):
    path = copy / "inference.yml"
    whole = path.read_bytes()
    values = yaml.safe_load(whole)
    section, key = values, data.draw(st.sampled_from(sorted(values)))
    while isinstance(section[key], dict) and section[key] and data.draw(st.booleans()):
        section = section[key]
        key = data.draw(st.sampled_from(sorted(section)))
    section[key] = data.draw(VALUES)
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    try:
        Bundle.load(copy)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) <= 1000
    finally:
        path.write_bytes(whole)


def test_golden_files(copy):
    path = copy / "golden.npz"
    seen = assert_every_mutant_is_read_or_refused(reader(path, lambda: Golden.load(path)), path.read_bytes(), 100)
    assert seen["refused"] > 0  # nearly all: its arrays have checksums


def test_golden_files_that_the_manifest_does_not_vouch_for(edit, copy):
    path = edit({"schema": 2, "golden": {"file": "golden.npz", "source": "mine"}}) / "golden.npz"

    def use():
        Classifier(copy, backend=Scores()).verify(input_tolerance=np.inf, score_tolerance=np.inf)

    assert assert_every_mutant_is_read_or_refused(reader(path, use), path.read_bytes())["refused"] > 0


def test_arrays(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, a=np.arange(300, dtype=np.float32).reshape(3, 100), b=np.float16(1))
    assert_both(assert_every_mutant_is_read_or_refused(reader(path, lambda: read_arrays(path)), path.read_bytes(), 200))
    np.save(tmp_path / "y.npy", np.arange(300))
    content = (tmp_path / "y.npy").read_bytes()
    assert_both(assert_every_mutant_is_read_or_refused(reader(path, lambda: read_arrays(path)), content, 200))


def test_programs_of_paddle_3(copy):
    path = copy / "inference.json"
    seen = assert_every_mutant_is_read_or_refused(reader(path, lambda: declared_inputs(path)), path.read_bytes(), 100)
    assert_both(seen)


def test_parameters(copy):
    path = copy / "inference.pdiparams"
    seen = assert_every_mutant_is_read_or_refused(reader(path, lambda: check_parameters(path)), path.read_bytes(), 200)
    assert_both(seen)


def legacy_program():
    """A program of Paddle 2 as far as this library reads it."""
    feed = field(3, b"feed") + field(2, field(1, b"Out") + field(2, b"x"))
    shape = field(1, 5) + b"".join(field(2, side) for side in ((1 << 64) - 1, 3, 32, 32))
    variable = field(1, b"x") + field(2, field(1, 7) + field(3, field(1, shape)))
    return field(1, field(1, 0) + field(3, variable) + field(4, feed) + field(4, field(3, b"softmax")))


def test_programs_of_paddle_2(tmp_path):
    path = tmp_path / "inference.pdmodel"
    assert reader(path, lambda: declared_inputs(path))(legacy_program()) == {"x": (-1, 3, 32, 32)}
    seen = assert_every_mutant_is_read_or_refused(reader(path, lambda: declared_inputs(path)), legacy_program(), 500)
    assert_both(seen)


def onnx_program():
    def port(number, name, sides):
        tensor = field(1, 1) + field(2, b"".join(field(1, field(1, side)) for side in sides))
        return field(number, field(1, name) + field(2, field(1, tensor)))

    node = field(1, field(1, b"h") + field(2, b"y") + field(4, b"Gemm"))
    graph = node + field(5, field(8, b"w")) + port(11, b"x", (1, 3, 32, 32)) + port(12, b"y", (1, 5))
    return field(1, 8) + field(7, graph)


def test_onnx_programs(tmp_path):
    path = tmp_path / "net.onnx"
    size = {"size": 32, "resize_short": 40}
    read = reader(path, lambda: bundle_of_onnx(path, size, "logits"))
    assert_both(assert_every_mutant_is_read_or_refused(read, onnx_program(), 300))


THEIRS = {
    "Global": {"model_name": "DLA34"},
    "PreProcess": {"transform_ops": [{"ResizeImage": {"resize_short": 40}}, {"CropImage": {"size": 32}}]},
    "PostProcess": {"Topk": {"topk": 5, "label_list": ["ant", "bee", "cat", "dog", "elk"]}},
}


def test_descriptions_of_paddleclas(tmp_path):
    from ppcls.config.paddleclas.inference_yml import read_official_description
    from ppcls.data.transforms import TRANSFORMS

    path = tmp_path / "inference.yml"
    text = yaml.safe_dump(THEIRS).encode()

    def use():
        assert not is_ours(tmp_path)
        try:
            return read_official_description(path, {"transform": TRANSFORMS})
        except ConfigError as error:  # reports all problems, one in a line
            raise UserError(error.problems[0]) from error

    seen = assert_every_mutant_is_read_or_refused(reader(path, use), text, 200)
    assert_both(seen)


def test_archives(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in (("inference.pdmodel", b"abc"), ("inference.pdiparams", bytes(700))):
            member = tarfile.TarInfo(f"DLA34_infer/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    path, folder = tmp_path / "x.tar", tmp_path / "folder"

    def use():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        unpack(path, folder)

    assert_both(assert_every_mutant_is_read_or_refused(reader(path, use), buffer.getvalue()[:4096], 200))


def test_label_files(tmp_path):
    path = tmp_path / "labels.txt"
    text = "0 tench, Tinca tinca\n1 goldfish\n2 naïve ray\n".encode()
    assert_every_mutant_is_read_or_refused(reader(path, lambda: load_class_names(path)), text, 200)


if FUZZING:  # each program is tried in a process that loads Paddle

    def test_programs_that_paddle_tries(tmp_path, copy, monkeypatch):
        """A copy of a program of Paddle 3, damaged, as a model that has no manifest."""
        monkeypatch.setenv("PPCLS_HOME", str(tmp_path / "home"))
        (copy / "inference.yml").unlink()
        path = copy / "inference.json"
        whole = path.read_bytes()
        transforms = [{"ResizeImage": {"resize_short": 40}}, {"CropImage": {"size": 32}}, {"NormalizeImage": None}]
        for seed in seeds(1):
            path.write_bytes(json.dumps(json.loads(whole)).encode() if seed == 0 else mutant(whole, seed))
            try:
                assert find_bundle(copy, preprocess=[*transforms, {"ToCHWImage": None}]).class_num >= 1
            except UserError as error:
                assert "\n" not in str(error) and len(str(error)) <= 1000, seed
