"""Builds the ``nn.Module`` that a reference names.

Nothing is downloaded: weights are never asked for. Modules are built on the meta device, without
memory for their weights, and on the CPU where that fails.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any

from cnnstat.errors import PASSED_ON, ModelError
from cnnstat.importers.keras.objects import is_keras_model
from cnnstat.importers.python import Arguments, callable_of, failed, importable
from cnnstat.importers.reference import check_argument_names, with_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

SEED = 0
"""Where random numbers start while a module is built."""


def load_module(
    reference: str, arguments: Arguments | None = None, *, weights: bool = False
) -> Any:
    """Return the module of ``model.py:factory``, ``package.module:Class`` or ``timm:resnet50``.

    ``arguments`` are passed to the callable by name. ``weights`` asks for a module with weights,
    initialised as the callable does it, the same each time. Where the callable returns an object
    that holds one module, it is that. A ``keras.Model`` comes back as it is, which needs no
    PyTorch. Output of the user's code goes to standard error; the random state is put back.
    Raises ``UsageError`` where nothing is named so, ``ModelError`` where the callable raises or
    returns no module.
    """
    plain, options = with_arguments(reference, arguments)
    with redirect_stdout(sys.stderr), _random_state():
        build = callable_of(plain)
        with importable(plain):
            made = _built(reference, build, options or {}, weights=weights)
    return made if is_keras_model(made) else module_in(made, f"{reference} returned")


def check_arguments(reference: str, names: Iterable[str]) -> None:
    """Raise ``UsageError`` for an argument that a callable of the user's own does not take."""
    plain, options = with_arguments(reference, dict.fromkeys(names))
    with redirect_stdout(sys.stderr), _random_state():
        build = callable_of(plain)
    check_argument_names(reference, build, options or {})


def module_in(made: Any, subject: str) -> nn.Module:
    """Return a module that can be run: itself, or the only one that an object holds.

    ``subject`` begins the message of the ``ModelError`` where there is none, or several.
    """
    from cnnstat.pytorch import require_torch

    require_torch()
    from torch import nn
    from torch.export import ExportedProgram

    if isinstance(made, ExportedProgram):
        module: nn.Module = made.module()
        return module
    if isinstance(made, nn.Module) and _has_forward(made):
        return made
    inside = {name: each for name, each in _contents(made).items() if _has_forward(each)}
    if len(inside) > 1:
        weighted = {
            name: each for name, each in inside.items() if next(each.parameters(), None) is not None
        }
        inside = weighted if len(weighted) == 1 else inside
    if len(inside) == 1:
        return next(iter(inside.values()))
    kind = type(made).__name__
    if inside:
        listing = ", ".join(f"{name} ({type(each).__name__})" for name, each in inside.items())
        raise ModelError(f"{subject} {kind}, which holds several modules: {listing}; return one")
    reason = "which has no forward" if isinstance(made, nn.Module) else "not an nn.Module"
    raise ModelError(f"{subject} {kind}, {reason}")


def _has_forward(module: nn.Module) -> bool:
    from inspect import getattr_static

    from torch.nn import Module

    # statically: a frozen script module's class answers only for its instances
    of_class = getattr_static(type(module), "forward")
    return "forward" in module.__dict__ or of_class is not getattr_static(Module, "forward")


def _contents(made: Any) -> dict[str, nn.Module]:
    """Return the modules that an object holds, by attribute, key or place."""
    from torch.nn import Module

    if isinstance(made, Module):
        return {name: each for name, each in made._modules.items() if each is not None}
    if isinstance(made, Mapping):
        entries: Iterable[tuple[Any, Any]] = made.items()
    elif isinstance(made, list | tuple):
        entries = enumerate(made)
    else:
        entries = getattr(made, "__dict__", {}).items()
    return {str(name): each for name, each in entries if isinstance(each, Module)}


def _built(
    reference: str, build: Callable[..., Any], options: Arguments, *, weights: bool
) -> object:
    try:
        import torch
    except ImportError:  # enough for a keras.Model
        return _called(reference, build, options)
    from cnnstat.pytorch.offmeta import meta_device

    if isinstance(build, torch.nn.Module):  # the name of a module instead of a callable
        return copy.deepcopy(build) if weights else build
    if not weights:
        try:
            with meta_device():
                return build(**options)
        except PASSED_ON:
            raise
        except BaseException:  # it computes with values: weights take memory then
            weights = False
    with nullcontext() if weights else _uninitialised():
        return _called(reference, build, options)


def _called(reference: str, build: Callable[..., Any], options: Arguments) -> object:
    if is_keras_model(build):
        return build
    try:
        return build(**options)
    except PASSED_ON:
        raise
    except BaseException as error:
        raise failed(f"{reference} raised", error, hint=" (--debug shows the trace)") from error


@contextmanager
def _random_state() -> Iterator[None]:
    """Put the random state back; a factory starts from the same one each time."""
    try:
        from cnnstat.pytorch.random_state import preserved_random_state
    except ImportError:  # no PyTorch
        yield
        return
    with preserved_random_state(seed=SEED):
        yield


@contextmanager
def _uninitialised() -> Iterator[None]:
    """Leave weights as they are allocated: random numbers for them cost time and tell nothing."""
    from torch.overrides import TorchFunctionMode

    class Skip(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            if getattr(func, "__module__", None) == "torch.nn.init":
                return kwargs["tensor"] if "tensor" in kwargs else args[0]
            return func(*args, **kwargs)

    with Skip():
        yield
