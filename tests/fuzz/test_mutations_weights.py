"""Damaged files of weights of every format, and files made of random parts, are read or refused by one sentence."""

import pickle
import random
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import hostile_zoo as zoo
from helpers.fuzzing import FUZZING, assert_every_mutant_is_read_or_refused, seeds
from ppcls.arch.weights.files import read_weights
from ppcls.untrusted.npz import float32_size
from ppcls.untrusted.unpickle import load_pickle
from ppcls.utils.errors import UserError

EXAMPLES = settings(max_examples=4_000 if FUZZING else 100, derandomize=not FUZZING)


def check(path, content):
    """Reads a file of weights; what comes out has to be weights and in proportion to the file."""
    path.write_bytes(content)
    try:
        arrays = read_weights(path).arrays
    except UserError as error:
        assert str(error).startswith(f"{path}: ")
        raise
    assert arrays and all(isinstance(name, str) for name in arrays)
    assert all(array.dtype.kind in "fiub" and array.dtype.isnative for array in arrays.values())
    assert sum(map(float32_size, arrays.values())) <= 4 * len(content)


def is_read(path, content):
    try:
        check(path, content)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) <= 1000
        return False
    return True


@pytest.mark.parametrize("name", zoo.honest_files())
def test_damaged_weights_are_read_or_refused(tmp_path, name):
    whole = zoo.honest_files()[name]
    seen = assert_every_mutant_is_read_or_refused(lambda content: check(tmp_path / name, content), whole)
    assert seen["refused"] >= 10


def accumulators(protocol):
    state = {f"layer{n}.weight/velocity_0": np.full((2, 3), n, np.float32) for n in range(3)}
    schedule = {"last_epoch": 3, "last_lr": 0.1, "base_lr": np.float64(0.5)}
    return pickle.dumps({**state, "LR_Scheduler": schedule, "shapes": [(1, 2), {"a"}]}, protocol=protocol)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("suffix", [".pdopt", ".pdstates"])
def test_damaged_pickles_are_read_or_refused(tmp_path, suffix, protocol):
    path = tmp_path / f"w{suffix}"

    def read(content):
        path.write_bytes(content)
        load_pickle(path)

    seen = assert_every_mutant_is_read_or_refused(read, accumulators(protocol))
    assert seen["refused"] >= 10


# Parts of pickles: values, then what takes them from the stack. Many of the random files made of them are valid.
VALUES = [
    *(b"N", b"\x88", b"]", b"}", b")", b"\x8f", b"K\x01", b"K\x00", b"J\xff\xff\xff\xff", b"M\xff\xff"),
    *(b"G?\xf0\x00\x00\x00\x00\x00\x00", b"\x8a\x08" + b"\x7f" * 8, b"I7\n", b"L7L\n", b"F0.5\n", b"S'a'\n", b"Va\n"),
    *(b"\x8c\x01w", b"\x8c\x02f4", b"\x8c\x01C", b"\x8c\x01<", b"\x8c\x06latin1", b"C\x04abcd", b"C\x00", b"C\x01b"),
    *(b"X\x07\x00\x00\x00storage", b"\x8c\x010", b"K\x04", b"(K\x01K\x04t", b"(K\x02K\x02t", b"h\x00", b"h\x01"),
    *(b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cbuiltins\nset\n"),
    *(b"cnumpy.core.multiarray\nscalar\n", b"cnumpy.core.numeric\n_frombuffer\n", b"ccollections\nOrderedDict\n"),
    *(b"cbuiltins\ntuple\n", b"cbuiltins\ncomplex\n", b"c_codecs\nencode\n", b"ctorch\nFloatStorage\n", b"ca\nb\n"),
    *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_parameter\n", b"ctorch\nSize\n"),
]
INSTRUCTIONS = b"(0122aabbdeehlostuuRRR\x85\x85\x86\x86\x87\x87\x81\x90\x91\x92\x93\x94\x94QP"


def program(seed):
    chosen = random.Random(seed)
    parts = []
    for _ in range(chosen.randrange(1, 20)):
        if chosen.random() < 0.6:
            parts.append(chosen.choice(VALUES))
        else:
            parts.append(bytes([chosen.choice(INSTRUCTIONS)]))
    return b"\x80\x04" + b"".join(parts) + b"."


def test_random_programs_are_read_or_refused(tmp_path):
    """As pickles, and as those of torch's archive, which have more names."""
    pickled, archived = tmp_path / "w.pdopt", tmp_path / "w.pth"
    read = 0
    for seed in seeds(300):
        content = program(seed)
        pickled.write_bytes(content)
        try:
            load_pickle(pickled)
            read += 1
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) <= 1000, seed
        is_read(archived, zoo.archive(content, {"0": zoo.FOUR}))
    assert read >= 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


