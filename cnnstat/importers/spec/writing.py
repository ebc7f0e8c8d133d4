"""From a graph to a spec file that reads back equal.

Every node by name, ``from`` where it does not follow the chain.
"""

from __future__ import annotations

import dataclasses
import json
import re

from cnnstat.errors import ModelError
from cnnstat.importers.spec.operators import (
    MARKS,
    OPERATORS,
    can_read,
    can_share,
    fields_of,
    per_axis,
)
from cnnstat.ir.graph import Graph, Node, ShapedGraph, Value
from cnnstat.ir.op import Op, Weight
from cnnstat.ir.tensor import UNKNOWN, TensorSpec
from cnnstat.ops import Input


def write_shaped(shaped: ShapedGraph) -> str:
    """Return the YAML text of a graph with the inputs that it was shaped for, without the batch."""
    nodes = tuple(
        node._replace(op=Input(facts.outputs[0].shape[1:], facts.outputs[0].dtype))
        if node.op.is_input
        else node
        for node, facts in zip(shaped.nodes, shaped.facts, strict=True)
    )
    return write_text(dataclasses.replace(shaped.graph, nodes=nodes))


def write_text(graph: Graph) -> str:
    """Return the YAML text of a graph.

    Raise ``ModelError`` if an operator of it has no name in the spec.
    """
    lines = [f"name: {_scalar(graph.name)}"]
    inputs = [node for node in graph.nodes if isinstance(node.op, Input)]
    if list(graph.nodes[: len(inputs)]) != inputs:
        raise ModelError(f"{graph.name}: inputs must come before all other nodes to be written")
    lines.append("inputs:")
    for node in inputs:
        if isinstance(node.op, Input):
            parts = [f"shape: {json.dumps(node.op.shape)}"]
            parts += [f"dtype: {node.op.dtype}"] if node.op.dtype != "float32" else []
            parts += _marks(node)
            lines.append(f"  {_scalar(node.name)}: {{{', '.join(parts)}}}")
    lines.append("layers:" if len(graph.nodes) > len(inputs) else "layers: []")
    for index in range(len(inputs), len(graph.nodes)):
        lines.append(f"  - {{{_node(graph, index)}}}")
    if graph.outputs != (Value(len(graph.nodes) - 1),):
        lines.append(f"outputs: {_values(graph, graph.outputs)}")
    if graph.training_outputs:
        lines.append(f"training_outputs: {_values(graph, graph.training_outputs)}")
    for key in ("classes", "weight_dtypes"):
        if named := getattr(graph, key):
            lines.append(f"{key}:")
            lines += [f"  {_scalar(name)}: {_scalar(value)}" for name, value in named.items()]
    return "\n".join(lines) + "\n"


def _node(graph: Graph, index: int) -> str:
    node = graph.nodes[index]
    kind = type(node.op).__name__
    if OPERATORS.get(kind) is not type(node.op):
        raise ModelError(
            f"{graph.name}: {node.name}: the operator {kind} cannot be written to a spec"
        )
    if not can_read(node.op, len(node.inputs)):
        raise ModelError(
            f"{graph.name}: {node.name}: a spec cannot express computed weights of {kind}"
        )
    parts = [f"name: {_scalar(node.name)}", f"{kind}: {_arguments(node.op)}"]
    if node.inputs != (Value(index - 1),):
        parts.append(f"from: {_values(graph, node.inputs)}")
    if node.tied_to is not None:
        owner = graph.nodes[node.tied_to]
        if not can_share(node.op, owner.op):
            raise ModelError(
                f"{graph.name}: {node.name}: a spec cannot say that {node.op.type_name} has the "
                f"weights of {owner.name} ({owner.op.type_name})"
            )
        parts.append(f"tied_to: {_scalar(owner.name)}")
    return ", ".join([*parts, *_marks(node)])


def _marks(node: Node) -> list[str]:
    marked = {name: getattr(node, name) for name in MARKS if getattr(node, name)}
    return [f"{name}: {_written(value)}" for name, value in marked.items()]


def _values(graph: Graph, values: tuple[Value, ...]) -> str:
    taken = {node.name for node in graph.nodes}
    for value in values:
        name = f"{graph.nodes[value.node].name}:{value.result}"
        if value.result and name in taken:
            raise ModelError(f"{graph.name}: {name} is a layer and a result of another")
    names = [
        _scalar(graph.nodes[v.node].name + (f":{v.result}" if v.result else "")) for v in values
    ]
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _arguments(op: Op) -> str:
    parts = []
    for name, field in fields_of(type(op)).items():
        value = getattr(op, name)
        if field.default is dataclasses.MISSING or value != field.default:
            short = per_axis(field) and len(value) == getattr(op, "rank", 2)
            if name == "arguments":
                pairs = ", ".join(f"{_scalar(key)}: {_written(item)}" for key, item in value)
                parts.append(f"{name}: {{{pairs}}}")
            else:
                parts.append(f"{name}: {_written(value, short=short)}")
    return f"{{{', '.join(parts)}}}"


def _written(value: object, *, short: bool = False) -> str:
    if short and isinstance(value, tuple) and len(set(value)) == 1 and isinstance(value[0], int):
        return str(value[0])
    if value is UNKNOWN:
        return '{shape: "?"}'
    if isinstance(value, Weight):
        parts = f"name: {_scalar(value.name)}, shape: {json.dumps(value.shape)}, role: {value.role}"
        return f"{{{parts}, dtype: {value.dtype}}}" if value.dtype else f"{{{parts}}}"
    if isinstance(value, TensorSpec):
        return f"{{shape: {json.dumps(value.shape)}, dtype: {value.dtype}}}"
    if isinstance(value, tuple):
        return f"[{', '.join(_written(item) for item in value)}]"
    return _scalar(value)


def _scalar(value: object) -> str:
    """Return a scalar in YAML's flow style; JSON's numbers and booleans are YAML's.

    Only a number with an exponent needs a point there.
    """
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.lower() not in _WORDS else _quoted(value)
    written = json.dumps(value)
    bare = isinstance(value, float) and "e" in written and "." not in written
    return written.replace("e", ".0e") if bare else written


def _quoted(text: str) -> str:
    """Return a text in double quotes; every character that does not print is its code."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    coded = (c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped)
    return f'"{"".join(coded)}"'


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_/]*")
"""Texts that need no quotes."""

_WORDS = {"null", "true", "false", "yes", "no", "on", "off"}
"""Words that YAML does not read as text."""
