"""What a notebook and the command line both call: load a model by reference, analyse it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cnnstat.engine.compare import Entry, Quoted
from cnnstat.engine.compare import compare as side_by_side
from cnnstat.engine.conventions import convention as find_convention
from cnnstat.engine.report import Report
from cnnstat.engine.report import analyze as analyze_graph
from cnnstat.errors import ShapeError, UsageError, unknown
from cnnstat.importers.reference import Imported, form_of
from cnnstat.ir.graph import Graph, ShapedGraph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec, check_dtype, check_shape
from cnnstat.render.notebook import ShownComparison, ShownReport
from cnnstat.zoo.card import ModelCard
from cnnstat.zoo.catalog import FAMILIES, canonical, family_of, find, find_family

if TYPE_CHECKING:
    from torch.nn import Module

    from cnnstat.engine.benchplan import Progress, Settings
    from cnnstat.engine.check import Check
    from cnnstat.engine.claims import Claim, Published
    from cnnstat.engine.fit import Fit, Memory
    from cnnstat.engine.measurement import Measurement
    from cnnstat.engine.memory import Measured, MemoryPlan
    from cnnstat.engine.memory import Settings as MemorySettings
    from cnnstat.zoo.figure import Figure


Inputs = tuple[int, ...] | Mapping[str, TensorSpec | tuple[int, ...]]
"""Shapes without the batch: of the first input, or of each by name (a spec tells its dtype)."""


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model: the default spec of each input, its graph, and its card if it has one.

    ``structure`` is a graph that holds for every input; ``trace`` makes one for the inputs that it
    is given, as a PyTorch module is captured; ``named`` says that it takes inputs of just these
    names, where an extent of 0 is free (an ONNX file). ``places`` says where in its source a node
    stands (``net.yaml:12``), for error messages. ``own_module`` returns the user's own module, a
    new one with weights each time, where the model is one.
    """

    reference: str
    inputs: Mapping[str, TensorSpec]
    structure: Graph | None = None
    card: ModelCard | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    trace: Callable[[Mapping[str, TensorSpec]], Imported] | None = None
    named: bool = False
    own_module: Callable[[], Module] | None = None

    @property
    def graph(self) -> Graph:
        """The graph for the default inputs."""
        return self.graph_for(self.inputs).graph

    def graph_for(self, specs: Mapping[str, TensorSpec]) -> Imported:
        """Return the graph for inputs of these specs, and what is to be said about it."""
        if self.structure is not None:
            return Imported(self.structure)
        if self.trace is None:
            raise UsageError(f"{self.reference} has no graph")
        return self.trace(specs)


