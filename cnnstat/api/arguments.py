"""The arguments of a module's forward pass: shapes, example tensors, containers and settings.

A list or a dictionary of inputs becomes inputs named by their place: ``x[0]``, ``batch[image]``,
``levels['0']``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnstat.errors import UsageError
from cnnstat.ir.tensor import TensorSpec


class FullSpec(TensorSpec):
    """Spec of a tensor with all of its axes: no batch is put in front of it."""


def single_example(given: Mapping[str, TensorSpec], own: Mapping[str, TensorSpec]) -> bool:
    """Return whether the first input is one example, without a batch axis.

    That is one of floating point, given with all axes, that has fewer than the model's ``own``
    input has with its batch: ``!3x320x320`` where the first layer is a convolution of images.
    """
    name, spec = next(((name, each) for name, each in given.items() if each.shape), ("", None))
    usual = own.get(name) or next(iter(own.values()), None)
    if usual is None or not isinstance(spec, FullSpec):
        return False
    return spec.is_float and usual.is_float and spec.rank < usual.rank


def split_arguments(
    arguments: Mapping[str, Any],
) -> tuple[dict[str, TensorSpec | tuple[int, ...]], dict[str, Any]]:
    """Return the inputs by name, and the values that are known: example tensors and settings.

    Raises ``UsageError`` for a value that is neither a shape, a tensor, a container of them nor a
    setting.
    """
    inputs: dict[str, TensorSpec | tuple[int, ...]] = {}
    constants: dict[str, Any] = {}
    for name, value in arguments.items():
        _enter(name, value, inputs, constants)
    if not inputs:
        raise UsageError(f"input {dict(arguments)!r:.60}: it contains neither a shape nor a tensor")
    return inputs, constants


def split_example(
    arguments: Mapping[str, Any],
) -> tuple[dict[str, TensorSpec | tuple[int, ...]], dict[str, Any]]:
    """Return the same for the arguments of a call as they are: numbers are not shapes.

    Raises ``UsageError`` where no tensor is among them.
    """
    inputs: dict[str, TensorSpec | tuple[int, ...]] = {}
    constants: dict[str, Any] = {}
    for name, value in arguments.items():
        if _holds_tensor(value):
            _enter(name, value, inputs, constants)
        else:
            constants[name] = value
    if not inputs:
        raise UsageError("the example contains no tensor")
    return inputs, constants


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
