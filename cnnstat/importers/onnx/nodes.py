"""Facts about nodes that need no meaning: names, order, the graphs and the tensors in them.

Of onnx only tables are read here: none of its code sees a node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from onnx import AttributeProto, TensorProto, defs, helper, numpy_helper

from cnnstat.errors import ModelError
from cnnstat.importers.naming import printable

MAX_NODES = 200_000
"""More nodes than any published model has."""

MAX_DEPTH = 200
"""Functions within functions."""

LEFT_OUT = frozenset({"Resize"})
"""Operators whose required inputs exporters leave out: the region of interest in opset 11."""

STANDARD = ("", "ai.onnx")
"""The domain of ONNX's own operators."""

_WEIGHTED = frozenset((
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "PRelu"),
    *("BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization"),
))  # fmt: skip
"""Operators whose constant inputs are their weights."""

Name = tuple[str, str, str]
"""Domain, name and overload of a function."""


def path_and_function(name: str) -> tuple[str, str]:
    """Return the path of the module that a node's name tells, and the rest of the name.

    PyTorch's exporters write ``/layer1/layer1.0/conv1/Conv``, the path of modules, each with its
    own path again, and the operator: the module ``layer1/0/conv1`` and its function ``Conv``.
    """
    if not name.startswith("/"):
        return "", name
    parts: list[str] = []
    for part in filter(None, name.split("/")):
        path = ".".join(parts)
        parts.append(part.removeprefix(f"{path}.") if path else part)
    return "/".join(parts[:-1]), parts[-1] if parts else ""


# -- inputs and attributes -------------------------------------------------------------------------


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
    missing = set(definition.attributes).difference(each.name for each in node.attribute)
    for name in definition.attributes:
        if name in missing:
            raise ValueError(f"the attribute {name} is missing")


# -- the order and the number of nodes -------------------------------------------------------------


def in_order(nodes: Sequence[Any], reference: str, has: Callable[[str], bool]) -> list[Any]:
    """Return nodes in an order in which they can run, the file's own where that is one.

    Converters write some that read results of later nodes. ``has`` tells of a tensor whether it is
    there before any of them. Raises ``ModelError`` where nodes read each other's results.
    """
    makers = {name: number for number, node in enumerate(nodes) for name in node.output if name}
    reads = [
        [makers[n] for n in (*node.input, *captured(node)) if n in makers and not has(n)]
        for node in nodes
    ]
    if all(maker < number for number, makers in enumerate(reads) for maker in makers):
        return list(nodes)
    try:
        TopologicalSorter(dict(enumerate(reads))).prepare()
    except CycleError as error:
        node = nodes[error.args[1][0]]
        raise ModelError(
            f"{reference}: {printable(node.name or node.op_type)} depends on its own output; "
            "a graph has no cycles"
        ) from error
    order: dict[int, None] = {}
    for first in range(len(nodes)):
        stack = [first]
        while stack:
            waiting = [maker for maker in reads[stack[-1]] if maker not in order]
            if waiting:
                stack += waiting
            else:
                order.setdefault(stack.pop())
    return [nodes[number] for number in order]


def check_functions(path: str, proto: Any) -> None:
    """Raise ``ModelError`` where functions call themselves or are too many nodes.

    Functions that call each other twice, 25 levels deep, are 33 million nodes in a few hundred
    bytes; one that calls itself never ends. Both are refused before anything is written out.
    """
    functions = {(each.domain, each.name, each.overload): each for each in proto.functions}
    counts: dict[Name, int] = {}

    def count(name: Name, callers: tuple[Name, ...]) -> int:
        if name not in functions:
            return 1
        if name in callers or len(callers) > MAX_DEPTH:
            deep = f"is nested more than {MAX_DEPTH} calls deep"
            how = "calls itself" if name in callers else deep
            raise ModelError(f"{path}: the local function {name[1]!r} {how}")
        if name not in counts:
            inside = _calls(functions[name].node)
            counts[name] = sum(count(called, (*callers, name)) for called in inside)
        return counts[name]

    for name in functions:
        count(name, ())
    total = sum(counts.get(name, 1) for name in _calls(proto.graph.node))
    if total > MAX_NODES:
        raise ModelError(
            f"{path}: its local functions are {total:,} operators when expanded; "
            f"at most {MAX_NODES:,} are read"
        )


