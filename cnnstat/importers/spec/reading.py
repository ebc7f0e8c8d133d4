"""From a spec file to a graph. Every error names the file, the line, the value and the rule."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from cnnstat.errors import GraphError, UsageError, nearest, unknown
from cnnstat.importers.spec.document import Entry, SpecError, parse
from cnnstat.importers.spec.expressions import ExpressionError, fill, names_in
from cnnstat.importers.spec.operators import (
    MARKS,
    can_read,
    can_share,
    input_of,
    is_number,
    make,
    mark,
)
from cnnstat.ir.graph import Graph, Node, Value
from cnnstat.ir.op import Op, OpError
from cnnstat.ir.tensor import check_dtype

MAX_NODES = 100_000
MAX_BLOCK_NESTING = 20
MAX_NAME = 1000
TOP_KEYS = (
    *("name", "input", "inputs", "parameters"),
    *("blocks", "layers", "outputs", "training_outputs", "classes", "weight_dtypes"),
)
NODE_KEYS = ("name", "from", "tied_to", *MARKS)
INPUT_KEYS = ("shape", "dtype", "axes", "row")
GROUP_KEYS = ("repeat", "block", "layers", "with", "name", "from")


class Spec(NamedTuple):
    """A graph read from a file, and the line on which each of its nodes stands."""

    graph: Graph
    lines: Mapping[str, int]
    file: str


class Template(NamedTuple):
    """A spec file as it was parsed, to be unfolded with other values of its parameters."""

    file: str
    root: Entry

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that the file states."""
        top = self.root.value
        stated = top.get("parameters") if isinstance(top, dict) else None
        values = stated.value if stated is not None else None
        return tuple(values) if isinstance(values, dict) else ()

    def check_arguments(self, names: Iterable[str]) -> None:
        """Raise ``UsageError`` for a name that is not a parameter of the file."""
        for name in names:
            if name not in self.parameters:
                listing = "" if self.parameters else "the file has no parameters"
                raise unknown(f"parameter of {self.file}", name, self.parameters, listing=listing)

    def spec(self, arguments: Mapping[str, object] | None = None) -> Spec:
        """Return the model, with ``arguments`` instead of the file's own parameters.

        Raises ``UsageError`` for an argument without a parameter in the file, ``SpecError`` where
        it is not a model.
        """
        self.check_arguments(arguments or ())
        return _Reading(self.file, self.root, arguments or {}).spec()


def template(path: str) -> Template:
    """Return a spec file parsed, not yet unfolded.

    Raises ``UsageError`` if it cannot be read, ``SpecError`` if it is no YAML.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"cannot read {path}: {reason}") from error
    return Template(path, parse(text, path))


def read_text(text: str, file: str = "spec") -> Spec:
    """Return the model that a text describes; ``file`` is used in messages."""
    return Template(file, parse(text, file)).spec()


@dataclass
class Scope:
    """Names that layers can read, the innermost block's first, and the parameters in force."""

    prefix: str
    parameters: dict[str, object]
    names: ChainMap[str, Value] = field(default_factory=ChainMap)
    counts: dict[str, int] = field(default_factory=dict)

    def numbered(self, kind: str) -> str:
        """Return ``conv2d_1``, ``conv2d_2`` ... for layers without a name of their own."""
        stem = kind.lower()
        self.counts[stem] = self.counts.get(stem, 0) + 1
        return f"{stem}_{self.counts[stem]}"


