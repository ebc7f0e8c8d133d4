"""From a shaped graph to ONNX nodes and initializers; ``emitters`` says how each operator goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import numpy as np
from onnx import GraphProto, TensorProto, helper, numpy_helper

from cnnstat.errors import ModelError
from cnnstat.importers.onnx_file.loading import DTYPES
from cnnstat.ir.graph import NodeFacts, ShapedGraph, Value
from cnnstat.ir.op import Op, Weight
from cnnstat.ir.tensor import TensorSpec

ELEMENT_TYPES = {name: number for number, name in reversed(DTYPES.items())}
"""ONNX's element types by PyTorch's names; of two of one name the first in ``DTYPES``."""

BLOCK = 1 << 20
"""Random elements drawn at a time."""

Pick = Callable[[Any], Any]
"""What a weight's array becomes in the file."""


@dataclass(frozen=True, slots=True)
class Initializer:
    """A stored tensor of the file: part of a node's weight, in the shape that ONNX has it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    node: str
    weight: Weight
    pick: Pick | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return TensorSpec(self.shape, self.dtype).nbytes

    def proto(self) -> Any:
        """Return the tensor without elements."""
        found = TensorProto()
        found.dims.extend(self.shape)
        found.data_type = ELEMENT_TYPES[self.dtype]
        found.name = self.name
        return found

    def leave_out(self, proto: Any, location: str, offset: int) -> None:
        """Say that the elements lie in another file."""
        proto.data_location = TensorProto.EXTERNAL
        said = {"location": location, "offset": offset, "length": self.nbytes}
        for key, value in said.items():
            entry = proto.external_data.add()
            entry.key, entry.value = key, str(value)

    def elements(self, weights: Any, seed: tuple[int, int]) -> Iterator[bytes]:
        """Yield the elements block by block: given, drawn (a weight) or the usual constant."""
        dtype = helper.tensor_dtype_to_np_dtype(ELEMENT_TYPES[self.dtype])
        if callable(weights):
            array = np.asarray(weights(self.node, self.weight))
            found = self.pick(array) if self.pick is not None else array
            yield np.ascontiguousarray(found.reshape(self.shape), dtype).tobytes()
            return
        left = prod(self.shape)
        draw = np.random.default_rng(seed)
        while left > 0:
            count = min(left, BLOCK)
            yield self._usual(count, draw).astype(dtype).tobytes()
            left -= count

    def _usual(self, count: int, draw: Any) -> Any:
        role, name = self.weight.role, self.weight.name
        if role == "weight" and len(self.weight.shape) > 1:
            fan_in = prod(self.weight.shape[1:])
            return draw.standard_normal(count, np.float32) * np.float32(sqrt(2 / fan_in))
        ones = role == "weight" or name == "running_var"
        return np.full(count, 1 if ones else 0, np.float32)


@dataclass(frozen=True, slots=True)
class Written:
    """A graph's structure, and its initializers in order."""

    graph: Any
    initializers: tuple[Initializer, ...]


class Emission:
    """One node of the graph on its way to ONNX nodes: what an emitter gets."""

    def __init__(self, all_: _Emitting, index: int) -> None:
        self._all = all_
        self.name: str = all_.shaped.nodes[index].name
        self.op: Op = all_.shaped.nodes[index].op
        self.facts: NodeFacts = all_.shaped.facts[index]
        self.inputs = tuple(all_.names[value] for value in all_.shaped.nodes[index].inputs)
        self._index = index

    @property
    def input(self) -> str:
        """The name of the first input."""
        return self.inputs[0]

    def node(
        self,
        op_type: str,
        inputs: Sequence[str],
        *,
        suffix: str = "",
        results: int = 1,
        **attributes: Any,
    ) -> str:
        """Add a node and return the name of its first result: the own name, and a suffix."""
        name = self._all.unique(f"{self.name}/{suffix}" if suffix else self.name)
        outputs = [name, *(f"{name}:{number}" for number in range(1, results))]
        made = helper.make_node(op_type, list(inputs), outputs, name, **attributes)
        self._all.graph.node.append(made)
        return name

    def weights(self) -> dict[str, Weight]:
        """Return the node's weights by name."""
        return {weight.name: weight for weight in self.facts.weights}

    def weight(
        self, name: str, *, shape: tuple[int, ...] | None = None, part: str = "", pick: Any = None
    ) -> str:
        """Return the name of a weight's tensor; a tied node's is that of its owner."""
        found = self.weights()[name]
        owner = self._index
        while self._all.shaped.nodes[owner].tied_to is not None:
            owner = self._all.shaped.nodes[owner].tied_to or 0
        node = self._all.shaped.nodes[owner].name
        label = f"{node}.{name}{part}"
        dtype = found.dtype or self._all.dtype
        made = Initializer(label, shape or found.shape, dtype, node, found, pick)
        known = self._all.initializers.setdefault(label, made)
        if known.shape != made.shape:
            raise ModelError(
                f"{self._all.shaped.graph.name}: {self.name} shares {label}, which is "
                f"{known.shape} there and {made.shape} here"
            )
        return label

    def given(self, weight: Weight) -> Any:
        """Return the array that the caller gives for a weight, None if none is."""
        source = self._all.weights
        return source(self.name, weight) if callable(source) else None

    def constant(self, value: Any, *, suffix: str, whole: bool = False) -> str:
        """Return the name of a constant: whole numbers, or numbers of the model's own type."""
        kind = "int64" if whole else self._all.dtype
        dtype = helper.tensor_dtype_to_np_dtype(ELEMENT_TYPES[kind])
        made = numpy_helper.from_array(np.asarray(value, dtype))
        return self.node("Constant", (), suffix=suffix, value=made)

    def filled(self, shape: tuple[int, ...], value: float, *, suffix: str) -> str:
        """Return the name of a tensor of one number everywhere, which nothing stores."""
        dtype = helper.tensor_dtype_to_np_dtype(ELEMENT_TYPES[self._all.dtype])
        extents = self.constant(shape, suffix=f"{suffix}_shape", whole=True)
        number = numpy_helper.from_array(np.asarray([value], dtype))
        return self.node("ConstantOfShape", (extents,), suffix=suffix, value=number)

    def cannot(self, why: str) -> ModelError:
        """Return the error for what ONNX cannot say."""
        return ModelError(
            f"{self._all.shaped.graph.name}: {self.name}: the operator {self.op.type_name} "
            f"cannot be written to ONNX: {why}"
        )


