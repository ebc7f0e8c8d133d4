"""Models by reference: names of the zoo, files, Python callables, modules; and their inputs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cnnstat.api.arguments import ExampleSpec, is_example, split_arguments
from cnnstat.errors import ShapeError, UsageError, unknown
from cnnstat.importers.reference import Imported, Shapes, form_of
from cnnstat.ir.graph import Graph, ShapedGraph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec, check_dtype, check_float_dtype, check_shape
from cnnstat.zoo.card import ModelCard
from cnnstat.zoo.catalog import find

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from cnnstat.count.check import ModuleMeasurement
    from cnnstat.count.saved import SavedReport
    from cnnstat.importers.keras.importing import KerasModel

Inputs = tuple[int, ...] | Mapping[str, Any]
"""Shapes without the batch: of the first input, or of each by name (a spec tells its dtype).

Where the model is a PyTorch module, a value may also be an example tensor, a list or a dictionary
of shapes and tensors, or another argument of the forward pass (``{"deep": True}``).
"""


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model: the default spec of each input, its graph, and its card if it has one.

    ``structure`` is a graph that holds for every input; ``trace`` makes one for the inputs that it
    is given, as a PyTorch module is captured; ``channels_last`` says that images have their
    channels as the last axis (a Keras model). ``fill`` returns the spec of every input from shapes
    of some and a batch, where a file says what is open (0 in ``inputs``) and what is fixed (an ONNX
    or Keras file). ``places`` says where in its source a node stands (``net.yaml:12``), for error
    messages. ``own_module`` returns the user's own module, a new one with weights each time, where
    the model is one; ``filled_copy`` a copy of it whose stored tensors are what a function makes of
    each. ``with_constants`` returns a module's model with arguments of its forward pass that are
    known: example tensors, settings. ``saved`` is a result that was saved as JSON, without a graph.
    """

    reference: str
    inputs: Mapping[str, TensorSpec]
    structure: Graph | None = None
    card: ModelCard | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    trace: Callable[[Mapping[str, TensorSpec]], Imported] | None = None
    channels_last: bool = False
    fill: Callable[[Shapes, int], dict[str, TensorSpec]] | None = None
    count: Callable[[Mapping[str, TensorSpec]], ModuleMeasurement] | None = None
    own_module: Callable[[], Module] | None = None
    filled_copy: Callable[[Callable[[Tensor], Tensor]], Module] | None = None
    with_constants: Callable[[Mapping[str, Any]], Model] | None = None
    saved: SavedReport | None = None

    @property
    def graph(self) -> Graph:
        """The graph for the default inputs."""
        return self.graph_for(self.inputs).graph

    def graph_for(self, specs: Mapping[str, TensorSpec]) -> Imported:
        """Return the graph for inputs of these specs, and what is to be said about it."""
        if self.structure is not None:
            return Imported(self.structure)
        if self.saved is not None:
            return Imported(self.saved.shaped.graph)
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
    ``arguments`` are passed to a Python callable, or replace parameters of a spec file. Raises
    ``UsageError`` if there is no such model.
    """
    if not isinstance(reference, str):
        if _is_keras(reference):
            from cnnstat.importers.keras.objects import model_of_object

            name = str(getattr(reference, "name", "") or type(reference).__name__)
            return _keras(name, model_of_object(reference, name))
        if isinstance(reference, type) or not hasattr(reference, "named_parameters"):
            raise UsageError(f"{reference!r:.60} is not a model: give a reference or an nn.Module")
        return _module(type(reference).__name__, reference)
    if classes is not None and classes < 1:
        raise UsageError(f"classes must be at least 1, got {classes}")
    form = form_of(reference)
    if arguments is not None and not takes_arguments(reference):
        raise UsageError(f"{reference}: only a Python callable or a spec file takes arguments")
    if form == "zoo":
        card = find(reference)
        graph = card.build(card.classes if classes is None else classes)
        return Model(reference, default_inputs(graph), graph, card)
    if classes is not None:
        hint = "; pass it with --args, as its callable names it" if form == "python" else ""
        raise UsageError(f"{reference}: only a model of the zoo takes a number of classes{hint}")
    if form == "onnx":
        from cnnstat.importers.onnx.importing import load_onnx

        file = load_onnx(reference)
        return Model(reference, file.inputs, trace=file.trace, fill=file.fill)
    if form == "keras":
        if reference.lower().startswith("keras:"):
            from cnnstat.importers.keras.objects import application

            return _keras(reference, application(reference, arguments))
        from cnnstat.count.savedfile import is_saved

        if reference.lower().endswith(".json") and is_saved(reference):
            return _saved(reference)
        from cnnstat.importers.keras.importing import load_keras

        return _keras(reference, load_keras(reference))
    if form == "spec":
        from cnnstat.importers.spec.reading import read

        spec = read(reference, arguments)
        places = {name: f"{spec.file}:{line}" for name, line in spec.lines.items()}
        return Model(reference, default_inputs(spec.graph), spec.graph, places=places)
    from cnnstat.api.projectrules import load_project_rules
    from cnnstat.pytorch.capture.loading import load_module

    load_project_rules()
    made = load_module(reference, arguments)
    if _is_keras(made):
        from cnnstat.importers.keras.objects import model_of_object

        return _keras(reference, model_of_object(made, reference))
    return _module(
        reference,
        made,
        lambda: load_module(reference, arguments, weights=True),
    )


def takes_arguments(reference: object) -> bool:
    """Whether a reference is one that ``arguments`` can be passed to."""
    if not isinstance(reference, str):
        return False
    return form_of(reference) in ("python", "spec") or reference.lower().startswith("keras:")


def load_all(
    references: Sequence[str | Model | Module], arguments: Mapping[str, Any] | None = None
) -> list[Model]:
    """Return several models; ``arguments`` go to each that takes any.

    Raises ``UsageError`` where none of them does.
    """
    some = any(map(takes_arguments, references))
    return [
        reference
        if isinstance(reference, Model)
        else load(
            reference, arguments=None if some and not takes_arguments(reference) else arguments
        )
        for reference in references
    ]


def _saved(reference: str) -> Model:
    from cnnstat.count.saved import SavedReport
    from cnnstat.count.savedfile import read_saved

    report = SavedReport(read_saved(reference))
    return Model(reference, report.inputs, saved=report)


def _keras(reference: str, model: KerasModel) -> Model:
    return Model(reference, model.inputs, trace=model.trace, fill=model.fill, channels_last=True)


def _is_keras(candidate: object) -> bool:
    from cnnstat.importers.keras.objects import is_keras_model

    return is_keras_model(candidate)


def _module(
    reference: str,
    module: Module,
    remake: Callable[[], Module] | None = None,
    constants: Mapping[str, Any] = MappingProxyType({}),
) -> Model:
    from cnnstat.pytorch.capture.loading import default_input

    settings = {name: value for name, value in constants.items() if not is_example(value)}
    default = {"input": default_input(module)}
    latest: dict[str, TensorSpec] = {}  # what a lazy module gets its shapes from

    def quiet() -> AbstractContextManager[object]:
        # A model by reference may print what it likes; results alone go to standard output.
        return nullcontext() if remake is None else redirect_stdout(sys.stderr)

    def trace(specs: Mapping[str, TensorSpec]) -> Imported:
        from cnnstat.pytorch.capture.importing import import_module

        latest.clear()
        latest.update(specs)
        with quiet():
            return import_module(reference, module, specs, remake=remake, constants=constants)

    def count(specs: Mapping[str, TensorSpec]) -> ModuleMeasurement:
        from cnnstat.pytorch.capture.counting import count_module

        with quiet():
            return count_module(reference, module, specs, remake=remake, constants=constants)

    def own_module() -> Module:
        from copy import deepcopy

        from cnnstat.pytorch.capture.lazy import with_shapes
        from cnnstat.pytorch.named import use_settings

        made = deepcopy(module) if remake is None else remake()
        made = with_shapes(made, latest or default, constants, kinds=("real",))
        use_settings(made, settings)
        return made

    def filled_copy(filling: Callable[[Tensor], Tensor]) -> Module:
        from cnnstat.pytorch.capture.copying import filled_copy
        from cnnstat.pytorch.capture.lazy import with_shapes
        from cnnstat.pytorch.named import use_settings

        inner = getattr(module, "_orig_mod", module)
        made = filled_copy(with_shapes(inner, latest or default, constants), filling)
        use_settings(made, settings)
        return made

    return Model(
        reference,
        default,
        trace=trace,
        count=count,
        own_module=own_module,
        filled_copy=filled_copy,
        with_constants=lambda known: _module(reference, module, remake, known),
    )


def with_input(model: Model, input: Inputs | None) -> tuple[Model, Inputs | None]:
    """Return a model that knows the arguments that are no shapes, and the shapes.

    Raises ``UsageError`` for what cannot be an argument.
    """
    if model.with_constants is None:
        return model, input
    arguments = {next(iter(model.inputs)): input} if is_example(input) else input
    if not isinstance(arguments, Mapping):
        return model, input
    inputs, constants = split_arguments(arguments)
    return (model.with_constants(constants) if constants else model), inputs


def default_inputs(graph: Graph) -> dict[str, TensorSpec]:
    """Return the spec of each input that a graph states itself."""
    return {node.name: node.op.infer(())[0] for node in graph.inputs}


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
    if dtype is not None:
        dtype = check_float_dtype(str(dtype).removeprefix("torch."))
    if model.fill is not None:
        return _filled(model, model.fill, input, batch, dtype)
    if isinstance(input, Mapping):
        return _named_specs(model, input, batch=batch, dtype=dtype)
    specs = {}
    for position, (name, spec) in enumerate(model.inputs.items()):
        shape = spec.shape[1:]
        if input is not None and position == 0:
            shape = complete(check_shape(extents(input)), shape)
        kind = spec.dtype if dtype is None or "float" not in spec.dtype else dtype
        specs[name] = TensorSpec((batch, *shape), kind)
    return specs


def _filled(
    model: Model,
    fill: Callable[[Shapes, int], dict[str, TensorSpec]],
    input: Inputs | None,
    batch: int,
    dtype: str | None,
) -> dict[str, TensorSpec]:
    """Return the specs of inputs that a file declares, completed by what the user gives."""
    shapes: dict[str, tuple[int, ...] | TensorSpec] = {}
    if isinstance(input, Mapping):
        for name, each in input.items():
            shapes[name] = each if isinstance(each, TensorSpec) else extents(each)
            check_shape(each.shape if isinstance(each, TensorSpec) else extents(each))
    elif input is not None:
        name, spec = next(iter(model.inputs.items()), ("", TensorSpec(())))
        shape = check_shape(extents(input))
        images = spec.rank == 4 and len(shape) < 3
        shapes[name] = complete(shape, spec.shape[1:], model.channels_last) if images else shape
    specs = fill(shapes, batch)
    if dtype is None:
        return specs
    return {
        name: spec._replace(dtype=dtype) if "float" in spec.dtype else spec
        for name, spec in specs.items()
    }


def extents(value: object) -> tuple[int, ...]:
    """Return a shape without the batch; raise ``UsageError`` for anything else."""
    if not isinstance(value, tuple | list) or not all(type(extent) is int for extent in value):
        raise UsageError(
            f"input {value!r:.60}: expected extents without the batch, as in (3, 224, 224)"
        )
    return tuple(value)


def _named_specs(
    model: Model,
    shapes: Mapping[str, TensorSpec | tuple[int, ...]],
    *,
    batch: int,
    dtype: str | None,
) -> dict[str, TensorSpec]:
    """Return the specs of named inputs; a captured model takes any, in this order."""
    closed = model.structure is not None
    specs = dict(model.inputs) if closed else {}
    for name, each in shapes.items():
        if closed and name not in specs:
            raise unknown("input", name, specs)
        spec = each if isinstance(each, TensorSpec) else TensorSpec(extents(each))
        kind = spec.dtype if dtype is None or "float" not in spec.dtype else dtype
        specs[name] = type(spec)(check_shape(spec.shape), check_dtype(kind))
    changed = {name: spec.shape for name, spec in specs.items() if name in shapes}
    return {
        name: TensorSpec(spec.shape, spec.dtype)
        if isinstance(spec, ExampleSpec)
        else TensorSpec((batch, *changed.get(name, spec.shape[1:])), spec.dtype)
        for name, spec in specs.items()
    }


def shaped_graph(model: Model, specs: Mapping[str, TensorSpec]) -> tuple[ShapedGraph, Imported]:
    """Return a model's graph on these inputs, and the imported graph with its notes.

    Raises ``ShapeError`` with the place in the model's source, if that is known.
    """
    imported = model.graph_for(specs)
    try:
        shaped = infer_shapes(imported.graph, imported.inputs or specs)
    except ShapeError as error:
        if error.node not in model.places:
            raise
        raise ShapeError(f"{model.places[error.node]}: {error}", error.node) from error
    if not any(node.op.is_foreign for node in shaped.nodes):
        return shaped, imported
    from cnnstat.count.userrules import rule_notes, with_rules

    shaped = with_rules(shaped)
    return shaped, imported._replace(notes=(*imported.notes, *rule_notes(shaped)))


def complete(
    shape: tuple[int, ...], default: tuple[int, ...], channels_last: bool = False
) -> tuple[int, ...]:
    """Return a shape with the default's channels where it has none."""
    if len(shape) == len(default):
        return shape
    if len(shape) in (1, 2) and len(default) == 3:
        height, width = shape if len(shape) == 2 else shape * 2
        return (height, width, default[2]) if channels_last else (default[0], height, width)
    expected = "x".join(map(str, default))
    raise UsageError(
        f"input {'x'.join(map(str, shape))}: expected {len(default)} extents as in {expected}"
    )
