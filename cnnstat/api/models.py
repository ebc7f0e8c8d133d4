"""Models by reference: names of the zoo, files, Python callables, modules; and their inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnstat.api.inputs import FullSpec, is_example, split_arguments
from cnnstat.api.model import Inputs, Model, default_inputs
from cnnstat.errors import ShapeError, UsageError, unknown
from cnnstat.importers.reference import Imported, Shapes, form_of, with_arguments
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec, check_dtype, check_float_dtype, check_shape
from cnnstat.zoo.catalog import find

if TYPE_CHECKING:
    from torch.nn import Module

    from cnnstat.importers.declared import FileModel


def load(
    reference: str | Module,
    *,
    classes: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    call: Mapping[str, Any] | None = None,
    forward_method: str | None = None,
) -> Model:
    """Load a model once, to analyse it several times.

    Args:
        reference: name of a model, a file, or an ``nn.Module``.
        classes: number of classes of a named model, instead of the published one.
        arguments: arguments of a Python callable, or parameters of a spec file, by name.
        call: arguments of a module's forward pass that are not tensors, by name.
        forward_method: method of a module to run instead of ``forward``.

    Raises:
        UsageError: there is no such model.
    """
    if isinstance(reference, str):
        model = _named(reference, classes, arguments)
    else:
        model = _of_object(reference)
    return called(model, call, forward_method)


def called(model: Model, call: Mapping[str, Any] | None, forward_method: str | None) -> Model:
    """Return a model with other arguments of its call, or another method; errors as ``load``."""
    if not call and forward_method is None:
        return model
    if model.own is None:
        option = "a method" if forward_method is not None else "arguments of a call"
        raise UsageError(f"{model.reference}: only a PyTorch module takes {option}")
    return model.own.with_call(call or {}, forward_method)


def _of_object(
    made: Any, reference: str | None = None, remake: Callable[[], Module] | None = None
) -> Model:
    """Return the model of a Keras model, of a module, or of an object such as a pipeline of one.

    ``reference`` named it, and ``remake`` makes another.
    """
    from cnnstat.importers.keras.objects import is_keras_model, model_of_object

    if is_keras_model(made):
        name = reference or str(getattr(made, "name", "") or type(made))
        return _of_file(name, model_of_object(made, name), channels_last=True)
    if isinstance(made, type) or not getattr(made, "__dict__", None):
        raise UsageError(f"{made!r:.60} is not a model: give a reference or an nn.Module")
    from cnnstat.api.modules import module_model

    module = made
    if not hasattr(made, "named_parameters"):
        from cnnstat.pytorch.capture.loading import module_in

        module = module_in(made, "the model is a")
    return module_model(reference or type(made).__name__, module, remake)


def _of_file(reference: str, file: FileModel, *, channels_last: bool = False) -> Model:
    return Model(
        reference, file.inputs, trace=file.trace, fill=file.fill, channels_last=channels_last
    )


def _named(reference: str, classes: int | None, arguments: Mapping[str, Any] | None) -> Model:
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

        return _of_file(reference, load_onnx(reference))
    if form == "keras":
        return _keras_file(reference, arguments)
    if form == "torch":
        from cnnstat.api.torchfiles import file_model

        return file_model(reference)
    if form == "spec":
        from cnnstat.importers.spec.reading import template

        spec = template(reference).spec(arguments)
        places = {name: f"{spec.file}:{line}" for name, line in spec.lines.items()}
        return Model(reference, default_inputs(spec.graph), spec.graph, places=places)
    from cnnstat.api.projectrules import load_project_rules
    from cnnstat.pytorch.capture.loading import load_module

    load_project_rules()
    made = load_module(reference, arguments)
    return _of_object(made, reference, lambda: load_module(reference, arguments, weights=True))


def _keras_file(reference: str, arguments: Mapping[str, Any] | None) -> Model:
    if reference.lower().startswith("keras:"):
        from cnnstat.importers.keras.objects import application

        file = application(*with_arguments(reference, arguments))
        return _of_file(reference, file, channels_last=True)
    if reference.lower().endswith(".json"):
        from cnnstat.count.savedfile import is_saved, read_saved

        if is_saved(reference):
            from cnnstat.count.saved import SavedReport

            report = SavedReport(read_saved(reference))
            return Model(reference, report.inputs, saved=report)
    from cnnstat.importers.keras.importing import load_keras

    return _of_file(reference, load_keras(reference), channels_last=True)


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


def inputs_of(models: Sequence[Model], input: Inputs | None) -> list[Inputs | None]:
    """Return the input of each of several models.

    Inputs by name are for the models that have one of them: another whose inputs are known by name
    keeps its own, unless no model has any.
    """
    if not isinstance(input, Mapping):
        return [input for _ in models]
    takes = [
        (model.structure is None and model.fill is None)
        or not model.inputs.keys().isdisjoint(input)
        for model in models
    ]
    return [input if each or not any(takes) else None for each in takes]


def with_input(model: Model, input: Inputs | None) -> tuple[Model, Inputs | None]:
    """Return a model that knows the arguments that are not shapes, and the shapes.

    Raises ``UsageError`` for what cannot be an argument.
    """
    if model.own is None:
        return model, input
    arguments = {next(iter(model.inputs)): input} if is_example(input) else input
    if not isinstance(arguments, Mapping):
        return model, input
    inputs, constants = split_arguments(arguments)
    return (model.own.with_call(constants) if constants else model), inputs


def with_example(model: Model, example: object) -> tuple[Model, Inputs]:
    """Return a model that knows an example of its arguments, and the specs of the tensors in it.

    ``example`` is a sequence of arguments in order, a mapping of them by name, or one tensor.
    Raises ``UsageError`` where the model takes no example, or where it holds no tensor.
    """
    if model.own is None:
        raise UsageError(f"{model.reference}: only a PyTorch module takes an example")
    if isinstance(example, Mapping):
        arguments = dict(example)
    else:
        values = list(example) if isinstance(example, Sequence) else [example]
        names = model.own.argument_names()
        if len(names) < len(values):
            names = tuple(f"argument{number}" for number in range(len(values)))
        arguments = dict(zip(names, values, strict=False))
    inputs, constants = split_arguments(arguments, as_called=True)
    return model.own.with_call(constants), inputs


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
        specs = _filled(model, model.fill, input, batch)
    else:
        specs = _named_specs(model, _by_name(model, input), batch)
    if dtype is None:
        return specs
    return {
        name: spec._replace(dtype=dtype) if spec.is_float else spec for name, spec in specs.items()
    }


def _by_name(model: Model, input: Inputs | None) -> Mapping[str, TensorSpec | tuple[int, ...]]:
    """Return the inputs that are given, by name; a shape without one is the first input's."""
    if isinstance(input, Mapping):
        return input
    name, spec = next(iter(model.inputs.items()))
    shape = None if input is None else check_shape(extents(input))
    if model.complete is not None:
        return {name: model.complete(shape)}
    return {} if shape is None else {name: TensorSpec(complete(shape, spec.shape[1:]), spec.dtype)}


