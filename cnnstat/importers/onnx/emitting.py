"""From a shaped graph to ONNX nodes and initializers; ``emitters`` says how each operator goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import numpy as np
from onnx import GraphProto, TensorProto, helper, numpy_helper

from cnnstat.errors import ModelError
from cnnstat.importers.onnx.inference import check_nodes
from cnnstat.importers.onnx.loading import ELEMENT_TYPES
from cnnstat.ir.graph import NodeFacts, ShapedGraph, Value
from cnnstat.ir.op import Op, Weight
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import Parameter, Rearrange, View

BLOCK = 1 << 20
"""Random elements drawn at a time."""

Pick = Callable[[Any], Any]
"""What a weight's array becomes in the file."""


@dataclass(frozen=True, slots=True)
class Initializer:
    """A stored tensor of the file, in the shape that ONNX has it.

    It is a node's weight, a part of it, or several of one size, one behind the other.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    node: str
    weights: tuple[Weight, ...]
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
        draw = np.random.default_rng(seed)
        for weight in self.weights:
            left = prod(self.shape) // len(self.weights)
            if callable(weights):
                array = np.asarray(weights(self.node, weight))
                found = self.pick(array) if self.pick is not None else array
                yield np.ascontiguousarray(found.reshape(left), dtype).tobytes()
                continue
            while left > 0:
                count = min(left, BLOCK)
                yield usual(weight, count, draw).astype(dtype).tobytes()
                left -= count


def usual(weight: Weight, count: int, draw: Any) -> Any:
    """Return ``count`` elements of a weight that nobody gives: drawn, or the usual constant."""
    role, name = weight.role, weight.name
    if role == "weight" and len(weight.shape) > 1:
        fan_in = prod(weight.shape[1:])
        return draw.standard_normal(count, np.float32) * np.float32(sqrt(2 / fan_in))
    ones = role == "weight" or name == "running_var"
    return np.full(count, 1 if ones else 0, np.float32)


@dataclass(frozen=True, slots=True)
class Written:
    """A graph's structure, and its initializers in order."""

    graph: Any
    initializers: tuple[Initializer, ...]


