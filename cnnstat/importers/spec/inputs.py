"""The input of a spec file: a shape without the batch, alone or with a dtype."""

from __future__ import annotations

from cnnstat.errors import UsageError
from cnnstat.ir.tensor import check_dtype, check_shape
from cnnstat.ops import Input

MAX_DIGITS = 20


def input_of(stated: object) -> Input:
    """Return the input that a file states. Raises ``UsageError`` where it is no shape."""
    dtype, shape = "float32", stated
    if isinstance(stated, dict):
        dtype, shape = str(stated.get("dtype", dtype)), stated.get("shape")
    if isinstance(shape, str) and all(map(is_number, shape.split("x"))):
        shape = [int(part) for part in shape.split("x")]
    if not isinstance(shape, list) or any(type(extent) is not int for extent in shape):
        raise UsageError("a shape without the batch, like [3, 224, 224]")
    return Input(check_shape(tuple(shape)), check_dtype(dtype))


def is_number(text: str) -> bool:
    """Return whether a text is a whole number that an extent or a result can have."""
    return text.isascii() and text.isdecimal() and len(text) < MAX_DIGITS
