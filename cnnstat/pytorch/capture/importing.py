"""An ``nn.Module`` and the specs of its inputs -> a graph and notes on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import nn

from cnnstat.count.report import Note
from cnnstat.errors import ModelError, said
from cnnstat.importers.reference import Imported
from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch.capture.assemble import assemble
from cnnstat.pytorch.capture.capture import ForwardError, Trace, capture
from cnnstat.pytorch.capture.lazy import with_shapes
from cnnstat.pytorch.capture.rules import Meaning
from cnnstat.pytorch.capture.standins import EMPTY, Kind
from cnnstat.pytorch.capture.translate import leaf, meaning
from cnnstat.pytorch.module_calls import Failure
from cnnstat.pytorch.named import parameters_of

Result = TypeVar("Result")
LONGEST_PATH = 200
"""Characters of a module's path in a message."""

VALUES = (
    "the forward pass depends on tensor values: it ran on random inputs with a fixed seed, and "
    "figures that depend on values are valid for these inputs only"
)


def import_module(
    name: str,
    module: nn.Module,
    inputs: Mapping[str, TensorSpec],
    *,
    remake: Callable[[], nn.Module] | None = None,
    constants: Mapping[str, object] = MappingProxyType({}),
) -> Imported:
    """Return the graph of one forward pass in evaluation form, batch included in ``inputs``.

    Where the forward pass asks for values it runs on real tensors: ``remake`` returns the module
    with contents, where ``module`` has none. ``constants`` are example tensors for inputs, and
    other arguments, by name. Raises ``ModelError`` with the module's own message and the place
    where the forward pass fails.
    """

    def captured(subject: nn.Module, kind: Kind) -> Trace[Meaning | None]:
        return capture(
            subject, inputs, leaves=leaf, meaning=meaning, kind=kind, constants=constants
        )

    trace, kind = on_emptiest(name, module, inputs, captured, remake, constants)
    silent = not trace.outputs
    if silent:
        trace.outputs = next((c.results for c in reversed(trace.calls) if c.results), ())
    graph, unused, needs = assemble(name, trace)
    notes = [*unused]
    if silent:
        notes.append(
            Note("no_output", "", "the forward pass returns no tensor; its last result is used")
        )
    if kind not in EMPTY:
        notes.append(Note("real_tensors", "", VALUES))
    frozen = sum(
        each.spec.numel for each in trace.stored if each.trained and not each.requires_grad
    )
    if frozen:
        notes.append(Note("frozen", "", f"{frozen:,} parameters are frozen (requires_grad=False)"))
    own = tuple(Note("own_backward", "", text) for text in sorted(trace.own_backward))
    return Imported(graph, tuple(notes), frozen, needs=needs, training_notes=own)


def on_emptiest(
    name: str,
    module: nn.Module,
    inputs: Mapping[str, TensorSpec],
    run: Callable[[nn.Module, Kind], Result],
    remake: Callable[[], nn.Module] | None,
    constants: Mapping[str, object],
) -> tuple[Result, Kind]:
    """Return what a run gives on the emptiest tensors that it takes, and which these are.

    The meta device is the fastest; fake tensors get on with real ones that a module holds beside
    its parameters; a forward pass that asks for values needs real ones. Arguments and errors are
    those of ``import_module``.
    """
    module = getattr(module, "_orig_mod", module)  # what torch.compile wraps
    try:
        module = with_shapes(module, inputs, constants)
        for kind in EMPTY:
            try:
                return _uncompiled(run, module, kind), kind
            except ForwardError as error:
                if _is_bad_call(error.failure):
                    raise
        if remake is not None:
            module = with_shapes(remake(), inputs, constants, kinds=("real",))
        return _on_contents(module, run)
    except ForwardError as error:
        failure = error.failure
        raise ModelError(f"{name}: {_explained(failure, module, inputs)}") from failure.error


def _on_contents(
    subject: nn.Module, run: Callable[[nn.Module, Kind], Result]
) -> tuple[Result, Kind]:
    """Run on real tensors, with zeros for whole numbers where ones are out of range."""
    try:
        return _uncompiled(run, subject, "real"), "real"
    except ForwardError as error:
        try:
            return run(subject, "zeros"), "zeros"
        except ForwardError:
            raise error from None


def _uncompiled(run: Callable[[nn.Module, Kind], Result], module: nn.Module, kind: Kind) -> Result:
    """Run; where PyTorch compiles what runs inside (``torch.cond``) and fails, run without that."""
    try:
        return run(module, kind)
    except ForwardError as error:
        if not type(error.failure.error).__module__.startswith("torch._dynamo"):
            raise
    with torch.compiler.set_stance("force_eager"):
        return run(module, kind)


def _is_bad_call(failure: Failure) -> bool:
    """Return whether the arguments do not fit the forward pass, whatever they hold."""
    error = failure.error
    return isinstance(error, TypeError) and not failure.path and "forward()" in str(error)


def _explained(failure: Failure, module: nn.Module, inputs: Mapping[str, TensorSpec]) -> str:
    error = failure.error
    why = said(error) if error is not None else ""
    shapes = ", ".join(f"{key} {spec}" for key, spec in inputs.items())
    if _is_bad_call(failure):
        takes = ", ".join(parameters_of(module.forward))
        return f"forward takes ({takes}) but got {shapes}; give each as --input NAME=SHAPE ({why})"
    hint = _hint(module) if [spec.rank for spec in inputs.values()] == [4] else ""
    if not failure.path:
        return f"cannot take {shapes}: {why}{hint}"
    refused = f" cannot take {failure.inputs}" if failure.inputs else " fails"
    path = (
        failure.path if len(failure.path) < 200 else f"{failure.path[:40]}...{failure.path[-40:]}"
    )
    return f"{path} ({failure.kind}){refused}, with {shapes}: {why}{hint}"


def _hint(module: nn.Module) -> str:
    """Return what to do where a forward pass was given an image and may want something else."""
    name = next(iter(parameters_of(module.forward)), "input")
    return (
        f" (a shape without a name is read as an image; for other inputs use --input {name}=SHAPE)"
    )
