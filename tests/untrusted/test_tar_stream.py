"""Tars are read as Python's tarfile reads them, and headers have bounds."""

import bz2
import gzip
import io
import lzma
import tarfile

import pytest

from ppcls.untrusted.compressed import Decompressed
from ppcls.untrusted.refusals import Damaged, Refused
from ppcls.untrusted.tar_stream import MOST_HEADER_BYTES, TarStream

LONG = "folder/" * 40 + "a.jpg"
MEMBERS = [("a.jpg", b"x" * 700), ("b/c.cls", b"3"), ("empty", b""), (LONG, b"long"), ("\u00fc.png", bytes(512))]


def tar(members=(), form=tarfile.PAX_FORMAT, **fields):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            for field, value in fields.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def header(kind, size, name=b"x", checksum=None):
    """A header block, by the layout of POSIX.1."""
    block = bytearray(512)
    block[: len(name)] = name
    block[124:136] = size if isinstance(size, bytes) else b"%011o\0" % size
    block[156:157] = kind
    block[257:263] = b"ustar\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % (sum(block) if checksum is None else checksum)
    return bytes(block)


def read(content, seek=False):
    tar = TarStream(io.BytesIO(content), seek)
    return [(member.name, tar.read()) for member in tar if member.is_file]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("seek", [False, True])
def test_members_and_their_content(form, seek):
    assert read(tar(MEMBERS, form), seek) == MEMBERS


def test_a_name_in_two_parts():
    name = "folder/" * 20 + "a.jpg"
    content = tar([(name, b"1")], tarfile.USTAR_FORMAT)
    assert name.encode() not in content
    assert read(content) == [(name, b"1")]


def test_what_is_not_read_is_passed_over():
    tar_stream = TarStream(io.BytesIO(tar(MEMBERS)))
    assert [(member.name, member.size) for member in tar_stream] == [(name, len(data)) for name, data in MEMBERS]


def test_the_content_of_a_member_is_a_file():
    inner = tar(MEMBERS)
    outer = TarStream(io.BytesIO(tar([("inner.tar", inner), ("b", b"2")])))
    members = iter(outer)
    next(members)
    assert read_all(TarStream(outer.content())) == MEMBERS
    assert (next(members).name, outer.read()) == ("b", b"2")


def read_all(tar_stream):
    return [(member.name, tar_stream.read()) for member in tar_stream]


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6", b"Z"])
def test_links_folders_devices_and_unknown_kinds_are_no_files(kind):
    content = header(kind, 0) + tar([("a", b"1")])
    assert [member.is_file for member in TarStream(io.BytesIO(content))] == [False, True]


def test_a_size_of_more_than_eleven_digits():
    content = header(b"0", b"\x80" + bytes(10) + b"\5") + b"12345".ljust(512, b"\0") + bytes(1024)
    assert read(content) == [("x", b"12345")]


def pax(*records):
    content = b"".join(records)
    return header(b"x", len(content)) + content.ljust(-(-len(content) // 512) * 512, b"\0")


END = header(b"0", 0) + bytes(1024)
DAMAGED = {
    "no tar": (b"x" * 512, "checksum"),
    "checksum": (header(b"0", 0, checksum=1) + bytes(1024), "checksum"),
    "cut within a header": (tar(MEMBERS)[:700], "cut off"),
    "cut within a member": (tar(MEMBERS)[:1000], "cut off"),
    "no end mark": (header(b"0", 0), "cut off"),
    "size is text": (header(b"0", b"eleven\0\0\0\0\0\0") + bytes(1024), "where a number stands"),
    "size below zero": (header(b"0", b"-0000000001\0") + bytes(1024), "where a number stands"),
    "size by GNU tar below zero": (header(b"0", b"\xff" * 12) + bytes(1024), "where a number stands"),
    "size beyond any disk": (header(b"0", b"\x80" + b"\xff" * 11), "bytes"),
    "pax header": (header(b"x", MOST_HEADER_BYTES + 1), "header of 65,537 bytes"),
    "long name": (header(b"L", 2**32), "header of 4,294,967,296 bytes"),
    "long name that fits": (header(b"L", 8192) + b"n" * 8192 + END, "a name of 8,192 characters"),
    "headers before headers": (pax(b"11 path=ab\n") * 2000 + END, "more than 8 headers"),
    "records": (pax(b"6 a=b\n" * 100) + END, "more than 64 records"),
    "record without length": (pax(b"path=ab\n") + END, "without lengths"),
    "record of length 0": (pax(b"0 path=ab\n") + END, "without lengths"),
    "record beyond the header": (pax(b"99 path=ab\n") + END, "without lengths"),
    "pax size below zero": (pax(b"11 size=-1\n") + END, "states the size -1"),
    "pax size of many digits": (pax(b"33 size=" + b"9" * 24 + b"\n") + END, "states the size 999"),
}


@pytest.mark.parametrize("seek", [False, True])
@pytest.mark.parametrize("what", DAMAGED)
def test_damage_is_named(what, seek):
    content, says = DAMAGED[what]
    with pytest.raises(Damaged, match=says):
        read(content, seek)


@pytest.mark.parametrize(
    "content", [header(b"S", 10**9) + bytes(1024), pax(b"22 GNU.sparse.major=1\n") + header(b"0", 0) + bytes(1024)]
)
def test_sparse_files_are_refused(content):
    with pytest.raises(Refused, match="sparse"):
        read(content)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files(compress):
    content = tar(MEMBERS)
    opened = Decompressed(io.BytesIO(compress(content)))
    assert opened.is_compressed == (compress is not bytes)
    assert opened.read(10) == content[:10]
    assert opened.read(len(content)) == content[10:]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_file_that_swells_is_refused(compress):
    opened = Decompressed(io.BytesIO(compress(bytes(20 * 2**20))))
    with pytest.raises(Refused, match="bytes where"):
        while opened.read(1 << 20):
            pass
