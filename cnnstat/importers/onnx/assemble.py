"""From a parsed file to a graph: the meaning of every node goes into the assembly of all readers.

A tensor's key is its name. Arithmetic on shapes is computed on the way. A node without a rule, or
whose operator infers another shape than ONNX's own inference, is opaque.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from onnx import AttributeProto, TensorProto, helper

from cnnstat.count.report import Note
from cnnstat.errors import ModelError, ShapeError
from cnnstat.importers.assembly import Assembly, Layer, StoredTensor, role_of
from cnnstat.importers.naming import Names
from cnnstat.importers.onnx.call import Call, Meaning, Operand, Stored, UnknownShape
from cnnstat.importers.onnx.constants import fold
from cnnstat.importers.onnx.fusing import Around, Fused, fused
from cnnstat.importers.onnx.inference import captured, constant_of, elements, inferred_shapes
from cnnstat.importers.onnx.loading import DTYPES, OnnxFile
from cnnstat.importers.onnx.paths import path_and_function
from cnnstat.importers.onnx.table import ALIASES, RULES, VIEWS
from cnnstat.importers.reference import Imported
from cnnstat.ir.op import OpError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import WindowError
from cnnstat.ops import Opaque

NOBODY_KNOWS = TensorSpec((0,))
"""Stands where a shape is not known: no elements are counted, and a note says so."""

STANDARD = ("", "ai.onnx")


def assemble(file: OnnxFile, inputs: Mapping[str, TensorSpec]) -> Imported:
    """Return the graph of a file for inputs of these specs, and what is to be said about it.

    Raises ``ShapeError`` where an operator cannot take its inputs, ``ModelError`` for a file whose
    nodes are malformed or not in an order that can run.
    """
    return _Reader(file, inputs).imported()


class _Reader:
    def __init__(self, file: OnnxFile, inputs: Mapping[str, TensorSpec]) -> None:
        self.file = file
        self.inputs = inputs
        self.graph = file.proto.graph
        self.known: dict[str, Any] = {}  # tensor -> its elements
        self.unknown: set[str] = set()  # tensors whose shape nobody knows
        self.stored: dict[str, Stored] = {}
        self.skipped: set[int] = set()  # nodes that are part of another
        alive = (node.name for node in self.graph.node if node.op_type != "Constant")
        self.assembly = Assembly(Names(path_and_function(name) for name in alive))
        self.inferred = inferred_shapes(file, inputs)

    def imported(self) -> Imported:
        for tensor in self.graph.initializer:
            self._store(tensor.name, tensor)
        batch = next((spec.shape[0] for spec in self.inputs.values() if spec.shape), 1)
        for name, spec in self.inputs.items():
            self.assembly.enter(name, name, spec, fixed=spec.shape[:1] != (batch,))
        self.read(self.graph)
        outputs = [self._key(Operand(each.name, None)) for each in self.graph.output]
        for key in outputs:
            self.assembly.value(key)
        self._report_unused()
        graph = self.assembly.graph(self.file.reference, outputs)
        return Imported(graph, tuple(self.assembly.notes))

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
        if self.stored[name].is_weight:
            path = name.replace(".", "/").strip("/") or "stored"
            role = role_of(path, trained=not constant)
            self.assembly.store(name, StoredTensor(name, path, spec, role))
        if values is not None:
            self.known[name] = values

    def _report_unused(self) -> None:
        used = {name for node in self.graph.node for name in (*node.input, *captured(node))}
        used |= {each.name for each in self.graph.output}
        names = [each.name for each in self.graph.initializer if each.name not in used]
        unread = {name: tensor for name in names if (tensor := self.assembly.stored(name))}
        self.assembly.unused(unread, "stored, but no operator reads it")
        scalars = [
            each
            for each in self.graph.initializer
            if each.name in used and "float" in self.stored[each.name].spec.dtype and not each.dims
        ]
        if scalars:
            message = f"{len(scalars)} stored scalars are read as constants, not as parameters"
            self.assembly.notes.append(Note("scalar_constants", "", message))

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
            call = replace(call, name=self._wanted_name(last.name, last.op_type, len(nodes)))
            self._apply(call, self._meaning(call, node))

    def _wanted_name(self, name: str, op_type: str, covers: int) -> str:
        """Return a path, without the operator where the exporter called the last node so."""
        path, function = path_and_function(name)
        own = function.partition("_")[0] == op_type
        return self.assembly.names.of(path, function or op_type.lower(), covers=covers * own)

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
        if not self._has(name):
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
        value = self.assembly.values.get(name)
        return self.assembly.spec(value) if value and name not in self.unknown else None

    def _unpooled(self, inputs: list[str]) -> list[str]:
        """Return an unpooling's inputs and, as its fourth, the tensor that was pooled."""
        values = self.assembly.values
        pooling = values.get(inputs[1])
        pooled = () if pooling is None else self.assembly.nodes[pooling.node].inputs[:1]
        names = [str(name) for name, value in values.items() if value in pooled]
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
                self.assembly.notes.append(Note("unknown_shape", call.name, message))
            results.append(spec or NOBODY_KNOWS)
        inside = tuple(self._operand(name, node) for name in captured(node) if self._has(name))
        reads = tuple(
            o for o in (*call.present, *inside) if o.stored is not None or o.value is None
        )
        return Meaning(Opaque(call.op_type, tuple(results)), reads)

    def _has(self, name: str) -> bool:
        return any(name in known for known in (self.stored, self.known)) or (
            self.assembly.is_known(name)
        )

    def _agrees(self, call: Call, meant: Meaning) -> bool:
        """Return whether an operator makes what ONNX's inference says, where that says anything."""
        made = self._layer(call, meant).infer([self._plain_spec(each) for each in meant.reads])
        if len(made) < len([name for name in call.results if name]):
            return False
        guesses = [self._guess(name) for name in call.results]
        return all(
            guess is None or guess.shape == spec.shape
            for guess, spec in zip(guesses, made, strict=False)
        )

    def _layer(self, call: Call, meant: Meaning) -> Layer:
        reads = tuple(each.name for each in meant.reads)
        weights = tuple(each.name for each in meant.weights)
        return Layer(meant.op, reads, weights, meant.before, meant.after)

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
        for operand in (*meant.reads, *meant.weights):
            self._key(operand)
        layer = self._layer(call, meant)
        self.assembly.apply(call.name, layer, [name or None for name in call.results])

    def _alias(self, call: Call) -> None:
        given, result = call.given(0), call.results[0]
        if given.stored is not None:
            self.stored[result] = given.stored
        if given.value is not None:
            self.known[result] = given.value
        if self.assembly.is_known(given.name):
            self.assembly.alias(result, given.name)
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
        result, tensor = call.results[0], self.assembly.stored(call.given(0).name)
        self.stored[result] = replace(stored, spec=seen, values=None)
        if tensor is not None:
            self.assembly.store(result, tensor, seen=seen)
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

    def _key(self, operand: Operand) -> str:
        """Return the key of a tensor; one that is computed on the way becomes a constant."""
        name = operand.name
        if not self.assembly.is_known(name):
            if not self._has(name):
                raise ModelError(f"{self.file.reference}: no node makes the output {name!r}")
            spec = self.stored[name].spec if name in self.stored else _spec_of(self.known[name])
            self.assembly.constant(name, f"{name.strip('/')}/constant", spec)
        return name


def _spec_of(value: Any) -> TensorSpec:
    return TensorSpec(tuple(value.shape), str(value.dtype))
