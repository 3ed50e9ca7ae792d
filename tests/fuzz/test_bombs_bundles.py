"""Small files that ask for much: manifests, golden files, programs, parameters and archives of bundles and models.

Each is refused or read within the bounds of helpers/bounds.py.
"""

import contextlib
import io
import json
import struct
import tarfile
import zipfile
from dataclasses import fields
from datetime import date

import pytest

from helpers.bounds import MEGABYTES, assert_all_bounded, assert_bounded, part_of
from helpers.protobuf import field
from ppcls.data.labels import load_class_names
from ppcls.data.transforms import TRANSFORMS, Pipeline
from ppcls.inference import Bundle, Golden
from ppcls.inference.manifest import is_ours
from ppcls.inference.official.find import find_bundle
from ppcls.inference.onnx_file import bundle_of_onnx
from ppcls.untrusted.npz import read_arrays
from ppcls.untrusted.paddle_programs import check_parameters, declared_inputs
from ppcls.untrusted.tar import unpack

pytestmark = pytest.mark.fuzz

MEGABYTE = 1_000_000
BOUND = part_of(MEGABYTES)


def aliases(levels):
    """Aliases of aliases: 10 times as many values a level."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join(lines)


def merges(levels):
    """Merge keys within merge keys."""
    lines = ["a0: &a0 {x: 1}"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}")
    return "\n".join(lines)


YAML = {
    "aliases": "schema: 3\n" + aliases(9) + "\nlibrary: *a8\n",
    "aliases in a key that is read": "schema: *a7\n" + aliases(8),
    "aliases before a value": aliases(8) + "\nschema: *a7\n",
    "merge keys": "schema: 3\n" + merges(9),
    "nesting": "schema: 3\nlibrary: " + "[" * part_of(500_000),
    "nested mappings": "schema: 3\nlibrary: " + "{a: " * part_of(250_000),
    "many items": "schema: 3\nlibrary: [" + "a," * part_of(490_000) + "]\n",
    "many empty items": "schema: 3\nlibrary: [" + "[]," * part_of(330_000) + "]\n",
    "many keys": "schema: 3\n" + "".join(f"{number}:\n" for number in range(part_of(140_000))),
    "one long key": f"schema: 3\n{'k' * 1000}: 1\n" + f"? {'k' * part_of(MEGABYTE)}\n: 1\n",
    "one long value": "schema: 3\nlibrary: " + "v" * part_of(MEGABYTE) + "\n",
    "digits": "schema: " + "7" * part_of(MEGABYTE) + "\n",
    "a tag": "schema: !!int " + "7" * part_of(MEGABYTE) + "\n",
    "anchors": "schema: 3\n" + "".join(f"- &a{number} x\n" for number in range(part_of(60_000))),
    "comments": "#\n" * part_of(500_000),
    "documents": "---\n" * part_of(250_000),
    "no text": "\0" * part_of(MEGABYTE),
    "directives": "%TAG ! tag:x\n" * part_of(70_000),
}


@pytest.mark.parametrize("name", YAML)
def test_manifests(copy, name):
    (copy / "inference.yml").write_text(YAML[name])
    refused, _ = assert_all_bounded(lambda: Bundle.load(copy), lambda: is_ours(copy), megabytes=BOUND)
    assert refused is not None


VALUES = {
    "architecture": ["x"] * part_of(90_000),
    "class_names": ["x" * 10] * part_of(90_000),
    "transforms": [{"ResizeImage": {"resize_short": 7}}] * part_of(20_000),
    "input": {
        "name": "x" * part_of(MEGABYTE),
        "shape": [-1] * part_of(50_000),
        "dtype": "d" * 1000,
        "layout": "NCHW",
        "color": "RGB",
    },
    "output": {"name": "x", "shape": [-1, 10**300], "meaning": "m" * part_of(MEGABYTE)},
    "quantized": [{}] * part_of(90_000),
    "architecture_arguments": [1] * part_of(90_000),
    "settings": {"backend": "x" * part_of(MEGABYTE)},
}


@pytest.mark.parametrize("key", VALUES)
def test_values_of_a_manifest_that_a_message_names(edit, copy, key):
    edit({key: VALUES[key]})
    assert assert_bounded(lambda: Bundle.load(copy), BOUND) is not None


ODD = (
    *(None, True, -1, 0, 3, 0.5, 1e300, 10**18, 10**400, float("nan"), float("inf"), "", "a", "1/0", "1" * 5000, b"x"),
    *([], {}, [[]], [None], [1, 2, 3], [{}], [0.2, 0.2, {"a": 1}], ["a"], [True], [10**400] * 3, [float("nan")] * 3),
    *({"name": None}, [[1]], [[1, 2], [3]], 2**63, date(2001, 1, 1)),
)


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_odd_values_of_transforms(name):
    """Each is accepted, or refused by the error that `Pipeline` promises."""
    for key in fields(TRANSFORMS[name]):
        for value in ODD:
            with contextlib.suppress(ValueError):
                Pipeline.from_list([{name: {"size": 8, key.name: value}}])
            with contextlib.suppress(ValueError):
                Pipeline.from_list([{name: {key.name: value}}])


@pytest.mark.parametrize("name", YAML)
def test_descriptions_of_paddleclas(tmp_path, name):
    (tmp_path / "inference.pdmodel").write_bytes(b"")
    (tmp_path / "inference.pdiparams").write_bytes(b"")
    text = YAML[name].replace("schema", "Global").replace("library", "PreProcess")
    (tmp_path / "inference.yml").write_text(text)
    assert assert_bounded(lambda: find_bundle(tmp_path, "DLA34"), BOUND) is not None


def npy(descr, shape, content=b""):
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + content


def npz(members, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def zeros(size):
    return npy("|u1", (size,), bytes(size))


def overlapping():
    """Two thousand entries of one member."""
    content = npz([("a.npy", zeros(100_000))])
    start = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    entry = content[start:end]
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2000, 2000, 2000 * len(entry), start, 0)
    return content[:start] + entry * 2000 + tail


NPZ = {
    "deflated": lambda: npz([("picture.npy", zeros(600 * MEGABYTE))]),
    "a claim": lambda: npz([("picture.npy", npy("<f4", (10**12,)))], zipfile.ZIP_STORED),
    "a claim of nothing": lambda: npz([("input.npy", npy("<f4", (0, 10**18)))], zipfile.ZIP_STORED),
    "negative": lambda: npz([("input.npy", npy("<f4", (-1, -5), bytes(20)))], zipfile.ZIP_STORED),
    "raw": lambda: npz([("picture", bytes(10))]),
    "objects": lambda: npz([("picture.npy", npy("|O", (10**9,)))]),
    "a structure": lambda: npz([("a.npy", npy([("x", "<f4", (10**9,))], (1,)))]),
    "a wide text": lambda: npz([("a.npy", npy("<U100000000", (0,)))]),
    "many": lambda: npz([(f"{number}.npy", npy("|u1", (0,))) for number in range(5000)]),
    "overlapping": overlapping,
    "lzma": lambda: npz([("picture.npy", zeros(100 * MEGABYTE))], zipfile.ZIP_LZMA),
    "a nested header": lambda: npz([("a.npy", npy("<f4", "(" * 5000))]),
    "a long header": lambda: npz([("a.npy", b"\x93NUMPY\x02\0" + struct.pack("<I", 400 * MEGABYTE))]),
    "an npy file": lambda: npy("<f4", (10**12,)),
}


@pytest.mark.parametrize("name", NPZ)
def test_golden_files_and_other_arrays(tmp_path, name):
    path = tmp_path / "golden.npz"
    path.write_bytes(NPZ[name]())
    assert path.stat().st_size < 1.2 * MEGABYTE
    _, refused = assert_all_bounded(lambda: read_arrays(path), lambda: Golden.load(path))
    assert refused is not None


def test_the_largest_arrays_that_are_read(tmp_path):
    path = tmp_path / "golden.npz"
    path.write_bytes(npz([("picture.npy", zeros(128_000_000))]))
    assert assert_bounded(lambda: read_arrays(path)) is None


def nested(numbers, content):
    for number in reversed(numbers):
        content = field(number, content)
    return content


CHAIN = part_of(40_000)
SHORT = field(1, b"") * part_of(400_000)
PROTOBUFS = {
    "fields": b"\x08\0" * part_of(500_000),
    "long numbers": b"\x08" + b"\x80" * part_of(MEGABYTE),
    "blocks": field(1, b"") * part_of(330_000),
    "graphs": field(7, b"") * part_of(330_000),
    "variables": field(1, field(3, b"") * part_of(330_000)),
    "operations": field(1, field(4, field(3, b"feed")) * part_of(120_000)),
    "feeds": field(1, field(4, field(3, b"feed") + field(2, field(2, b"x") * part_of(300_000)))),
    "nodes": field(7, field(1, b"") * part_of(330_000)),
    "node outputs": field(7, field(1, SHORT)),
    "inputs": field(7, field(11, field(1, b"x")) * part_of(160_000)),
    "initializers": field(7, field(5, field(8, b"x")) * part_of(160_000)),
    "sides": field(7, nested((11, 2, 1, 2), field(1, b"\x08\x01") * part_of(200_000))),
    "sides of paddle": field(1, field(4, field(3, b"feed") + nested((2, 2), b"x")) + field(
        3, field(1, b"x") + nested((2, 3, 1), b"\x10\x01" * part_of(400_000)))),
    "a chain": field(7, b"".join(
        field(1, field(1, b"%d" % number) + field(2, b"%d" % (number + 1)) + field(4, b"Cast"))
        for number in range(CHAIN)
    ) + field(12, field(1, b"%d" % (CHAIN - 1)))),
}  # fmt: skip


@pytest.mark.parametrize("name", PROTOBUFS)
def test_programs(tmp_path, name):
    onnx, legacy = tmp_path / "net.onnx", tmp_path / "inference.pdmodel"
    for path in (onnx, legacy):
        path.write_bytes(PROTOBUFS[name])
    size = {"size": 32, "resize_short": 40}
    refused, _ = assert_all_bounded(
        lambda: bundle_of_onnx(onnx, size, "logits"), lambda: declared_inputs(legacy), megabytes=BOUND
    )
    assert refused is not None


def data(shape):
    """An operation that declares an input."""
    attributes = [{"N": "name", "AT": {"D": "x"}}, {"N": "shape", "AT": {"D": shape}}]
    return {"#": "1.data", "A": attributes}


def program(operations):
    return json.dumps({"program": {"regions": [{"blocks": [{"ops": operations}]}]}})


JSON = {
    "nesting": "[" * part_of(MEGABYTE),
    "nested objects": '{"a":' * part_of(200_000),
    "many lists": "[" + "[]," * part_of(330_000) + "[]]",
    "digits": "7" * part_of(MEGABYTE),
    "operations": program([{"#": "x"}] * part_of(80_000)),
    "many inputs": program([{**data([1]), "A": data([1])["A"]}] * 8000),
    "a long shape": program([data([1] * part_of(300_000))]),
    "a huge side": program([data([10**400])]),
    "an infinite side": program([data([float("inf")])]),
    "a fraction": program([data([float("nan")])]),
    "keys": json.dumps({str(number): 0 for number in range(part_of(80_000))}),
}


@pytest.mark.parametrize("name", JSON)
def test_programs_of_paddle_3(tmp_path, name):
    path = tmp_path / "inference.json"
    path.write_text(JSON[name])
    assert_bounded(lambda: declared_inputs(path), BOUND)


def described(levels=0, length=4, description=b"\x08\x14\x10\0"):
    return struct.pack("<IQIi", 0, levels, 0, length) + description


PARAMETERS = {
    "empty tensors": described() * part_of(40_000),
    "levels": described(levels=1 << 60),
    "a long description": described(length=2**31 - 1),
    "many sides": described(length=part_of(MEGABYTE), description=b"\x10\0" * part_of(500_000)),
    "a negative side": described(length=13, description=b"\x08\x14\x10" + b"\xff" * 9 + b"\x01"),
    "a huge tensor": described(length=12, description=b"\x08\x06\x10" + b"\xff" * 8 + b"\x7f"),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(tmp_path, name):
    path = tmp_path / "inference.pdiparams"
    path.write_bytes(PARAMETERS[name])
    assert_bounded(lambda: check_parameters(path), BOUND)


def tar(add):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        add(archive)
    return buffer.getvalue()


def header(name, size, kind=tarfile.REGTYPE):
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


TARS = {
    "a claim": header("m/inference.pdmodel", 8 << 30),
    "members": header("m/x", 0) * 1900,
    "long names": b"".join(header("././@LongLink", 512, tarfile.GNUTYPE_LONGNAME) + bytes(512) for _ in range(900)),
    "a long name": header("././@LongLink", 8 << 30, tarfile.GNUTYPE_LONGNAME),
    "a pax header": header("x", 900 << 10, tarfile.XHDTYPE) + b"8 a=bcd\n" * 115_200,
    "a claim of pax": header("x", 8 << 30, tarfile.XHDTYPE),
    "sparse": header("m/inference.pdmodel", 512, tarfile.GNUTYPE_SPARSE) + bytes(512),
    "folders": header("m", 0, tarfile.DIRTYPE) * 1900,
}


@pytest.mark.parametrize("name", TARS)
def test_archives(tmp_path, name):
    path = tmp_path / "DLA34_infer.tar"
    path.write_bytes(TARS[name] + bytes(1024))
    (tmp_path / "folder").mkdir()
    assert assert_bounded(lambda: unpack(path, tmp_path / "folder")) is not None
    assert sum(file.stat().st_size for file in (tmp_path / "folder").iterdir()) <= path.stat().st_size


LABELS = {
    "lines": "a\n" * part_of(500_000),
    "one line": "a" * part_of(MEGABYTE),
    "numbers": "".join(f"{number} a\n" for number in range(part_of(120_000))),
    "digits": "7" * part_of(MEGABYTE) + " a\n",
}


@pytest.mark.parametrize("name", LABELS)
def test_label_files(tmp_path, name):
    path = tmp_path / "labels.txt"
    path.write_text(LABELS[name])
    assert_bounded(lambda: load_class_names(path), BOUND)