SIZES = st.lists(st.integers(-1, 6) | st.sampled_from([2**31, 2**62, 2**63, 2**200]), max_size=4)
KINDS = st.sampled_from(["FloatStorage", "HalfStorage", "BFloat16Storage", "BoolStorage", "LongStorage"])
BYTES = {"FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "BoolStorage": 1, "LongStorage": 8}


@EXAMPLES
@given(kind=KINDS, count=st.integers(0, 8), size=SIZES, stride=SIZES, offset=st.integers(-1, 9), old=st.booleans())
def test_random_tensors_are_what_numpy_makes_of_them_or_refused(folder, kind, count, size, stride, offset, old):
    path = folder / "w.pth"
    data = bytes(range(1, 1 + count * BYTES[kind]))
    view = (None,) if old else ()
    state = OrderedDict(w=zoo.tensor(zoo.storage("0", kind, count, *view), tuple(size), tuple(stride), offset))
    content = zoo.legacy(state, {"0": (count, data)}) if old else zoo.archive(state, {"0": data})
    path.write_bytes(content)
    fits = len(size) == len(stride) and min([*size, *stride, offset, 0]) >= 0
    if fits and 0 not in size:
        fits = offset + sum((side - 1) * step for side, step in zip(size, stride)) < count
    try:
        array = read_weights(path).arrays["w"]
    except UserError as error:
        # Nothing is wrong with a size of 2**31 beside one of 0, or with one number many times, but no array is such
        assert not fits or max([*size, *stride, 0]) >= 2**31 or "memory of its own size" in str(error)
        return
    assert fits and array.shape == tuple(size)
    if kind == "LongStorage" and array.size:
        numbers = np.frombuffer(data, "<i8")
        wanted = [numbers[offset + int(np.dot(index, stride))] for index in np.ndindex(*size)]
        assert array.ravel().tolist() == wanted


ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "F16", "BF16", "I8", "BOOL", "F7", 3, None]),
        "shape": SIZES | st.none() | st.text(max_size=2),
        "data_offsets": st.lists(st.integers(-1, 17) | st.just(2**70), max_size=3),
        "more": st.none(),
    },
)


@EXAMPLES
@given(
    header=st.dictionaries(
        st.sampled_from(["w", "v", "module.w", "__metadata__", ""]), ENTRIES | st.none(), max_size=3
    ),
    data=st.binary(max_size=16),
)
def test_random_headers_of_safetensors_are_read_or_refused(folder, header, data):
    path = folder / "w.safetensors"
    path.write_bytes(zoo.safetensors(header, data))
    try:
        arrays = read_weights(path).arrays
    except UserError as error:
        assert str(error).startswith(f"{path}: ")
        return
    kinds = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "BOOL": 1}
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    assert len(arrays) == len(entries)
    # Every byte belongs to one tensor
    spans = sorted(tuple(entry["data_offsets"]) for entry in entries.values())
    assert [start for start, _ in spans] == [0, *(end for _, end in spans)][:-1] and spans[-1][1] == len(data)
    for entry in entries.values():
        start, end = entry["data_offsets"]
        assert end - start == np.prod(entry["shape"], dtype=int) * kinds[entry["dtype"]]
