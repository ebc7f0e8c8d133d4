"""Facts about tensors from a node's protocol buffer."""

from __future__ import annotations

from typing import Any

from onnx import AttributeProto, TensorProto, helper, numpy_helper

_GRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)

_WEIGHTED = frozenset((
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "PRelu"),
    *("BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization"),
))  # fmt: skip
"""Operators whose constant inputs are their weights."""


def captured(node: Any) -> tuple[str, ...]:
    """Return what the graphs inside a node (of a loop, a branch) read from outside them."""
    names: list[str] = []
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs) if attribute.type in _GRAPHS else ():
            made = {t.name for t in graph.initializer} | {i.name for i in graph.input}
            for inner in graph.node:
                names += [n for n in (*inner.input, *captured(inner)) if n and n not in made]
                made.update(inner.output)
            names += [each.name for each in graph.output if each.name not in made]
    return tuple(dict.fromkeys(names))


def constant_of(node: Any) -> Any:
    """Return the tensor of a ``Constant`` node, None where it is none that has a number."""
    for attribute in node.attribute:
        try:
            value = helper.get_attribute_value(attribute)
        except ValueError:
            continue
        if attribute.name == "value" and attribute.type == AttributeProto.TENSOR:
            return value
        if attribute.name == "sparse_value" and attribute.type == AttributeProto.SPARSE_TENSOR:
            return _dense(value)
        if attribute.name in ("value_string", "value_strings"):
            dims = [len(value)] if attribute.name.endswith("s") else []
            return TensorProto(data_type=TensorProto.STRING, dims=dims)
        if attribute.name in ("value_int", "value_ints", "value_float", "value_floats"):
            kind = TensorProto.INT64 if "int" in attribute.name else TensorProto.FLOAT
            many = list(value) if attribute.name.endswith("s") else [value]
            dims = [len(many)] if attribute.name.endswith("s") else []
            try:
                return helper.make_tensor(node.output[0], kind, dims, many)
            except (ValueError, TypeError):
                return None  # an attribute of another type than its name says
    return None


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
    except (ValueError, TypeError, KeyError):
        return None


def inner_tensors(node: Any) -> list[Any]:
    """Return the tensors that the graphs inside a node store, at any depth.

    That is their initializers, and the constants that are weights of a layer or a result.
    """
    tensors: list[Any] = []
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs) if attribute.type in _GRAPHS else ():
            tensors += stored_in(graph)
            makers = {e.output[0]: e for e in graph.node if e.op_type == "Constant" and e.output}
            read = [n for e in graph.node if e.op_type in _WEIGHTED for n in e.input[1:]]
            for name in dict.fromkeys((*read, *(e.name for e in graph.output))):
                tensor = constant_of(makers[name]) if name in makers else None
                if tensor is not None:
                    tensors.append(TensorProto(name=name, dims=tensor.dims))
                    tensors[-1].data_type = tensor.data_type
            for inner in graph.node:
                tensors += inner_tensors(inner)
    return tensors
