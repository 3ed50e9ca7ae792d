"""Files that want to do something: none may, and each is refused by name."""

import io
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from helpers.messages import refusal, says
from ppcls.untrusted import unpickle
from ppcls.untrusted.limits import Meter, Stream
from ppcls.untrusted.pickle_stand_ins import Inert
from ppcls.untrusted.refusals import Refused
from ppcls.untrusted.unpickle import ALLOWED_NAMES, load_pickle, rebuild
from ppcls.utils.errors import UserError

DTYPES = ["float16", "float32", ">f8", "int8", "int64", "uint16", "bool", "complex64", "<U3", "S2"]
PROTOCOLS = [2, 3, 4, 5]


class Call:
    """Pickles as a call of `function` with `arguments`, and then `state`."""

    def __init__(self, function, *arguments, state=None):
        self.parts = (function, arguments, state)

    def __reduce__(self):
        return self.parts if self.parts[2] is not None else self.parts[:2]


def canary_command(folder: Path) -> str:
    return f"touch {folder / 'canary'}"


def written(folder: Path, content) -> Path:
    path = folder / "weights.pdparams"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=4))
    return path


def assert_same(got, wanted):
    assert type(got) is type(wanted)
    if isinstance(wanted, dict):
        assert list(got) == list(wanted)
        for key, item in wanted.items():
            assert_same(got[key], item)
    elif isinstance(wanted, (list, tuple)):
        assert len(got) == len(wanted)
        for left, right in zip(got, wanted):
            assert_same(left, right)
    elif isinstance(wanted, (np.ndarray, np.generic)):
        wanted = wanted.astype(wanted.dtype.newbyteorder("="))  # arrays come in this machine's byte order
        assert got.dtype == wanted.dtype and got.shape == wanted.shape and got.tobytes() == wanted.tobytes()
    else:
        assert got == wanted


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_containers_and_arrays_come_back_as_they_were(tmp_path, protocol):
    cube = np.arange(24.0).reshape(2, 3, 4)
    arrays = {name: np.array([1, 0, 1]).astype(name) for name in DTYPES}
    content = {
        **arrays,
        "layouts": [
            cube,
            cube.T,
            cube.transpose(1, 0, 2),
            cube[:, ::2],
            np.zeros((0, 3)),
            np.float32(7).reshape(()),
        ],
        "numbers": (1, -(2**70), 2.5, 1 + 2j, True, None, np.float32(3.5), np.int64(-1), np.bool_(True)),
        "text": ["é", b"\x00\xff", ""],
        "sets": {1, "two"},
        "ordered": OrderedDict([("b", 1), ("a", OrderedDict())]),
    }
    assert_same(load_pickle(written(tmp_path, pickle.dumps(content, protocol=protocol))), content)


@given(
    array=npst.arrays(st.sampled_from(DTYPES), npst.array_shapes(min_dims=0, min_side=0)),
    protocol=st.sampled_from(PROTOCOLS),
)
def test_every_array_survives(tmp_path_factory, array, protocol):
    path = written(tmp_path_factory.mktemp("arrays"), pickle.dumps(array, protocol=protocol))
    assert_same(load_pickle(path), array)


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**1000), 2**1000),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(),
    st.binary(),
    st.sets(st.integers(-(2**63), 2**63) | st.text(), max_size=3),
)
NESTED = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.text() | st.integers(-(2**63), 2**63) | st.tuples(st.text(), st.none()), inner, max_size=3),
        st.dictionaries(st.text(), inner, max_size=3).map(OrderedDict),
    ),
    max_leaves=10,
)


@given(value=NESTED, protocol=st.integers(0, 5))
def test_every_plain_value_is_what_python_reads(value, protocol):
    source = stream(pickle.dumps(value, protocol=protocol))
    assert_same(rebuild(unpickle.unpickle(source), source.meter), value)
    assert source.left == 0


@pytest.mark.parametrize("spelling", [b"numpy.core", b"numpy._core"])
@pytest.mark.parametrize("protocol", [2, 3])
def test_both_spellings_of_numpy_are_read(tmp_path, spelling, protocol):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    text = pickle.dumps(array, protocol=protocol).replace(b"numpy._core", b"numpy.core")
    assert_same(load_pickle(written(tmp_path, text.replace(b"numpy.core", spelling))), array)


def test_arrays_can_be_written_to_and_stay_shared(tmp_path):
    array = np.ones(3)
    loaded = load_pickle(written(tmp_path, [array, array]))
    loaded[0][0] = 5
    assert loaded[1].tolist() == [5, 1, 1]