def load(
    reference: str | Module,
    *,
    classes: int | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Model:
    """Return the model that a reference names, or that an ``nn.Module`` is.

    ``classes`` replaces the number of classes that a model of the zoo was published with;
    ``arguments`` are passed to a Python callable. Raises ``UsageError`` if there is no such model.
    """
    if not isinstance(reference, str):
        return _module(type(reference).__name__, reference)
    if classes is not None and classes < 1:
        raise UsageError(f"classes must be at least 1, got {classes}")
    form = form_of(reference)
    if arguments is not None and form != "python":
        raise UsageError(f"{reference}: only a Python callable takes arguments")
    if form == "zoo":
        card = find(reference)
        graph = card.build(card.classes if classes is None else classes)
        return Model(reference, _defaults(graph), graph, card)
    if classes is not None:
        hint = "; pass it with --args, as its callable names it" if form == "python" else ""
        raise UsageError(f"{reference}: only a model of the zoo takes a number of classes{hint}")
    if form == "onnx":
        from cnnstat.importers.onnx_file.importing import load_onnx

        found = load_onnx(reference)
        return Model(reference, found.inputs, trace=found.trace, named=True)
    if form == "spec":
        from cnnstat.importers.spec.reading import read

        spec = read(reference)
        places = {name: f"{spec.file}:{line}" for name, line in spec.lines.items()}
        return Model(reference, _defaults(spec.graph), spec.graph, places=places)
    from cnnstat.importers.module.loading import load_module

    return _module(
        reference,
        load_module(reference, arguments),
        lambda: load_module(reference, arguments, weights=True),
    )


def _module(reference: str, module: Module, remake: Callable[[], Module] | None = None) -> Model:
    from cnnstat.importers.module.loading import default_input

    def trace(specs: Mapping[str, TensorSpec]) -> Imported:
        from cnnstat.importers.module.importing import import_module

        return import_module(reference, module, specs, remake=remake)

    def copied() -> Module:
        from copy import deepcopy

        return deepcopy(module)

    own = copied if remake is None else remake
    return Model(reference, {"input": default_input(module)}, trace=trace, own_module=own)


def _defaults(graph: Graph) -> dict[str, TensorSpec]:
    return {node.name: node.op.infer(())[0] for node in graph.nodes if node.op.is_input}


def analyze(
    reference: str | Model | Module,
    *,
    input: Inputs | None = None,
    batch: int = 1,
    dtype: str | None = None,
    classes: int | None = None,
    convention: str = "paper",
) -> ShownReport:
    """Return the report of a model, which shows itself in a notebook.

    ``reference`` names a model, or is one: a loaded ``Model`` or an ``nn.Module``. ``input`` is a
    shape without the batch for the model's first input: (c, h, w), or (h, w), or (h,) for a square
    one, with the model's own channels; or a mapping of names to shapes. Raises ``UsageError`` for
    bad arguments, ``ModelError`` where the shapes do not fit.
    """
    rule = find_convention(convention)
    model = reference if isinstance(reference, Model) else load(reference, classes=classes)
    specs = input_specs(model, input=input, batch=batch, dtype=dtype)
    shaped, (_, notes, frozen) = _shaped(model, specs)
    report = analyze_graph(shaped, convention=rule, notes=notes, frozen_params=frozen)
    card = model.card
    return ShownReport(
        report.shaped,
        report.convention,
        report.placement,
        report.nodes,
        report.notes,
        report.frozen_params,
        model.own_module,
        reference=model.reference,
        card=card,
        quote=None if card is None else lambda found: published(found, card),
    )


def compare(
    *references: str | Model | Module,
    inputs: Sequence[Inputs | None] = (None,),
    batch: int = 1,
    baseline: str | None = None,
    sort: str | None = None,
) -> ShownComparison:
    """Return models side by side, each on every one of ``inputs`` (None: its own).

    Without models, the line-up of the zoo. ``baseline`` names the model that ratios refer to
    (``NAME@SHAPE`` on one of several inputs), ``sort`` a measure. Raises ``UsageError`` for bad
    arguments, ``ModelError`` where the shapes do not fit.
    """
    from cnnstat.zoo.lineup import LINEUP

    entries = []
    for reference in references or LINEUP:
        model = reference if isinstance(reference, Model) else load(reference)
        entries += [_entry(model, analyze(model, input=i, batch=batch)) for i in inputs]
    if baseline is not None and not any(
        baseline.partition("@")[0] in (entry.name, entry.reference) for entry in entries
    ):
        name, at, shape = baseline.partition("@")
        baseline = f"{canonical(name)}{at}{shape}"
    found = side_by_side(entries, baseline=baseline, sort=sort, quoted=_quoted(entries))
    return ShownComparison(found.entries, found.baseline, found.quoted)


def _entry(model: Model, report: Report) -> Entry:
    from cnnstat.zoo.lineup import leading_accuracy

    card = model.card
    if card is None:
        return Entry(model.reference, report, model.reference)
    published_on = report.input.shape[1:] == card.input_shape
    error = leading_accuracy(card) if published_on else None
    name, title = card.name, card.title
    return Entry(name, report, model.reference, title, card.family, card.year, error)


def _quoted(entries: Sequence[Entry]) -> tuple[Quoted, ...]:
    """Return what the ledger says of ratios between the compared models of the zoo."""
    names = dict.fromkeys(entry.name for entry in entries if entry.family)
    if len(names) < 2:
        return ()
    from cnnstat.engine.claims import shown
    from cnnstat.zoo.figures import headlines
    from cnnstat.zoo.figures.between import ratios_between
    from cnnstat.zoo.figures.sources import citation

    ask = Asked()
    stems = dict.fromkeys(family_of(name).module for name in names)
    figures = [figure for stem in stems for figure in headlines(stem)]
    return tuple(
        Quoted(models, shown(_claim(figure, ask), citation(figure.source, figure.place)))
        for figure, models in ratios_between(figures, names, ask)
    )


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
    input: Inputs | None = None,
    classes: int | None = None,
    device: str = "cpu",
    dtype: str | None = None,
    seed: int | None = 0,
) -> Module:
    """Return a model as a PyTorch module, in training mode as every new module.

    ``input`` is a shape as for ``analyze``; the batch is free. The weights are drawn as the model's
    paper says from ``seed``, or a fresh one for None; on the device ``meta`` there are none. A
    reference to a PyTorch module gives that module, initialised as it does it itself. Raises
    ``UsageError`` for bad arguments or where PyTorch is missing, ``ModelError`` for a model that
    cannot be built.
    """
    from cnnstat.backends.torch import require_torch

    require_torch()
    from cnnstat.backends.torch.build import build_module
    from cnnstat.backends.torch.initialize import scheme_of

    model = reference if isinstance(reference, Model) else load(reference, classes=classes)
    specs = input_specs(model, input=input, dtype=dtype)
    if model.own_module is not None:
        return model.own_module().to(device)
    training = model.card.training if model.card is not None else None
    return build_module(
        model.graph_for(specs).graph,
        specs,
        seed=seed,
        device=device,
        scheme=scheme_of(training.initialization if training is not None else ""),
    )


