"""``keras.Model`` objects and models of keras.applications; the one file that imports keras."""

from __future__ import annotations

import importlib.util
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, redirect_stdout, suppress
from sys import stderr
from types import SimpleNamespace
from typing import Any

from cnnstat.errors import MissingDependencyError, ModelError, UsageError, unknown
from cnnstat.importers.declared import FileModel
from cnnstat.importers.keras.document import parse_config
from cnnstat.importers.keras.importing import Known, keras_model
from cnnstat.ir.op import Role, Weight
from cnnstat.ir.tensor import DTYPE_BYTES

REFUSAL = "not available with the torch backend"
"""Part of Keras' message for models that it refuses to build on PyTorch."""

BACKENDS = ("tensorflow", "torch", "jax")
"""Backends that Keras can run on, in the order in which an installed one is chosen."""

STATISTICS = ("moving_mean", "moving_variance", "mean", "variance", "count", "vector_u")
"""Names of variables that are no parameters, whether their layer is frozen or not."""


def is_keras_model(candidate: object) -> bool:
    """Return whether an object is a ``keras.Model``, without importing keras."""
    return any(
        kind.__name__ == "Model" and kind.__module__.partition(".")[0] in ("keras", "tf_keras")
        for kind in type(candidate).__mro__
    )


def model_of_object(model: Any, reference: str) -> FileModel:
    """Return what cnnstat knows of a ``keras.Model`` by its configuration.

    Raises ``ModelError`` for a model whose class is Python code alone.
    """
    try:
        text = model.to_json()
    except Exception as error:  # a subclass whose get_config is not defined, or fails
        raise ModelError(
            f"{reference}: this keras.Model has no configuration ({type(error).__name__}: {error})"
        ) from error
    return keras_model(parse_config(text, reference), reference, known_of(model))


def known_of(model: Any) -> Known:
    """Return what a built ``keras.Model`` tells of its variables and results."""
    weights, frozen, shapes = {}, {}, {}
    for place, layer in _layers(model, ""):
        stored = [(_weight(each, layer), each.trainable) for each in layer.weights]
        apart = [w.role != "buffer" and layer.trainable and not trained for w, trained in stored]
        weights[place], frozen[place] = (
            tuple(w for (w, _), alone in zip(stored, apart, strict=True) if alone is wanted)
            for wanted in (False, True)
        )
        with suppress(AttributeError, ValueError, RuntimeError, TypeError):  # several, or none
            shapes[place] = tuple(layer.output.shape)
    results = tuple(tuple(x.shape) for x in getattr(model, "outputs", None) or ())
    return Known(weights, frozen, shapes, results)


def _layers(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for layer in getattr(model, "layers", ()):
        place = f"{prefix}{layer.name}"
        yield place, layer
        if hasattr(layer, "layers"):
            yield from _layers(layer, f"{place}/")


def _weight(variable: Any, layer: Any) -> Weight:
    """Return a variable: a parameter, also where its layer is frozen, or a buffer.

    A layer that is trained has parameters that are not where it is quantised or has a LoRA.
    """
    path = str(getattr(variable, "path", variable.name))
    last = path.rpartition("/")[2]
    dtype = str(variable.dtype)
    role: Role = "bias" if last in ("bias", "beta") else "weight"
    adapted = getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None)
    untrained = not variable.trainable and layer.trainable and not adapted
    if last in STATISTICS or untrained:
        role = "buffer"
    return Weight(path, tuple(variable.shape), role, dtype if dtype in DTYPE_BYTES else None)


def application(reference: str, arguments: Mapping[str, Any] | None = None) -> FileModel:
    """Return a model of keras.applications, ``keras:ResNet50``, built without weights.

    Raises ``MissingDependencyError`` without keras, ``UsageError`` for an unknown name,
    ``ModelError`` where Keras refuses the arguments.
    """
    build = builder(reference)
    options = {"weights": None, **(arguments or {})}
    if options["weights"] is not None:
        raise UsageError(f"{reference}: weights are not loaded; leave weights out of --args")
    try:
        with redirect_stdout(stderr), _without_weights():
            model = _built(build, options)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        raise ModelError(f"{reference}: Keras raised {type(error).__name__}: {reason}") from error
    return model_of_object(model, reference)


def _without_weights() -> AbstractContextManager[object]:
    """Return a context that allocates no memory for weights, if the backend has one."""
    import keras

    torch = keras.backend.backend() == "torch"
    return keras.device("meta") if torch else nullcontext()


def _built(build: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """Return the model, also where Keras refuses the backend that it runs on (NASNet on PyTorch).

    Only the configuration is read, which no backend changes. Keras has no public way to skip its
    check: the function sees a backend of another name while it runs, in its own module alone.
    """
    try:
        return build(**options)
    except ValueError as error:
        names = getattr(inspect.unwrap(build), "__globals__", {})
        if REFUSAL not in str(error) or "backend" not in names:
            raise
    real = names["backend"]
    names["backend"] = SimpleNamespace(**{**vars(real), "backend": lambda: "jax"})
    try:
        return build(**options)
    finally:
        names["backend"] = real


def builder(reference: str) -> Callable[..., Any]:
    """Return the function of keras.applications that a reference names; errors as above."""
    name = reference.partition(":")[2]
    if "KERAS_BACKEND" not in os.environ:
        installed = [each for each in BACKENDS if importlib.util.find_spec(each) is not None]
        os.environ["KERAS_BACKEND"] = installed[0] if installed else BACKENDS[0]
    try:
        with redirect_stdout(stderr):
            from keras import applications
    except ImportError as error:
        raise MissingDependencyError("Keras with one of its backends", "keras") from error
    builders = {
        key: value
        for key, value in vars(applications).items()
        if callable(value) and key[:1].isupper()
    }
    if name not in builders:
        raise unknown("model of keras.applications", name, builders)
    build: Callable[..., Any] = builders[name]
    return build
