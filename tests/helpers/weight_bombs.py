"""Files of weights of at most 1 MB that ask for hours or for gigabytes; `make test` makes them smaller by `part_of`."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from helpers import hostile_zoo as zoo
from helpers.bounds import part_of

SIZE = part_of(1_000_000)
_WORD = 1 << 64
# Of CPython's hash of a tuple, in Objects/tupleobject.c
_PRIME_1, _PRIME_2, _PRIME_5 = 11400714785074694791, 14029467366897019727, 2870177450012600261

Bombs = Iterator[tuple[str, bytes]]


def _text(value: bytes) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(value)) + value


def _long(count: int) -> bytes:
    return pickle.LONG4 + struct.pack("<i", count) + b"\x7f" * count


def _int(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)


def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _filled(head: bytes, part: bytes, tail: bytes = b".", size: int = SIZE) -> bytes:
    """As many parts as a file has room for."""
    return b"\x80\x04" + head + part * ((size - len(head) - len(tail) - 2) // len(part)) + tail


def _numbered(head: bytes, part: Callable[[int], bytes], tail: bytes, size: int = SIZE) -> bytes:
    """As many parts as a file has room for, each with its number."""
    content, number = bytearray(b"\x80\x04" + head), 0
    while len(content) < size - 100 - len(tail):
        content += part(number)
        number += 1
    return bytes(content + tail)


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> (64 - by)) % _WORD


def pairs_of_one_hash(count: int) -> Iterator[tuple[int, int]]:
    """Different pairs of whole numbers that have the same hash: the second is solved for."""
    inverse, first = pow(_PRIME_2, -1, _WORD), 1
    while count:
        accumulated = _rotated((_PRIME_5 + first * _PRIME_2) % _WORD, 31) * _PRIME_1 % _WORD
        second = (12345 - accumulated) * inverse % _WORD
        second = second - _WORD if second >= _WORD // 2 else second
        # Other numbers are not their own hashes
        if abs(second) < 2**61 - 1 and second != -1:
            count -= 1
            yield first, second
        first += 1


def complex_of_one_hash(number: int) -> complex:
    """A complex number that has the same hash as those of all other numbers."""
    return complex(-1000003 * (number + 1), number + 1)


def _pair(pair: tuple[int, int]) -> bytes:
    return _int(pair[0]) + b"\x8a\x08" + struct.pack("<q", pair[1])


def _array(shape: bytes, content: bytes) -> bytes:
    """The opcodes of a float32 array whose shape and content are opcodes."""
    made = _name("numpy.core.multiarray", "_reconstruct") + _name("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
    dtype = _name("numpy", "dtype") + _text(b"f4") + b"K\x00K\x01\x87R"
    state = b"(K\x03" + _text(b"<") + b"NNN" + 2 * _int(-1) + b"K\x00tb"
    return made + b"(K\x01" + shape + dtype + state + b"\x89" + content + b"tb"


_ONE = _array(b"K\x01\x85", b"C\x04" + zoo.ONE)
# Two texts that are equal and not the same object, as 0 and 1 of the memo
_EQUAL = 2 * (_text(b"a" * part_of(100_000)) + b"\x940")
_NONES = b"(" + b"N" * part_of(400_000) + b"t\x940"
_SIDES = b"(" + b"K\x01" * part_of(200_000) + b"t\x940"


def _called(module: str, name: str, arguments: bytes) -> bytes:
    """A list of calls of one name, whose arguments are opcodes; a shared tuple of 400,000 is entry 1 of the memo."""
    return _filled(_name(module, name) + b"\x940" + _NONES, b"h\x00" + arguments + b"0", b"N.")


def small_objects() -> Bombs:
    """Pickles with many small things."""
    for name, part in (
        ("empty lists", b"]"),
        ("empty dictionaries", b"}"),
        ("empty sets", b"\x8f"),
        ("dictionaries of one", b"}NNs"),
        ("tuples of one", b"N\x85"),
        ("numbers", b"M\xff\xff"),
        ("long numbers", b"\x8a\x08" + b"\x7f" * 8),
        ("names", b"ca\nb\n"),
    ):
        yield f"many {name}", _filled(b"](", part, b"e.")
    for module, name in (("collections", "OrderedDict"), ("builtins", "set"), ("builtins", "tuple"), ("a", "b")):
        yield f"many calls of {name}", _filled(_name(module, name) + b"\x940](", b"h\x00)R", b"e.")
    yield "many short texts", _numbered(b"](", lambda n: b"\x8c\x06%06d" % n, b"e.")
    yield "many sets in a dictionary", _numbered(b"}", lambda n: _int(n) + b"\x8fs", b".")
    yield "nothing, dropped", _filled(b"", b"N0", b"N.")
    yield "nothing, memoized", _filled(b"", b"N\x940", b"N.")
    yield "marks", _filled(b"", b"(", b"")
    yield "marks, dropped", _filled(b"", b"(1", b"N.")
    yield "tuples in tuples", _filled(b"N", b"\x85")
    yield "lists in lists", b"]" * part_of(500_000) + b"a" * part_of(499_999) + b"."
    yield (
        "arrays in arrays",
        b"\x80\x04" + part_of(8_000) * _array(b"K\x01\x85", b"")[:-2] + b"N" + part_of(8_000) * b"tb" + b".",
    )
    yield "names from the stack", _filled(_text(b"a") + b"\x940" + _text(b"b") + b"\x940", b"h\x00h\x01\x930", b"N.")
    yield "changes of an object", _filled(b"ca\nb\n", b"Nb")


def shared_parts() -> Bombs:
    """Pickles in which something large is used again and again."""
    yield "a tuple as the arguments of a function", _called("builtins", "complex", b"h\x01R")
    yield "a tuple as the arguments of a class", _called("a", "b", b"h\x01R")
    yield "a tuple as the arguments of a new object", _called("a", "b", b"h\x01\x81")
    yield "a tuple as the arguments of a new object with keywords", _called("a", "b", b"h\x01}\x92")
    yield "a tuple as the items of a tuple", _called("builtins", "tuple", b"h\x01\x85R")
    yield "a tuple as the items of a set", _called("builtins", "set", b"h\x01\x85R")
    made = (
        _name("numpy.core.numeric", "_frombuffer") + b"\x940" + _name("numpy", "dtype") + _text(b"f4") + b"\x85R\x940"
    )
    number = b"C\x04" + zoo.ONE
    yield (
        "a shape of 200,000 sides",
        _filled(_SIDES + made + b"](", b"h\x01(" + number + b"h\x02h\x00\x8c\x01CtR", b"e."),
    )
    axes = b"h\x01(" + number + b"h\x02K\x01\x85\x8c\x01Kh\x00tR"
    yield "an order of 200,000 axes", _filled(_SIDES + made + b"](", axes, b"e.")
    one = b"h\x01(" + number + b"h\x02K\x01\x85\x8c\x01CtR"
    yield "many arrays of one number", _filled(b"N\x940" + made + b"](", one, b"e.")
    yield (
        "many arrays of one number, by name",
        _numbered(b"N\x940" + made + b"}(", lambda n: _text(b"%d" % n) + one, b"u."),
    )
    yield "one array by many names", _numbered(_ONE + b"\x940}(", lambda n: _text(b"%d" % n) + b"h\x00", b"u.")
    pair = _text(b"x") + _ONE + b"\x86\x940}("
    yield "one tensor by many names", _numbered(pair, lambda n: _text(b"%d" % n) + b"h\x00", b"u.")
    for dtype in ("f2", ">f2", ">f4", ">f8", ">i8"):
        array = np.ones(part_of(900_000) // np.dtype(dtype).itemsize, dtype)
        for kind, value in (("array", array), ("tensor", ("x", array))):
            shared = pickle.dumps({f"layer{n}.weight": value for n in range(part_of(3_000))}, protocol=4)
            yield f"one {kind} of {dtype} by 3,000 names", shared
    many = b"".join(_int(n) + b"N" for n in range(part_of(70_000)))
    for which, inner in (("no", many), ("a first", _int(-1) + _ONE + many), ("a last", many + _int(-1) + _ONE)):
        content = _numbered(b"}(" + inner + b"u\x940}(", lambda n: _int(n) + b"h\x00", b"u.")
        yield f"a dictionary with {which} array by 70,000 names", content


def keys() -> Bombs:
    """Pickles whose keys take long to hash or to compare."""
    pairs = list(pairs_of_one_hash(part_of(65_000)))
    yield "pairs of one hash as keys", _numbered(b"}(", lambda n: _pair(pairs[n]) + b"\x86N", b"u.")
    yield "pairs of one hash in a set", _numbered(b"\x8f(", lambda n: _pair(pairs[n]) + b"\x86", b"\x90.")
    yield (
        "pairs of one hash as keys of an OrderedDict",
        _numbered(_name("collections", "OrderedDict") + b"](", lambda n: _pair(pairs[n]) + b"\x86N\x86", b"e\x85R."),
    )
    text = lambda n: b"h%c" % (n % 2) + _pair(pairs[n])  # noqa: E731
    yield "equal texts and pairs of one hash as keys", _numbered(_EQUAL + b"}(", lambda n: text(n) + b"\x87N", b"u.")

    def number(n: int) -> bytes:
        value = complex_of_one_hash(n)
        return b"h\x00G" + struct.pack(">d", value.real) + b"G" + struct.pack(">d", value.imag) + b"\x86R"

    made = _name("builtins", "complex") + b"\x940"
    yield "complex numbers of one hash as keys", _numbered(made + b"}(", lambda n: number(n) + b"N", b"u.")
    yield "complex numbers of one hash in a set", _numbered(made + b"\x8f(", number, b"\x90.")
    made = _name("numpy", "dtype") + _text(b"c16") + b"\x85R\x940" + _name("numpy.core.multiarray", "scalar") + b"\x940"

    def scalar(n: int) -> bytes:
        return b"h\x01h\x00C\x10" + np.complex128(complex_of_one_hash(n)).tobytes() + b"\x86R"

    yield "numbers of numpy of one hash as keys", _numbered(made + b"}(", lambda n: scalar(n) + b"N", b"u.")
    yield "equal texts in a set", _filled(_EQUAL + b"\x8f(", b"h\x00h\x01", b"\x90.")
    yield "equal texts in many sets", _filled(_EQUAL + b"](", b"\x8f(h\x00h\x01\x90", b"e.")
    yield "a long number as a key", b"}" + _long(part_of(900_000)) + b"Ns."


def long_parts() -> Bombs:
    """Pickles with one long thing."""
    yield "a number of 999,000 digits", b"I" + b"9" * part_of(999_000) + b"\n."
    yield "a long number of 999,000 digits", b"L" + b"9" * part_of(999_000) + b"L\n."
    yield "a fraction of 999,000 digits", b"F0." + b"9" * part_of(999_000) + b"\n."
    yield "a line of 999,000 characters", b"S'" + b"\\x41" * part_of(249_000) + b"'\n."
    made = _array(b"h\x00", b"C\x00")
    yield "numbers of 200 kB as shapes", _filled(_long(part_of(200_000)) + b"\x85\x940](", made, b"e.")
    yield (
        "a type of 100,000 digits",
        _filled(
            _name("numpy", "dtype") + b"\x940" + _text(b"U" + b"9" * part_of(100_000)) + b"\x940](",
            b"h\x00h\x01\x85R",
            b"e.",
        ),
    )
    wide = _name("numpy.core.numeric", "_frombuffer") + b"(C\x00" + _name("numpy", "dtype") + _text(b"U500000000")
    yield "an array of wide texts", b"\x80\x04" + wide + b"\x85RK\x00\x85\x8c\x01CtR."
    one = np.ones(1)
    yield "a name of 140,000 prefixes", pickle.dumps({"module." * part_of(140_000) + "w": one}, protocol=4)
    yield "a name of 900,000 characters", pickle.dumps({"w" * part_of(900_000): "x", "v": one}, protocol=4)
    yield (
        "an entry of 900,000 characters",
        pickle.dumps({"w" * part_of(900_000): {"w": one}, "v": {"w": one}}, protocol=4),
    )
    for name, record in (
        ("a model of 900,000 characters", json.dumps({"model": "a" * part_of(900_000)})),
        ("a source of 900,000 characters", json.dumps({"source": "a" * part_of(900_000)})),
        (
            "200,000 arguments",
            json.dumps({"model": "SqueezeNet1_1", "arguments": {"stem_padding": [1] * part_of(200_000)}}),
        ),
        (
            "an argument of 900,000 characters",
            json.dumps({"model": "SqueezeNet1_1", "arguments": {"a" * part_of(900_000): 1}}),
        ),
        (
            "a side of 900,000 characters",
            json.dumps({"model": "SqueezeNet1_1", "preprocessing": {"size": "1" * part_of(900_000)}}),
        ),
        (
            "a key of 900,000 characters",
            json.dumps({"model": "SqueezeNet1_1", "preprocessing": {"s" * part_of(900_000): 1}}),
        ),
        ("900,000 digits", '{"model": ' + "9" * part_of(900_000) + "}"),
        ("330,000 objects", '{"a": [' + "{}," * part_of(330_000) + "0]}"),
        ("900,000 lists", "[" * part_of(900_000)),
    ):
        yield f"a record with {name}", pickle.dumps({"w": one, "ppcls_record@@": record}, protocol=4)


def torch_archives() -> Bombs:
    """What torch's zip archive can say."""
    made = _name("torch._utils", "_rebuild_tensor_v2") + b"\x940"
    where = b"(" + _text(b"storage") + _name("torch", "FloatStorage") + _text(b"0") + _text(b"cpu") + b"K\x01tQ\x940"
    hooks = b"\x89NtR"

    def tensors(shared: bytes, size: bytes, stride: bytes) -> bytes:
        part = b"h\x00(h\x01K\x00" + size + stride + hooks
        return zoo.archive(_filled(made + where + shared + b"](", part, b"e.", SIZE - 1_000), {"0": zoo.ONE})

    yield "numbers of 200 kB as sizes", tensors(_long(part_of(200_000)) + b"\x85\x940", b"h\x02", b"h\x02")
    yield "a size of 200,000 sides", tensors(_SIDES, b"h\x02", b"h\x02")
    yield "many empty tensors of 32 sides", tensors(b"(" + b"K\x00" * 32 + b"t\x940", b"h\x02", b"h\x02")
    yield "many tensors of one number", tensors(b"", b"K\x01\x85", b"K\x01\x85")
    part = b"h\x00(h\x01K\x00K\x01\x85K\x01\x85" + hooks
    named = _numbered(made + where + b"}(", lambda n: _text(b"%d" % n) + part, b"u.", SIZE - 1_000)
    yield "many tensors of one number, by name", zoo.archive(named, {"0": zoo.ONE})
    stretched = zoo.tensor(zoo.storage("0", "BFloat16Storage", 1), (1_000_000_000,), (0,))
    yield "one number a billion times", zoo.archive({"w": stretched}, {"0": b"\x80\x3f"})
    far = zoo.tensor(zoo.storage("0", "FloatStorage", 1), (1,), (2**62,))
    yield "a stride of 2**62", zoo.archive({"w": far}, {"0": zoo.ONE})
    half = zoo.tensor(zoo.storage("0", "HalfStorage", part_of(200_000)), (part_of(200_000),))
    yield (
        "one tensor by 20,000 names",
        zoo.archive({f"layer{n}": half for n in range(part_of(20_000))}, {"0": bytes(part_of(400_000))}),
    )
    storage = b"(h\x02h\x03h%cNK\x01tQ"
    heads = _EQUAL + _text(b"storage") + b"\x940" + _name("torch", "FloatStorage") + b"\x940]("
    yield "storages with equal long names", zoo.archive(_filled(heads, storage % 0 + storage % 1, b"e.", SIZE - 1_000))
    state = {str(n): zoo.tensor(zoo.storage(str(n), "FloatStorage", 1), (1,)) for n in range(part_of(4_300))}
    yield "4,300 storages", zoo.archive(state, {str(n): zoo.ONE for n in range(part_of(4_300))}, folder="a")