def check(
    reference: str | Model | Module,
    *,
    input: Inputs | None = None,
    batch: int = 1,
    dtype: str | None = None,
    classes: int | None = None,
) -> Check:
    """Return a model's figures held against fvcore, FlopCounterMode and an execution.

    The arguments are those of ``analyze``. Nothing is allocated: the model runs on the device
    ``meta``. Raises ``UsageError`` for bad arguments or where PyTorch or fvcore is missing,
    ``ModelError`` for a model that cannot be built.
    """
    model = reference if isinstance(reference, Model) else load(reference, classes=classes)
    if model.own_module is not None:
        raise UsageError(
            f"{model.reference}: check compares what cnnstat builds, operator by operator; a "
            "module of your own is captured from PyTorch and summary says what it could not count"
        )
    specs = input_specs(model, input=input, batch=batch, dtype=dtype)
    return check_shaped(_shaped(model, specs)[0])


def check_shaped(shaped: ShapedGraph) -> Check:
    """Return a shaped graph (``Report.shaped``) held against its counters; errors as ``check``."""
    from cnnstat.backends.torch import require_torch

    require_torch()
    from cnnstat.backends.torch.count import measure
    from cnnstat.engine.check import check as hold_against

    return hold_against(shaped, measure(shaped))


def memory(
    reference: str | Model | Module,
    settings: MemorySettings | None = None,
    *,
    input: Inputs | None = None,
    batch: int = 1,
    dtype: str | None = None,
    classes: int | None = None,
) -> MemoryPlan:
    """Return what a model needs of memory, by default for inference; errors as ``analyze``.

    ``settings`` come from ``cnnstat.engine.memory.settings``: mode, optimiser, mixed precision,
    recomputation, device.
    """
    from cnnstat.engine.memory import Settings, plan

    report = analyze(reference, input=input, batch=batch, dtype=dtype, classes=classes)
    return plan(report, settings or Settings())


def measured_memory(model: Model, found: MemoryPlan) -> tuple[Measured, Measured]:
    """Return what running a plan's model takes, and what was predicted for the measurement.

    A zoo model, a spec or an ONNX file runs as the module that cnnstat generates, a module of the
    user's own as it is. Raises ``UsageError`` where PyTorch is missing or the memory is not there,
    ``ModelError`` for a model that PyTorch cannot run.
    """
    from dataclasses import replace

    from cnnstat.backends.torch import require_torch

    require_torch()
    from cnnstat.backends.torch.memory import check_room, measure, own_subject, subject
    from cnnstat.engine.memory import plan

    settings = found.settings
    check_room(found)
    shaped = found.report.shaped
    if model.own_module is None:
        chosen = subject(shaped, settings)
    elif settings.checkpoint:
        raise UsageError(f"{model.reference}: only a generated module can be cut into blocks")
    else:
        chosen = own_subject(model.own_module(), shaped, settings)
    tracked = replace(settings, tracked=settings.device == "cpu")
    return measure(chosen, settings), plan(found.report, tracked).predicted


