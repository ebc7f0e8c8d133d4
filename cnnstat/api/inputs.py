"""Inputs of a model: as they are written, and as the arguments of a module's forward pass.

``3x224x224``, ``int64:128``, ``int64:!2x20`` and ``@tokens.npy`` are one input each. A list or a
dictionary of inputs becomes inputs named by their place: ``x[0]``, ``batch[image]``,
``levels['0']``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from cnnstat.errors import MissingDependencyError, UsageError, one_line
from cnnstat.ir.tensor import DTYPE_BYTES, TensorSpec, check_dtype

Split = tuple[dict[str, TensorSpec | tuple[int, ...]], dict[str, Any]]
"""Inputs by name, and the values that are known: example tensors and settings."""


class FullSpec(TensorSpec):
    """Spec of a tensor with all of its axes: no batch is put in front of it."""


def single_example(specs: Mapping[str, TensorSpec], own: Mapping[str, TensorSpec]) -> bool:
    """Return whether the first input is one example, without a batch axis.

    That is one of floating point, given with all axes, that has fewer than the model's ``own``
    input has with its batch: ``!3x320x320`` where the first layer is a convolution of images.
    """
    name, spec = next(((name, each) for name, each in specs.items() if each.shape), ("", None))
    usual = own.get(name) or next(iter(own.values()), None)
    if usual is None or not isinstance(spec, FullSpec):
        return False
    return spec.is_float and usual.is_float and spec.rank < usual.rank


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
    return FullSpec(extents, check_dtype(dtype or "float32"))


def written(spec: TensorSpec) -> str:
    """Return a spec as ``input_of`` reads it."""
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
        raise UsageError(
            f"{path}: not an array that numpy.save wrote: {one_line(error)}"
        ) from error


def split_arguments(arguments: Mapping[str, Any], *, as_called: bool = False) -> Split:
    """Return the inputs by name, and the values that are known.

    ``as_called``: they are those of a call, in which numbers are not shapes. Raises ``UsageError``
    for a value that is neither a shape, a tensor, a container of them nor a setting, and where
    there is no input.
    """
    inputs: dict[str, TensorSpec | tuple[int, ...]] = {}
    constants: dict[str, Any] = {}
    for name, value in arguments.items():
        if as_called and not _holds_tensor(value):
            constants[name] = value
        else:
            _enter(name, value, inputs, constants)
    if inputs:
        return inputs, constants
    if as_called:
        raise UsageError("the example contains no tensor")
    raise UsageError(f"input {dict(arguments)!r:.60}: it contains neither a shape nor a tensor")


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_tensor, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_tensor, value))
    return is_example(value)


def _enter(
    name: str,
    value: Any,
    inputs: dict[str, TensorSpec | tuple[int, ...]],
    constants: dict[str, Any],
) -> None:
    if isinstance(value, TensorSpec):
        inputs[name] = value
    elif is_example(value):
        inputs[name], constants[name] = example(value)
    elif isinstance(value, list | tuple) and all(type(extent) is int for extent in value):
        inputs[name] = tuple(value)
    elif isinstance(value, list | tuple | Mapping) and value:
        inside = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, each in inside:
            if not isinstance(key, int | str) or set(str(key)) & set("[]"):
                raise UsageError(f"input {name}: the key {key!r:.40} must be a name or a number")
            quoted = f"'{key}'" if isinstance(key, str) and key.isdecimal() else key
            _enter(f"{name}[{quoted}]", each, inputs, constants)
    elif "[" in name or not isinstance(value, bool | int | float | str | None):
        raise UsageError(
            f"input {name}={value!r:.60}: expected extents without the batch, as in (3, 224, 224), "
            "a tensor, or a list or dictionary of them"
        )
    else:
        constants[name] = value


def is_example(value: object) -> bool:
    """Return whether a value is a tensor or an array."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def example(value: Any) -> tuple[FullSpec, Any]:
    """Return the spec of an example, and it as a tensor."""
    import torch

    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"an array of {value.dtype}: expected numbers that PyTorch has a type for"
        ) from error
    return FullSpec(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")), tensor
