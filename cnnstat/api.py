"""What a notebook and the command line both call: load a model by reference, analyse it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cnnstat.engine.conventions import convention as find_convention
from cnnstat.engine.report import Report
from cnnstat.engine.report import analyze as analyze_graph
from cnnstat.errors import ShapeError, UsageError
from cnnstat.importers.reference import form_of
from cnnstat.ir.graph import Graph, ShapedGraph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec, check_dtype, check_shape
from cnnstat.zoo.card import ModelCard
from cnnstat.zoo.catalog import FAMILIES, find, find_family

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model: its graph, the default spec of each input, and its card if it has one.

    ``places`` says where in its source a node stands (``net.yaml:12``), for error messages.
    """

    reference: str
    graph: Graph
    inputs: Mapping[str, TensorSpec]
    card: ModelCard | None = None
    places: Mapping[str, str] = field(default_factory=dict)


def load(reference: str, *, classes: int | None = None) -> Model:
    """Return the model that a reference names; raise ``UsageError`` if there is none.

    ``classes`` replaces the number of classes that the model was published with.
    """
    if classes is not None and classes < 1:
        raise UsageError(f"classes must be at least 1, got {classes}")
    form = form_of(reference)
    if form == "zoo":
        card = find(reference)
        graph = card.build(card.classes if classes is None else classes)
        return Model(reference, graph, _defaults(graph), card)
    if classes is not None:
        raise UsageError(f"{reference}: only a model of the zoo takes a number of classes")
    if form == "spec":
        from cnnstat.importers.spec.reading import read

        spec = read(reference)
        places = {name: f"{spec.file}:{line}" for name, line in spec.lines.items()}
        return Model(reference, spec.graph, _defaults(spec.graph), places=places)
    raise UsageError(f"{reference}: a model is a name of the zoo or a .yaml file")


def _defaults(graph: Graph) -> dict[str, TensorSpec]:
    return {node.name: node.op.infer(())[0] for node in graph.nodes if not node.inputs}


def analyze(
    reference: str | Model,
    *,
    input: tuple[int, ...] | None = None,
    batch: int = 1,
    dtype: str | None = None,
    classes: int | None = None,
    convention: str = "paper",
) -> Report:
    """Return the report of a model.

    ``input`` is a shape without the batch for the model's first input: (c, h, w), or (h, w), or
    (h,) for a square one, with the model's own channels. Raises ``UsageError`` for bad arguments,
    ``ModelError`` where the shapes do not fit.
    """
    rule = find_convention(convention)
    model = load(reference, classes=classes) if isinstance(reference, str) else reference
    specs = input_specs(model, input=input, batch=batch, dtype=dtype)
    return analyze_graph(_shaped(model, specs), convention=rule)


def zoo(family: str | None = None) -> Iterator[tuple[ModelCard, Report]]:
    """Yield the card and report of every listed model, family by family; one ``family`` alone.

    Raises ``UsageError`` with the nearest families where there is none of that name.
    """
    for group in FAMILIES if family is None else (find_family(family),):
        for name in group.names:
            card = find(name)
            yield card, analyze_graph(infer_shapes(card.build(card.classes), {}))


def build(
    reference: str | Model,
    *,
    input: tuple[int, ...] | None = None,
    classes: int | None = None,
    device: str = "cpu",
    dtype: str | None = None,
    seed: int | None = 0,
) -> Module:
    """Return a model as a PyTorch module, in training mode as every new module.

    ``input`` is a shape as for ``analyze``; the batch is free. The weights are drawn as the model's
    paper says from ``seed``, or a fresh one for None; on the device ``meta`` there are none. Raises
    ``UsageError`` for bad arguments or where PyTorch is missing, ``ModelError`` for a model that
    cannot be built.
    """
    from cnnstat.backends.torch import require_torch

    require_torch()
    from cnnstat.backends.torch.build import build_module
    from cnnstat.backends.torch.initialize import scheme_of

    model = load(reference, classes=classes) if isinstance(reference, str) else reference
    specs = input_specs(model, input=input, dtype=dtype)
    training = model.card.training if model.card is not None else None
    return build_module(
        model.graph,
        specs,
        seed=seed,
        device=device,
        scheme=scheme_of(training.initialization if training is not None else ""),
    )


def input_specs(
    model: Model,
    *,
    input: tuple[int, ...] | None = None,
    batch: int = 1,
    dtype: str | None = None,
) -> dict[str, TensorSpec]:
    """Return the spec of each input by name; the arguments and errors are those of ``analyze``."""
    if batch < 1:
        raise UsageError(f"batch must be at least 1, got {batch}")
    specs = {}
    for position, (name, spec) in enumerate(model.inputs.items()):
        shape = spec.shape[1:]
        if input is not None and position == 0:
            shape = _complete(check_shape(input), shape)
        kind = spec.dtype if dtype is None or "float" not in spec.dtype else check_dtype(dtype)
        specs[name] = TensorSpec((batch, *shape), kind)
    return specs


def _shaped(model: Model, specs: Mapping[str, TensorSpec]) -> ShapedGraph:
    try:
        return infer_shapes(model.graph, specs)
    except ShapeError as error:
        if error.node not in model.places:
            raise
        raise ShapeError(f"{model.places[error.node]}: {error}", error.node) from error


def _complete(given: tuple[int, ...], default: tuple[int, ...]) -> tuple[int, ...]:
    if len(given) == len(default):
        return given
    if len(given) == 1 and len(default) == 3:
        return (default[0], given[0], given[0])
    if len(given) == 2 and len(default) == 3:
        return (default[0], *given)
    wanted = "x".join(map(str, default))
    raise UsageError(
        f"input {'x'.join(map(str, given))}: expected {len(default)} extents as in {wanted}"
    )