def test_reads_what_paddle_saves(tmp_path):
    import paddle

    model = paddle.nn.Linear(2, 3)
    optimizer = paddle.optimizer.Momentum(
        paddle.optimizer.lr.StepDecay(0.1, 30), parameters=model.parameters(), weight_decay=0.1
    )
    model(paddle.ones([1, 2])).sum().backward()
    optimizer.step()
    weights, velocity = tmp_path / "m.pdparams", tmp_path / "m.pdopt"
    paddle.save(model.state_dict(), str(weights))
    paddle.save(optimizer.state_dict(), str(velocity))

    state = load_pickle(weights)
    assert list(state) == ["weight", "bias", "StructuredToParameterName@@"]
    assert_same(state["weight"], model.weight.numpy())
    assert state["StructuredToParameterName@@"] == {"weight": model.weight.name, "bias": model.bias.name}
    state = load_pickle(velocity)
    assert state["LR_Scheduler"] == {"last_epoch": 0, "last_lr": 0.1}
    assert_same(state[f"{model.bias.name}_velocity_0"], np.ones(3, np.float32))
    paddle.save(model.weight, str(weights))
    assert_same(load_pickle(weights), (model.weight.name, model.weight.numpy()))


def hostile_files(folder: Path):
    """Name to (bytes, what the message must name)."""
    command = canary_command(folder)
    text = repr(command).encode()
    objects = np.array([Call(os.system, command)], dtype=object)
    records = np.zeros(1, dtype=[("a", "f4")])
    array = pickle.dumps(np.ones(1), protocol=2)
    return {
        "system": (pickle.dumps(Call(os.system, command)), "posix.system"),
        "protocol 0": (b"cos\nsystem\n(S" + text + b"\ntR.", "os.system"),
        "nested": (pickle.dumps({"a": [({"b": Call(os.system, command)},)]}), "posix.system"),
        "as a key": (pickle.dumps({Call(os.system, command): 1}), "posix.system"),
        "inst": (b"(S" + text + b"\nios\nsystem\n.", "os.system"),
        "obj": (b"(cos\nsystem\nS" + text + b"\no.", "os.system"),
        "newobj": (b"\x80\x02csubprocess\nPopen\nS" + text + b"\n\x85\x81.", "subprocess.Popen"),
        "eval": (pickle.dumps(Call(eval, f"__import__('os').system({command!r})")), "builtins.eval"),
        "getattr": (b"c__builtin__\ngetattr\n(cnumpy\ndtype\nS'call'\ntR.", "__builtin__.getattr"),
        "dotted name": (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "numpy.ndarray.tofile"),
        "module of a module": (b"\x80\x04\x8c\x05numpy\x8c\x09os.system\x93.", "numpy.os.system"),
        "state of a call": (pickle.dumps(Call(OrderedDict, state=Call(os.system, command))), "posix.system"),
        "a changed function": (b"cnumpy\ndtype\n(N}S'x'\nI1\nstb.", "a change of dtype"),
        "objects": (pickle.dumps(objects, protocol=2), "arrays of type 'O8'"),
        "empty objects": (pickle.dumps(np.array([None]), protocol=4), "arrays of type 'O8'"),
        "records": (pickle.dumps(records, protocol=4), "arrays of type 'V4'"),
        "records in text": (pickle.dumps(records).replace(b"V4", b"S4"), "arrays of records"),
        "dates": (pickle.dumps(np.zeros(1, "M8[s]"), protocol=4), "arrays of type 'M8'"),
        "matrix": (array.replace(b"numpy\nndarray", b"numpy.matrixlib\nmatrix"), "numpy.matrixlib.matrix"),
        "bare name": (b"cnumpy\nndarray\n.", "a bare ndarray"),
        "call of ndarray": (b"cnumpy\nndarray\n)R.", "a bare numpy.ndarray"),
        "codec": (b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.", "the codec rot13"),
        "array of text": (pickle.dumps(np.zeros(1), protocol=4).replace(b"C\x08", b"\x8c\x08"), "not made of bytes"),
        "a list in itself": (b"\x80\x04]\x94h\x00a.", "a container that contains itself"),
    }


def test_hostile_files_are_refused_and_never_run(tmp_path):
    files = hostile_files(tmp_path)
    assert len(files) == 24
    for name, (content, wanted) in files.items():
        path = written(tmp_path, content)
        with pytest.raises(UserError) as caught:
            load_pickle(path)
        assert str(caught.value).startswith(f"{path}: refused, because it asks for "), (name, str(caught.value))
        assert wanted in str(caught.value), (name, str(caught.value))
        assert not (tmp_path / "canary").exists(), name
    assert ALLOWED_NAMES["numpy.dtype"]("f4").dtype == np.float32


def test_the_canary_would_be_seen(tmp_path):
    pickle.loads(hostile_files(tmp_path)["nested"][0])
    assert (tmp_path / "canary").exists()


def test_the_message_is_one_sentence_with_file_and_remedy(tmp_path):
    path = written(tmp_path, Call(os.system, "true"))
    assert refusal(load_pickle, path) == says(
        f"{path}: refused, because it asks for posix.system, ...; use a file written by paddle.save or torch.save ..."
    )


def test_a_set_attribute_does_not_outlive_the_file(tmp_path):
    with pytest.raises(UserError, match="a change of an object of type Ordered"):
        load_pickle(written(tmp_path, b"\x80\x02ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00extraNsb."))


def test_a_crafted_memo_index_claims_no_memory(tmp_path):
    path = written(tmp_path, b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b".")
    assert load_pickle(path) is None


def test_nested_doubling_does_not_explode(tmp_path):
    content = []
    for _ in range(100):
        content = [content, content]
    loaded = load_pickle(written(tmp_path, content))
    assert loaded[0] is loaded[1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_file_cut_anywhere_is_the_users_error(tmp_path, protocol):
    whole = pickle.dumps({"weight": np.ones(2, np.float32), "text": ["a" * 20]}, protocol=protocol)
    for length in range(len(whole)):
        path = written(tmp_path, whole[:length])
        with pytest.raises(UserError) as caught:
            load_pickle(path)
        if protocol >= 4:  # before that a name that is cut short is a name that is not admitted
            assert "not a valid pickle of arrays (" in str(caught.value)
            assert str(caught.value).endswith("; copy or download the file again")


@given(st.binary(max_size=60))
def test_garbage_is_data_or_the_users_error(tmp_path_factory, content):
    path = written(tmp_path_factory.mktemp("garbage"), content)
    try:
        load_pickle(path)
    except UserError as error:
        assert str(error).startswith(f"{path}: ")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent.pdparams: cannot be read \(No such file or directory\)"):
        load_pickle(tmp_path / "absent.pdparams")


def stream(content) -> Stream:
    return Stream(io.BytesIO(content), len(content))


def test_another_reader_brings_its_own_names_and_objects_from_elsewhere():
    content = b"\x80\x02cmine\npair\nK\x01K\x02\x86R." + b"\x80\x02K\x07Q."
    source = stream(content)
    admitted = {**ALLOWED_NAMES, "mine.pair": lambda left, right: [right, left]}
    assert unpickle.unpickle(source, admitted) == [2, 1]
    assert source.left == 6  # the next pickle begins where this one ends
    assert unpickle.unpickle(source, admitted, lambda named: named * 6) == 42
    assert source.left == 0
    made = unpickle.unpickle(stream(content))
    assert (type(made), made.name) == (Inert, "mine.pair")
    with pytest.raises(Refused, match=r"^os\.pair$"):
        unpickle.unpickle(stream(content.replace(b"mine", b"os")))
    with pytest.raises(Refused, match=r"^an object that is not in the file \(a persistent id\)$"):
        unpickle.unpickle(stream(content[-6:]))


def test_what_a_file_may_make_is_bounded_by_what_it_holds():
    meter = Meter(100)
    meter.claim(400)
    with pytest.raises(Refused, match=r"^more than 4 times the memory of its own size$"):
        meter.claim(1)
    meter.step(800_000)
    with pytest.raises(Refused, match=r"^more than 800,000 steps$"):
        meter.step()


def test_containers_are_rebuilt_to_a_depth_of_150():
    content = 7
    for _ in range(151):
        content = [content]
    assert rebuild(content, Meter(0)) == content
    with pytest.raises(Refused, match=r"^containers nested more than 150 deep$"):
        rebuild([content], Meter(0))


def test_keys_and_numbers_of_numpy_are_keys_and_numbers(tmp_path):
    content = {np.int64(3): 1, (1, "a"): 2, -(2**64) + 1: 3, b"x": 4, None: {np.float32(0.5)}}
    loaded = load_pickle(written(tmp_path, pickle.dumps(content, protocol=2)))
    assert loaded == content and [type(key) for key in loaded] == [type(key) for key in content]