def zip_files() -> Bombs:
    """What a zip archive can say."""
    parts = {"a/data.pkl": b"N."}
    yield "many empty members", _zip({**parts, **{f"a/{n}": b"" for n in range(part_of(9_000))}})
    yield "members with long names", _zip({**parts, **{"a/" + letter * part_of(60_000): b"" for letter in "bcdefgh"}})
    yield "a member in 30,000 folders", _zip({"a" + "/b" * part_of(30_000): b""})
    yield "a deflated member of 500 MB", zoo.archive({}, {"0": bytes(500_000_000)}, compression=zipfile.ZIP_DEFLATED)
    whole = _zip(parts)
    yield (
        "a comment of ends of archives",
        whole[:-2] + struct.pack("<H", part_of(65_000)) + part_of(16_250) * b"PK\x05\x06",
    )
    yield "ends of archives", b"PK\x05\x06" * part_of(250_000)
    yield "beginnings of members", b"PK\x03\x04" * part_of(250_000)
    yield "a directory of one member 20,000 times", _directories(whole, part_of(15_000))


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        for name, content in members.items():
            out.writestr(name, content)
    return file.getvalue()


def _directories(whole: bytes, count: int) -> bytes:
    """An archive whose directory names its one member many times, all in the same place."""
    start, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
    entries = whole[start:end] * count
    sizes = struct.pack("<HHII", count % 65536, count % 65536, len(entries), start)
    return whole[:start] + entries + whole[end : end + 8] + sizes + whole[end + 20 :]


