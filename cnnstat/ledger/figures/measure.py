"""How an entry asks: small functions from a model and a layer's name to a computed value.

Extents are given as sources print them: ``hwc`` for height x width x channels, ``chw`` for LeNet's
maps x height x width. A window is (kernel, stride, padding) along its height.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from cnnstat.ir.graph import Node
from cnnstat.ir.op import Op, Sliding
from cnnstat.ir.tensor import DTYPE_BYTES, TensorSpec
from cnnstat.ledger.figure import Ask, Compute, Computed, Row, Subject


def row(subject: Subject, name: str) -> Row:
    """Return a layer's row; raise ``LookupError`` if the model has none of this name."""
    found = subject.layer(name)
    if found is None:
        raise LookupError(f"{subject.shaped.graph.name} has no layer {name!r}")
    return found


def node(subject: Subject, name: str) -> Node:
    """Return a node of the graph; raise ``LookupError`` if there is none of this name."""
    for candidate in subject.shaped.nodes:
        if candidate.name == name:
            return candidate
    raise LookupError(f"{subject.shaped.graph.name} has no node {name!r}")


def ops(subject: Subject, *kinds: type[Op], under: str = "") -> list[Op]:
    """Return the operators of these classes in order, those of one module (``under``) if given."""
    return [
        n.op for n in subject.shaped.nodes if isinstance(n.op, kinds) and n.name.startswith(under)
    ]


def hwc(spec: TensorSpec) -> Computed:
    """Return height, width, channels of an image; the number of features of a vector."""
    _, c, *spatial = spec.shape
    return (*spatial, c) if spatial else c


def chw(spec: TensorSpec) -> Computed:
    """Return channels, height, width of an image; the number of features of a vector."""
    _, *rest = spec.shape
    return tuple(rest) if len(rest) > 1 else rest[0]


def window(subject: Subject, name: str) -> tuple[int, int, int]:
    """Return kernel, stride and padding of a layer with a window."""
    for place, facts in zip(subject.shaped.nodes, subject.shaped.facts, strict=True):
        if place.name == name and isinstance(facts.reach, Sliding):
            first = facts.reach.windows[0]
            return first.kernel, first.stride, first.before
    raise LookupError(f"{subject.shaped.graph.name} has no layer {name!r} with a window")


def windows(subject: Subject, *kinds: type[Op]) -> set[tuple[int, int, int]]:
    """Return the different windows that the operators of these classes have."""
    named = [n.name for n in subject.shaped.nodes if isinstance(n.op, kinds)]
    return {window(subject, name) for name in named}


def values(subject: Subject, size_bytes: int) -> int:
    """Return how many values of the model's dtype take this many bytes."""
    return size_bytes // DTYPE_BYTES[subject.input.dtype]


def groups(subject: Subject, name: str) -> int:
    """Return into how many groups a layer splits its channels; 1 where it knows none."""
    return int(getattr(node(subject, name).op, "groups", 1))


def total(model: str, quantity: str) -> Compute:
    """Return what reads one of the totals of a model."""

    def compute(ask: Ask) -> Computed:
        subject = ask(model)
        if quantity == "macs":
            return subject.totals_figures.work.macs
        plain = quantity in ("weights", "biases", "params")
        return int(getattr(subject.totals_figures if plain else subject.totals, quantity))

    return compute


def of(model: str, layer: str, *quantities: str) -> Compute:
    """Return what reads quantities of one layer: a row's, or ``hwc``, ``chw``, ``window``."""

    def compute(ask: Ask) -> Computed:
        subject = ask(model)
        found = tuple(_READ.get(q, _attribute(q))(subject, layer) for q in quantities)
        return found if len(found) > 1 else found[0]

    return compute


def each(models: tuple[str, ...], read: Callable[[Subject], Computed]) -> Compute:
    """Return what reads the same of several models."""
    return lambda ask: tuple(read(ask(model)) for model in models)


def ratio(of_model: str, to_model: str, quantity: str) -> Compute:
    """Return what divides a total of one model by that of another."""
    return lambda ask: Fraction(
        getattr(ask(of_model).totals, quantity), getattr(ask(to_model).totals, quantity)
    )


def _attribute(quantity: str) -> Callable[[Subject, str], Computed]:
    return lambda subject, layer: int(getattr(row(subject, layer), quantity))


_READ: dict[str, Callable[[Subject, str], Computed]] = {
    "hwc": lambda subject, layer: hwc(row(subject, layer).output),
    "chw": lambda subject, layer: chw(row(subject, layer).output),
    "window": window,
    "values": lambda subject, layer: row(subject, layer).output.numel,
}


def node_weights(subject: Subject, name: str) -> int:
    """Return the weights of one operator alone, without the batch norm in its row."""
    for place, facts in zip(subject.shaped.nodes, subject.shaped.facts, strict=True):
        if place.name == name:
            return sum(weight.numel for weight in facts.weights if weight.role == "weight")
    raise LookupError(f"{subject.shaped.graph.name} has no node {name!r}")
