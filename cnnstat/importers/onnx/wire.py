"""The bytes of an ONNX file: a protocol buffer, which is fields of a number, a kind and a payload.

Weights are the bulk of a file and nothing here needs them: ``without_weights`` copies all fields
but the contents of large tensors, so a file of 500 MB costs what its structure costs. Standard
library alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

KEEP_BYTES = 4096
"""Contents of tensors up to this size are kept: shapes, axes and scales are among them."""

MAX_NESTING = 64
"""Graphs within graphs; no real model has deeper ones."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Kinds of payload."""

NESTED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
}
"""Fields that hold messages in which tensors can lie (onnx.proto3)."""

CONTENTS = frozenset({4, 5, 7, 9, 10, 11})
"""Fields of a tensor that hold its elements, in one form or another."""


class WireError(ValueError):
    """Bytes that are not a protocol buffer, or are cut off."""


class Field(NamedTuple):
    """One field: its number, and where it, its payload and its end lie."""

    number: int
    kind: int
    start: int
    payload: int
    end: int


def without_weights(contents: memoryview) -> bytes:
    """Return the bytes of a model without the elements of large tensors.

    Raises ``WireError`` where the bytes are not a model or end too early.
    """
    parts: list[bytes] = []
    _copy(contents, 0, len(contents), "model", parts, 0)
    return b"".join(parts)


def _copy(
    contents: memoryview, start: int, end: int, kind: str, parts: list[bytes], nesting: int
) -> None:
    if nesting > MAX_NESTING:
        raise WireError(f"graphs are nested more than {MAX_NESTING} deep")
    nested = NESTED.get(kind, {})
    for each in _fields(contents, start, end):
        large = each.kind == BYTES and each.end - each.payload > KEEP_BYTES
        if large and kind == "tensor" and each.number in CONTENTS:
            continue
        if large and each.number in nested:
            inner: list[bytes] = []
            _copy(contents, each.payload, each.end, nested[each.number], inner, nesting + 1)
            parts.append(_head(each.number, sum(map(len, inner))))
            parts += inner
        else:
            parts.append(bytes(contents[each.start : each.end]))


def _fields(contents: memoryview, start: int, end: int) -> Iterator[Field]:
    at = start
    while at < end:
        key, payload = _varint(contents, at, end)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            _, stop = _varint(contents, payload, end)
        elif kind == BYTES:
            length, payload = _varint(contents, payload, end)
            stop = payload + length
        elif kind in (FIXED32, FIXED64):
            stop = payload + (8 if kind == FIXED64 else 4)
        else:
            raise WireError(f"byte {at} is not the start of a field")
        if stop > end:
            raise WireError(f"it ends at byte {end} within a field that goes on to byte {stop}")
        if number == 0:
            raise WireError(f"byte {at} is not the start of a field")
        yield Field(number, kind, at, payload, stop)
        at = stop


def _varint(contents: memoryview, at: int, end: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while at < end:
        byte = contents[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise WireError(f"byte {at} is within a number that is too long")
    raise WireError(f"it ends at byte {end} within a number")


def _head(number: int, length: int) -> bytes:
    """Return what stands before a payload of ``length`` bytes."""
    return _encoded(number << 3 | BYTES) + _encoded(length)


def _encoded(value: int) -> bytes:
    """Return a number of 7 bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
