"""From a parsed file to a graph: the meaning of every node goes into the assembly of all readers.

A tensor's key is its name. Arithmetic on shapes is computed on the way. Shapes come from the rules
of ``table`` and ``defined``, never from onnx's inference of the whole graph, which a small file can
crash or make grow (``shapes`` asks it about single nodes); of a node without a rule the file's own
declarations tell them. Such a node is opaque.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from onnx import AttributeProto, ModelProto, TensorProto, helper

from cnnstat.count.report import Note
from cnnstat.errors import CnnstatError, ModelError, ShapeError
from cnnstat.importers.assembly import Assembly, Layer
from cnnstat.importers.naming import Names, printable
from cnnstat.importers.onnx.call import Call, Meaning, Operand, UnknownShape, is_weight
from cnnstat.importers.onnx.constants import fold
from cnnstat.importers.onnx.defined import DEFINED
from cnnstat.importers.onnx.fusing import Around, Fused, fused
from cnnstat.importers.onnx.loading import OnnxFile, declared_shapes
from cnnstat.importers.onnx.loops import WITH_GRAPHS, Body, branch_of, run_inside
from cnnstat.importers.onnx.nodes import (
    STANDARD,
    captured,
    check_node,
    constant_of,
    elements,
    in_order,
    inner_tensors,
    is_constant,
    path_and_function,
    stored_in,
)
from cnnstat.importers.onnx.table import ALIASES, RULES, VIEWS, WEIGHTS
from cnnstat.importers.onnx.tensors import Tensors
from cnnstat.importers.reference import Imported
from cnnstat.ir.op import OpError
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import UNKNOWN, TensorSpec
from cnnstat.ir.window import WindowError
from cnnstat.ops import Opaque, Rearrange


def assemble(file: OnnxFile, inputs: Mapping[str, TensorSpec]) -> Imported:
    """Return the graph of a file for inputs of these specs, and notes on it.

    Raises ``ShapeError`` where an operator cannot take its inputs, ``ModelError`` for a file whose
    nodes are malformed or read missing tensors.
    """
    return _Reader(file, inputs).imported()


class _Reader:
    def __init__(self, file: OnnxFile, inputs: Mapping[str, TensorSpec]) -> None:
        self.file = file
        self.inputs = inputs
        self.graph = file.proto.graph
        alive = (node.name for node in self.graph.node if node.op_type != "Constant")
        self.assembly = Assembly(Names(path_and_function(name) for name in alive))
        self.tensors = Tensors(file.reference, self.assembly)
        self.declared = declared_shapes(file, inputs)

    def imported(self) -> Imported:
        self._enter()
        self._store(self.graph)
        self._read(self.graph)
        outputs = [self.tensors.key(each.name) for each in self.graph.output]
        for key in outputs:
            self.assembly.value(key)
        self._report_unused()
        graph = self.assembly.graph(self.file.reference, outputs)
        return Imported(graph, tuple(self.assembly.notes))

    def _enter(self) -> None:
        for name, spec in self.inputs.items():
            self.assembly.enter(name, name, spec)
        for name in self.file.containers:
            self._add_unknown(name, name, "an input that is not a tensor")

    def _add_unknown(self, name: str, path: str, kind: str) -> None:
        spec = (UNKNOWN,)
        self.assembly.values[name] = self.assembly.add(path, Opaque(kind, spec), (), spec)

    # -- stored tensors -------------------------------------------------------------------------

    def _store(self, graph: Any) -> None:
        for tensor in stored_in(graph):
            self.tensors.store(tensor.name, tensor)

    def _report_unused(self) -> None:
        used = {name for node in self.graph.node for name in (*node.input, *captured(node))}
        used |= {each.name for each in self.graph.output}
        tensors = stored_in(self.graph)
        unread = {
            each.name: stored
            for each in tensors
            if each.name not in used and (stored := self.assembly.stored(each.name))
        }
        self.assembly.unused(unread, "stored, but no operator reads it")
        scalars = [
            each
            for each in tensors
            if each.name in used
            and not each.dims
            and (scalar := self.tensors.stored.get(each.name)) is not None
            and "float" in scalar.spec.dtype
        ]
        if scalars:
            message = f"{len(scalars)} stored scalars are read as constants, not as parameters"
            self.assembly.notes.append(Note("scalar_constants", "", message))

    # -- nodes ----------------------------------------------------------------------------------

    def _read(self, graph: Any) -> None:
        """Read the nodes that a result depends on, each after those that it reads."""
        nodes = in_order(graph.node, self.file.reference, self.tensors.has)
        readers: dict[str, list[Any]] = {each.name: [None] for each in graph.output}
        alive = []
        for node in reversed(nodes):
            if not any(name in readers for name in node.output):
                continue
            alive.append(node)
            for name in dict.fromkeys((*node.input, *captured(node))):
                readers.setdefault(name, []).append(node)
        alive.reverse()
        for node in alive:
            if is_constant(node) and (tensor := constant_of(node)) is not None:
                self.tensors.store(node.output[0], tensor, constant=True)
        tensors = self.tensors
        around = Around(readers, tensors.stored, tensors.known, tensors.spec)
        covered: set[int] = set()  # nodes that are part of another
        for node in alive:
            if id(node) in covered or (is_constant(node) and tensors.has(node.output[0])):
                continue
            try:
                check_node(node, self.file.opsets)
                together = fused(node, around)
                covered.update(map(id, together.nodes if together else ()))
                self._node(node, together, readers)
            except _MALFORMED as error:
                # attributes or inputs that the operator's definition does not allow
                name = printable(node.name or node.op_type)
                message = f"{name} ({printable(node.op_type)}) is malformed: {_first_line(error)}"
                raise ModelError(f"{self.file.reference}: {message}") from error

    def _node(self, node: Any, together: Fused | None, readers: Mapping[str, Any]) -> None:
        call = self._call(node, together, readers)
        for name in filter(None, call.results):
            self.tensors.forget((name,))
        standard = node.domain in STANDARD
        folded = fold(call) if standard else None
        if folded is not None:
            self.tensors.known.update(
                (name, value) for name, value in zip(call.results, folded, strict=False) if name
            )
        elif standard and call.op_type in ALIASES:
            self.tensors.alias(call.results[0], call.required(0).name)
        elif standard and together is None and self._is_view_of_stored(call, node):
            return
        elif standard and call.op_type == "If" and call.required(0).value is not None:
            self._branch(node, bool(call.required(0).value.reshape(-1)[0]))
        else:
            nodes = (node,) if together is None else together.nodes
            last = nodes[-1]
            call = replace(call, name=self._wanted_name(last.name, last.op_type, len(nodes)))
            self._apply(call, self._meaning(call, node))

    def _wanted_name(self, name: str, op_type: str, covers: int) -> str:
        """Return a path, without the operator where the exporter called the last node so."""
        path, function = path_and_function(name)
        own = function.partition("_")[0] == op_type
        return self.assembly.names.of(path, function or op_type.lower(), covers=covers * own)

    def _call(self, node: Any, together: Fused | None, readers: Mapping[str, Any]) -> Call:
        kind = node.op_type if together is None else together.op_type
        inputs = list(node.input) if together is None else list(together.inputs)
        outputs = tuple(node.output) if together is None else together.results
        results = tuple(name if name in readers else "" for name in outputs)
        attributes = {}
        for each in node.attribute:
            if each.type not in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
                attributes[each.name] = helper.get_attribute_value(each)
        attributes.update(together.attributes if together is not None else {})
        if isinstance(attributes.get("value"), TensorProto):
            attributes["value"] = elements(attributes["value"])
        if kind == "MaxUnpool":
            inputs = self._unpooled(inputs)
        while results and not results[-1]:
            results = results[:-1]
        operands = tuple(self._operand(name, node) if name else None for name in inputs)
        name, opsets = node.name or kind, self.file.opsets
        return Call(name, kind, opsets, operands, results, attributes, node, self.declared)

    def _operand(self, name: str, node: Any) -> Operand:
        if not self.tensors.has(name):
            raise ModelError(
                f"{self.file.reference}: {printable(node.name or node.op_type)} "
                f"({printable(node.op_type)}) reads "
                f"{name!r}, which is neither an input, nor stored, nor the output of a node"
            )
        return self.tensors.operand(name)

    def _unpooled(self, inputs: list[str]) -> list[str]:
        """Return an unpooling's inputs and, as its fourth, the tensor that was pooled."""
        values = self.assembly.values
        pooling = values.get(inputs[1])
        pooled = () if pooling is None else self.assembly.nodes[pooling.node].inputs[:1]
        names = [str(name) for name, value in values.items() if value in pooled]
        return [*inputs, *[""] * (3 - len(inputs)), *names[:1]]

    def _meaning(self, call: Call, node: Any) -> Meaning:
        known = node.domain in STANDARD or node.domain.startswith("ai.onnx.")
        tables = (RULES, DEFINED) if known else ()
        try:
            if any(each.spec is None for each in call.present):
                raise UnknownShape(call.name)
            for rule in filter(None, (table.get(call.op_type) for table in tables)):
                meant = rule(call)
                if meant is not None and self._answers(call, meant):
                    return meant
        except UnknownShape:
            pass  # opaque, of the shape that the file declares
        except (OpError, WindowError) as error:
            raise self._misfit(call, error) from error
        read = self._with_graphs if call.op_type in WITH_GRAPHS else self._opaque
        return read(call, node)

    def _with_graphs(self, call: Call, node: Any) -> Meaning:
        """Read a loop, or branches: opaque, with the work of what is inside where that is known."""
        meant = self._opaque(call, node)
        try:
            made = run_inside(call, node, partial(self._body, captured(node)))
        except (CnnstatError, UnknownShape, OpError):
            return meant  # a body that does not fit itself: unknown
        if made is None:
            return meant
        pairs = zip(call.results, made[0], strict=False)
        specs = tuple(spec or call.declared.get(name, UNKNOWN) for name, spec in pairs)
        return meant._replace(op=Opaque(call.op_type, specs, made[1]))

    def _body(self, names: Sequence[str], graph: Any, entering: Mapping[str, TensorSpec]) -> Body:
        """Return a graph inside a node, which reads tensors of this one by these names."""
        model = ModelProto()
        model.graph.CopyFrom(graph)
        inner = _Reader(replace(self.file, proto=model, inputs={}, containers=()), {})
        inner.inputs = dict(entering)
        for name in names:
            spec = inner.tensors.adopt(name, self.tensors)
            if spec is not None:
                inner.inputs[name] = spec
        return inner.body()

    def body(self) -> Body:
        """Return one run of the graph, and what its results are."""
        self._enter()
        specs = {
            self.assembly.nodes[self.assembly.values[name].node].name: spec
            for name, spec in self.inputs.items()
        }
        self._store(self.graph)
        self._read(self.graph)
        results = {each.name: self.tensors.spec(each.name) for each in self.graph.output}
        keys = [self.tensors.key(name) for name, spec in results.items() if spec is not None]
        graph = self.assembly.graph(self.file.reference, keys)
        return Body(infer_shapes(graph, specs), results)

    def _answers(self, call: Call, meant: Meaning) -> bool:
        """Return whether an operator takes its inputs and makes every result that is read."""
        made = len(self._layer(call, meant).infer([_plain(each) for each in meant.reads]))
        extra = {number for number, _, _ in meant.extras}
        wanted = (number for number, name in enumerate(call.results) if name)
        return all(number < made or number in extra for number in wanted)

    def _opaque(self, call: Call, node: Any) -> Meaning:
        reads = list(call.data)
        reads += [self.tensors.operand(n) for n in captured(node) if self.tensors.has(n)]
        for number, tensor in enumerate(inner_tensors(node)):
            name = f"{call.name}/{number}/{tensor.name}"
            self.tensors.store(name, tensor)
            reads.append(self.tensors.operand(name))
        reads = [each for each in reads if each.value is None or is_weight(each)]
        distinct = {each.name: each for each in reads}
        results = tuple(call.declared.get(name, UNKNOWN) for name in call.results)
        return Meaning(Opaque(call.op_type, results), tuple(distinct.values()))

    def _layer(self, call: Call, meant: Meaning) -> Layer:
        reads = tuple(each.name for each in meant.reads)
        weights = tuple(each.name for each in meant.weights)
        return Layer(meant.op, reads, weights, meant.before, meant.after)

    def _misfit(self, call: Call, error: Exception) -> ShapeError:
        shapes = ", ".join(str(each.spec) for each in call.present if each.stored is None)
        return ShapeError(
            f"{self.file.reference}: {printable(call.name)} ({call.op_type}) cannot take "
            f"{shapes or 'no input'}: {error}",
            call.name,
        )

    def _apply(self, call: Call, meant: Meaning) -> None:
        for number in WEIGHTS.get(call.op_type, ()):
            operand = call.operand(number)
            if operand is not None and operand.stored is not None and operand.stored.spec.rank:
                self.tensors.take_as_weight(operand.name)
        for operand in (*meant.reads, *meant.weights):
            self.tensors.key(operand.name)
        try:
            layer = self._layer(call, meant)
            node = self.assembly.apply(call.name, layer, [name or None for name in call.results])
        except (OpError, WindowError) as error:
            raise self._misfit(call, error) from error
        path = self.assembly.nodes[node].name
        for number, kind, spec in meant.extras:
            if number < len(call.results) and call.results[number]:
                extra, read = Rearrange(kind, (spec,)), self.assembly.value(meant.reads[0].name)
                value = self.assembly.applied(f"{path}/{kind}", extra, (read,))
                self.assembly.values[call.results[number]] = value
        for name in call.results:
            if name and self.tensors.spec(name) is None:
                message = f"the shape of {name}, a result of {call.op_type}, is unknown"
                self.assembly.notes.append(Note("unknown_shape", path, message))

    def _is_view_of_stored(self, call: Call, node: Any) -> bool:
        """Note another view of a whole stored tensor (its transpose) as that tensor, no node."""
        operand = call.operand(0)
        stored = None if operand is None else operand.stored
        if operand is None or stored is None or call.op_type not in VIEWS or not stored.is_weight:
            return False
        meant = self._meaning(call, node)
        if isinstance(meant.op, Opaque):
            return False
        self.tensors.view(call.results[0], operand.name, meant.op.infer((stored.spec,))[0])
        return True

    def _branch(self, node: Any, taken: bool) -> None:
        """Read the branch of an ``If`` whose condition is known."""
        graph = branch_of(node, "then_branch" if taken else "else_branch")
        inner = [name for each in graph.node for name in each.output if name]
        self.tensors.forget(inner)
        self._store(graph)
        self._read(graph)
        for made, name in zip(graph.output, node.output, strict=True):
            self.tensors.alias(name, self._operand(made.name, node).name)


_MALFORMED = (
    *(LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError),
)


def _first_line(error: Exception) -> str:
    return printable(next(iter(str(error).splitlines()), "") or type(error).__name__)


def _plain(operand: Operand) -> TensorSpec:
    if operand.spec is None:
        raise UnknownShape(operand.name)
    return operand.spec