def fit(
    reference: str | Model | Module,
    memories: Sequence[Memory],
    settings: MemorySettings | None = None,
    *,
    input: Inputs | None = None,
    dtype: str | None = None,
    classes: int | None = None,
    search_input: bool = True,
) -> tuple[Fit, ...]:
    """Return the largest batch and the largest input of one image that fit into each memory.

    Memories come from ``cnnstat.engine.fit.memory("24GiB")``. The input is searched where the
    model has one input of three extents. Errors as ``analyze``.
    """
    from functools import cache

    from cnnstat.engine.fit import fit as search

    model = reference if isinstance(reference, Model) else load(reference, classes=classes)

    @cache
    def at(batch: int, side: int | None) -> MemoryPlan:
        shape = input if side is None else (side, side)
        return memory(model, settings, input=shape, batch=batch, dtype=dtype)

    alone = search_input and len(model.inputs) == 1 and not isinstance(input, Mapping)
    return tuple([search(at, each, search_input=alone) for each in memories])


def input_specs(
    model: Model,
    *,
    input: Inputs | None = None,
    batch: int = 1,
    dtype: str | None = None,
) -> dict[str, TensorSpec]:
    """Return the spec of each input by name; the arguments and errors are those of ``analyze``."""
    if batch < 1:
        raise UsageError(f"batch must be at least 1, got {batch}")
    if isinstance(input, Mapping):
        return _named_specs(model, input, batch=batch, dtype=dtype)
    specs = {}
    for position, (name, spec) in enumerate(model.inputs.items()):
        shape = spec.shape[1:]
        if input is not None and position == 0:
            shape = _complete(check_shape(input), shape)
        kind = spec.dtype if dtype is None or "float" not in spec.dtype else check_dtype(dtype)
        specs[name] = TensorSpec((batch, *shape), kind)
    return specs


def _named_specs(
    model: Model,
    given: Mapping[str, TensorSpec | tuple[int, ...]],
    *,
    batch: int,
    dtype: str | None,
) -> dict[str, TensorSpec]:
    """Return the specs of inputs given by name; a captured model takes any, in this order."""
    closed = model.named or model.structure is not None
    specs = dict(model.inputs) if closed else {}
    for name, each in given.items():
        if closed and name not in specs:
            raise unknown("input", name, specs)
        spec = each if isinstance(each, TensorSpec) else TensorSpec(each)
        kind = spec.dtype if dtype is None or "float" not in spec.dtype else dtype
        specs[name] = TensorSpec(check_shape(spec.shape), check_dtype(kind))
    changed = {name: spec.shape for name, spec in specs.items() if name in given}
    return {
        name: TensorSpec((batch, *(changed.get(name) or spec.shape[1:])), spec.dtype)
        for name, spec in specs.items()
    }


def _shaped(model: Model, specs: Mapping[str, TensorSpec]) -> tuple[ShapedGraph, Imported]:
    found = model.graph_for(specs)
    try:
        return infer_shapes(found.graph, specs), found
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


def published(report: Report, card: ModelCard) -> tuple[Published, ...]:
    """Return a model's own published figures beside those of its report.

    None on another input, batch, dtype or number of classes than it was published with.
    """
    if not as_published(report, card):
        return ()
    from cnnstat.engine.claims import shown
    from cnnstat.zoo.figures import headlines
    from cnnstat.zoo.figures.sources import citation

    ask = Asked({card.name: report})
    mine = [f for f in headlines(family_of(card.name).module) if f.model == card.name]
    return tuple([shown(_claim(f, ask), citation(f.source, f.place)) for f in mine])


def as_published(report: Report, card: ModelCard) -> bool:
    """Return whether a report is of the input and the classes that the model was published with."""
    return report.input == TensorSpec((1, *card.input_shape)) and _classes(report) == card.classes


def _classes(report: Report) -> int:
    """Return the units of the classifier; 0 where an image leaves (a building block)."""
    leaves = report.shaped.spec(report.shaped.graph.outputs[0])
    return leaves.shape[1] if leaves.rank == 2 else 0


