"""From a trace to a graph: the meaning of every call goes into the assembly that readers share.

A tensor's key is its identity. Every operator is compared with the shapes that were captured: one
that infers others becomes opaque.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from cnnstat.count.gradients import Needs
from cnnstat.count.report import UNCOUNTED_WEIGHTS, Note
from cnnstat.importers.assembly import Assembly, Layer, StoredTensor, role_of
from cnnstat.importers.naming import Names
from cnnstat.ir.graph import Graph, Value
from cnnstat.ir.op import OpError, Specs
from cnnstat.ir.window import WindowError
from cnnstat.ops import DeformConv2d, MatMul, Opaque, Parameter, Rearrange, Recurrent, View
from cnnstat.pytorch.capture.calls import Call, Meaning, tensors
from cnnstat.pytorch.capture.capture import Trace
from cnnstat.pytorch.capture.translate import plain_name
from cnnstat.pytorch.tensors import spec_of

PARTS = {2: ("_q", "_kv"), 3: ("_q", "_k", "_v")}
"""The parts of the stacked projections of attention, by their number."""

BOOKKEEPING = ("num_batches_tracked",)
"""Buffers that no forward pass in evaluation form reads and that is not counted."""


def assemble(name: str, trace: Trace) -> tuple[Graph, tuple[Note, ...], dict[str, Needs]]:
    """Return the graph of a trace, notes on it, and what training needs gradients of, by node."""
    return _Reader(name, trace).assembled()


class _Reader:
    def __init__(self, name: str, trace: Trace) -> None:
        self.name = name
        self.trace = trace
        calls = ((call.path, plain_name(call.name)) for call in trace.calls)
        self.assembly = Assembly(Names(calls))
        self.assembly.classes.update(trace.classes)
        self.stored: dict[str, StoredTensor] = {}
        for each in trace.stored:
            path = each.name.replace(".", "/")
            role = role_of(path, trained=each.trained)
            stored = StoredTensor(id(each.tensor), path, each.spec, role, each.trained)
            self.stored[each.name] = stored
            self.assembly.store(id(each.tensor), stored)
            self.assembly.store(id(each.original), stored)
        self.unregistered = {id(tensor) for tensor in trace.unregistered}
        self.outside: set[int] = set()  # tensors that neither the module nor a call made
        self.read = {id(tensor): len(trace.calls) for tensor in trace.outputs}  # -> its last reader
        self.sharing: dict[int, list[torch.Tensor]] = {}  # storage -> the tensors that show it
        self.born = {id(tensor): -1 for tensor, _ in trace.inputs.values()}  # -> its first call
        self.at = 0
        self.needs: dict[str, Needs] = {}
        self.frozen = {
            self.stored[each.name].name
            for each in trace.stored
            if not (each.trained and each.requires_grad)
        }
        self.detached: set[int] = set()  # tensors that pass no gradient back
        self.leaves: set[int] = set()  # tensors that the forward pass gives a gradient of their own
        for number, call in enumerate(trace.calls):
            entering = tensors(*call.arguments.values())
            for tensor in entering:
                self.read[id(tensor)] = max(number, self.read.get(id(tensor), 0))
            for tensor in (*entering, *call.results):
                self.born.setdefault(id(tensor), number)
                if tensor.layout == torch.strided:
                    storage = tensor.untyped_storage()._cdata
                    self.sharing.setdefault(storage, []).append(tensor)

    def assembled(self) -> tuple[Graph, tuple[Note, ...], dict[str, Needs]]:
        for name, (tensor, spec) in self.trace.inputs.items():
            self.assembly.enter(id(tensor), name, spec)
        pairs = zip(self.trace.calls, self.trace.meanings, strict=True)
        for number, (call, meant) in enumerate(pairs):
            self.at = number
            self.assembly.origin = call.position._replace(operator=call.name)
            self._call(call, meant)
        self.assembly.origin = None
        self._note_leaves()
        outputs = [self._key(tensor) for tensor in self.trace.outputs]
        for key in outputs:
            self.assembly.value(key)
        counted = {
            name: tensor
            for name, tensor in self.stored.items()
            if name.rpartition(".")[2] not in BOOKKEEPING
        }
        self.assembly.unused(counted, "stored, but the forward pass never uses it")
        graph = self.assembly.graph(self.name, outputs)
        for node in graph.nodes:
            if node.name in self.frozen and isinstance(node.op, Parameter):
                self.needs[node.name] = Needs((), (False,))
        return graph, tuple(self.assembly.notes), self.needs

    def _key(self, tensor: torch.Tensor) -> int:
        """Return the key of a tensor; one from outside becomes a constant."""
        if not self.assembly.is_known(id(tensor)):
            self.assembly.constant(id(tensor), "constant", spec_of(tensor))
            self.outside.add(id(tensor))
        return id(tensor)

    def _keys(self, tensors: Iterable[torch.Tensor]) -> tuple[int, ...]:
        return tuple(self._key(tensor) for tensor in tensors)

    def _call(self, call: Call, meant: Meaning | None) -> None:
        if meant is None:
            self._pass_on(call)
            return
        if not meant.reads and not meant.weights and not call.results:
            return
        if meant.op.storage == "view" and self._is_alias(meant, call):
            return
        name = self._wanted_name(call, meant)
        layer = self._layer(call, meant)
        node = self.assembly.apply(name, layer, [id(result) for result in call.results])
        self._note_unregistered(call, meant, self.assembly.nodes[node].name)
        self._note_needs(call, meant, self.assembly.nodes[node].name)
        written = call.arguments.get("self")
        in_place = call.name.endswith("_") and not call.changes_view
        if in_place and isinstance(written, torch.Tensor):
            self._overwrite(written, Value(node))

    def _note_needs(self, call: Call, meant: Meaning, name: str) -> None:
        """Note which tensors and weights of a call a training step needs gradients of."""
        entering = (*meant.reads, *self._states(call, meant))
        reads = [
            call.differentiated and (id(tensor) not in self.detached or tensor.requires_grad)
            for tensor in entering
        ]
        stored = [self.assembly.stored(id(tensor)) for tensor in meant.weights]
        weights = [
            call.differentiated
            and id(tensor) not in self.detached
            and not (known is not None and known.name in self.frozen)
            for tensor, known in zip(meant.weights, stored, strict=True)
        ]
        # a weight that is computed is an input after the others
        computed = [call.differentiated for tensor in stored if tensor is None]
        needs = Needs((*reads, *computed), tuple(weights))
        if not all((*needs.inputs, *needs.weights)):
            self.needs[name] = needs

    def _note_leaves(self) -> None:
        """Note the inputs that ask for a gradient themselves."""
        self.leaves.update(id(t) for t, _ in self.trace.inputs.values() if t.requires_grad)
        for key in self.leaves & self.assembly.values.keys():
            node = self.assembly.nodes[self.assembly.values[key].node]
            if node.op.is_input:
                self.needs[node.name] = Needs((), (), leaf=True)

    def _note_unregistered(self, call: Call, meant: Meaning, name: str) -> None:
        """Note weights that a call uses and that no parameter or buffer of the module holds."""
        factors = meant.reads if isinstance(meant.op, MatMul) else meant.weights
        packed = [tensor for each in _packages(call.arguments) for tensor in _unpacked(each)]
        elements = sum(tensor.numel() for tensor in packed) + sum(
            tensor.numel()
            for tensor in tensors(*call.arguments.values())
            if id(tensor) in self.unregistered
            or (id(tensor) in self.outside and any(tensor is each for each in factors))
        )
        if elements:
            message = (
                f"uses {elements:,} weights that are not parameters or buffers of the model; "
                "params is a lower bound"
            )
            self.assembly.notes.append(Note(UNCOUNTED_WEIGHTS, name, message))

    def _layer(self, call: Call, meant: Meaning) -> Layer:
        """Return the layer that a call is; opaque if it does not infer what was captured."""
        meant = self._with_own_bias(meant)
        reads = self._keys((*meant.reads, *self._states(call, meant)))
        layer = Layer(meant.op, reads, self._keys(meant.weights), meant.before, meant.after)
        try:
            outputs = layer.infer([self.assembly.spec(self.assembly.value(key)) for key in reads])
        except (OpError, WindowError, IndexError):
            outputs = ()
        if not call.specs or self._agrees(outputs, call):
            return layer
        reads = self._keys(tensors(*call.arguments.values()))
        return Layer(Opaque(plain_name(call.name), call.specs), reads)

    def _with_own_bias(self, meant: Meaning) -> Meaning:
        """Leave out a bias that is not a parameter: some libraries make zeros for it."""
        op = meant.op
        if not isinstance(op, DeformConv2d) or self.assembly.stored(id(meant.weights[-1])):
            return meant
        return meant._replace(op=replace(op, bias=False), weights=meant.weights[:1])

    def _states(self, call: Call, meant: Meaning) -> tuple[torch.Tensor, ...]:
        """Return the states that a recurrent layer starts from, unless they are zeros."""
        if not isinstance(meant.op, Recurrent):
            return ()
        states = tensors(call.arguments.get("hx"))
        made = [self.assembly.nodes[self.assembly.value(self._key(t)).node] for t in states]
        constant = all(isinstance(node.op, Rearrange) and not node.inputs for node in made)
        return () if constant else states

    def _wanted_name(self, call: Call, meant: Meaning) -> str:
        """Return the name that a call's node wants.

        A leaf module's layer has the module's path, a module below the running one whose weights
        are used (as attention uses its output projection's) lends its own.
        """
        owner = self._owner_path(call, meant)
        if owner:
            return owner
        names, moved = self.assembly.names, isinstance(meant.op, View | Rearrange)
        first = not names.is_taken(call.path) and not moved
        main = call.leaf and (first or bool(meant.weights))
        function = call.name.strip("_")
        if not main and meant.weights:
            function = self._weight_name(call.path, id(meant.weights[0])) or function
        return names.of(call.path, function, main=main)

    def _weight_name(self, path: str, key: int) -> str:
        """Return the name of a weight that the module at ``path`` holds itself, without its kind.

        ``in_proj`` of ``in_proj_weight``; of a part of it, ``in_proj_q`` and the like. Empty for
        any other weight.
        """
        stored, suffix = self.assembly.stored(key), ""
        if stored is None and key in self.assembly.values:
            node, result = self.assembly.values[key]
            stored, suffix = self._split_weight(node, result)
        if stored is None or stored.name.rpartition("/")[0] != path:
            return ""
        name = stored.name.rpartition("/")[2]
        stem = name.removesuffix("weight").removesuffix("kernel").rstrip("_")
        return f"{stem}{suffix}" if stem and stem != name else ""

    def _split_weight(self, node: int, result: int) -> tuple[StoredTensor | None, str]:
        """Return the stored tensor that a node splits, and which part of it a result is."""
        nodes = self.assembly.nodes
        results = len(nodes[node].op.infer(()) if isinstance(nodes[node].op, View) else ())
        while isinstance(nodes[node].op, View) and nodes[node].inputs:
            node = nodes[node].inputs[0].node
        stored = self.stored.get(nodes[node].name.replace("/", "."))
        return stored, PARTS.get(results, ("",) * (result + 1))[result]

    def _owner_path(self, call: Call, meant: Meaning) -> str:
        """Return the path of the module below the running one that owns the weights, if any."""
        for tensor in meant.weights:
            stored = self.assembly.stored(id(tensor))
            owner = stored.name.rpartition("/")[0] if stored else ""
            if owner.startswith(f"{call.path}/" if call.path else "") and owner != call.path:
                return owner
        return ""

    def _agrees(self, outputs: Specs, call: Call) -> bool:
        """Return whether an operator infers what was captured, or what anybody reads of it."""
        made = [spec.shape for spec in outputs]
        captured = [spec.shape for spec in call.specs]
        beyond = call.results[len(made) :]
        return (
            bool(made)
            and made == captured[: len(made)]
            and not any(id(result) in self.read for result in beyond)
        )

    def _pass_on(self, call: Call) -> None:
        """Note that a call gave back its argument."""
        tensor = call.arguments.get("self", call.arguments.get("input"))
        if isinstance(tensor, torch.Tensor):
            for result in call.results:
                if result is not tensor:
                    self.assembly.alias(id(result), self._key(tensor))
                if result.requires_grad:
                    self.leaves.add(self._key(tensor))
                self._note_detached(call, tensor, result)

    def _note_detached(self, call: Call, tensor: torch.Tensor, result: torch.Tensor) -> None:
        """Note a call's result that passes no gradient back to the tensor that it shows."""
        cut = call.name.rstrip("_") == "detach" or not call.differentiated
        if cut or id(tensor) in self.detached:
            self.detached.add(id(result))

    def _is_alias(self, meant: Meaning, call: Call) -> bool:
        """Note a view of a whole stored tensor (its transpose) as that tensor, without a node."""
        if len(meant.reads) != 1 or len(call.results) != 1:
            return False
        stored = self.assembly.stored(id(meant.reads[0]))
        result, seen = call.results[0], call.specs[0]
        if stored is None or seen.numel != stored.spec.numel:
            return False
        self.assembly.store(id(result), stored, seen=seen)
        self._note_detached(call, meant.reads[0], result)
        return True

    def _overwrite(self, written: torch.Tensor, value: Value) -> None:
        """Note that a tensor holds a new value; so do those that show the same memory.

        Of those, only the ones that are there already and are read later matter.
        """
        values = self.assembly.values
        values[id(written)] = value
        self.detached.discard(id(written))
        if written.layout != torch.strided:
            return
        shown = {id(t): t for t in self.sharing[written.untyped_storage()._cdata]}
        for key, tensor in shown.items():
            later = self.born[key] < self.at < self.read.get(key, -1)
            if key == id(written) or self.assembly.stored(key) is not None or not later:
                continue
            self.detached.discard(key)
            if _shows(tensor) == _shows(written):
                values[key] = value
                continue
            before = self.assembly.value(self._key(tensor))
            name = f"{self.assembly.nodes[value.node].name}/into"
            into = View("into", (spec_of(tensor),))
            values[key] = self.assembly.applied(name, into, (before, value))


def _packages(values: Any) -> list[torch.ScriptObject]:
    return [each for each in tree_leaves(values) if isinstance(each, torch.ScriptObject)]


def _unpacked(package: torch.ScriptObject) -> tuple[torch.Tensor, ...]:
    """Return the weights in a package, or in those that its state holds (a recurrent layer's)."""
    if hasattr(package, "unpack"):
        return tensors(*package.unpack())
    state = package.__getstate__()
    inner = _packages(state)
    return tensors(*map(_unpacked, inner)) if inner else tensors(*tree_leaves(state))


def _shows(tensor: torch.Tensor) -> tuple[object, ...]:
    """Return which elements of its memory a tensor shows."""
    return tensor.shape, tensor.stride(), tensor.storage_offset(), tensor.dtype
