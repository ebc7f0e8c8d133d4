"""Operators by name and their fields, inputs and marks of layers, as a spec file writes them.

Every operator of ``ops`` can be written: its fields are those of its dataclass, and nothing is
listed here by operator. A number stands for itself on every axis (``kernel: 3``); a pooling's
stride is its kernel unless given.
"""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

from cnnstat.errors import UsageError, nearest
from cnnstat.ir.op import Op, OpError, Role, Weight
from cnnstat.ir.tensor import DTYPE_BYTES, UNKNOWN, TensorSpec, check_dtype, check_shape
from cnnstat.ops import ALL_OPS, Input

MARKS = ("training_only", "frozen", "row", "axes")
"""Keys of a layer next to its operator: fields of its node, which a spec states as they are."""

MAX_RANK = 16
MAX_DIGITS = 20

OPERATORS: dict[str, type[Op]] = {op.__name__: op for op in ALL_OPS if op is not Input}
_PER_AXIS = ("kernel", "stride", "padding", "dilation", "output_padding", "output_size")


def input_of(stated: object) -> Input:
    """Return an input: a shape without the batch, alone or with a dtype; else ``UsageError``."""
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


def mark(name: str, value: object) -> Any:
    """Return the value of a mark as a node has it; raise ``OpError`` where it cannot have it."""
    if name == "row":
        if not isinstance(value, str) or not value:
            raise OpError(f"row (={value!r}) must be the name of a layer")
        return value
    if name == "axes":
        axes = value if isinstance(value, list) and len(value) <= MAX_RANK else ()
        if not axes or any(type(axis) is not int for axis in axes):
            raise OpError(f"axes (={value!r:.60}) must be a list of numbers, like [0, 2, 3, 1]")
        if sorted(axes) != list(range(len(axes))):
            raise OpError(f"axes (={value!r}) must have each of 0 to {len(axes) - 1} once")
        return tuple(axes)
    if not isinstance(value, bool):
        raise OpError(f"{name} (={value!r}) must be true or false")
    return value


def can_read(op: Op, count: int) -> bool:
    """Return whether an operator reads this number of tensors."""
    fewest, most = op.reads
    return fewest <= count <= (count if most is None else most)


def can_share(op: Op, owner: Op) -> bool:
    """Return whether a spec can say that an operator has the weights of another."""
    return type(owner) is type(op) or (owner.is_layer and op.is_layer)


def fields_of(op: type[Op]) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of an operator by name, in the order of its constructor."""
    return {f.name: f for f in dataclasses.fields(op)}  # type: ignore[arg-type]


def per_axis(field: dataclasses.Field[Any]) -> bool:
    """Return whether a field holds one number per axis; an operator's plain ``stride`` does not."""
    return field.name in _PER_AXIS and kind_of(field) != "int"


def kind_of(field: dataclasses.Field[Any]) -> str:
    """Return the type of a field as its class states it."""
    return field.type.__name__ if isinstance(field.type, type) else str(field.type)


def required(op: type[Op]) -> list[str]:
    """Return the fields of an operator that have no default."""
    return [key for key, f in fields_of(op).items() if f.default is dataclasses.MISSING]


def make(name: str, arguments: object) -> Op:
    """Return the operator ``name`` with ``arguments``.

    A mapping of fields, a list in order, or the first field.

    Raises ``OpError`` with the rule for an unknown operator or field, or a value that the operator
    refuses.
    """
    if name not in OPERATORS:
        close = nearest(name, OPERATORS) or sorted(OPERATORS)
        raise OpError(f"unknown operator {name!r}: did you mean {', '.join(close)}?")
    op = OPERATORS[name]
    known = fields_of(op)
    values = [] if arguments is None else arguments
    values = values if isinstance(values, dict | list) else [values]
    if len(values) > len(known) and isinstance(values, list):
        raise OpError(f"{name} takes at most {len(known)} values, got {len(values)}")
    by_name = dict(values if isinstance(values, dict) else zip(known, values, strict=False))
    for key in by_name:
        if key not in known:
            close = nearest(key, known) or list(known)
            raise OpError(f"{name} has no field {key!r}: did you mean {', '.join(close)}?")
    if "stride" in required(op):
        by_name.setdefault("stride", by_name.get("kernel"))
    if missing := [key for key in required(op) if key not in by_name]:
        raise OpError(f"{name} needs {', '.join(missing)}")
    rank = getattr(op, "rank", 2)
    try:
        return op(**{key: _coerce(name, known[key], value, rank) for key, value in by_name.items()})
    except TypeError as error:
        raise OpError(f"{name}: {error}") from error


