"""Bytes of protobuf messages, as they are in the files of Paddle 2 and of ONNX."""

from __future__ import annotations


def varint(value: int) -> bytes:
    """A number in base 128, its lowest digit first."""
    content = b""
    while value > 127:
        content += bytes([value & 127 | 128])
        value >>= 7
    return content + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    """A field of a message: a number, or the bytes of a text or of another message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value
