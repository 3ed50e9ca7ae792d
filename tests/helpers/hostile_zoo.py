"""Files of weights made by hand, honest and hostile: torch's two formats without torch, and a zoo of attacks."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class Name:
    """A global name that need not exist here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self) -> None:
        raise AssertionError("only a pickle speaks of it")


class Call:
    """Pickles as a call of `function` with `arguments`, and then `state`."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.parts = (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.parts if self.parts[2] is not None else self.parts[:2]


class Outside:
    """Pickles as a persistent id."""

    def __init__(self, *named: Any) -> None:
        self.named = named


class TorchPickler(pickle._Pickler):
    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Name):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, save_persistent_id)

    def persistent_id(self, obj: Any) -> Any:
        return obj.named if isinstance(obj, Outside) else None


def dump(content: Any, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    TorchPickler(file, protocol).dump(content)
    return file.getvalue()


def storage(key: str, kind: str, count: Any, *view: Any) -> Outside:
    return Outside("storage", Name("torch", kind), key, "cpu", count, *view)


def tensor(where: Any, size: Any, stride: Any = None, offset: Any = 0, *more: Any) -> Call:
    if stride is None:
        stride = tuple(int(np.prod(size[axis + 1 :])) for axis in range(len(size)))
    hooks = more or (False, OrderedDict())
    return Call(Name("torch._utils", "_rebuild_tensor_v2"), where, offset, size, stride, *hooks)


def archive(
    content: Any,
    storages: dict[str, bytes] | None = None,
    members: Sequence[tuple[str, bytes]] = (),
    folder: str = "weights",
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """What torch.save writes since 1.6."""
    file = io.BytesIO()
    program = content if isinstance(content, bytes) else dump(content)
    with zipfile.ZipFile(file, "w", compression) as out:
        out.writestr(f"{folder}/data.pkl", program)
        for key, data in (storages or {}).items():
            out.writestr(f"{folder}/data/{key}", data)
        out.writestr(f"{folder}/version", b"3\n")
        for name, data in members:
            out.writestr(name, data)
    return file.getvalue()


def legacy(content: Any, storages: dict[str, tuple[int, bytes]], **parts: Any) -> bytes:
    """What torch.save wrote before; `parts` replace the first pickles and the list of storages."""
    heads = [parts.get("magic", MAGIC), parts.get("protocol", 1001), parts.get("system", SYSTEM)]
    pickles = [*heads, content, parts.get("keys", list(storages))]
    raw = b"".join(struct.pack("<q", count) + data for count, data in storages.values())
    return b"".join(dump(part) for part in pickles) + raw


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def darknet(values: Sequence[float], version: Sequence[int] = (0, 2, 0)) -> bytes:
    wide = version[0] * 10 + version[1] >= 2
    return struct.pack("<iii" + ("q" if wide else "i"), *version, 77) + np.asarray(values, "<f4").tobytes()


ONE = np.float32(1).tobytes()
FOUR = np.arange(4, dtype=np.float32).tobytes()


def honest_files() -> dict[str, bytes]:
    """A whole file of each format by its name."""
    ones = np.ones(4, np.float32)
    tensors = {"state_dict": {"module.w": tensor(storage("0", "FloatStorage", 4), (2, 2)), "epoch": 3}}
    old = {"w": tensor(storage("7", "HalfStorage", 4, None), (2,), (2,))}
    entry = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    return {
        "four.pdparams": pickle.dumps({"w": ones, "StructuredToParameterName@@": {"w": "p"}}, protocol=4),
        "two.pdparams": pickle.dumps({"w": ones, "ppcls_record@@": "{}"}, protocol=2),
        "archive.pth": archive({**tensors, "state_dict": {"w": tensors["state_dict"]["module.w"]}}, {"0": FOUR}),
        "stream.pth": legacy(old, {"7": (4, ones.astype(np.float16).tobytes())}),
        "w.safetensors": safetensors({"__metadata__": {"ppcls_record": "{}"}, "w": entry}, FOUR),
        "w.weights": darknet([1, 2, 3]),
    }


class Hostile(NamedTuple):
    """A file and what the refusal says of it, after the file's name."""

    id: str
    name: str
    content: bytes
    says: str | tuple[str, ...]


def _doubled(levels: int, kind: type = list) -> Any:
    content: Any = kind()
    for _ in range(levels):
        content = kind((content, content))
    return content


def _asks(what: str) -> str:
    return f"refused, because it asks for {what}, and only arrays and plain containers are read; "


def _weights(value: Any, protocol: int = 4) -> bytes:
    return pickle.dumps({"a": np.ones(2, np.float32), "w": value}, protocol=protocol)