Emitter = Callable[[Emission], str]
"""Adds nodes and returns the name of the first result; further results are ``name:1`` ..."""


def simple(op_type: str, **attributes: Any) -> Emitter:
    """Return the emitter of an operator that is one node without weights."""

    def emitter(use: Emission) -> str:
        return use.node(op_type, use.inputs, **attributes)

    return emitter


class _Emitting:
    def __init__(self, shaped: ShapedGraph, weights: Any) -> None:
        self.shaped = shaped
        self.weights = weights
        self.graph = GraphProto()
        self.initializers: dict[str, Initializer] = {}
        self.names: dict[Value, str] = {}
        self.taken: set[str] = {node.name for node in shaped.nodes}
        self.free: set[str] = set(self.taken)
        entering = [f.outputs[0] for n, f in zip(shaped.nodes, shaped.facts, strict=True)
                    if n.op.is_input]  # fmt: skip
        floats = [spec.dtype for spec in entering if "float" in spec.dtype]
        self.dtype = floats[0] if floats else "float32"
        self.batch = entering[0].shape[0] if entering else 1

    def unique(self, name: str) -> str:
        """Return a name that no other tensor has; each node's own is kept for it."""
        if name in self.free:
            self.free.discard(name)
            return name
        found, count = name, 1
        while found in self.taken:
            count += 1
            found = f"{name}_{count}"
        self.taken.add(found)
        return found

    def declare(self, values: Any, name: str, spec: TensorSpec) -> None:
        """Declare what enters or leaves, its batch free."""
        extents: list[int | str] = list(spec.shape)
        if extents and extents[0] == self.batch:
            extents[0] = "batch"
        kind = ELEMENT_TYPES[spec.dtype]
        values.append(helper.make_tensor_value_info(name, kind, extents))


def emit(shaped: ShapedGraph, opset: int, weights: Any) -> Written:
    """Return a graph as ONNX nodes of an opset; ``weights`` as ``writing`` takes them.

    Raises ``ModelError`` with the node and the operator where ONNX has no such thing.
    """
    from cnnstat.importers.onnx_file.emitters import EMITTERS

    every = _Emitting(shaped, weights)
    every.graph.name = shaped.graph.name
    for index, node in enumerate(shaped.nodes):
        use = Emission(every, index)
        if node.op.is_input:
            every.declare(
                every.graph.input, every.unique(node.name), shaped.facts[index].outputs[0]
            )
            every.names[Value(index)] = node.name
            continue
        emitter = EMITTERS.get(type(node.op))
        if emitter is None:
            raise use.cannot(f"there is no rule that says it in opset {opset}")
        first = emitter(use)
        for number in range(len(shaped.facts[index].outputs)):
            every.names[Value(index, number)] = first if not number else f"{first}:{number}"
    for value in dict.fromkeys((*shaped.graph.outputs, *shaped.graph.training_outputs)):
        every.declare(every.graph.output, every.names[value], shaped.spec(value))
    return Written(every.graph, tuple(every.initializers.values()))