_EXACT = {"bool": (bool, "true or false"), "int": (int, "a whole number")}
"""Types of fields that take no other."""


def _coerce(name: str, field: dataclasses.Field[Any], value: object, rank: int) -> object:
    where, kind = f"{name}.{field.name}", kind_of(field)
    if per_axis(field):
        return (_padding if field.name == "padding" else _axes)(where, value, rank)
    if field.name == "arguments" and isinstance(value, dict):
        return tuple((str(key), _item(where, item)) for key, item in value.items())
    if "tuple" in kind:
        return _items(where, kind, value)
    if kind in _EXACT and type(value) is not _EXACT[kind][0]:
        raise OpError(f"{where} (={value!r}) must be {_EXACT[kind][1]}")
    if kind in _EXACT or (value is None and "None" in kind):
        return value
    if "float" in kind:
        return _number(where, value)
    if not isinstance(value, str):
        raise OpError(f"{where} (={value!r}) must be a word")
    return value


def _items(where: str, kind: str, value: object) -> object:
    """Return a list as the tuple that a field takes."""
    if not isinstance(value, list):
        raise OpError(f"{where} (={value!r}) must be a list")
    items = tuple(_item(where, item) for item in value)
    if "Weight" in kind:
        return tuple(_weight(where, item) for item in items)
    if kind == "tuple[int, ...]" and any(type(item) is not int for item in items):
        raise OpError(f"{where} (={value!r}) must be whole numbers")
    return tuple(_number(where, item) for item in items) if kind == "tuple[float, ...]" else items


def _weight(where: str, value: object) -> Weight:
    """Return a stored tensor; raise ``OpError`` for what is none."""
    keys = value if isinstance(value, dict) else {}
    name, role, dtype = keys.get("name"), keys.get("role", "weight"), keys.get("dtype")
    shape = _shape(keys.get("shape"))
    known = role in get_args(Role) and set(keys) <= {"name", "shape", "role", "dtype"}
    if not isinstance(name, str) or shape is None or not known:
        raise OpError(f"{where} (={value!r:.80}) must be a stored tensor: name, shape, role, dtype")
    if dtype is not None and dtype not in DTYPE_BYTES:
        raise OpError(f"{where} (={value!r:.80}) has the dtype {dtype!r}, which is unknown")
    return Weight(name, shape, role, dtype)


def _shape(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list) or any(type(n) is not int or n < 0 for n in value):
        return None
    return tuple(value)


def _number(where: str, value: object) -> float:
    """Return a number; YAML takes one with an exponent and no point for a text."""
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return float(value)
    except ValueError:
        pass
    raise OpError(f"{where} (={value!r}) must be a number")


def _padding(where: str, value: object, rank: int) -> object:
    """Return ``same``, or a number per axis; a pair is the padding before the axis and after it."""
    if value == "same":
        return "same"
    if not isinstance(value, list) or not any(isinstance(item, list) for item in value):
        return _axes(where, value, rank)
    for item in value:
        plain = item if isinstance(item, list) else [item, item]
        if len(plain) != 2 or any(type(side) is not int for side in plain):
            raise OpError(
                f"{where} (={value!r}) must be 'same', or per axis a whole number or a pair of "
                "them: before, after"
            )
    return tuple(tuple(item) if isinstance(item, list) else item for item in value)


def _axes(where: str, value: object, rank: int) -> object:
    values = value if isinstance(value, list) else [value] * rank
    if any(type(item) is not int for item in values):
        raise OpError(f"{where} (={value!r}) must be whole numbers, one or one per axis")
    return tuple(values)


def _item(where: str, value: object) -> object:
    if isinstance(value, list):
        return tuple(_item(where, item) for item in value)
    if isinstance(value, dict) and set(value) <= {"shape", "dtype"} and "shape" in value:
        if value["shape"] == "?":
            return UNKNOWN
        shape, dtype = _shape(value["shape"]), value.get("dtype", "float32")
        if shape is None or dtype not in DTYPE_BYTES:
            raise OpError(f"{where} (={value!r:.80}) must be a shape and a dtype of a tensor")
        return TensorSpec(shape, dtype)
    return value
