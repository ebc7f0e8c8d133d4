"""From the calls that a reader parsed or captured to a graph: one way for every reader.

A reader names tensors by keys of its own: an ONNX file's names, the identity of a PyTorch tensor, a
Keras layer and the number of its result. It says which tensors enter, which are stored, and of each
call, in an order in which the model can run, the ``Layer`` that it is. A stored tensor is counted
where it is first used as a weight; used as data, or by an operator whose weights do not match, it
becomes a ``Parameter`` node; where it is used again, the later node is tied to the first.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from cnnstat.count.report import Note
from cnnstat.importers.naming import Names
from cnnstat.ir.graph import Graph, Node, Value
from cnnstat.ir.op import Op, Role, Specs
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import Input, Parameter, Rearrange, View

Key = Hashable
"""Identity of one tensor in a reader's own terms."""


class StoredTensor(NamedTuple):
    """A tensor of the model: its identity, path and spec, and the role that it has as data.

    ``trained`` tells parameters from buffers; None where the reader cannot.
    """

    key: Key
    name: str
    spec: TensorSpec
    role: Role = "weight"
    trained: bool | None = None


def role_of(name: str, *, trained: bool) -> Role:
    """Return the role of a stored tensor from its path: a trained one is a bias if named so."""
    if not trained:
        return "buffer"
    last = name.rpartition("/")[2]
    additive = last.endswith("bias") or last.startswith(("bias_ih", "bias_hh"))
    return "bias" if additive else "weight"


class Layer(NamedTuple):
    """The meaning of a call: operator, tensors that it reads, stored tensors that are its weights.

    ``before`` are operators on single reads (number, suffix of the name, operator), ``after`` on
    single results.
    """

    op: Op
    reads: tuple[Key, ...]
    weights: tuple[Key, ...] = ()
    before: tuple[tuple[int, str, Op], ...] = ()
    after: tuple[tuple[int, str, Op], ...] = ()

    def infer(self, specs: Sequence[TensorSpec]) -> Specs:
        """Return the specs of the call's results; raises what the operators raise."""
        entering = list(specs)
        for number, _, op in self.before:
            entering[number] = op.infer((entering[number],))[0]
        made = list(self.op.infer(tuple(entering)))
        for number, _, op in self.after:
            if number < len(made):
                made[number] = op.infer((made[number],))[0]
        return tuple(made)


