"""Inputs and attributes that a node must have, as the definition of its operator says.

Only tables of onnx are read: none of its code sees the node.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from onnx import defs

LEFT_OUT = frozenset({"Resize"})
"""Operators whose required inputs exporters leave out: the region of interest in opset 11."""


class Definition(NamedTuple):
    """Least and most inputs, names of those that must be given, attributes that must be there."""

    least: int
    most: int
    required: tuple[str, ...]
    repeated: bool
    attributes: tuple[str, ...]


@lru_cache(maxsize=512)
def _definition(op_type: str, opset: int, domain: str) -> Definition | None:
    try:
        schema = defs.get_schema(op_type, opset, domain)
    except defs.SchemaError:
        return None
    option = defs.OpSchema.FormalParameterOption
    return Definition(
        schema.min_input,
        schema.max_input,
        tuple("" if each.option == option.Optional else each.name for each in schema.inputs),
        any(each.option == option.Variadic for each in schema.inputs),
        tuple(name for name, each in schema.attributes.items() if each.required),
    )


def check_node(node: Any, opsets: Mapping[str, int]) -> None:
    """Raise ``ValueError`` where a node leaves out an input or an attribute that must be there."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    definition = _definition(node.op_type, opsets.get(domain, 0), domain)
    if definition is None:
        return
    count = len(node.input)
    if not definition.least <= count <= definition.most:
        most = "" if definition.most == definition.least else f" to {definition.most}"
        most = " or more" if definition.most > 1 << 20 else most
        raise ValueError(f"it has {count} inputs and takes {definition.least}{most}")
    last = definition.required[-1:] if definition.repeated else ("",)
    names = (*definition.required, *last * max(count - len(definition.required), 0))
    for number, (name, tensor) in enumerate(zip(names, node.input, strict=False)):
        if name and not tensor and node.op_type not in LEFT_OUT:
            raise ValueError(f"input {number} ({name}) is missing")
    present = {each.name for each in node.attribute}
    for name in definition.attributes:
        if name not in present:
            raise ValueError(f"the attribute {name} is missing")
