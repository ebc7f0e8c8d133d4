"""From a parsed file to a graph: operators become nodes, initializers weights.

A stored tensor is counted where it is first used as a weight; used as data, or by an operator whose
weights do not match, it is a ``Parameter`` node; used again, the later node is tied to the first.
Arithmetic on shapes is computed on the way. What has no rule, or infers another shape than ONNX's
own inference, is opaque.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from onnx import AttributeProto, TensorProto, helper

from cnnstat.count.report import Note
from cnnstat.errors import ModelError, ShapeError
from cnnstat.importers.onnx.arguments import unkept
from cnnstat.importers.onnx.call import Call, Meaning, Operand, Stored, UnknownShape
from cnnstat.importers.onnx.constants import fold
from cnnstat.importers.onnx.fusing import Around, Fused, fused
from cnnstat.importers.onnx.inference import captured, constant_of, elements, inferred_shapes
from cnnstat.importers.onnx.loading import DTYPES, OnnxFile
from cnnstat.importers.onnx.naming import Names
from cnnstat.importers.onnx.table import ALIASES, RULES, VIEWS
from cnnstat.importers.reference import Imported
from cnnstat.ir.graph import Graph, Node, Value
from cnnstat.ir.op import Op, OpError, Specs
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import WindowError
from cnnstat.ops import Input, Opaque, Parameter, Rearrange, View

NOBODY_KNOWS = TensorSpec((0,))
"""Stands where a shape is not known: no elements are counted, and a note says so."""

STANDARD = ("", "ai.onnx")


def assemble(file: OnnxFile, inputs: Mapping[str, TensorSpec]) -> Imported:
    """Return the graph of a file for inputs of these specs, and what is to be said about it.

    Raises ``ShapeError`` where an operator cannot take its inputs, ``ModelError`` for a file whose
    nodes are malformed or not in an order that can run.
    """
    return _Assembly(file, inputs).imported()


class _Assembly:
    def __init__(self, file: OnnxFile, inputs: Mapping[str, TensorSpec]) -> None:
        self.file = file
        self.inputs = inputs
        self.graph = file.proto.graph
        self.nodes: list[Node] = []
        self.outputs: list[Specs] = []
        self.values: dict[str, Value] = {}  # tensor -> where it comes from
        self.known: dict[str, Any] = {}  # tensor -> its elements
        self.unknown: set[str] = set()  # tensors whose shape nobody knows
        self.stored: dict[str, Stored] = {}
        self.shapes: dict[str, TensorSpec] = {}  # stored tensor -> as it lies in the file
        self.owner: dict[str, int] = {}  # stored tensor -> the node that counts it
        self.skipped: set[int] = set()  # nodes that are part of another
        self.notes: list[Note] = []
        self.names = Names(n.name for n in self.graph.node if n.op_type != "Constant")
        self.inferred = inferred_shapes(file, inputs)

    def imported(self) -> Imported:
        for tensor in self.graph.initializer:
            self._store(tensor.name, tensor)
        batch = next((spec.shape[0] for spec in self.inputs.values() if spec.shape), 1)
        for name, spec in self.inputs.items():
            fixed = spec.shape[:1] != (batch,)
            op: Op = Rearrange("input", (spec,)) if fixed else Input(spec.shape[1:], spec.dtype)
            self.values[name] = self._add(self.names.unique(name), op, (), (spec,))
        self.read(self.graph)
        left = tuple(self._value(Operand(o.name, None)) for o in self.graph.output)
        self._report_unused()
        graph = Graph(self.file.reference, tuple(self.nodes), left)
        return Imported(graph, tuple(self.notes))

    def read(self, graph: Any) -> None:
        """Read the nodes that a result depends on, in order."""
        readers: dict[str, list[Any]] = {each.name: [None] for each in graph.output}
        needed = set(readers)
        alive = []
        for node in reversed(graph.node):
            if needed.isdisjoint(node.output):
                continue
            alive.append(node)
            for name in dict.fromkeys((*node.input, *captured(node))):
                readers.setdefault(name, []).append(node)
                needed.add(name)
        alive.reverse()
        for node in alive:
            if node.op_type == "Constant" and node.domain in STANDARD:
                tensor = constant_of(node)
                if tensor is not None:
                    self._store(node.output[0], tensor, constant=True)
        around = Around(readers, self.stored, self.known, self._known_spec)
        for node in alive:
            if id(node) in self.skipped or (node.op_type, node.domain) == ("Constant", ""):
                continue
            try:
                self._node(node, fused(node, around))
            except (KeyError, IndexError, ValueError, TypeError, ArithmeticError) as error:
                # attributes or inputs that the operator's definition does not allow
                message = f"{node.name or node.op_type} ({node.op_type}) is malformed: {error}"
                raise ModelError(f"{self.file.reference}: {message}") from error

    # -- stored tensors -------------------------------------------------------------------------

    def _store(self, name: str, tensor: Any, *, constant: bool = False) -> None:
        spec = TensorSpec(tuple(tensor.dims), DTYPES.get(tensor.data_type, "uint8"))
        values = elements(tensor)
        self.stored[name] = Stored(name, spec, values, constant)
        self.shapes[name] = spec
        if values is not None:
            self.known[name] = values

    def _report_unused(self) -> None:
        used = {name for node in self.graph.node for name in (*node.input, *captured(node))}
        used |= {each.name for each in self.graph.output}
        for tensor in self.graph.initializer:
            stored = self.stored[tensor.name]
            if tensor.name not in used and stored.is_weight:
                message = f"{tensor.name} is stored but no operator reads it"
                self.notes.append(Note("unused_parameter", tensor.name, message))
                self._parameter(stored)
        scalars = [
            each
            for each in self.graph.initializer
            if each.name in used and "float" in self.stored[each.name].spec.dtype and not each.dims
        ]
        if scalars:
            message = f"{len(scalars)} stored scalars are read as constants, not as parameters"
            self.notes.append(Note("scalar_constants", "", message))

    # -- nodes ----------------------------------------------------------------------------------

    def _node(self, node: Any, together: Fused | None) -> None:
        call = self._call(node, together)
        folded = fold(call) if node.domain in STANDARD else None
        if folded is not None:
            for name, elements in zip(call.results, folded, strict=False):
                self.known[name] = elements
            return
        if call.op_type in ALIASES and node.domain in STANDARD:
            self._alias(call)
        elif together is None and self._is_view_of_stored(call, node):
            return
        elif call.op_type == "If" and call.given(0).value is not None:
            self._branch(node, bool(call.given(0).value.reshape(-1)[0]))
        else:
            nodes = (node,) if together is None else together.nodes
            self.skipped.update(map(id, nodes))
            last = nodes[-1]
            call = replace(call, name=self.names.of(last.name, last.op_type, len(nodes)))
            self._apply(call, self._meaning(call, node))

    def _call(self, node: Any, together: Fused | None) -> Call:
        kind = node.op_type if together is None else together.op_type
        inputs = list(node.input) if together is None else list(together.inputs)
        results = tuple(node.output) if together is None else together.results
        attributes = {}
        for each in node.attribute:
            if each.type not in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
                attributes[each.name] = helper.get_attribute_value(each)
        attributes.update(together.attributes if together is not None else {})
        if isinstance(attributes.get("value"), TensorProto):
            attributes["value"] = elements(attributes["value"])
        if kind == "MaxUnpool":
            inputs = self._unpooled(inputs)
        operands = tuple(self._operand(name, node) if name else None for name in inputs)
        while results and not results[-1]:
            results = results[:-1]
        return Call(
            node.name or kind, kind, self.file.opset, operands, results, attributes, self._guess
        )

    def _operand(self, name: str, node: Any) -> Operand:
        if not self._has(name) and name not in self.known:
            raise ModelError(
                f"{self.file.reference}: {node.name or node.op_type} ({node.op_type}) reads "
                f"{name!r}, which nothing before it makes; nodes stand in an order that can run"
            )
        return Operand(name, self._known_spec(name), self.stored.get(name), self.known.get(name))

    def _known_spec(self, name: str) -> TensorSpec | None:
        """Return what is known of a tensor that was met before."""
        if name in self.stored:
            return self.stored[name].spec
        if name in self.known:
            return _spec_of(self.known[name])
        met = name in self.values and name not in self.unknown
        return self._spec(self.values[name]) if met else None

    def _unpooled(self, inputs: list[str]) -> list[str]:
        """Return an unpooling's inputs and, as its fourth, the tensor that was pooled."""
        pooling = self.values.get(inputs[1])
        pooled = () if pooling is None else self.nodes[pooling.node].inputs[:1]
        names = [name for name, value in self.values.items() if value in pooled]
        return [*inputs, *[""] * (3 - len(inputs)), *names[:1]]

    def _guess(self, name: str) -> TensorSpec | None:
        return self.inferred.get(name)

    def _meaning(self, call: Call, node: Any) -> Meaning:
        rule = RULES.get(call.op_type) if node.domain in STANDARD else None
        try:
            if any(each.spec is None for each in call.present):
                raise UnknownShape(call.name)
            found = rule(call) if rule is not None else None
            if found is not None and self._agrees(call, found):
                return found
        except UnknownShape:
            pass  # opaque, of whatever shape ONNX infers
        except (OpError, WindowError) as error:
            raise self._misfit(call, error) from error
        return self._opaque(call, node)

    def _opaque(self, call: Call, node: Any) -> Meaning:
        results = []
        for name in call.results:
            spec = self._guess(name)
            if spec is None and name:
                self.unknown.add(name)
                message = f"nobody knows the shape of {name}, a result of {call.op_type}"
                self.notes.append(Note("unknown_shape", call.name, message))
            results.append(spec or NOBODY_KNOWS)
        inside = tuple(self._operand(name, node) for name in captured(node) if self._has(name))
        reads = tuple(
            o for o in (*call.present, *inside) if o.stored is not None or o.value is None
        )
        return Meaning(Opaque(call.op_type, tuple(results)), reads)

    def _has(self, name: str) -> bool:
        return name in self.values or name in self.stored

    def _agrees(self, call: Call, meant: Meaning) -> bool:
        """Return whether an operator makes what ONNX's inference says, where that says anything."""
        specs = [self._plain_spec(each) for each in meant.reads]
        for number, _, op in meant.before:
            specs[number] = op.infer((specs[number],))[0]
        made = list(meant.op.infer(tuple(specs)))
        for number, _, op in meant.after:
            made[number] = op.infer((made[number],))[0]
        if len(made) < len([name for name in call.results if name]):
            return False
        guesses = [self._guess(name) for name in call.results]
        return all(
            guess is None or guess.shape == spec.shape
            for guess, spec in zip(guesses, made, strict=False)
        )

    def _plain_spec(self, operand: Operand) -> TensorSpec:
        if operand.spec is None:
            raise UnknownShape(operand.name)
        return operand.spec

    def _misfit(self, call: Call, error: Exception) -> ShapeError:
        shapes = ", ".join(str(each.spec) for each in call.present if each.stored is None)
        return ShapeError(
            f"{self.file.reference}: {call.name} ({call.op_type}) cannot take "
            f"{shapes or 'no input'}: {error}",
            call.name,
        )

    def _apply(self, call: Call, meant: Meaning) -> None:
        """Add the nodes of a call: what goes before it, itself, what goes behind."""
        name = call.name
        reads = [self._value(operand) for operand in meant.reads]
        for number, suffix, op in meant.before:
            reads[number] = self._applied(f"{name}/{suffix}", op, (reads[number],))
        specs = tuple(self._spec(value) for value in reads)
        tied, computed = self._claim(meant, specs)
        outputs = meant.op.infer(specs)
        value = self._add(name, meant.op, (*reads, *computed), outputs, tied, unkept(call))
        if tied is None:
            for operand in meant.weights:
                self.owner[self.stored[operand.name].name] = value.node
        for number, result in enumerate(call.results):
            if result:
                self.values[result] = Value(value.node, number)
        for number, suffix, op in meant.after:
            if number < len(call.results):
                made = self._applied(f"{name}/{suffix}", op, (Value(value.node, number),))
                self.values[call.results[number]] = made

    def _applied(self, name: str, op: Op, reads: tuple[Value, ...]) -> Value:
        specs = tuple(self._spec(value) for value in reads)
        return self._add(self.names.unique(name), op, reads, op.infer(specs))

    def _alias(self, call: Call) -> None:
        given, result = call.given(0), call.results[0]
        if given.stored is not None:
            self.stored[result] = given.stored
        if given.value is not None:
            self.known[result] = given.value
        elif given.stored is None:
            self.values[result] = self._value(given)
            if given.name in self.unknown:
                self.unknown.add(result)

    def _is_view_of_stored(self, call: Call, node: Any) -> bool:
        """Note another view of a whole stored tensor (its transpose) as that tensor, no node."""
        stored = call.given(0).stored if call.present[:1] == call.operands[:1] else None
        if call.op_type not in VIEWS or node.domain not in STANDARD or stored is None:
            return False
        meant = self._meaning(call, node)
        if isinstance(meant.op, Opaque) or not stored.is_weight:
            return False
        seen = meant.op.infer((stored.spec,))[0]
        self.stored[call.results[0]] = replace(stored, spec=seen, values=None)
        return True

    def _branch(self, node: Any, taken: bool) -> None:
        """Read the branch of an ``If`` whose condition is known."""
        wanted = "then_branch" if taken else "else_branch"
        graph = next(each.g for each in node.attribute if each.name == wanted)
        for tensor in graph.initializer:
            self._store(tensor.name, tensor)
        self.read(graph)
        for inner, outer in zip(graph.output, node.output, strict=True):
            operand = self._operand(inner.name, node)
            call = Call(node.name, "If", self.file.opset, (operand,), (outer,), {}, self._guess)
            self._alias(call)

    # -- values ---------------------------------------------------------------------------------

    def _add(
        self,
        name: str,
        op: Op,
        inputs: tuple[Value, ...],
        outputs: Specs,
        tied_to: int | None = None,
        unkept: str = "",
    ) -> Value:
        self.nodes.append(Node(name, op, inputs, tied_to, unkept=unkept))
        self.outputs.append(outputs)
        return Value(len(self.nodes) - 1)

    def _spec(self, value: Value) -> TensorSpec:
        return self.outputs[value.node][value.result]

    def _value(self, operand: Operand) -> Value:
        """Return where a tensor comes from; a stored or computed one becomes a node."""
        name = operand.name
        if name in self.values:
            return self.values[name]
        stored = self.stored.get(name)
        if stored is None or not stored.is_weight:
            if name not in self.known and stored is None:
                raise ModelError(f"{self.file.reference}: no node makes the output {name!r}")
            spec = stored.spec if stored else _spec_of(self.known[name])
            wanted = self.names.unique(f"{name.strip('/')}/constant")
            found = self._add(wanted, Rearrange("constant", (spec,)), (), (spec,))
        else:
            found = self._parameter(stored)
            if self._spec(found).shape != stored.spec.shape:
                found = self._applied(
                    f"{name.strip('/')}/view", View("view", (stored.spec,)), (found,)
                )
        self.values[name] = found
        return found

    def _parameter(self, stored: Stored) -> Value:
        """Add a stored tensor as data; one that a layer owns is tied to it."""
        owner = self.owner.get(stored.name)
        if owner is not None and isinstance(self.nodes[owner].op, Parameter):
            return Value(owner)
        role: Literal["weight", "bias", "buffer"] = "buffer" if stored.constant else "weight"
        if role == "weight" and stored.name.rpartition(".")[2].rpartition("/")[2] == "bias":
            role = "bias"
        spec = self.shapes[stored.name]
        op = Parameter(spec.shape, role, spec.dtype)
        name = self.names.unique(stored.name.replace(".", "/").strip("/") or "stored")
        value = self._add(name, op, (), (spec,), owner)
        self.owner.setdefault(stored.name, value.node)
        return value

    def _claim(self, meant: Meaning, specs: Specs) -> tuple[int | None, tuple[Value, ...]]:
        """Return the node that the weights are counted at (None: this one), and computed ones."""
        held = [(each, self.stored.get(each.name)) for each in meant.weights]
        own = [stored.name for _, stored in held if stored is not None]
        expected = sum(weight.numel for weight in meant.op.weights(specs))
        actual = sum(stored.spec.numel for _, stored in held if stored is not None)
        fresh = len(set(own)) == len(own) and not any(name in self.owner for name in own)
        if fresh and expected == actual and len(own) == len(held):
            return None, ()
        for _, stored in held:
            if stored is not None and stored.name not in self.owner:
                self._parameter(stored)
        computed = tuple(self._value(each) for each, stored in held if stored is None)
        owners = [self.owner[name] for name in own] or [value.node for value in computed]
        return (owners[0] if owners else None), computed


def _spec_of(value: Any) -> TensorSpec:
    return TensorSpec(tuple(value.shape), str(value.dtype))
