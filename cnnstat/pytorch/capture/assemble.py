"""From a trace to a graph: calls become nodes, tensors edges, stored tensors weights.

A stored tensor is counted where it is first used as a weight; used as data, or by an operator whose
weights do not match, it is a ``Parameter`` node; used again, the later node is tied to the first.
Every operator is asked for the shapes that were captured: one that infers others becomes opaque.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal, NamedTuple

import torch

from cnnstat.ir.graph import Graph, Node, Value
from cnnstat.ir.op import Op, OpError, Specs
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import WindowError
from cnnstat.ops import Input, Opaque, Parameter, Rearrange, View
from cnnstat.pytorch.capture.arguments import unkept
from cnnstat.pytorch.capture.capture import Call, Stored, Trace, spec_of
from cnnstat.pytorch.capture.naming import Names
from cnnstat.pytorch.capture.rules import Meaning, tensors
from cnnstat.pytorch.capture.translate import meaning, plain_name

BOOKKEEPING = ("num_batches_tracked",)
"""Buffers that no forward pass in evaluation form reads and that nobody counts."""


TURNS = ("t", "transpose", "permute", "numpy_T", "adjoint")
"""Views that change the order of axes."""


class Assembled(NamedTuple):
    """A graph, and the stored tensors that the forward pass never used."""

    graph: Graph
    unused: tuple[str, ...]


def assemble(name: str, trace: Trace) -> Assembled:
    """Return the graph of a trace."""
    return _Assembly(name, trace).assembled()


class _Assembly:
    def __init__(self, name: str, trace: Trace) -> None:
        self.name = name
        self.trace = trace
        self.nodes: list[Node] = []
        self.outputs: list[Specs] = []  # of each node, as its operator infers them
        self.names = Names(Counter((call.path, plain_name(call.name)) for call in trace.calls))
        self.values: dict[int, Value] = {}  # tensor -> where it comes from
        self.stored: dict[int, Stored] = {}
        for each in trace.stored:
            self.stored[id(each.tensor)] = self.stored[id(each.original)] = each
        self.owner: dict[int, int] = {}  # stored tensor -> the node that counts it
        self.turned: set[int] = set()  # stored tensors as they are seen transposed
        self.read = {id(tensor): len(trace.calls) for tensor in trace.outputs}  # -> its last reader
        self.sharing: dict[int, list[torch.Tensor]] = {}  # storage -> the tensors that show it
        self.born = {id(tensor): -1 for tensor in trace.inputs.values()}  # -> its first call
        self.at = 0
        for number, call in enumerate(trace.calls):
            given = tensors(*call.arguments.values())
            for tensor in given:
                self.read[id(tensor)] = max(number, self.read.get(id(tensor), 0))
            for tensor in (*given, *call.results):
                self.born.setdefault(id(tensor), number)
                if tensor.layout == torch.strided:
                    storage = tensor.untyped_storage()._cdata
                    self.sharing.setdefault(storage, []).append(tensor)

    def assembled(self) -> Assembled:
        for name, tensor in self.trace.inputs.items():
            spec = spec_of(tensor)
            op = Input(spec.shape[1:], spec.dtype)
            self.values[id(tensor)] = self._add(name, op, (), (spec,))
        for number, call in enumerate(self.trace.calls):
            self.at = number
            self._call(call)
        leaving = tuple(dict.fromkeys(self._value(tensor) for tensor in self.trace.outputs))
        unused = []
        for stored in self.trace.stored:
            known = stored.names[0].rpartition(".")[2] in BOOKKEEPING
            if id(stored.tensor) not in self.owner and not known:
                unused.append(stored.names[0])
                self._parameter(stored)
        graph = Graph(self.name, tuple(self.nodes), leaving)
        return Assembled(without_unread(graph), tuple(unused))

    def _add(
        self,
        name: str,
        op: Op,
        inputs: tuple[Value, ...],
        outputs: Specs,
        tied_to: int | None = None,
        unkept: str = "",
    ) -> Value:
        self.nodes.append(Node(self.names.unique(name), op, inputs, tied_to, unkept=unkept))
        self.outputs.append(outputs)
        return Value(len(self.nodes) - 1)

    def _spec(self, value: Value) -> TensorSpec:
        return self.outputs[value.node][value.result]

    def _call(self, call: Call) -> None:
        meant = meaning(call)
        if meant is None:
            self._pass_on(call)
            return
        if not meant.reads and not meant.weights and not call.results:
            return
        if meant.op.storage == "view" and self._is_alias(meant, call):
            return
        node = self._node(call, meant)
        for number, result in enumerate(call.results[: len(self.outputs[node.node])]):
            self.values[id(result)] = Value(node.node, number)
        written = call.arguments.get("self")
        if call.name.endswith("_") and isinstance(written, torch.Tensor):
            self._overwrite(written, node)

    def _node(self, call: Call, meant: Meaning) -> Value:
        """Add the node of a call; opaque if its operator does not infer what was captured."""
        inputs = tuple(self._value(tensor) for tensor in meant.reads)
        captured = tuple(spec_of(result) for result in call.results)
        specs = tuple(self._spec(value) for value in inputs)
        outputs = _inferred(meant.op, specs)
        if captured and not self._is_what(outputs, call):
            reads = tensors(*call.arguments.values())
            meant = Meaning(Opaque(plain_name(call.name), captured), reads)
            inputs = tuple(self._value(tensor) for tensor in meant.reads)
            outputs = captured
        tied, extra = self._claim(meant, specs)
        inputs += tuple(self._value(tensor) for tensor in extra)
        name = self.names.of(call, meant, self._owner_path(call, meant))
        missing = unkept(call, outputs) or self._initial_state(call)
        if tied is not None and any(id(tensor) in self.turned for tensor in meant.weights):
            missing = missing or "weight being another's transposed"
        value = self._add(name, meant.op, inputs, outputs, tied, missing)
        if tied is None:
            for tensor in meant.weights:
                self.owner[id(self.stored[id(tensor)].tensor)] = value.node
        return value

    def _initial_state(self, call: Call) -> str:
        """Return the argument that gives a recurrent layer a state to begin with, if one does."""
        for tensor in tensors(call.arguments.get("hx")):
            made = self.values.get(id(tensor))
            op = None if made is None else self.nodes[made.node].op
            if not (isinstance(op, Rearrange) and op.kind == "zeros"):
                return "hx"
        return ""

    def _is_what(self, outputs: Specs, call: Call) -> bool:
        """Return whether an operator infers what was captured, or what anybody reads of it."""
        made = [spec.shape for spec in outputs]
        captured = [spec_of(result).shape for result in call.results]
        beyond = call.results[len(made) :]
        return (
            bool(made)
            and made == captured[: len(made)]
            and not any(id(result) in self.read for result in beyond)
        )

    def _pass_on(self, call: Call) -> None:
        """Note that a call gave back what it got."""
        given = call.arguments.get("self", call.arguments.get("input"))
        if isinstance(given, torch.Tensor):
            for result in call.results:
                if id(given) in self.stored:
                    self.stored[id(result)] = self.stored[id(given)]
                else:
                    self.values[id(result)] = self._value(given)

    def _is_alias(self, meant: Meaning, call: Call) -> bool:
        """Note a view of a whole stored tensor (its transpose) as that tensor, without a node."""
        if len(meant.reads) != 1 or len(call.results) != 1:
            return False
        known = self.stored.get(id(meant.reads[0]))
        if known is None or call.results[0].numel() != known.spec.numel:
            return False
        self.stored[id(call.results[0])] = known
        if call.name in TURNS:
            self.turned.add(id(call.results[0]))
        return True

    def _overwrite(self, written: torch.Tensor, value: Value) -> None:
        """Note that a tensor holds a new value; so do those that show the same memory.

        Of those, only the ones that are there already and are read later matter.
        """
        self.values[id(written)] = value
        if written.layout != torch.strided:
            return
        shown = {id(t): t for t in self.sharing[written.untyped_storage()._cdata]}
        for key, tensor in shown.items():
            later = self.born[key] < self.at < self.read.get(key, -1)
            if key == id(written) or key in self.stored or not later:
                continue
            if _shows(tensor) == _shows(written):
                self.values[key] = value
                continue
            spec, before = spec_of(tensor), self._value(tensor)
            name = f"{self.nodes[value.node].name}/into"
            self.values[key] = self._add(name, View("into", (spec,)), (before, value), (spec,))

    def _claim(self, meant: Meaning, specs: Specs) -> tuple[int | None, tuple[torch.Tensor, ...]]:
        """Return the node that the weights are counted at (None: this one), and computed ones."""
        held = meant.weights
        known = [self.stored.get(id(tensor)) for tensor in held]
        expected = sorted((w.numel, w.role != "buffer") for w in meant.op.weights(specs))
        actual = sorted((each.spec.numel, each.trained) for each in known if each is not None)
        distinct = len({id(each) for each in known}) == len(known)
        fresh = distinct and not any(id(e.tensor) in self.owner for e in known if e is not None)
        if fresh and expected == actual and None not in known:
            return None, ()
        for stored in known:
            if stored is not None and id(stored.tensor) not in self.owner:
                self._parameter(stored)
        computed = tuple(t for t, each in zip(held, known, strict=True) if each is None)
        owners = [self.owner[id(each.tensor)] for each in known if each is not None]
        if not owners:
            owners = [self._value(tensor).node for tensor in computed]
        return (owners[0] if owners else None), computed

    def _owner_path(self, call: Call, meant: Meaning) -> str:
        """Return the path of the module below the running one that owns the weights, if any."""
        for tensor in meant.weights:
            stored = self.stored.get(id(tensor))
            owner = stored.names[0].rpartition(".")[0].replace(".", "/") if stored else ""
            if owner.startswith(f"{call.path}/" if call.path else "") and owner != call.path:
                return owner
        return ""

    def _parameter(self, stored: Stored) -> Value:
        role: Literal["weight", "bias", "buffer"] = "weight" if stored.trained else "buffer"
        if stored.trained and stored.names[0].rpartition(".")[2] == "bias":
            role = "bias"
        op = Parameter(stored.spec.shape, role, stored.spec.dtype)
        value = self._add(stored.names[0].replace(".", "/"), op, (), (stored.spec,))
        self.owner[id(stored.tensor)] = value.node
        return value

    def _value(self, tensor: torch.Tensor) -> Value:
        """Return where a tensor comes from; a stored one, or one from outside, becomes a node."""
        found = self.values.get(id(tensor))
        if found is None:
            stored = self.stored.get(id(tensor))
            found = self._constant(tensor) if stored is None else self._data(stored, tensor)
            self.values[id(tensor)] = found
        return found

    def _constant(self, tensor: torch.Tensor) -> Value:
        spec = spec_of(tensor)
        return self._add("constant", Rearrange("constant", (spec,)), (), (spec,))

    def _data(self, stored: Stored, tensor: torch.Tensor) -> Value:
        """Return a stored tensor as data, in the shape in which it is seen."""
        owner = self.owner.get(id(stored.tensor))
        name = stored.names[0].replace(".", "/")
        if owner is None:
            found = self._parameter(stored)
        elif isinstance(self.nodes[owner].op, Parameter):
            found = Value(owner)
        else:
            op = Parameter(stored.spec.shape, "weight", stored.spec.dtype)
            found = self._add(f"{name}/again", op, (), (stored.spec,), owner)
        spec = spec_of(tensor)
        if spec.shape == stored.spec.shape:
            return found
        return self._add(f"{name}/view", View("view", (spec,)), (found,), (spec,))


def _shows(tensor: torch.Tensor) -> tuple[object, ...]:
    """Return which elements of its memory a tensor shows."""
    return tensor.shape, tensor.stride(), tensor.storage_offset(), tensor.dtype


def _inferred(op: Op, specs: Specs) -> Specs:
    try:
        return op.infer(specs)
    except (OpError, WindowError, IndexError):
        return ()


def without_unread(graph: Graph) -> Graph:
    """Return the graph without views and moved tensors that nobody reads."""
    needed = [not isinstance(node.op, View | Rearrange) for node in graph.nodes]
    for value in graph.outputs:
        needed[value.node] = True
    for index in range(len(graph.nodes) - 1, -1, -1):
        if needed[index]:
            for value in graph.nodes[index].inputs:
                needed[value.node] = True
    place: dict[int, int] = {}
    kept: list[Node] = []
    for index, node in enumerate(graph.nodes):
        if not needed[index]:
            continue
        place[index] = len(kept)
        inputs = tuple(Value(place[value.node], value.result) for value in node.inputs)
        tied = None if node.tied_to is None else place[node.tied_to]
        kept.append(node._replace(inputs=inputs, tied_to=tied))
    outputs = tuple(Value(place[value.node], value.result) for value in graph.outputs)
    return Graph(graph.name, tuple(kept), outputs)