def _array_opcodes(shape: bytes, content: bytes) -> bytes:
    """A pickle of a dictionary with one float32 array whose shape and content are opcodes."""
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    minus_one = b"J\xff\xff\xff\xff"
    dtype = b"cnumpy\ndtype\nX\x02\x00\x00\x00f4K\x00K\x01\x87R(K\x03X\x01\x00\x00\x00<NNN" + 2 * minus_one + b"K\x00tb"
    return b"\x80\x04}X\x01\x00\x00\x00w" + made + b"(K\x01" + shape + dtype + b"\x89" + content + b"tbs."


def pickles(command: str) -> list[tuple[str, str, bytes, str]]:
    """Attacks by what a pickle can say; all of them in a file of Paddle's kind."""
    text = repr(command).encode()
    short = struct.pack("<B", len(command)) + command.encode()
    objects = np.array([Call(os.system, command)], dtype=object)
    many = np.zeros(50_000, np.float32).tobytes()
    shared = pickle.BINBYTES + struct.pack("<I", len(many)) + many
    deep_json = "[" * 100_000
    run, found = "os.system", []

    def case(id: str, content: bytes, says: str) -> None:
        found.append((id, "w.pdparams", content, says))

    case("os.system", pickle.dumps({"w": Call(os.system, command)}, 4), _asks("posix.system"))
    case("system in protocol 0", b"cos\nsystem\n(S" + text + b"\ntR.", _asks(run))
    case("system as a key", pickle.dumps({Call(os.system, command): 1}), _asks("posix.system"))
    case("popen", pickle.dumps([{"w": (Call(subprocess.Popen, ["touch"]),)}]), _asks("subprocess.Popen"))
    case("eval", pickle.dumps(Call(eval, f"__import__('os').system({command!r})")), _asks("builtins.eval"))
    case("exec", pickle.dumps(Call(exec, f"import os; os.system({command!r})")), _asks("builtins.exec"))
    case("getattr", dump(Call(Name("__builtin__", "getattr"), Name("os", "sys"))), _asks("__builtin__.getattr"))
    case("import", pickle.dumps(Call(__import__, "os")), _asks("builtins.__import__"))
    case("numpy.load", dump(Call(Name("numpy", "load"), "/etc/passwd")), _asks("numpy.load"))
    case("numpy.fromfile", dump(Call(Name("numpy", "fromfile"), "/etc/passwd")), _asks("numpy.fromfile"))
    chain = Call(Name("operator", "attrgetter"), "system")
    case("chain of calls", dump(Call(Name("functools", "reduce"), chain)), _asks("functools.reduce"))
    dotted = b"\x80\x04\x8c\x15numpy.core.multiarray\x8c\x09os.system\x93\x8c" + short + b"\x85R."
    case("dotted name", dotted, _asks("numpy.core.multiarray.os.system"))
    case("module of an admitted name", b"\x80\x04\x8c\x0bcollections\x8c\x0f_sys.modules.os\x93.",
         _asks("collections._sys.modules.os"))  # fmt: skip
    case("dunder of an admitted name", b"\x80\x04\x8c\x05numpy\x8c\x10dtype.__base__.x\x93.",
         _asks("numpy.dtype.__base__.x"))  # fmt: skip
    case(
        "name with control characters",
        b"\x80\x04\x8c\x08\x1b[31mos\n\x8c\x06system\x93.",
        _asks(r"\x1b[31mos\n.system"),
    )
    long = b"\x80\x04X" + struct.pack("<I", 100_000) + b"a." * 50_000 + b"\x94" + b"h\x00h\x00\x930" * 3_000 + b"N."
    case("a long name many times", long, _asks(f"{'a.' * 50}.{'a.' * 50}"))
    case(
        "name that is a number", b"\x80\x04K\x01K\x02\x93.", "not a valid pickle of arrays (a name that is not text); "
    )
    case("inst", b"(S" + text + b"\nios\nsystem\n.", _asks(run))
    case("obj", b"(cos\nsystem\nS" + text + b"\no.", _asks(run))
    case("newobj", b"\x80\x02csubprocess\nPopen\nS" + text + b"\n\x85\x81.", _asks("subprocess.Popen"))
    case("newobj_ex", b"\x80\x04csubprocess\nPopen\nS" + text + b"\n\x85}\x92.", _asks("subprocess.Popen"))
    case("newobj of an admitted name", b"\x80\x02cnumpy\ndtype\n)\x81.",
         "not a valid pickle of arrays (an object made of something of type Allowed); ")  # fmt: skip
    case("build of a function", b"cnumpy\ndtype\n(N}S'x'\nI1\nstb.", _asks("a change of dtype"))
    case("build with attributes", b"\x80\x02ccollections\nOrderedDict\n)R}X\x01\x00\x00\x00xNsb.",
         _asks("a change of an object of type Ordered"))  # fmt: skip
    case("build of a dictionary's class", b"\x80\x02}}X\x09\x00\x00\x00__class__Nsb.",
         _asks("a change of an object of type dict"))  # fmt: skip
    case("ext1", b"\x80\x02\x82\xf1.", _asks("the registered extension 241"))
    case("ext2", b"\x80\x02\x83\xf1\x00.", _asks("the registered extension 241"))
    case("ext4", b"\x80\x02\x84\xf1\x00\x00\x00.", _asks("the registered extension 241"))
    case("persistent id", dump(Outside("storage", "a")), _asks("an object that is not in the file (a persistent id)"))
    case("persistent id in text", b"Pabc\n.", _asks("an object that is not in the file (a persistent id)"))
    case("buffer from outside", b"\x80\x05\x97.", _asks("a buffer that is not in the file"))
    for opcode, id in ((pickle.BINBYTES8, "bytes"), (pickle.BINUNICODE8, "text"), (pickle.BYTEARRAY8, "bytearray")):
        case(f"2**60 of {id}", b"\x80\x05" + opcode + struct.pack("<Q", 2**60) + b"x.",
             f"not a valid pickle of arrays (it announces {2**60} bytes and has 2 left); ")  # fmt: skip
    case("frame of 2**60", b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"N.",
         f"not a valid pickle of arrays (it announces {2**60} bytes and has 2 left); ")  # fmt: skip
    case("integer of 2**31 bytes", b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
         f"not a valid pickle of arrays (it announces {2**31 - 1} bytes and has 2 left); ")  # fmt: skip
    case("shape of 2**60", _array_opcodes(b"\x8a\x08" + struct.pack("<q", 2**60) + b"\x85", b"C\x08" + FOUR[:8]),
         "not a valid pickle of arrays (ValueError: ")  # fmt: skip
    case("negative shape", _array_opcodes(b"J\xff\xff\xff\xff\x85", b"C\x08" + FOUR[:8]),
         "not a valid pickle of arrays (an array whose shape is not made of sizes); copy or ")  # fmt: skip
    case("shape of shapes", _array_opcodes(b"K\x01\x85\x85", b"C\x04" + ONE),
         "not a valid pickle of arrays (an array whose shape is not made of sizes); copy or ")  # fmt: skip
    case("content of text", _array_opcodes(b"K\x01\x85", b"X\x04\x00\x00\x00abcd"),
         _asks("an array that is not made of bytes"))  # fmt: skip
    case("array without content", b"\x80\x02}X\x01\x00\x00\x00wcnumpy.core.multiarray\n_reconstruct\n"
         b"cnumpy\nndarray\nK\x00\x85U\x01b\x87Rs.",
         "not a valid pickle of arrays (an array without content")  # fmt: skip
    case("objects", pickle.dumps({"w": objects}, 4), _asks("arrays of type 'O8'"))
    case("empty objects", _weights(np.array([None])), _asks("arrays of type 'O8'"))
    case("records", _weights(np.zeros(1, [("a", "f4")])), _asks("arrays of type 'V4'"))
    case("matrix", _weights(np.ones((1, 1)).view(np.matrix)), _asks("numpy.matrix"))
    case(
        "type that is a bomb",
        dump(Call(Name("numpy", "dtype"), _doubled(80))),
        _asks("arrays of type 'something of type list'"),
    )
    case(
        "codec that is a bomb",
        dump(Call(Name("_codecs", "encode"), "x", _doubled(80))),
        _asks("the codec something of type list"),
    )
    case("strings", _weights(np.array(["abc"])), "w is of type <U3, which weights cannot have; give a state dict")
    case("complex numbers", _weights(np.ones(2, np.complex64)), "w is of type complex64, which weights cannot have; ")
    case("NaN", _weights(np.array([1, np.nan, np.nan], np.float32)), "2 of 3 values of w are NaN or infinite; copy or ")
    case("infinity", _weights(np.array([[-np.inf, 1]], np.float16)), "1 of 2 values of w are NaN or infinite; copy or ")
    case("text for an array", _weights("zeros"), "w is of type str, not an array; give a state dict")
    case("number for an array", _weights(0.5), "w is of type float, not an array; give a state dict")
    case(
        "number for a name",
        pickle.dumps({1: np.ones(1)}),
        "a tensor's name is of type int, not text; give a state dict",
    )
    case("name of half a character", b"\x80\x04}X\x05\x00\x00\x00w.\xed\xa0\x80" + dump(np.ones(1))[2:-1] + b"s.",
         r"the name w.\ud800 is not valid text; give a state dict")  # fmt: skip
    case("the same name twice", b"\x80\x02}(X\x01\x00\x00\x00wNX\x01\x00\x00\x00wNu.", _asks("the key 'w' twice"))
    case("lists in lists", b"]" * 100_000 + b"a" * 99_999 + b".", _asks("containers nested more than 150 deep"))
    case("dictionaries in dictionaries", b"}" + b"K\x01}" * 100_000 + b"s" * 100_000 + b".",
         _asks("containers nested more than 150 deep"))  # fmt: skip
    case("tuples in tuples as a key", b"}" + b")" + b"\x85" * 50_000 + b"Ns.", _asks("a key of type tuple"))
    case("doubled lists", _weights(_doubled(140)), "w is of type list, not an array; give a state dict")
    case("doubled tuples as a key", b"\x80\x02}" + dump(_doubled(60, tuple))[2:-1] + b"Ns.",
         _asks("a key of type tuple"))  # fmt: skip
    case("doubled tuples in a set", dump(Call(Name("builtins", "set"), [_doubled(60, tuple)])),
         _asks("a key of type tuple"))  # fmt: skip
    case("frozen set", b"\x80\x04(K\x01\x91.", _asks("an object of type frozenset"))
    case("long number as a key", b"}\x8b" + struct.pack("<i", 100_000) + b"\x7f" * 100_000 + b"Ns.",
         _asks("a number of 100,000 bytes"))  # fmt: skip
    case("list in itself", b"\x80\x04]\x94h\x00a.", _asks("a container that contains itself"))
    case("dictionary in itself", b"\x80\x04}\x94X\x01\x00\x00\x00wh\x00s.", _asks("a container that contains itself"))
    case("800,001 marks", b"(" * 800_001, _asks("more than 800,000 steps"))
    case("one content for many arrays", b"\x80\x04" + shared + b"\x940](" + b"".join(
        _array_opcodes(b"M\x50\xc3\x85", b"h\x00")[9:-2] for _ in range(20)) + b"e.",
        _asks("more than 4 times the memory of its own size"))  # fmt: skip
    halves = np.ones(1_000, np.float16)
    for id, value in (("array", halves), ("tensor", ("x", halves))):
        case(f"one {id} by 3 names", pickle.dumps({str(n): value for n in range(3)}, 4),
             _asks("more than 4 times the memory of its own size"))  # fmt: skip
    encode = (
        b"c_codecs\nencode\n\x94X" + struct.pack("<I", 100_000) + b"a" * 100_000 + b"\x94X\x06\x00\x00\x00latin1\x94]("
    )
    case("one text for many bytes", b"\x80\x04" + encode + b"h\x00h\x01h\x02\x86R" * 1000 + b"e.",
         _asks("more than 4 times the memory of its own size"))  # fmt: skip
    copied = b"cbuiltins\ntuple\n\x94](" + b"N" * 100_000 + b"e\x94](" + b"h\x00h\x01\x85R" * 1000 + b"e."
    case("one list for many tuples", b"\x80\x04" + copied, _asks("more than 800,000 steps"))
    case("tuple of text", dump(Call(Name("builtins", "tuple"), "abc")), _asks("a tuple of a str"))
    case("cut in the middle", _weights(np.ones(99, np.float32))[:200], "not a valid pickle of arrays (it announces ")
    case("empty", b"", "empty file; copy or download the file again")
    case(
        "web page",
        b"\n <!DOCTYPE html><html>404",
        "a web page (HTML), not weights; download the file from an address ",
    )
    case("LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
         "a pointer of Git LFS, not the weights; run `git lfs pull` in its repository")  # fmt: skip
    case("no arrays", pickle.dumps({"epoch": 3, "lr": 0.1}), "holds no arrays but epoch, lr; give a file of weights")
    case(
        "nothing but a list",
        pickle.dumps([1]),
        "its content is of type list, not weights by name; give a file of weights",
    )
    case(
        "only the table of names", pickle.dumps({"StructuredToParameterName@@": np.ones(1)}), "holds no arrays; give a "
    )
    for id, record, says in (
        ("no JSON", "{", "its record is not valid JSON: Expecting property name"),
        ("a list", "[]", "its record is not a JSON object; convert the weights again"),
        ("no text", 7, "its record is of type int, not text; "),
        ("NaN", '{"a": NaN}', "its record is not valid JSON: NaN is not a number; convert"),
        ("deep JSON", deep_json, "its record is not valid JSON: maximum recursion depth exceeded"),
        (
            "a name of half a character",
            '{"source": "\\ud800"}',
            r"the source in its record has characters that cannot be "
            r"printed (\ud800); convert the weights again",
        ),
        ("two lines", '{"model": "a\\nb"}', r"the model in its record has characters that cannot be printed (a\nb); "),
    ):
        content = pickle.dumps({"w": np.ones(1), "ppcls_record@@": record})
        case(f"record: {id}", content, says)
    found.append(
        (
            "system in an optimizer's state",
            "w.pdopt",
            pickle.dumps({"LR": Call(os.system, command)}),
            _asks("posix.system"),
        )
    )
    found.append(
        (
            "unknown beginning",
            "w.bin",
            b"GIF89a..",
            "not a known format of weights (it starts with 47 49 46 38 39 61 2e 2e); give a .pdparams",
        )
    )
    return found