def torch_streams() -> Bombs:
    """What torch's old stream can say."""
    heads = b"".join(zoo.dump(part) for part in (zoo.MAGIC, 1001, zoo.SYSTEM))
    yield (
        "equal names in the list of storages",
        heads + b"}." + _filled(_EQUAL + b"](", b"h\x00h\x01", b"e.", SIZE - 300),
    )
    yield "a list of lists of storages", heads + b"}." + _filled(b"](", b"]", b"e.", SIZE - 300)
    yield "marks in the first part", zoo.dump(zoo.MAGIC) + b"(" * part_of(900_000)
    small = zoo.storage("7", "FloatStorage", 10**9, None)
    yield "a storage of 4 GB", zoo.legacy({"w": zoo.tensor(small, (10**9,))}, {"7": (10**9, bytes(part_of(900_000)))})


def safetensors_files() -> Bombs:
    """What a file of safetensors can say."""

    def header(content: Any, data: bytes = b"") -> bytes:
        return zoo.safetensors(content.encode() if isinstance(content, str) else content, data)

    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    text = '"%05d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    yield "17,000 empty tensors", header("{" + ",".join(text % n for n in range(part_of(17_000))) + "}")
    yield "one name 17,000 times", header("{" + ",".join(text % 0 for _ in range(part_of(17_000))) + "}")
    yield "a name of 900,000 characters", header({"a" * part_of(900_000): empty})
    yield "a name of 140,000 prefixes", header({"module." * part_of(140_000) + "w": empty})
    yield "a shape of 300,000 zeros", header({"w": {**empty, "shape": [0] * part_of(300_000)}})
    yield (
        "a shape of 300,000 ones",
        header({"w": {**empty, "shape": [1] * part_of(300_000), "data_offsets": [0, 4]}}, zoo.ONE),
    )
    yield "a side of 900,000 digits", header('{"w":{"dtype":"F32","shape":[' + "9" * part_of(900_000) + "]}}")
    yield "an empty tensor of 2**63", header({"w": {**empty, "shape": [0, 2**63]}})
    yield "a type of 900,000 characters", header({"w": {**empty, "dtype": "F" * part_of(900_000)}})
    yield "lists in lists", header("[" * part_of(900_000))
    yield "objects in objects", header('{"a":' * part_of(180_000))
    yield "330,000 empty objects", header('{"w":[' + "{}," * part_of(330_000) + "{}]}")
    yield "990,000 spaces", header("{" + " " * part_of(990_000) + "}")
    yield "90,000 notes", header('{"__metadata__":{' + ",".join(f'"{n}":""' for n in range(part_of(90_000))) + "}}")
    long = json.dumps({"model": "a" * part_of(900_000)})
    yield "a record of 900,000 characters", header({"__metadata__": {"ppcls_record": long}, "w": empty})
    for length in (2**64 - 1, 2**63, 2**40, 2**31, SIZE):
        yield f"a header of {length} bytes", zoo.safetensors(b"{}", b" " * 1_000, length)


def darknet_files() -> Bombs:
    """What a file of Darknet can say."""
    yield "249,000 numbers", zoo.darknet(np.ones(part_of(249_000)))
    yield "NaN 249,000 times", zoo.darknet(np.full(part_of(249_000), np.nan))
    yield "2**63 pictures", struct.pack("<iiiQ", 0, 2, 0, 2**63) + bytes(part_of(900_000))


GROUPS: dict[str, tuple[str, Callable[[], Bombs]]] = {
    "small objects": ("w.pdparams", small_objects),
    "shared parts": ("w.pdparams", shared_parts),
    "keys": ("w.pdparams", keys),
    "long parts": ("w.pdparams", long_parts),
    "torch archives": ("w.pth", torch_archives),
    "zip files": ("w.pth", zip_files),
    "torch streams": ("w.pth", torch_streams),
    "safetensors": ("w.safetensors", safetensors_files),
    "darknet": ("w.weights", darknet_files),
}