class _Reading:
    def __init__(self, file: str, root: Entry, arguments: Mapping[str, object]) -> None:
        self.file = file
        self.root = root
        self.arguments = arguments
        self.nodes: list[Node] = []
        self.lines: dict[str, int] = {}
        self.blocks: dict[str, Entry] = {}
        self.last: Value | None = None
        self.rounds = 0

    def fail(self, entry: Entry, message: str) -> SpecError:
        return SpecError(self.file, entry.line, message)

    @contextmanager
    def _at(self, entry: Entry, subject: str = "") -> Iterator[None]:
        """Give errors of values the line on which they stand."""
        try:
            yield
        except (ExpressionError, OpError, UsageError, GraphError) as error:
            raise self.fail(entry, f"{subject}{error}") from error

    def spec(self) -> Spec:
        top = self._mapping(self.root, "the file", TOP_KEYS)
        if "layers" not in top or not ("input" in top or "inputs" in top):
            raise self.fail(self.root, "a model needs 'input' (or 'inputs') and 'layers'")
        parameters = self._parameters(top.get("parameters"), {}, self.arguments)
        self.blocks = self._mapping(top["blocks"], "blocks") if "blocks" in top else {}
        scope = Scope("", parameters)
        self._inputs(top, scope)
        self._layers(top["layers"], scope, 0)
        outputs = self._values(top["outputs"], scope) if "outputs" in top else (self.last,)
        training = self._values(top["training_outputs"], scope) if "training_outputs" in top else ()
        name = self._text(top["name"], scope) if "name" in top else Path(self.file).stem
        leaving = tuple(value for value in outputs if value is not None)
        classes, dtypes = (self._texts(top, key, scope) for key in ("classes", "weight_dtypes"))
        with self._at(top.get("weight_dtypes", self.root)):
            for dtype in dtypes.values():
                check_dtype(dtype)
        with self._at(self.root):
            nodes = tuple(self.nodes)
            graph = Graph(name, nodes, leaving, training, classes=classes, weight_dtypes=dtypes)
        return Spec(graph, self.lines, self.file)

    # values

    def _mapping(
        self, entry: Entry, what: str, keys: tuple[str, ...] | None = None
    ) -> dict[str, Entry]:
        if not isinstance(entry.value, dict):
            raise self.fail(entry, f"{what} must be a mapping of names to values")
        for key in entry.value:
            if keys is not None and key not in keys:
                close = ", ".join(nearest(key, keys) or keys)
                raise self.fail(
                    entry.value[key], f"{what} has no key {key!r}: did you mean {close}?"
                )
        return entry.value

    def _texts(self, top: dict[str, Entry], key: str, scope: Scope) -> dict[str, str]:
        """Return a mapping of names to names that the file may have."""
        entries = self._mapping(top[key], key) if key in top else {}
        return {name: self._text(entry, scope) for name, entry in entries.items()}

    def _filled(self, entry: Entry, scope: Scope, *, inside: bool = False) -> object:
        """Return a value with its expressions evaluated; ``inside`` a list or a mapping."""
        value = entry.value
        if isinstance(value, list):
            return [self._filled(item, scope, inside=True) for item in value]
        if isinstance(value, dict):
            return {key: self._filled(item, scope, inside=True) for key, item in value.items()}
        if not isinstance(value, str) or "$" not in value:
            return value
        with self._at(entry):
            filled = fill(value, scope.parameters)
        if inside and isinstance(filled, list | dict):  # such lists would unfold without end
            raise self.fail(entry, f"{value} is a list: it cannot be in another")
        return filled

    def _text(self, entry: Entry, scope: Scope) -> str:
        value = self._filled(entry, scope)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self.fail(entry, f"a name must be a word, got {value!r}")
        return str(value)

    def _parameters(
        self,
        entry: Entry | None,
        outer: dict[str, object],
        arguments: Mapping[str, object] = MappingProxyType({}),
    ) -> dict[str, object]:
        """Return the parameters in force, of which some may be given instead of what is stated."""
        values = dict(outer)
        for key, value in (self._mapping(entry, "parameters") if entry else {}).items():
            stated = Scope("", values)
            values[key] = arguments[key] if key in arguments else self._filled(value, stated)
        return values

    def _values(self, entry: Entry, scope: Scope) -> tuple[Value, ...]:
        entries = entry.value if isinstance(entry.value, list) else [entry]
        return tuple(self._value(item, scope) for item in entries)

    def _value(self, entry: Entry, scope: Scope) -> Value:
        text = self._text(entry, scope)
        known = scope.names
        name, colon, number = text.rpartition(":")
        if not colon or not is_number(number) or text in known:
            name, number = text, "0"
        if name not in known:
            close = ", ".join(nearest(name, known) or [*known][-5:])
            raise self.fail(
                entry,
                f"no layer before this one is called {name!r} (a graph has no cycles): {close}?",
            )
        return Value(known[name].node, int(number) or known[name].result)

    # structure

    def _inputs(self, top: dict[str, Entry], scope: Scope) -> None:
        if "input" in top and "inputs" in top:
            raise self.fail(top["inputs"], "a model has either 'input' or 'inputs', not both")
        entries = (
            self._mapping(top["inputs"], "inputs") if "inputs" in top else {"input": top["input"]}
        )
        if not entries:
            raise self.fail(top["inputs"], "a model needs at least one input")
        for key, entry in entries.items():
            name = self._text(Entry(key, entry.line), scope)
            stated, marks = self._filled(entry, scope), {}
            if isinstance(stated, dict):
                marks = self._marks(self._mapping(entry, f"input {name}", INPUT_KEYS), scope)
            with self._at(entry, f"input {name}: "):
                op = input_of(stated)
            self.last = self._add(entry, scope, name, Node(name, op, (), **marks))

    def _layers(self, entry: Entry, scope: Scope, nesting: int) -> None:
        if nesting > MAX_BLOCK_NESTING:
            raise self.fail(
                entry, f"blocks nested deeper than {MAX_BLOCK_NESTING}; does one contain itself?"
            )
        if not isinstance(entry.value, list):
            raise self.fail(entry, "layers must be a list")
        for layer in entry.value:
            keys = layer.value if isinstance(layer.value, dict) else {}
            if "block" in keys or "layers" in keys or "repeat" in keys:
                self._group(layer, scope, nesting)
            else:
                self._layer(layer, scope)

    def _layer(self, entry: Entry, scope: Scope) -> None:
        if isinstance(entry.value, str):
            kind, arguments, keys = entry.value, None, {}
        else:
            keys = self._mapping(entry, "a layer")
            kinds = [key for key in keys if key not in NODE_KEYS]
            if len(kinds) != 1:
                raise self.fail(
                    entry,
                    f"a layer is one operator with its fields; got {', '.join(kinds) or 'none'}",
                )
            kind, arguments = kinds[0], keys[kinds[0]]
        with self._at(arguments or entry):
            op = make(kind, None if arguments is None else self._filled(arguments, scope))
        local = self._text(keys["name"], scope) if "name" in keys else scope.numbered(kind)
        inputs = self._values(keys["from"], scope) if "from" in keys else (self._previous(entry),)
        if not can_read(op, len(inputs)):
            stated = keys.get("from", entry)
            raise self.fail(stated, f"{kind} reads {_input_count(*op.reads)}, got {len(inputs)}")
        tied = self._tied(keys["tied_to"], scope, op) if "tied_to" in keys else None
        node = Node(scope.prefix + local, op, inputs, tied, **self._marks(keys, scope))
        self.last = self._add(entry, scope, local, node)

    def _marks(self, keys: dict[str, Entry], scope: Scope) -> dict[str, Any]:
        """Return the marks among the keys of a layer or an input, as fields of its node."""
        marks = {}
        for name in MARKS:
            if name in keys:
                with self._at(keys[name]):
                    value = mark(name, self._filled(keys[name], scope))
                marks[name] = scope.prefix + value if name == "row" else value
        return marks

    def _tied(self, entry: Entry, scope: Scope, op: Op) -> int:
        """Return the node whose weights a layer shares: a layer, or one of the same operator."""
        node = self._value(entry, scope).node
        owner = self.nodes[node].op
        if not can_share(op, owner):
            raise self.fail(
                entry, f"{op.type_name} cannot share the weights of {owner.type_name}: a layer can"
            )
        return node

    def _previous(self, entry: Entry) -> Value:
        if self.last is None:
            raise self.fail(entry, "there is no layer before this one")
        return self.last

    def _add(self, entry: Entry, scope: Scope, local: str, node: Node) -> Value:
        if not local:
            raise self.fail(entry, "a name must not be empty")
        if len(node.name) > MAX_NAME:
            raise self.fail(entry, f"a name of more than {MAX_NAME:,} characters")
        if node.name in self.lines:
            raise self.fail(
                entry,
                f"the name {node.name!r} is used twice (first on line {self.lines[node.name]})",
            )
        if len(self.nodes) >= MAX_NODES:
            raise self.fail(entry, f"more than {MAX_NODES:,} layers")
        self.nodes.append(node)
        self.lines[node.name] = entry.line
        scope.names[local] = value = Value(len(self.nodes) - 1)
        return value

    def _group(self, entry: Entry, scope: Scope, nesting: int) -> None:
        keys = self._mapping(entry, "a block", GROUP_KEYS)
        count = self._filled(keys["repeat"], scope) if "repeat" in keys else 1
        if type(count) is not int or not 0 <= count <= MAX_NODES:
            raise self.fail(keys["repeat"], f"repeat (={count!r}) must be 0 to {MAX_NODES:,}")
        body, parameters = self._body(entry, keys, scope)
        for index in range(1, count + 1):
            self.rounds += 1
            if self.rounds > MAX_NODES:
                raise self.fail(entry, f"repeats unfold to more than {MAX_NODES:,} rounds")
            values = {**parameters, "index": index}
            inner = Scope(scope.prefix, values, scope.names.new_child())
            if "with" in keys:
                self._check_with(keys, body, values)
                inner.parameters = self._parameters(keys["with"], values)
            if "from" in keys and index == 1:
                self.last = self._value(keys["from"], scope)
            local = self._group_name(keys, inner, scope, count)
            if local:
                inner.prefix = f"{scope.prefix}{local}/"
            else:
                inner.counts = scope.counts
            inner.names["in"] = self._previous(entry)
            self._layers(body, inner, nesting + 1)
            if local:
                scope.names[local] = self._previous(entry)
            else:
                scope.names.update((k, v) for k, v in inner.names.maps[0].items() if k != "in")

    def _check_with(self, keys: dict[str, Entry], body: Entry, values: dict[str, object]) -> None:
        """Refuse a parameter that neither the block states nor its layers use."""
        known = {**values, **dict.fromkeys(names_in(body.plain()))}
        for name, entry in self._mapping(keys["with"], "with").items():
            if name not in known or name == "index":
                close = [each for each in known if each != "index"]
                names = ", ".join(nearest(name, close) or close) or "it has none"
                raise self.fail(entry, f"the block has no parameter {name!r}: {names}")

    def _body(
        self, entry: Entry, keys: dict[str, Entry], scope: Scope
    ) -> tuple[Entry, dict[str, object]]:
        if ("block" in keys) == ("layers" in keys):
            raise self.fail(entry, "a repeat needs either 'block' or 'layers'")
        if "layers" in keys:
            return keys["layers"], scope.parameters
        name = self._text(keys["block"], scope)
        if name not in self.blocks:
            close = ", ".join(nearest(name, self.blocks) or self.blocks) or "none is defined"
            raise self.fail(keys["block"], f"no block is called {name!r}: {close}")
        block = self.blocks[name]
        if isinstance(block.value, list):
            return block, scope.parameters
        entries = self._mapping(block, f"block {name}", ("parameters", "layers"))
        if "layers" not in entries:
            raise self.fail(block, f"block {name} needs 'layers'")
        return entries["layers"], self._parameters(entries.get("parameters"), scope.parameters)

    def _group_name(self, keys: dict[str, Entry], inner: Scope, outer: Scope, count: int) -> str:
        if "name" not in keys:
            return outer.numbered(self._text(keys["block"], inner)) if "block" in keys else ""
        name = self._text(keys["name"], inner)
        raw = str(keys["name"].value)
        return name if count == 1 or "$" in raw else f"{name}_{inner.parameters['index']}"


def _input_count(fewest: int, most: int | None) -> str:
    """Return a number of inputs in words."""
    if fewest != most:
        return f"{fewest} {'or more' if most is None else f'to {most}'} inputs"
    return f"{fewest} input{'' if fewest == 1 else 's'}"