class Emission:
    """One node of the graph on its way to ONNX nodes: what an emitter gets.

    ``sources`` are the operators that make its inputs, ``wanted`` the results that anybody reads,
    ``dtype`` is that of its real numbers.
    """

    def __init__(self, all_: _Emitting, index: int) -> None:
        node = all_.shaped.nodes[index]
        self._all = all_
        self._index = index
        self.name: str = node.name
        self.op: Op = node.op
        self.facts: NodeFacts = all_.shaped.facts[index]
        self.inputs = tuple(all_.names[value] for value in node.inputs)
        self.sources = tuple(all_.shaped.nodes[value.node].op for value in node.inputs)
        self.wanted = frozenset(v.result for v in all_.wanted if v.node == index)
        self.leaves = Value(index) in all_.leaving
        self.read: set[str] = set()
        met = [spec.dtype for spec in (*self.facts.inputs, *self.facts.outputs)]
        self.dtype = next((dtype for dtype in met if "float" in dtype), all_.dtype)

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
        name = self.own_name(suffix)
        outputs = [name, *(f"{name}:{number}" for number in range(1, results))]
        made = helper.make_node(op_type, list(inputs), outputs, name, **attributes)
        self._all.graph.node.append(made)
        self.read.update(inputs)
        return name

    def own_name(self, suffix: str = "") -> str:
        """Return a name for a tensor that no other has: the node's, and a suffix."""
        return self._all.unique(f"{self.name}/{suffix}" if suffix else self.name)

    def shape_only(self, *names: str) -> None:
        """Say that of these inputs the shape alone matters, which the graph knows."""
        self.read.update(names)

    # -- weights ----------------------------------------------------------------------------------

    def weights(self) -> dict[str, Weight]:
        """Return the node's weights by name."""
        return {weight.name: weight for weight in self.facts.weights}

    def weight(
        self,
        name: str,
        *behind: str,
        shape: tuple[int, ...] | None = None,
        part: str = "",
        pick: Pick | None = None,
        label: str = "",
    ) -> str:
        """Return the name of a weight's tensor; a tied node's is that of its owner.

        Weights ``behind`` it, of its size, follow in the same tensor.
        """
        own = self.weights()
        owner, held = self._owner(tuple(own[each] for each in (name, *behind)))
        node = self._all.shaped.nodes[owner]
        if owner != self._index and isinstance(node.op, Parameter):
            return self._all.names[Value(owner)]
        label = label or f"{node.name}.{held[0].name}{part}"
        dtype = held[0].dtype or self.dtype
        made = Initializer(label, shape or held[0].shape, dtype, node.name, held, pick)
        known = self._all.initializers.setdefault(label, made)
        if (known.shape, known.dtype, known.weights) != (made.shape, made.dtype, made.weights):
            raise self.cannot(
                f"it shares {label}, which is {known.dtype} {known.shape} there and {made.dtype} "
                f"{made.shape} here"
            )
        return label

    def _owner(self, weights: tuple[Weight, ...]) -> tuple[int, tuple[Weight, ...]]:
        """Return the node that stores weights, and what they are there."""
        owner = self._index
        while self._all.shaped.nodes[owner].tied_to is not None:
            owner = self._all.shaped.nodes[owner].tied_to or 0
        if owner == self._index:
            return owner, weights
        found = []
        for weight in weights:
            there = [w for w in self._all.shaped.facts[owner].weights if w.shape == weight.shape]
            named = [w for w in there if w.name == weight.name] or there
            if len(named) != 1:
                shape = "x".join(map(str, weight.shape))
                raise self.cannot(
                    f"{self._all.shaped.nodes[owner].name}, whose weights it shares, has no "
                    f"{weight.name} of {shape}"
                )
            found += named
        return owner, tuple(found)

    def given(self, weight: Weight) -> Any:
        """Return the array that the caller gives for a weight, None if none is."""
        source = self._all.weights
        return source(self.name, weight) if callable(source) else None

    # -- constants --------------------------------------------------------------------------------

    def constant(
        self, value: Any, *, suffix: str, whole: bool = False, dtype: str | None = None
    ) -> str:
        """Return the name of a constant: whole numbers, or numbers of the node's own type."""
        kind = dtype or ("int64" if whole else self.dtype)
        made = numpy_helper.from_array(np.asarray(value, _numpy(kind)))
        return self.node("Constant", (), suffix=suffix, value=made)

    def filled(
        self, shape: tuple[int, ...], value: float, *, suffix: str = "", dtype: str | None = None
    ) -> str:
        """Return the name of a tensor of one number everywhere, which nothing stores."""
        extents = self.constant(shape, suffix=f"{suffix}_shape" if suffix else "shape", whole=True)
        number = numpy_helper.from_array(np.asarray([value], _numpy(dtype or self.dtype)))
        return self.node("ConstantOfShape", (extents,), suffix=suffix, value=number)

    def cast(self, name: str, dtype: str, *, suffix: str) -> str:
        """Return the name of a tensor with its elements in another type."""
        return self.node("Cast", (name,), suffix=suffix, to=ELEMENT_TYPES[dtype])

    def alike(self, *numbers: int) -> tuple[str, ...]:
        """Return the inputs (those of these numbers, or all) in the type of the first result."""
        dtype = self.facts.outputs[0].dtype
        return tuple(
            self.inputs[number]
            if self.facts.inputs[number].dtype == dtype
            else self.cast(self.inputs[number], dtype, suffix=f"cast_{number}")
            for number in numbers or range(len(self.inputs))
        )

    def numbers(self, *numbers: int) -> tuple[str, ...]:
        """Return the inputs for arithmetic: of one type, which ONNX wants, and no truth values."""
        if self.facts.outputs[0].dtype == "bool":
            raise self.cannot("ONNX has no arithmetic of truth values")
        return self.alike(*numbers)

    def cannot(self, why: str) -> ModelError:
        """Return the error for what ONNX cannot say."""
        return ModelError(
            f"{self._all.shaped.graph.name}: {self.name}: the operator {self.op.type_name} "
            f"cannot be written to ONNX: {why}"
        )


Emitter = Callable[[Emission], str | tuple[str, ...]]
"""Adds nodes and returns the names of the results.

One name stands for all: further results of the same ONNX node are ``name:1`` ...
"""