def claims(
    *models: str, verdict: str | None = None, source: str | None = None
) -> tuple[Claim[Figure], ...]:
    """Return the ledger of published figures, computed now: of these models, or of all.

    ``verdict`` and ``source`` choose among them. Raises ``UsageError`` for an unknown one.
    """
    from cnnstat.engine.claims import VERDICTS
    from cnnstat.zoo.figures import figures
    from cnnstat.zoo.figures.sources import SOURCES

    if verdict is not None and verdict not in VERDICTS:
        raise unknown("verdict", verdict, VERDICTS)
    if source is not None and source not in SOURCES:
        raise unknown("source", source, SOURCES)
    for model in models:
        if form_of(model) != "zoo":
            raise UsageError(f"{model}: published figures are kept for models of the zoo alone")
    wanted = {find(model).name for model in models}
    entries = figures(*dict.fromkeys(family_of(model).module for model in models))
    chosen = [
        entry
        for entry in entries
        if (not wanted or entry.model in wanted) and source in (None, entry.source)
    ]
    ask = Asked()
    found = [_claim(entry, ask) for entry in chosen]
    return tuple([claim for claim in found if verdict in (None, claim.verdict)])


class Asked:
    """Models of the zoo, each analysed when the ledger first asks for it."""

    def __init__(self, known: Mapping[str, Report] | None = None) -> None:
        self._reports: dict[tuple[str, tuple[int, ...] | None], Report] = {
            (name, None): report for name, report in (known or {}).items()
        }

    def __call__(self, model: str | Graph, *, input: tuple[int, ...] | None = None) -> Report:
        """Return the report of a named model, or of a graph that a source argues with."""
        if isinstance(model, Graph):
            return analyze(Model(model.name, _defaults(model), model), input=input)
        key = (model, input)
        if key not in self._reports:
            self._reports[key] = analyze(model, input=input)
        return self._reports[key]


def _claim(figure: Figure, ask: Asked) -> Claim[Figure]:
    from cnnstat.engine.claims import settle

    others = [(other.name, other.compute(ask)) for other in figure.otherwise]
    return settle(figure, figure.compute(ask), others)


def bench(
    references: Sequence[str] | None = None,
    *,
    settings: Settings | None = None,
    input: Inputs | None = None,
    batches: Sequence[int] = (1,),
    dtypes: Sequence[str] = ("float32",),
    modes: Sequence[str] = ("inference",),
    baseline: str | None = None,
    other_device: bool = False,
    progress: Progress | None = None,
) -> Measurement:
    """Measure models, the ImageNet line-up by default: every batch, dtype and mode of each.

    ``baseline`` is the file of an earlier result, from the same device unless ``other_device``. An
    interrupt ends the measurement early; the result is not ``complete`` then. Raises
    ``MissingDependencyError`` without PyTorch, ``UsageError`` for settings that cannot be met.
    """
    from cnnstat.backends.torch import require_torch
    from cnnstat.engine.benchplan import Job, Settings, dtype_of, mode_of
    from cnnstat.engine.measurement import check_same_device, read_result, with_baseline
    from cnnstat.zoo.lineup import IMAGENET

    require_torch()
    earlier = None if baseline is None else read_result(baseline)
    jobs = []
    for reference in IMAGENET if references is None else references:
        model = load(reference)
        if model.own_module is not None and settings is not None and settings.layers:
            raise UsageError(f"{reference}: a module of your own is timed whole, not by layers")
        jobs += [
            Job(reference, analyze(model, input=input, batch=batch, dtype=dtype), mode)
            for dtype in map(dtype_of, dtypes)
            for mode in map(mode_of, modes)
            for batch in batches
        ]
    from cnnstat.backends.torch.bench import measure

    def begin(environment: Mapping[str, Any]) -> None:
        if earlier is not None and not other_device:
            check_same_device(environment, earlier, source=baseline or "")

    found = measure(jobs, settings or Settings(), begin=begin, progress=progress)
    if earlier is None or baseline is None:
        return found
    return with_baseline(found, earlier, source=baseline, other_device=other_device)