def _calls(nodes: Iterable[Any]) -> list[Name]:
    """Return the names of what nodes call, the nodes of graphs inside them among them."""
    names: list[Name] = []
    for node in nodes:
        names.append((node.domain, node.op_type, node.overload))
        for graph in inner_graphs(node):
            names += _calls(graph.node)
    return names


# -- graphs and tensors inside of nodes ------------------------------------------------------------


def inner_graphs(node: Any) -> Iterator[Any]:
    """Yield the graphs inside a node: the body of a loop, branches."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def captured(node: Any) -> tuple[str, ...]:
    """Return what the graphs inside a node (of a loop, a branch) read from outside them."""
    names: list[str] = []
    for graph in inner_graphs(node):
        made = {t.name for t in graph.initializer} | {i.name for i in graph.input}
        for inner in graph.node:
            names += [n for n in (*inner.input, *captured(inner)) if n and n not in made]
            made.update(inner.output)
        names += [each.name for each in graph.output if each.name not in made]
    return tuple(dict.fromkeys(names))


def inner_tensors(node: Any) -> list[Any]:
    """Return the tensors that the graphs inside a node store, at any depth.

    That is their initializers, and the constants that are weights of a layer or a result.
    """
    tensors: list[Any] = []
    for graph in inner_graphs(node):
        tensors += stored_in(graph)
        makers = {e.output[0]: e for e in graph.node if e.op_type == "Constant" and e.output}
        read = [n for e in graph.node if e.op_type in _WEIGHTED for n in e.input[1:]]
        for name in dict.fromkeys((*read, *(e.name for e in graph.output))):
            tensor = constant_of(makers[name]) if name in makers else None
            if tensor is not None:
                tensors.append(TensorProto(name=name, data_type=tensor.data_type, dims=tensor.dims))
        for inner in graph.node:
            tensors += inner_tensors(inner)
    return tensors


def is_constant(node: Any) -> bool:
    """Return whether a node is a ``Constant`` of ONNX."""
    return node.op_type == "Constant" and node.domain in STANDARD


def constant_of(node: Any) -> Any:
    """Return the tensor of a ``Constant`` node, None where it is none that has a number."""
    for attribute in node.attribute:
        name, kind = attribute.name, _KINDS.get(attribute.name)
        try:
            value = helper.get_attribute_value(attribute)
            if name == "value" and attribute.type == AttributeProto.TENSOR:
                return value
            if name == "sparse_value" and attribute.type == AttributeProto.SPARSE_TENSOR:
                return _dense(value)
            if kind is None:
                continue
            many = list(value) if name.endswith("s") else [value]
            dims = [len(many)] if name.endswith("s") else []
            if kind == TensorProto.STRING:
                return TensorProto(data_type=kind, dims=dims)
            return helper.make_tensor(node.output[0], kind, dims, many)
        except (ValueError, TypeError):
            continue  # an attribute of another type than its name says
    return None


_KINDS = {
    **dict.fromkeys(("value_int", "value_ints"), TensorProto.INT64),
    **dict.fromkeys(("value_float", "value_floats"), TensorProto.FLOAT),
    **dict.fromkeys(("value_string", "value_strings"), TensorProto.STRING),
}
"""Element types of constants by the attribute that has them."""


def stored_in(graph: Any) -> list[Any]:
    """Return the tensors that a graph stores, sparse ones in their full shape."""
    return [*graph.initializer, *map(_dense, graph.sparse_initializer)]


def _dense(sparse: Any) -> Any:
    """Return a sparse tensor as one of its full shape, without elements."""
    values = sparse.values
    return TensorProto(name=values.name, data_type=values.data_type, dims=sparse.dims)


def elements(tensor: Any) -> Any:
    """Return the elements of a tensor in the file, None where they are outside or were left out."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.data_type == TensorProto.STRING:
        return None
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, LookupError):
        return None
