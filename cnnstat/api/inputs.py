"""Inputs as they are written: ``3x224x224``, ``int64:128``, ``int64:!2x20``, ``@tokens.npy``."""

from __future__ import annotations

import os
from typing import Any

from cnnstat.errors import MissingDependencyError, UsageError, said
from cnnstat.ir.tensor import DTYPE_BYTES, TensorSpec, check_dtype, check_shape


def input_shape(text: str) -> tuple[int, ...]:
    """Read ``3x224x224``, ``224x224`` or ``224``; anything else is a ``UsageError``."""
    extents = text.lower().split("x")
    if not all(extent.isascii() and extent.isdecimal() for extent in extents):
        raise UsageError(
            f"input {text!r}: expected whole numbers joined by x, as in 3x224x224, 224x224 or 224"
        )
    return tuple(int(extent) for extent in extents)


def input_of(text: str, folder: str = "") -> Any:
    """Read a shape, a dtype and a shape (``int64:128``), or ``@FILE.npy``, found in ``folder``.

    The dtype may also follow the shape. One number per sample has a dtype and no shape
    (``int64:``); ``!`` marks a shape that no batch comes in front of (``int64:!2x20``).
    """
    return array(os.path.join(folder, text[1:])) if text.startswith("@") else _spec(text)


def _spec(text: str) -> TensorSpec | tuple[int, ...]:
    shape, colon, dtype = text.partition(":")
    if shape in DTYPE_BYTES or (colon and shape[:1] != "!" and not shape[:1].isdecimal()):
        shape, dtype = dtype, shape
    full, shape = shape.startswith("!"), shape.removeprefix("!")
    scalar = shape == "()" or (not shape and (bool(dtype) or full))
    extents = () if scalar else input_shape(shape)
    if not full:
        return TensorSpec(extents, check_dtype(dtype)) if dtype else extents
    from cnnstat.api.arguments import FullSpec

    return FullSpec(extents, check_dtype(dtype or "float32"))


def check_argument(name: str, value: Any) -> None:
    """Raise ``UsageError`` for an extent below 1 of an input; arrays are taken as they are."""
    if isinstance(value, TensorSpec):
        check_shape(value.shape)
    elif isinstance(value, tuple):
        check_shape(value)


def written(spec: TensorSpec) -> str:
    """Return a spec as ``input_of`` reads it."""
    from cnnstat.api.arguments import FullSpec

    mark = "!" if isinstance(spec, FullSpec) else ""
    return f"{spec.dtype}:{mark}{'x'.join(map(str, spec.shape))}"


def array(path: str) -> Any:
    """Return the array of a .npy file; nothing in it is unpickled."""
    try:
        import numpy
    except ImportError as error:
        raise MissingDependencyError("NumPy", "torch") from error
    try:
        with open(path, "rb") as file:
            return numpy.lib.format.read_array(file, allow_pickle=False)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, MemoryError) as error:
        raise UsageError(f"{path}: not an array that numpy.save wrote: {said(error)}") from error