def _patched(content: bytes, old: bytes, new: bytes, count: int = -1) -> bytes:
    assert old in content and len(old) == len(new)
    return content.replace(old, new, count)


def _big() -> bytes:
    """An archive whose directory claims a member of 2**40 bytes, in the fields of zip64."""
    content = bytearray(archive({"w": tensor(storage("0", "FloatStorage", 2**38), (2**38,))}, {"0": ONE}))
    entry = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
    content[entry + 20 : entry + 28] = b"\xff" * 8
    content[entry + 30 : entry + 32] = struct.pack("<H", 20)
    name_end = entry + 46 + struct.unpack_from("<H", content, entry + 28)[0]
    content[name_end:name_end] = struct.pack("<HHQQ", 1, 16, 2**40, 2**40)
    end = content.index(b"PK\x05\x06")
    struct.pack_into("<I", content, end + 12, struct.unpack_from("<I", content, end + 12)[0] + 20)
    return bytes(content)


def _sharing() -> bytes:
    """An archive two of whose members are the same bytes."""
    whole = archive({"w": 1}, {"0": b"x" * 5000, "1": b"x" * 5000})
    content = bytearray(whole)
    first = content.index(b"PK\x03\x04", 4)
    second = content.index(b"PK\x03\x04", first + 4)
    del content[first + 30 + len("weights/data/0") : second]
    moved = second - first - 30 - len("weights/data/0")
    end = content.index(b"PK\x05\x06")
    struct.pack_into("<I", content, end + 16, struct.unpack_from("<I", content, end + 16)[0] - moved)
    entry = content.index(b"PK\x01\x02")
    while entry >= 0:
        offset = struct.unpack_from("<I", content, entry + 42)[0]
        struct.pack_into("<I", content, entry + 42, offset - moved if offset >= second else offset)
        entry = content.find(b"PK\x01\x02", entry + 4)
    return bytes(content)


