"""From a trace to a graph: calls become nodes, tensors become edges, stored tensors become weights.

A stored tensor is counted where it is first used as a weight; used as data, or by an operator whose
weights do not match, it is a ``Parameter`` node; used again, the later node is tied to the first.
"""

from __future__ import annotations

import torch

from cnnstat.importers.module.capture import Call, Stored, Trace, spec_of
from cnnstat.importers.module.rules import Meaning, tensors
from cnnstat.importers.module.translate import meaning, plain_name
from cnnstat.ir.graph import Graph, Node, Value
from cnnstat.ir.op import Op, OpError
from cnnstat.ir.window import WindowError
from cnnstat.ops import Input, Opaque, Parameter, Rearrange


def assemble(name: str, trace: Trace) -> tuple[Graph, tuple[str, ...]]:
    """Return the graph of a trace, and the names of parameters that the forward pass never used."""
    return _Assembly(name, trace).graph()


class _Assembly:
    def __init__(self, name: str, trace: Trace) -> None:
        self.name = name
        self.trace = trace
        self.nodes: list[Node] = []
        self.names: dict[str, int] = {}
        self.values: dict[int, Value] = {}
        self.stored: dict[int, Stored] = {id(each.tensor): each for each in trace.stored}
        self.owner: dict[int, int] = {}  # stored tensor -> the node that counts it

    def graph(self) -> tuple[Graph, tuple[str, ...]]:
        for name, tensor in self.trace.inputs.items():
            spec = spec_of(tensor)
            self.values[id(tensor)] = self._add(name, Input(spec.shape[1:], spec.dtype), ())
        for call in self.trace.calls:
            self._call(call)
        outputs = tuple(dict.fromkeys(self._value(tensor) for tensor in self.trace.outputs))
        unused = []
        for stored in self.trace.stored:
            if stored.trained and id(stored.tensor) not in self.owner:
                unused.append(stored.names[0])
                self._parameter(stored)
        return Graph(self.name, tuple(self.nodes), outputs), tuple(unused)

    def _add(
        self, name: str, op: Op, inputs: tuple[Value, ...], tied_to: int | None = None
    ) -> Value:
        count = self.names.get(name, 0) + 1
        self.names[name] = count
        unique = name if count == 1 else f"{name}_{count}"
        while count > 1 and unique in self.names:
            count += 1
            unique = f"{name}_{count}"
        self.names[name] = count
        self.names.setdefault(unique, 1)
        self.nodes.append(Node(unique, op, inputs, tied_to))
        return Value(len(self.nodes) - 1)

    def _call(self, call: Call) -> None:
        meant = meaning(call)
        if meant is None:
            self._pass_on(call)
            return
        if not meant.reads and not meant.weights and not call.results:
            return
        if all(id(t) in self.stored for t in meant.reads) and self._is_alias(meant, call):
            return
        meant = self._checked(meant, call)
        tied, extra = self._claim(meant)
        inputs = tuple(self._value(tensor) for tensor in (*meant.reads, *extra))
        value = self._add(self._named(call, meant), meant.op, inputs, tied)
        if tied is None:
            self.owner.update((id(tensor), value.node) for tensor in meant.weights)
        for number, result in enumerate(call.results):
            self.values[id(result)] = Value(value.node, number)
        if call.name.endswith("_"):
            self.values[id(call.arguments.get("self"))] = value

    def _pass_on(self, call: Call) -> None:
        given = call.arguments.get("self", call.arguments.get("input"))
        if isinstance(given, torch.Tensor):
            for result in call.results:
                if id(given) in self.stored:
                    self.stored[id(result)] = self.stored[id(given)]
                else:
                    self.values[id(result)] = self._value(given)

    def _is_alias(self, meant: Meaning, call: Call) -> bool:
        """Note a view of a whole stored tensor (its transpose) as that tensor, without a node."""
        if meant.op.storage != "view" or len(meant.reads) != 1 or len(call.results) != 1:
            return False
        known = self.stored[id(meant.reads[0])]
        if call.results[0].numel() != known.spec.numel:
            return False
        self.stored[id(call.results[0])] = known
        return True

    def _checked(self, meant: Meaning, call: Call) -> Meaning:
        """Return the meaning if its operator infers what was captured, an opaque one if not."""
        specs = tuple(spec_of(tensor) for tensor in meant.reads)
        captured = tuple(spec_of(result) for result in call.results)
        try:
            inferred = meant.op.infer(specs)
        except (OpError, WindowError, IndexError):
            inferred = ()
        if tuple(s.shape for s in inferred) == tuple(s.shape for s in captured):
            return meant
        if isinstance(meant.op, Rearrange) or not captured:
            return meant
        return Meaning(Opaque(plain_name(call.name), captured), tensors(*call.arguments.values()))

    def _claim(self, meant: Meaning) -> tuple[int | None, tuple[torch.Tensor, ...]]:
        """Return the node that the weights are counted at (None: this one), and computed ones."""
        held = meant.weights
        known = [self.stored.get(id(tensor)) for tensor in held]
        specs = tuple(spec_of(tensor) for tensor in meant.reads)
        expected = sorted(weight.numel for weight in meant.op.weights(specs))
        actual = sorted(int(tensor.numel()) for tensor in held)
        fresh = all(each is not None for each in known) and not any(
            id(each.tensor) in self.owner for each in known if each is not None
        )
        if (fresh and expected == actual) or (not held and not expected):
            return None, ()
        for stored in known:
            if stored is not None and id(stored.tensor) not in self.owner:
                self._parameter(stored)
        computed = tuple(t for t, each in zip(held, known, strict=True) if each is None)
        owners = [self.owner[id(each.tensor)] for each in known if each is not None]
        if not owners:
            owners = [self._value(tensor).node for tensor in computed]
        return (owners[0] if owners else None), computed

    def _parameter(self, stored: Stored) -> Value:
        role = "buffer" if not stored.trained else "weight"
        if stored.trained and stored.names[0].rpartition(".")[2] == "bias":
            role = "bias"
        op = Parameter(stored.spec.shape, role, stored.spec.dtype)  # type: ignore[arg-type]
        value = self._add(stored.names[0].replace(".", "/"), op, ())
        self.owner[id(stored.tensor)] = value.node
        return value

    def _value(self, tensor: torch.Tensor) -> Value:
        """Return where a tensor comes from; a stored one, or one from outside, becomes a node."""
        found = self.values.get(id(tensor))
        if found is not None:
            return found
        stored = self.stored.get(id(tensor))
        if stored is None:
            found = self._add("constant", Rearrange("constant", (spec_of(tensor),)), ())
        elif id(stored.tensor) in self.owner and isinstance(
            self.nodes[self.owner[id(stored.tensor)]].op, Parameter
        ):
            found = Value(self.owner[id(stored.tensor)])
        elif id(stored.tensor) in self.owner:
            owner = self.owner[id(stored.tensor)]
            op = Parameter(stored.spec.shape, "weight", stored.spec.dtype)
            found = self._add(f"{stored.names[0].replace('.', '/')}/again", op, (), owner)
        else:
            found = self._parameter(stored)
        self.values[id(tensor)] = found
        return found

    def _named(self, call: Call, meant: Meaning) -> str:
        """Return a leaf module's path for its call; else the path and the function's name."""
        for tensor in meant.weights:
            stored = self.stored.get(id(tensor))
            if stored is not None and "." in stored.names[0]:
                owner = stored.names[0].rpartition(".")[0].replace(".", "/")
                if owner.startswith(call.path) and owner != call.path:
                    return owner
        function = plain_name(call.name).strip("_")
        made = isinstance(meant.op, Rearrange) and not meant.reads
        if call.leaf and call.path and call.path not in self.names and not made:
            return call.path
        if call.leaf and call.path and not isinstance(meant.op, Rearrange) and meant.weights:
            return call.path
        return f"{call.path}/{function}" if call.path else function