def _filled(
    model: Model,
    fill: Callable[[Shapes, int], dict[str, TensorSpec]],
    input: Inputs | None,
    batch: int,
) -> dict[str, TensorSpec]:
    """Return the specs of inputs that a file declares, completed by what the user gives."""
    shapes: dict[str, tuple[int, ...] | TensorSpec] = {}
    whole: dict[str, TensorSpec] = {}
    if isinstance(input, Mapping):
        for name, each in input.items():
            shapes[name] = each if isinstance(each, TensorSpec) else extents(each)
            check_shape(each.shape if isinstance(each, TensorSpec) else extents(each))
            if isinstance(each, FullSpec):
                whole[name] = each
                shapes[name] = TensorSpec(each.shape[1:], each.dtype)
    elif input is not None:
        name, spec = next(iter(model.inputs.items()), ("", TensorSpec(())))
        shape = check_shape(extents(input))
        images = spec.rank == 4 and len(shape) < 3
        shapes[name] = complete(shape, spec.shape[1:], model.channels_last) if images else shape
    return {**fill(shapes, batch), **whole}


def extents(value: object) -> tuple[int, ...]:
    """Return a shape without the batch; raise ``UsageError`` for anything else."""
    if not isinstance(value, tuple | list) or not all(type(extent) is int for extent in value):
        raise UsageError(
            f"input {value!r:.60}: expected extents without the batch, as in (3, 224, 224)"
        )
    return tuple(value)


def _named_specs(
    model: Model, shapes: Mapping[str, TensorSpec | tuple[int, ...]], batch: int
) -> dict[str, TensorSpec]:
    """Return the specs of named inputs; a captured model takes any, in this order."""
    closed = model.structure is not None
    specs = dict(model.inputs) if closed else {}
    for name, each in shapes.items():
        if closed and name not in specs:
            raise unknown(f"input of {model.reference}", name, specs)
        spec = each if isinstance(each, TensorSpec) else TensorSpec(extents(each))
        specs[name] = type(spec)(check_shape(spec.shape), check_dtype(spec.dtype))
    changed = {name: spec.shape for name, spec in specs.items() if name in shapes}
    return {
        name: spec
        if isinstance(spec, FullSpec)
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