def simple(op_type: str, **attributes: Any) -> Emitter:
    """Return the emitter of an operator that is one node without weights."""

    def emitter(use: Emission) -> str:
        return use.node(op_type, use.inputs, **attributes)

    return emitter


def _numpy(dtype: str) -> Any:
    return helper.tensor_dtype_to_np_dtype(ELEMENT_TYPES[dtype])


class _Emitting:
    def __init__(self, shaped: ShapedGraph, weights: Any) -> None:
        self.shaped = shaped
        self.weights = weights
        self.graph = GraphProto()
        self.initializers: dict[str, Initializer] = {}
        self.names: dict[Value, str] = {}
        self.leaving = (*shaped.graph.outputs, *shaped.graph.training_outputs)
        self.wanted = {value for node in shaped.nodes for value in node.inputs} | {*self.leaving}
        self.taken: set[str] = {node.name for node in shaped.nodes}
        self.free: set[str] = set(self.taken)
        entering = [f.outputs[0] for n, f in zip(shaped.nodes, shaped.facts, strict=True)
                    if n.op.is_input]  # fmt: skip
        floats = [spec.dtype for spec in entering if "float" in spec.dtype]
        self.dtype = floats[0] if floats else "float32"
        # a view or a moved tensor was captured with its extents: the graph holds for one batch
        captured = any(isinstance(node.op, View | Rearrange) for node in shaped.nodes)
        self.batch = entering[0].shape[0] if entering and not captured else None

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
        """Declare what enters or leaves, its batch free where the graph leaves it."""
        extents: list[int | str] = list(spec.shape)
        if extents and extents[0] == self.batch:
            extents[0] = "batch"
        kind = ELEMENT_TYPES[spec.dtype]
        values.append(helper.make_tensor_value_info(name, kind, extents))

    def node(self, index: int, emitter: Emitter | str) -> None:
        """Add what one node becomes, and note the names of its results."""
        use = Emission(self, index)
        if isinstance(emitter, str):
            raise use.cannot(emitter)
        if self.shaped.nodes[index].unkept:
            raise use.cannot(f"the graph does not keep its {self.shaped.nodes[index].unkept}")
        specs = (*use.facts.inputs, *use.facts.outputs)
        strange = [s.dtype for s in specs if s.dtype.startswith(("complex", "float8"))]
        if strange:
            raise use.cannot(f"ONNX's operators take no {strange[0]}")
        made = emitter(use)
        unread = set(use.inputs) - use.read - set(made if isinstance(made, tuple) else (made,))
        if unread:
            raise use.cannot(
                f"it reads {', '.join(sorted(unread))}, a weight or a state that the model computes"
            )
        for number in range(len(use.facts.outputs)):
            if isinstance(made, str):
                self.names[Value(index, number)] = made if not number else f"{made}:{number}"
            elif number < len(made):
                self.names[Value(index, number)] = made[number]


def emit(shaped: ShapedGraph, opset: int, weights: Any) -> Written:
    """Return a graph as ONNX nodes of an opset; ``weights`` as ``writing`` takes them.

    Raises ``ModelError`` with the node and the operator where ONNX has no such thing, or not for
    tensors of these types.
    """
    from cnnstat.importers.onnx.emitters import EMITTERS, REFUSED

    every = _Emitting(shaped, weights)
    every.graph.name = shaped.graph.name
    for index, node in enumerate(shaped.nodes):
        if node.op.is_input:
            name, spec = every.unique(node.name), shaped.facts[index].outputs[0]
            every.declare(every.graph.input, name, spec)
            every.names[Value(index)] = name
        else:
            kind = type(node.op)
            why = REFUSED.get(kind, f"there is no rule that says it in opset {opset}")
            every.node(index, EMITTERS.get(kind, why))
    for value in dict.fromkeys(every.leaving):
        every.declare(every.graph.output, every.names[value], shaped.spec(value))
    stored = {each.name: TensorSpec(each.shape, each.dtype) for each in every.initializers.values()}
    check_nodes(every.graph, stored, opset)
    return Written(every.graph, tuple(every.initializers.values()))