def torch_archives(command: str) -> list[tuple[str, str, bytes, str]]:
    """Attacks by what torch's archive can say."""
    found = []
    damaged = "not a valid file written by torch.save "
    good = {"w": tensor(storage("0", "FloatStorage", 4), (4,))}
    whole = archive(good, {"0": FOUR})

    def case(id: str, content: bytes, says: str) -> None:
        found.append((f"archive: {id}", "w.pth", content, says))

    def over(id: str, says: str, *parts: Any, where: Any = None, data: bytes = FOUR) -> None:
        value = tensor(storage("0", "FloatStorage", len(data) // 4) if where is None else where, *parts)
        case(id, archive({"w": value}, {"0": data}), says)

    case("os.system", archive({"w": Call(os.system, command)}), _asks("posix.system"))
    case("eval", archive({"w": Call(eval, "1")}), _asks("__builtin__.eval"))
    case("torch.load", archive({"w": Call(Name("torch", "load"), "x")}), _asks("torch.load"))
    case(
        "a model",
        archive({"w": Call(Name("torch.nn.modules.linear", "Linear"), 1)}),
        "holds no arrays but w; give a file of weights",
    )
    for name in ("code/__torch__/m.py", "constants.pkl"):
        case(
            f"TorchScript's {name}",
            archive(good, {"0": FOUR}, [(f"weights/{name}", b"N.")]),
            _asks("a TorchScript program"),
        )
    for name in ("_rebuild_sparse_tensor", "_rebuild_qtensor", "_rebuild_wrapper_subclass"):
        case(name, archive({"w": Call(Name("torch._utils", name), 1)}), _asks(f"torch._utils.{name}"))
    for kind in ("ComplexFloatStorage", "QInt8Storage"):
        over(kind, _asks(f"torch.{kind}"), (1,), where=storage("0", kind, 1))
    case("a bare class", archive({"w": Name("torch", "FloatStorage")}), _asks("a bare FloatStorage"))
    case(
        "a call of a storage",
        archive({"w": Call(Name("torch", "FloatStorage"), 9)}),
        _asks("a bare torch.FloatStorage"),
    )
    case(
        "persistent id",
        archive({"w": Outside("file", "/etc/passwd")}),
        _asks("an object that is not in the file (a persistent id)"),
    )
    case("module", archive({"w": Outside("module", "x", "y", "z")}), _asks("a whole module"))
    case(
        "storage of no class",
        archive({"w": Outside("storage", "os", "0", "cpu", 4)}),
        _asks("a storage without a type"),
    )
    over("tensor of text", _asks("a tensor without a storage"), (1,), where="abc")
    over("hooks", _asks("hooks or flags of a tensor"), (4,), (1,), 0, False, OrderedDict(a=1))
    over("conjugated", _asks("hooks or flags of a tensor"), (4,), (1,), 0, False, OrderedDict(), {"conj": True})
    changed = dump(good)[:-2] + b"N}X\x07\x00\x00\x00storageNs\x86bs."
    case("a change of a tensor", archive(changed, {"0": FOUR}), _asks("a change of tensor"))
    counts = damaged + "(a tensor whose sizes, strides or offset are not counts); copy or download the file again"
    over("negative size", counts, (-4,), (1,))
    over("negative stride", counts, (4,), (-1,), 3)
    over("negative offset", counts, (4,), (1,), -1)
    over("size of text", counts, "4", (1,))
    over("size of truth", counts, (True,), (1,))
    over("negative storage", counts, (1,), where=storage("0", "FloatStorage", -1))
    over("offset too far", damaged + "(a tensor that reaches to number 4 of a storage of 4); ", (4,), (1,), 1)
    over("stride too long", damaged + "(a tensor that reaches to number 6 of a storage of 4); ", (4,), (2,))
    over("stride of 2**62", damaged + f"(a tensor that reaches to number {2**62} of a storage of 4); ", (2,), (2**62,))
    over(
        "size of 2**60", damaged + f"(a tensor that reaches to number {2**60 - 1} of a storage of 4); ", (2**60,), (1,)
    )
    over("one number 2**40 times", _asks("more than 4 times the memory of its own size"), (2**40,), (0,))
    over("two sizes, one stride", damaged + "(a tensor of 2 sizes and 1 strides); ", (2, 2), (1,))
    over("storage of 2**60", damaged + f"(storage 0 has 16 bytes where its tensors need {2**62}); ", (4,),
         where=storage("0", "FloatStorage", 2**60))  # fmt: skip
    over("storage outside of the archive", damaged + "(storage ../../../etc/passwd is missing); ", (4,),
         where=storage("../../../etc/passwd", "FloatStorage", 4))  # fmt: skip
    two = [tensor(storage("0", kind, 4), (4,)) for kind in ("FloatStorage", "IntStorage")]
    case("two types of one storage", archive(two, {"0": FOUR}), damaged + "(storage 0 is described in two ways); ")
    tied = storage("0", "FloatStorage", 1000)
    case("one storage for many tensors", archive([tensor(tied, (1000,)) for _ in range(30)], {"0": FOUR * 250}),
         _asks("more than 4 times the memory of its own size"))  # fmt: skip
    case(
        "lists in lists", archive(b"]" * 100_000 + b"a" * 99_999 + b"."), _asks("containers nested more than 150 deep")
    )
    over("NaN", "1 of 4 values of w are NaN or infinite; copy or ", (4,), data=FOUR[:12] + np.float32("nan").tobytes())
    case("number for a name", archive({5: good["w"]}, {"0": FOUR}), "a tensor's name is of type int, not text; ")
    case(
        "wrapped number for a name",
        archive({"state_dict": {5: good["w"]}}, {"0": FOUR}),
        "a tensor's name is of type int, not text",
    )
    case(
        "text for an array",
        archive({**good, "v": "x"}, {"0": FOUR}),
        "v is of type str, not an array; give a state dict",
    )
    case("no pickle", _patched(whole, b"data.pkl", b"data.txt"), damaged + "(it has no member data.pkl); ")
    case(
        "two folders",
        archive(good, {"0": FOUR}, [("other/data.pkl", b"N.")]),
        damaged + "(its members are in 2 folders); ",
    )
    case("member above", archive(good, {"0": FOUR}, [("weights/../../etc/x", b"")]),
         _asks("a member outside of the archive's folder (weights/../../etc/x)"))  # fmt: skip
    case("absolute member", archive(good, {"0": FOUR}, [("/etc/x", b"")]),
         _asks("a member outside of the archive's folder (/etc/x)"))  # fmt: skip
    case("backslashes", archive(good, {"0": FOUR}, [("weights/..\\x", b"")]),
         _asks(r"a member outside of the archive's folder (weights/..\\x)"))  # fmt: skip
    case("the same member twice", _patched(archive(good, {"0": FOUR, "1": ONE}), b"weights/data/1", b"weights/data/0"),
         damaged + "(two of its members have the same name); ")  # fmt: skip
    case("compressed bomb", archive(good, {"0": bytes(10_000_000)}, compression=zipfile.ZIP_DEFLATED),
         _asks("a compressed member (weights/data.pkl)"))  # fmt: skip
    encrypted = bytearray(whole)
    encrypted[whole.index(b"PK\x01\x02") + 8] |= 1
    case("encrypted", bytes(encrypted), _asks("an encrypted member (weights/data.pkl)"))
    case("member of 2**40 bytes", _big(), damaged + "(its members claim more bytes than the file has); ")
    case("members that share bytes", _sharing(), damaged)
    case(
        "damaged number",
        _patched(whole, FOUR, FOUR[::-1]),
        damaged + "(BadZipFile: ",
    )
    case(
        "byte order",
        archive(good, {"0": FOUR}, [("weights/byteorder", b"middle")]),
        damaged + "(a byte order of b'middle'); ",
    )
    case(
        "storage too short",
        archive(good, {"0": FOUR[:12]}),
        damaged + "(storage 0 has 12 bytes where its tensors need 16); ",
    )
    case(
        "storage too long",
        archive(good, {"0": FOUR + ONE}),
        damaged + "(storage 0 has 20 bytes where its tensors need 16); ",
    )
    case("storage missing", archive(good), damaged + "(storage 0 is missing); ")
    case("only an end", b"PK\x05\x06" + bytes(18), damaged + "(its members are in 0 folders); ")
    for part in (5, 40, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        case(f"cut after {part} bytes", whole[:part], damaged + "(BadZipFile: ")
    return found


def torch_streams(command: str) -> list[tuple[str, str, bytes, str]]:
    """Attacks by what torch's old stream can say."""
    found = []
    damaged = "not a valid file written by torch.save "
    good = {"w": tensor(storage("7", "FloatStorage", 4, None), (4,))}
    bytes_ = {"7": (4, FOUR)}
    whole = legacy(good, bytes_)

    def case(id: str, content: bytes, says: str) -> None:
        found.append((f"stream: {id}", "w.pth", content, says))

    case("os.system", legacy({"w": Call(os.system, command)}, {}), _asks("posix.system"))
    case("system in its description", legacy(good, bytes_, system=Call(os.system, command)), _asks("posix.system"))
    case("system in its list", legacy(good, bytes_, keys=Call(os.system, command)), _asks("posix.system"))
    case(
        "other protocol",
        legacy(good, bytes_, protocol=7),
        damaged + "(its first three parts are not those of torch.save); ",
    )
    case(
        "highest byte first",
        legacy(good, bytes_, system={"little_endian": False}),
        _asks("numbers with the highest byte first"),
    )
    case(
        "other storages",
        legacy(good, {"8": (4, FOUR)}),
        damaged + "(no tensor uses the storage 8 of its list); ",
    )
    case(
        "a storage twice",
        legacy(good, bytes_, keys=["7", "7"]),
        damaged + "(its tensors have 1 storages and its list 2); ",
    )
    case("list of numbers", legacy(good, bytes_, keys=[7]), damaged + "(its list of storages is not a list of names); ")
    case(
        "other count",
        legacy(good, {"7": (5, FOUR)}),
        damaged + "(storage 7 has 5 numbers where its tensors need 4); ",
    )
    case(
        "negative count",
        legacy(good, {"7": (-1, FOUR)}),
        damaged + "(storage 7 has -1 numbers where its tensors need 4)",
    )
    huge = {"w": tensor(storage("7", "FloatStorage", 2**60, None), (2**60,))}
    case("storage of 2**60", legacy(huge, {"7": (2**60, FOUR)}),
         damaged + f"(it announces {2**62} bytes and has 16 left")  # fmt: skip
    view = {"w": tensor(storage("7", "FloatStorage", 4, ("v", 3, 2)), (2,))}
    case("view too far", legacy(view, bytes_), damaged + "(a view that reaches beyond its storage); ")
    odd = {"w": tensor(storage("7", "FloatStorage", 4, "view"), (2,))}
    case("view of text", legacy(odd, bytes_), damaged + "(a view of storage 7 that is not described); ")
    for part in (15, 30, 100, len(whole) - 20, len(whole) - 1):
        case(f"cut after {part} bytes", whole[:part], damaged + "(")
    return found


def safetensors_files() -> list[tuple[str, str, bytes, str]]:
    found = []
    damaged = "not a valid safetensors file ("

    def entry(kind: str = "F32", shape: Sequence[Any] = (4,), offsets: Sequence[int] = (0, 16)) -> dict[str, Any]:
        return {"dtype": kind, "shape": shape, "data_offsets": offsets}

    def case(id: str, content: bytes, says: str | tuple[str, ...]) -> None:
        found.append((f"safetensors: {id}", "w.safetensors", content, says))

    case(
        "header of 2**63",
        safetensors({"w": entry()}, FOUR, 2**63),
        damaged + "a header of 9223372036854775808 bytes in a file of 86); ",
    )
    case(
        "header longer than the file",
        safetensors({"w": entry()}, FOUR, 10_000),
        damaged + "a header of 10000 bytes in a file of 86); ",
    )
    case(
        "overlapping",
        safetensors({"w": entry(), "v": entry(offsets=(8, 24))}, FOUR + FOUR),
        damaged + "v starts at byte 8, and the tensor before it ends at 16); ",
    )
    case(
        "with a gap",
        safetensors({"w": entry(), "v": entry(offsets=(20, 36))}, FOUR * 3),
        damaged + "v starts at byte 20, and the tensor before it ends at 16); ",
    )
    case("no JSON", safetensors(b'{"w": ', FOUR), damaged + "its header is not valid JSON: Expecting value")
    case(
        "no UTF-8",
        safetensors(b'{"\xff": 1}', FOUR),
        damaged + "its header is not valid JSON: 'utf-8' codec can't decode byte 0xff",
    )
    case(
        "JSON in JSON",
        safetensors(b'{"w":' + b"[" * 100_000 + b"]" * 100_000 + b"}", FOUR),
        damaged + "its header is not valid JSON: maximum recursion depth exceeded",
    )
    case(
        "unknown type", safetensors({"w": entry("F7")}, FOUR), "w is of type F7, which is not read; give weights in F32"
    )
    case(
        "eight bits",
        safetensors({"w": entry("F8_E4M3", (16,))}, FOUR),
        "w is of type F8_E4M3, which is not read; give ",
    )
    case(
        "complex",
        safetensors({"w": entry("C64", (2,))}, FOUR),
        "w is of type C64, which is not read; give ",
    )
    case(
        "other shape",
        safetensors({"w": entry(shape=(5,))}, FOUR),
        damaged + "w has 16 bytes, and its shape and type need 20); ",
    )
    case(
        "negative shape",
        safetensors({"w": entry(shape=(-4,))}, FOUR),
        damaged + "the shape or the offsets of w are not counts); ",
    )
    case(
        "shape of 2**60",
        safetensors({"w": entry(shape=(2**60,))}, FOUR),
        damaged + f"w has 16 bytes, and its shape and type need {2**62}); ",
    )
    case(
        "shape of 2**62 * 2**62",
        safetensors({"w": entry(shape=(2**62, 2**62))}, FOUR),
        damaged + f"w has 16 bytes, and its shape and type need {2**126}); ",
    )
    case(
        "offsets reversed",
        safetensors({"w": entry(offsets=(16, 0))}, FOUR),
        damaged + "w has -16 bytes, and its shape and type need 16); ",
    )
    case(
        "cut",
        safetensors({"w": entry()}, FOUR[:-1]),
        damaged + "its tensors have 16 bytes and the file has 15 for them); ",
    )
    case(
        "with bytes left",
        safetensors({"w": entry()}, FOUR + ONE),
        damaged + "its tensors have 16 bytes and the file has 20 for them); ",
    )
    case(
        "NaN",
        safetensors({"w": entry()}, np.full(4, np.nan, np.float32).tobytes()),
        "4 of 4 values of w are NaN or infinite; ",
    )
    case(
        "the same name twice",
        safetensors(b'{"w":%b,"w":%b}' % ((json.dumps(entry()).encode(),) * 2), FOUR),
        damaged + "its header is not valid JSON: the name w occurs twice); copy or download the file again",
    )
    case("no tensors", safetensors({}), "holds no arrays; give a file of weights")
    case(
        "record",
        safetensors({"__metadata__": {"ppcls_record": "[]"}, "w": entry()}, FOUR),
        "its record is not a JSON object; ",
    )
    case(
        "record of numbers",
        safetensors({"__metadata__": {"ppcls_record": 5}, "w": entry()}, FOUR),
        "its record is of type int, not text; ",
    )
    case("a pickle", pickle.dumps({"w": "x"}, 4), "holds no arrays but w; give a file of weights")
    return found


def darknet_files() -> list[tuple[str, str, bytes, str]]:
    found = []
    damaged = "not a valid Darknet file ("

    def case(id: str, content: bytes, says: str) -> None:
        found.append((f"darknet: {id}", "w.weights", content, says))

    case("a short header", bytes(11), damaged + "its 11 bytes are no more than a header); copy or ")
    case("version 5000", darknet([1], (5000, 0, 0)), damaged + "its header gives version 5000.0.0); copy or download")
    case("negative version", darknet([1], (0, -1, 0)), damaged + "its header gives version 0.-1.0); copy or download")
    case("nothing but a header", darknet([]), damaged + "of 20 bytes 20 are its header, and each number takes 4); ")
    case("half a header", darknet([])[:16], damaged + "its 16 bytes are no more than a header); ")
    case("half a number", darknet([1, 2])[:-2], damaged + "of 26 bytes 20 are its header, and each number takes 4); ")
    case("infinity", darknet([1, np.inf]), "1 of 2 values of values are NaN or infinite; copy or ")
    return found


def all_files(folder: Path) -> list[Hostile]:
    """Every attack; those that run code would make `folder/canary`."""
    command = f"touch {folder / 'canary'}"
    parts = [pickles(command), torch_archives(command), torch_streams(command), safetensors_files(), darknet_files()]
    return [Hostile(*case) for part in parts for case in part]