class Assembly:
    """A graph that grows call by call; ``values`` tells which node makes a tensor.

    ``origin`` is where the reader stands, in its own terms: nodes that are added come from there.
    ``classes`` has the class of each module by its path, as far as the reader knows it;
    ``weight_dtypes`` the dtype of a node's weights where it is not that of what it reads.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.nodes: list[Node] = []
        self.notes: list[Note] = []
        self.values: dict[Key, Value] = {}
        self.origin: object = None
        self.classes: dict[str, str] = {}
        self.weight_dtypes: dict[str, str] = {}
        self._origins: dict[str, object] = {}
        self._outputs: list[Specs] = []  # of each node, as its operator infers them
        self._stored: dict[Key, tuple[StoredTensor, TensorSpec]] = {}  # and its spec as seen
        self._owners: dict[Key, int] = {}  # stored tensor -> the node that counts it

    # -- tensors --------------------------------------------------------------------------------

    def enter(self, key: Key, name: str, spec: TensorSpec) -> None:
        """Add an input of the model."""
        self.values[key] = self.add(name, Input(spec.shape[1:], spec.dtype), (), (spec,))

    def store(self, key: Key, tensor: StoredTensor, *, seen: TensorSpec | None = None) -> None:
        """Note a tensor that the model stores; ``seen`` is its spec where ``key`` is a view."""
        self._stored[key] = (tensor, seen or tensor.spec)

    def stored(self, key: Key) -> StoredTensor | None:
        """Return the stored tensor that a key stands for, if any."""
        tensor = self._stored.get(key)
        return None if tensor is None else tensor[0]

    def constant(self, key: Key, name: str, spec: TensorSpec) -> None:
        """Add a tensor that the model makes of nothing and that is not a parameter."""
        self.values[key] = self.add(name, Rearrange("constant", (spec,)), (), (spec,))

    def alias(self, key: Key, of: Key) -> None:
        """Note that one tensor is another."""
        if of in self._stored:
            self._stored[key] = self._stored[of]
        else:
            self.values[key] = self.value(of)

    def forget(self, key: Key) -> None:
        """Forget a tensor, since its key is given to another."""
        self.values.pop(key, None)
        self._stored.pop(key, None)

    def is_known(self, key: Key) -> bool:
        """Return whether a tensor was made or is stored."""
        return key in self.values or key in self._stored

    def spec(self, value: Value) -> TensorSpec:
        """Return the spec of a value."""
        return self._outputs[value.node][value.result]

    def value(self, key: Key) -> Value:
        """Return where a tensor comes from; a stored one becomes a node. Raises ``KeyError``."""
        value = self.values.get(key)
        if value is None:
            tensor, seen = self._stored[key]
            value = self._parameter(tensor)
            if seen.shape != tensor.spec.shape:
                value = self.applied(f"{tensor.name}/view", View("view", (seen,)), (value,))
            self.values[key] = value
        return value

    def _parameter(self, tensor: StoredTensor) -> Value:
        """Return a stored tensor as data; one that a layer owns is tied to it."""
        owner = self._owners.get(tensor.key)
        if owner is not None and isinstance(self.nodes[owner].op, Parameter):
            return Value(owner)
        op = Parameter(tensor.spec.shape, tensor.role, tensor.spec.dtype)
        value = self.add(tensor.name, op, (), (tensor.spec,), tied_to=owner)
        self._owners.setdefault(tensor.key, value.node)
        return value

    def unused(self, tensors: Mapping[str, StoredTensor], message: str) -> None:
        """Count the stored tensors that no node owns, with a note for each, by its own name."""
        for name, tensor in tensors.items():
            if tensor.key not in self._owners:
                self._parameter(tensor)
                self.notes.append(Note("unused_parameter", name, message))

    # -- nodes ----------------------------------------------------------------------------------

    def add(
        self,
        name: str,
        op: Op,
        inputs: tuple[Value, ...],
        outputs: Specs,
        *,
        tied_to: int | None = None,
        row: str = "",
        axes: tuple[int, ...] = (),
        frozen: bool = False,
    ) -> Value:
        """Add one node, under a name of its own; return its first result."""
        name = self.names.unique(name)
        self.nodes.append(Node(name, op, inputs, tied_to, row=row, axes=axes, frozen=frozen))
        self._outputs.append(outputs)
        if self.origin is not None:
            self._origins[name] = self.origin
        return Value(len(self.nodes) - 1)

    def drop(self, count: int) -> None:
        """Take back all nodes but the first ``count``, whose results nobody refers to yet."""
        for node in self.nodes[count:]:
            self.names.free(node.name)
            self._origins.pop(node.name, None)
            self.weight_dtypes.pop(node.name, None)
        del self.nodes[count:], self._outputs[count:]

    def applied(self, name: str, op: Op, inputs: tuple[Value, ...]) -> Value:
        """Add one operator without weights; return its first result."""
        specs = tuple(self.spec(value) for value in inputs)
        return self.add(name, op, inputs, op.infer(specs))

    def apply(self, name: str, layer: Layer, results: Sequence[Key | None]) -> int:
        """Add the nodes of a call and note its results (None: it is not read).

        Returns the number of the layer's own node. Raises what the operators raise.
        """
        reads = [self.value(key) for key in layer.reads]
        for number, suffix, op in layer.before:
            reads[number] = self.applied(f"{name}/{suffix}", op, (reads[number],))
        specs = tuple(self.spec(value) for value in reads)
        tied, computed = self._claim(layer, specs)
        outputs = layer.op.infer(specs)
        node = self.add(name, layer.op, (*reads, *computed), outputs, tied_to=tied).node
        if layer.op.caveat:
            self.notes.append(Note("depends_on_values", self.nodes[node].name, layer.op.caveat))
        if tied is None:
            for key in layer.weights:
                self._owners[self._stored[key][0].key] = node
        made = [Value(node, number) for number in range(min(len(outputs), len(results)))]
        for number, suffix, op in layer.after:
            if number < len(made):
                made[number] = self.applied(f"{name}/{suffix}", op, (made[number],))
        for key, value in zip(results, made, strict=False):
            if key is not None:
                self.values[key] = value
        return node

    def _claim(self, layer: Layer, specs: Specs) -> tuple[int | None, tuple[Value, ...]]:
        """Return the node that the weights are counted at (None: this one), and computed ones."""
        tensors = [self.stored(key) for key in layer.weights]
        stored = [tensor for tensor in tensors if tensor is not None]
        owned = [tensor for tensor in stored if tensor.key in self._owners]
        distinct = len({tensor.key for tensor in stored}) == len(tensors)
        if distinct and not owned and _match(layer.op, specs, stored):
            return None, ()
        for tensor in stored:
            if tensor.key not in self._owners:
                self._parameter(tensor)
        computed = tuple(
            self.value(key)
            for key, tensor in zip(layer.weights, tensors, strict=True)
            if tensor is None
        )
        owners = [self._owners[tensor.key] for tensor in stored]
        owners = owners or [value.node for value in computed]
        return (owners[0] if owners else None), computed

    def graph(self, name: str, outputs: Iterable[Key]) -> Graph:
        """Return the graph, without views and moved tensors that are not read."""
        return self.finish(name, tuple(dict.fromkeys(self.value(key) for key in outputs)))

    def finish(self, name: str, outputs: tuple[Value, ...]) -> Graph:
        """Return the graph that these values leave, as ``graph`` does for keys."""
        graph = Graph(
            name,
            tuple(self.nodes),
            outputs,
            origins=self._origins,
            classes=self.classes,
            weight_dtypes=self.weight_dtypes,
        )
        return without_unread(graph)


def _match(op: Op, specs: Specs, stored: Sequence[StoredTensor]) -> bool:
    """Return whether stored tensors are what an operator's weights are.

    They have the same numbers of elements and the same are trained; where a reader does not tell
    which are, the sum decides.
    """
    weights = op.weights(specs)
    if any("int" in tensor.spec.dtype for tensor in stored):
        return False  # quantised: they keep their own dtype
    if any(tensor.trained is None for tensor in stored):
        return sum(weight.numel for weight in weights) == sum(each.spec.numel for each in stored)
    expected = sorted((weight.numel, weight.role != "buffer") for weight in weights)
    return expected == sorted((each.spec.numel, each.trained) for each in stored)


def without_unread(graph: Graph) -> Graph:
    """Return the graph without views and constants that are not read.

    A copy that is not read stays: it takes memory while it is made.
    """
    needed = [
        not isinstance(node.op, View) and not (isinstance(node.op, Rearrange) and not node.inputs)
        for node in graph.nodes
    ]
    for value in graph.outputs:
        needed[value.node] = True
    for index in range(len(graph.nodes) - 1, -1, -1):
        if needed[index]:
            for value in graph.nodes[index].inputs:
                needed[value.node] = True
    place: dict[int, int] = {}
    nodes: list[Node] = []
    for index, node in enumerate(graph.nodes):
        if not needed[index]:
            continue
        place[index] = len(nodes)
        inputs = tuple(Value(place[value.node], value.result) for value in node.inputs)
        tied = None if node.tied_to is None else place[node.tied_to]
        nodes.append(node._replace(inputs=inputs, tied_to=tied))
    outputs = tuple(Value(place[value.node], value.result) for value in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs)
