"""Operators by name and their fields, as a spec file writes them.

Every operator of ``ops`` can be written: its fields are those of its dataclass, and nothing is
listed here by operator. A number stands for itself on every axis (``kernel: 3``); a pooling's
stride is its kernel unless given.
"""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

from cnnstat.errors import nearest
from cnnstat.ir.op import Op, OpError, Role, Weight
from cnnstat.ir.tensor import DTYPE_BYTES, UNKNOWN, TensorSpec
from cnnstat.ops import ALL_OPS, Input

OPERATORS: dict[str, type[Op]] = {op.__name__: op for op in ALL_OPS if op is not Input}
_PER_AXIS = ("kernel", "stride", "padding", "dilation", "output_padding", "output_size")


def can_share(op: Op, owner: Op) -> bool:
    """Return whether a spec can say that an operator has the weights of another."""
    return type(owner) is type(op) or (owner.is_layer and op.is_layer)


def fields_of(op: type[Op]) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of an operator by name, in the order of its constructor."""
    return {f.name: f for f in dataclasses.fields(op)}  # type: ignore[arg-type]


def per_axis(field: dataclasses.Field[Any]) -> bool:
    """Return whether a field holds one number per axis; an operator's plain ``stride`` does not."""
    return field.name in _PER_AXIS and field.type not in (int, "int")


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
    by_name = _by_name(name, arguments, list(known))
    for key in by_name:
        if key not in known:
            close = nearest(key, known) or list(known)
            raise OpError(f"{name} has no field {key!r}: did you mean {', '.join(close)}?")
    if "stride" in known and "stride" not in by_name and not _has_default(known["stride"]):
        by_name["stride"] = by_name.get("kernel")
    missing = [
        key for key, field in known.items() if key not in by_name and not _has_default(field)
    ]
    if missing:
        raise OpError(f"{name} needs {', '.join(missing)}")
    rank = getattr(op, "rank", 2)
    try:
        return op(**{key: _coerce(name, known[key], value, rank) for key, value in by_name.items()})
    except TypeError as error:
        raise OpError(f"{name}: {error}") from error


def _by_name(name: str, arguments: object, order: list[str]) -> dict[str, object]:
    if arguments is None:
        return {}
    if isinstance(arguments, dict):
        return dict(arguments)
    values = arguments if isinstance(arguments, list) else [arguments]
    if len(values) > len(order):
        raise OpError(f"{name} takes at most {len(order)} values, got {len(values)}")
    return dict(zip(order, values, strict=False))


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return (
        field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    )


def _coerce(name: str, field: dataclasses.Field[Any], value: object, rank: int) -> object:
    where = f"{name}.{field.name}"
    if per_axis(field):
        return (
            _padding(where, value, rank) if field.name == "padding" else _axes(where, value, rank)
        )
    if field.name == "arguments" and isinstance(value, dict):
        return tuple((str(key), _item(where, item)) for key, item in value.items())
    kind = str(field.type)
    if "tuple" in kind:
        return _items(where, kind, value)
    if kind == "bool" or field.type is bool:
        if not isinstance(value, bool):
            raise OpError(f"{where} (={value!r}) must be true or false")
        return value
    if kind == "int" or field.type is int:
        if type(value) is not int:
            raise OpError(f"{where} (={value!r}) must be a whole number")
        return value
    if kind == "float" or field.type is float or (kind == "float | None" and value is not None):
        return _number(where, value)
    if not isinstance(value, str) and not (value is None and "None" in kind):
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
    if kind == "tuple[float, ...]":
        return tuple(_number(where, item) for item in items)
    return items


def _weight(where: str, value: object) -> Weight:
    """Return a stored tensor; raise ``OpError`` for what is none."""
    keys = value if isinstance(value, dict) else {}
    name, shape, role = keys.get("name"), keys.get("shape"), keys.get("role", "weight")
    extents: list[Any] = shape if isinstance(shape, list) else [None]
    plain = isinstance(name, str) and all(type(n) is int and n >= 0 for n in extents)
    if not plain or role not in get_args(Role) or set(keys) - {"name", "shape", "role", "dtype"}:
        raise OpError(f"{where} (={value!r:.80}) must be a stored tensor: name, shape, role, dtype")
    dtype = keys.get("dtype")
    if dtype is not None and dtype not in DTYPE_BYTES:
        raise OpError(f"{where} (={value!r:.80}) has the dtype {dtype!r}, which is unknown")
    return Weight(str(name), tuple(extents), role, dtype)


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
        shape, dtype = value["shape"], value.get("dtype", "float32")
        extents: list[Any] = shape if isinstance(shape, list) else [None]
        if any(type(n) is not int or n < 0 for n in extents) or dtype not in DTYPE_BYTES:
            raise OpError(f"{where} (={value!r:.80}) must be a shape and a dtype of a tensor")
        return TensorSpec(tuple(extents), dtype)
    return value
