"""What weights of every format come back as, and what is written of them."""

import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from helpers import hostile_zoo as zoo
from helpers.messages import refusal, says
from ppcls.arch.weights import files
from ppcls.arch.weights.darknet import split_darknet
from ppcls.arch.weights.files import read_weights, write_weights
from ppcls.arch.weights.layouts import RECORD as RECORD_KEY

RECORD = {"model": "DLA34", "mean": [0.485, 0.5], "note": "é", "source": None}
SIX = np.arange(6, dtype=np.float32)


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def names_in(folder: Path):
    return [path.name for path in folder.iterdir()]


def assert_same(got, wanted):
    assert list(got) == list(wanted)
    for name, array in wanted.items():
        assert got[name].dtype == array.dtype and got[name].shape == array.shape, name
        assert got[name].tobytes() == array.tobytes(), name


def torch_file(folder: Path, kind: str, state, storages):
    if kind == "archive":
        return written(folder, "w.pth", zoo.archive(state, storages))
    counts = {"FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "BoolStorage": 1}
    return written(
        folder, "w.pth", zoo.legacy(state, {key: (len(data) // counts[key], data) for key, data in storages.items()})
    )


def float_tensor(size, stride=None, offset=0, count=6):
    return zoo.tensor(zoo.storage("FloatStorage", "FloatStorage", count), size, stride, offset)


@pytest.mark.parametrize("kind", ["archive", "stream"])
def test_torch_views_of_one_storage_are_what_torch_makes_of_them(tmp_path, kind):
    """Expected values are NumPy's own indexing of the same six numbers."""
    views = {
        "whole": (SIX, ((6,),)),
        "matrix": (SIX.reshape(2, 3), ((2, 3),)),
        "transposed": (SIX.reshape(2, 3).T, ((3, 2), (1, 3))),
        "every other": (SIX[1::2], ((3,), (2,), 1)),
        "tail": (SIX[4:], ((2,), (1,), 4)),
        "column": (SIX.reshape(2, 3)[:, 2:], ((2, 1), (3, 1), 2)),
        "scalar": (SIX[5], ((), (), 5)),
        "expanded": (np.broadcast_to(SIX[3], (2, 2)), ((2, 2), (0, 0), 3)),
        "empty": (SIX[:0].reshape(0, 7), ((0, 7),)),
        "windows": (np.lib.stride_tricks.sliding_window_view(SIX, 3), ((4, 3), (1, 1))),
    }
    state = OrderedDict((name, float_tensor(*parts)) for name, (_, parts) in views.items())
    found = read_weights(torch_file(tmp_path, kind, state, {"FloatStorage": SIX.tobytes()}))
    assert (found.format, found.record) == ("torch", None)
    assert_same(found.arrays, {name: np.asarray(array) for name, (array, _) in views.items()})
    assert all(array.flags.c_contiguous and array.flags.writeable for array in found.arrays.values())


@pytest.mark.parametrize("kind", ["archive", "stream"])
def test_torch_types_keep_their_values_and_bfloat16_becomes_float32(tmp_path, kind):
    stored = {
        "HalfStorage": np.array([1.5, -2.0], np.float16),
        "BFloat16Storage": np.array([0x3F80, 0xC0A0, 0x0001, 0x7F7F], np.uint16),
        "LongStorage": np.array([-(2**40), 7], np.int64),
        "BoolStorage": np.array([0, 1, 2], np.uint8),
    }
    state = {name: zoo.tensor(zoo.storage(name, name, len(array)), array.shape) for name, array in stored.items()}
    found = read_weights(torch_file(tmp_path, kind, state, {name: array.tobytes() for name, array in stored.items()}))
    wanted = {
        **stored,
        "BFloat16Storage": np.array([1.0, -5.0, 2.0**-133, (2 - 2.0**-7) * 2.0**127], np.float32),
        "BoolStorage": np.array([False, True, True]),
    }
    assert_same(found.arrays, wanted)


def test_torch_parameters_and_state_dicts_with_versions_are_read(tmp_path):
    parameter = zoo.Call(zoo.Name("torch._utils", "_rebuild_parameter"), float_tensor((6,)), True, OrderedDict())
    oldest = zoo.Call(
        zoo.Name("torch._utils", "_rebuild_tensor"), zoo.storage("FloatStorage", "FloatStorage", 6), 2, (2,), (3,)
    )
    versions = {"_metadata": OrderedDict({"": {"version": 1}})}
    made = zoo.dump({"a": parameter, "b": oldest})
    content = (
        b"\x80\x02ccollections\nOrderedDict\n)R"
        + zoo.dump(versions)[2:-1]
        + b"b"
        + b"("
        + made[3:-2].split(b"(", 1)[1]
        + b"u."
    )
    for protocol_2 in (zoo.dump({"a": parameter, "b": oldest}), content):
        found = read_weights(written(tmp_path, "w.pth", zoo.archive(protocol_2, {"FloatStorage": SIX.tobytes()})))
        assert_same(found.arrays, {"a": SIX, "b": SIX[[2, 5]]})


def test_the_text_of_python_2_is_text(tmp_path):
    content = zoo.dump({"w": float_tensor((6,))}).replace(b"X\x01\x00\x00\x00w", b"U\x01w")
    content = content.replace(b"X\x07\x00\x00\x00storage", b"U\x07storage")
    path = written(tmp_path, "w.pth", zoo.archive(content, {"FloatStorage": SIX.tobytes()}))
    assert_same(read_weights(path).arrays, {"w": SIX})


def test_torch_numbers_with_the_highest_byte_first_are_turned_round(tmp_path):
    data = SIX.astype(">f4").tobytes()
    content = zoo.archive({"w": float_tensor((6,))}, {"FloatStorage": data}, [("weights/byteorder", b"big")])
    assert_same(read_weights(written(tmp_path, "w.pth", content)).arrays, {"w": SIX})


def test_a_view_of_the_old_stream_is_a_part_of_its_storage(tmp_path):
    part = zoo.storage("FloatStorage", "FloatStorage", 6, ("view", 2, 3))
    state = {"w": zoo.tensor(part, (2,), (1,), 1), "v": zoo.tensor(part, (3,))}
    content = zoo.legacy(state, {"FloatStorage": (6, SIX.tobytes())})
    assert_same(read_weights(written(tmp_path, "w.pth", content)).arrays, {"w": SIX[3:5], "v": SIX[2:5]})


WRAPPERS = ["state_dict", "model", "model_state_dict", "state_dict_ema", "model_ema", "ema_state_dict", "net"]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_what_a_training_script_wrote_around_the_weights_is_left_out(tmp_path, wrapper):
    device = zoo.Call(zoo.Name("torch", "device"), "cuda", 0)
    shape = zoo.Call(zoo.Name("torch", "Size"), [1, 2])
    whole = {
        "epoch": 3,
        "device": device,
        "shape": shape,
        "best_acc1": float_tensor((1,)),
        wrapper: {"module.a": float_tensor((6,)), "module.b": float_tensor((2,))},
    }
    path = written(tmp_path, "w.pth", zoo.archive(whole, {"FloatStorage": SIX.tobytes()}))
    assert_same(read_weights(path).arrays, {"a": SIX, "b": SIX[:2]})


def test_the_first_wrapper_that_holds_arrays_counts_and_a_prefix_of_some_names_stays(tmp_path):
    content = {"net": {"w": SIX}, "model": {"module.w": SIX + 1, "w": SIX}, "state_dict": {"epoch": 1}}
    path = written(tmp_path, "w.pdparams", pickle.dumps(content))
    assert_same(read_weights(path).arrays, {"module.w": SIX + 1, "w": SIX})
    path.write_bytes(pickle.dumps({"x": SIX, "net": [1]}))
    assert refusal(read_weights, path) == f"{path}: net is of type list, not an array; give a state dict"


def test_what_paddle_saves_is_read(tmp_path):
    import paddle

    layer = paddle.nn.BatchNorm2D(3)
    state = {key: value.numpy() for key, value in layer.state_dict().items()}
    for content in (layer.state_dict(), {"epoch": 1, "state_dict": layer.state_dict()}, dict(state)):
        paddle.save(content, str(tmp_path / "w.pdparams"))
        found = read_weights(tmp_path / "w")
        assert (found.format, found.path) == ("pdparams", tmp_path / "w.pdparams")
        assert_same(found.arrays, state)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ARRAYS = npst.arrays(
    st.sampled_from(["<f2", "<f4", ">f4", "<f8", "<i8", "u1", "?"]),
    npst.array_shapes(min_dims=0, min_side=0),
    elements={"allow_nan": False, "allow_infinity": False},
)


@pytest.mark.parametrize("suffix", [".pdparams", ".safetensors"])
@given(
    arrays=st.dictionaries(
        TEXT.filter(lambda name: not name.startswith(("module.", "_orig_mod."))), ARRAYS, min_size=1, max_size=4
    ),
    record=st.none() | st.dictionaries(TEXT.map("a {}".format), st.integers() | TEXT),
)
def test_what_is_written_comes_back(tmp_path_factory, suffix, arrays, record):
    path = tmp_path_factory.mktemp("weights") / f"w{suffix}"
    turned = {name: array.T for name, array in arrays.items()}
    found = write_weights(path, turned, record)
    again = read_weights(path)
    wanted = {name: array.astype(array.dtype.newbyteorder("=")) for name, array in turned.items()}
    for read in (found, again):
        assert (read.path, read.format, read.record) == (path, suffix[1:], record)
        assert_same({name: read.arrays[name] for name in wanted}, wanted)
        assert len(read.arrays) == len(wanted)
    assert names_in(path.parent) == [path.name]


def test_a_written_file_is_what_paddle_and_old_numpy_read(tmp_path):
    import paddle

    layer = paddle.nn.Linear(2, 3)
    arrays = {"weight": SIX.reshape(2, 3), "bias": np.ones(3, np.float32)}
    path = write_weights(tmp_path / "w.pdparams", arrays, RECORD).path
    loaded = paddle.load(str(path))
    assert json.loads(loaded[RECORD_KEY]) == RECORD
    layer.set_state_dict(loaded)
    assert_same({key: value.numpy() for key, value in layer.state_dict().items()}, arrays)
    loaded = paddle.load(str(path), return_numpy=True)
    assert_same({key: loaded[key] for key in arrays}, arrays)
    content = path.read_bytes()
    assert content[:2] == b"\x80\x04"
    assert b"numpy.core.multiarray\n_reconstruct" in content and b"numpy._core" not in content


def test_a_written_safetensors_file_has_the_record_in_its_header(tmp_path):
    path = write_weights(tmp_path / "w.safetensors", {"w": SIX}, RECORD).path
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    assert json.loads(header["__metadata__"]["ppcls_record"]) == RECORD
    assert header["w"] == {"dtype": "F32", "shape": [6], "data_offsets": [0, 24]}
    assert content.endswith(SIX.tobytes())


@pytest.mark.skipif(os.name != "posix", reason="files have no mode")
@pytest.mark.parametrize("suffix", [".pdparams", ".safetensors"])
def test_a_written_file_has_the_mode_of_any_new_file(tmp_path, suffix):
    (tmp_path / "other").write_bytes(b"")
    path = write_weights(tmp_path / f"w{suffix}", {"w": SIX}).path
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_bfloat16_of_safetensors_becomes_float32_and_the_order_is_the_files(tmp_path):
    header = {
        "z": {"dtype": "BF16", "shape": [2], "data_offsets": [4, 8]},
        "a": {"dtype": "I16", "shape": [], "data_offsets": [0, 2]},
        "b": {"dtype": "BOOL", "shape": [1, 2], "data_offsets": [2, 4]},
        "__metadata__": None,
    }
    path = written(tmp_path, "named.bin", zoo.safetensors(header, b"\x05\x80\x00\x01\x80\x3f\xa0\xc0"))
    found = read_weights(path)
    assert (found.format, found.record) == ("safetensors", None)
    wanted = {"z": np.array([1, -5], np.float32), "a": np.array(-32763, np.int16), "b": np.array([[False, True]])}
    assert_same(found.arrays, wanted)
    assert all(array.flags.writeable for array in found.arrays.values())


def test_a_file_of_safetensors_whose_header_begins_like_a_pickle_is_known(tmp_path):
    text = json.dumps({"w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    path = written(tmp_path, "w.safetensors", zoo.safetensors(text.ljust(0x0280), b"\x09"))
    assert path.read_bytes()[:2] == b"\x80\x02"
    assert read_weights(path).arrays["w"].tolist() == [9]


@pytest.mark.parametrize("arguments, text", [
    (("w.pth", {"w": SIX}), "... '.pth'; write .pdparams or .safetensors"),
    (("w.pdparams", {}), "there are no arrays to write; give some"),
    (("w.pdparams", {RECORD_KEY: SIX}), "ppcls_record@@ cannot be a tensor's name; give it another"),
    (("w.pdparams", {1: SIX}), "... type int ... a tensor's name; ..."),
    (("w.pdparams", {"w": [1.0]}), "w is of type list, not an array; give arrays"),
    (("w.pdparams", {"w": np.array(["x"])}), "w is of type <U1, ...; give a state dict"),
    (("w.safetensors", {"w": np.array([1, np.inf], np.float32)}),
     "1 of 2 values of w are NaN or infinite; copy or download ... again, or take an earlier checkpoint"),
])  # fmt: skip
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path, arguments, text):
    name, arrays = arguments
    (tmp_path / "file").write_bytes(b"")
    assert refusal(write_weights, tmp_path / name, arrays) == says(f"{tmp_path / name}: {text}")
    assert names_in(tmp_path) == ["file"]


@pytest.mark.parametrize("change, text", [
    (lambda arrays, text: ({"w": arrays["w"] + 1}, text), "w reads back with other values"),
    (lambda arrays, text: ({**arrays, "more": SIX}, text), "a tensor reads back with other values"),
    (lambda arrays, text: (arrays, "{}"), "the record reads back with other values"),
])  # fmt: skip
@pytest.mark.parametrize("suffix", [".pdparams", ".safetensors"])
def test_a_file_that_reads_back_otherwise_does_not_replace_the_old_one(tmp_path, monkeypatch, suffix, change, text):
    path = write_weights(tmp_path / f"w{suffix}", {"w": SIX}).path
    before, honest = path.read_bytes(), files._WRITERS[suffix]
    monkeypatch.setitem(files._WRITERS, suffix, lambda path, arrays, text: honest(path, *change(arrays, text)))
    found = refusal(write_weights, path, {"w": SIX * 2}, {"a": 1})
    assert found == f"{path}: cannot be written ({text}); make room or choose another folder"
    assert path.read_bytes() == before and names_in(tmp_path) == [path.name]


def test_the_path_may_name_a_checkpoint_and_a_missing_one_is_an_error(tmp_path):
    (tmp_path / "latest").mkdir()
    path = write_weights(tmp_path / "latest" / "ppcls.pdparams", {"w": SIX}).path
    assert read_weights(tmp_path / "latest").path == read_weights(str(path)[: -len(".pdparams")]).path == path
    assert refusal(read_weights, tmp_path / "absent.pth").startswith(f"{tmp_path / 'absent.pth'}: no weights there; ")


def test_the_message_of_numbers_that_are_none_is_a_sentence(tmp_path):
    path = written(
        tmp_path, "w.pdparams", pickle.dumps({"conv1.weight": np.array([[1, np.nan], [np.inf, 2]], np.float64)})
    )
    assert refusal(read_weights, path) == says(
        f"{path}: 2 of 4 values of conv1.weight are NaN or infinite; copy or download ... again, "
        "or take an earlier checkpoint"
    )


def test_names_are_shown_without_control_characters(tmp_path):
    path = written(tmp_path, "w.pdparams", pickle.dumps({"w": SIX, "a\x1b[31m\n" + "b" * 200: 1}))
    text = refusal(read_weights, path)
    assert text == says(f"{path}: a\\x1b[31m\\n{'b' * 93} is of type int, ...; give a state dict")


def test_an_archive_as_torch_writes_it_today_is_read(tmp_path):
    """Members that have nothing to do with the tensors stand beside them, and zip's flags are torch's."""
    more = [(f"weights/{name}", b"1") for name in (".format_version", ".storage_alignment", ".data/serialization_id")]
    content = zoo.archive(
        {"w": float_tensor((6,))}, {"FloatStorage": SIX.tobytes()}, [*more, ("weights/byteorder", b"little")]
    )
    path = written(tmp_path, "w.pth", content)
    assert zipfile.is_zipfile(path)
    assert_same(read_weights(path).arrays, {"w": SIX})


CONVOLUTIONS = [("stem", (2, 1, 1, 2), True), ("stage.0", (1, 2, 1, 1), True), ("fc", (3, 1, 1, 1), False)]


@pytest.mark.parametrize("version, head", [((0, 1, 0), 16), ((0, 2, 0), 20), ((0, 2, 5), 20), ((1, 0, 0), 20)])
def test_darknet_numbers_are_named_in_the_networks_order(tmp_path, version, head):
    """24 numbers that count up: each array's are where the file has them."""
    content = zoo.darknet(range(24), version)
    assert len(content) == head + 96
    path = written(tmp_path, "w.weights", content)
    found = read_weights(path)
    assert (found.format, found.record) == ("darknet", None)
    assert_same(found.arrays, {"values": np.arange(24, dtype=np.float32)})
    named = {
        name: (list(array.shape), array.ravel().tolist())
        for name, array in split_darknet(path, found.arrays["values"], CONVOLUTIONS).items()
    }
    assert named == {
        "stem.bn.bias": ([2], [0, 1]),
        "stem.bn.weight": ([2], [2, 3]),
        "stem.bn._mean": ([2], [4, 5]),
        "stem.bn._variance": ([2], [6, 7]),
        "stem.conv.weight": ([2, 1, 1, 2], [8, 9, 10, 11]),
        "stage.0.bn.bias": ([1], [12]),
        "stage.0.bn.weight": ([1], [13]),
        "stage.0.bn._mean": ([1], [14]),
        "stage.0.bn._variance": ([1], [15]),
        "stage.0.conv.weight": ([1, 2, 1, 1], [16, 17]),
        "fc.bias": ([3], [18, 19, 20]),
        "fc.weight": ([3, 1, 1, 1], [21, 22, 23]),
    }


@pytest.mark.parametrize("count, much", [(23, "1 too few"), (1000, "976 too many")])
def test_darknet_numbers_that_are_not_the_networks_are_counted(tmp_path, count, much):
    path = written(tmp_path, "w.weights", zoo.darknet(range(count)))
    assert refusal(split_darknet, path, read_weights(path).arrays["values"], CONVOLUTIONS) == says(
        f"{path}: holds {count:,} numbers ... 24 ({much}); give the weights of this network ..."
    )
