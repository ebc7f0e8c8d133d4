"""Runs a copy of a module once on empty tensors and notes every function that PyTorch is asked for.

Calls are seen where PyTorch dispatches them, below the modules, in inference mode: functional
calls, operators and attention appear as themselves. Nothing outside the run is touched: the copy is
thrown away, modes are those of the thread, and random states are put back.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.utils.checkpoint
from torch import nn

from cnnstat.errors import PASSED_ON, CnnstatError, one_line
from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch import FAKE_TENSORS, unlogged
from cnnstat.pytorch.capture.answers import known_result
from cnnstat.pytorch.capture.calls import Call, Meaning
from cnnstat.pytorch.capture.standins import EMPTY, ForwardArguments, Kind, Run, Stored, prepared
from cnnstat.pytorch.capture.translate import leaf, meaning
from cnnstat.pytorch.named import UnknownArgumentError, call_arguments
from cnnstat.pytorch.tensors import leaves, returned, spec_of
from cnnstat.pytorch.watching import (
    ForwardError,
    FunctionMode,
    ModuleCalls,
    module_classes,
    name_of,
    uncompiled,
)


@dataclass(slots=True)
class Trace:
    """All calls of one forward pass, in order, with the inputs, the outputs and what is stored.

    ``meanings`` runs parallel to ``calls``. ``unregistered`` are the parameters that the forward
    pass reaches although the module does not know of them. ``classes`` are those of the modules, by
    path.
    """

    inputs: dict[str, tuple[torch.Tensor, TensorSpec]]
    stored: list[Stored]
    unregistered: list[torch.Tensor]
    classes: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    meanings: list[Meaning | None] = field(default_factory=list)
    outputs: tuple[torch.Tensor, ...] = ()
    own_backward: set[str] = field(default_factory=set)
    """Functions with a backward pass of their own: ``OWN_BACKWARD``."""


OWN_BACKWARD = {
    torch.utils.checkpoint.__file__: "torch.utils.checkpoint: what is computed again in the "
    "backward pass is not counted again",
    torch.autograd.function.__file__: "torch.autograd.Function: its backward pass is counted as "
    "that of its forward pass",
}
"""Notes on a module, by the file whose code runs it."""


INFERENCE = "nference tensor"
"""Part of PyTorch's message where tensors of inference mode meet code that wants gradients."""


def capture(
    module: nn.Module,
    arguments: ForwardArguments,
    *,
    kind: Kind,
    training: bool = False,
) -> Trace:
    """Return the trace of one forward pass of ``module`` in evaluation or training form.

    ``kind`` is what tensors it runs on. Raises ``ForwardError`` where the forward pass raises.
    """
    for gradients in (True, False):
        try:
            with prepared(module, arguments, kind) as run:
                if training:
                    run.subject.train()
                entering = {name: (tensor, spec_of(tensor)) for name, tensor in run.inputs.items()}
                classes = module_classes(run.subject)
                trace = Trace(entering, run.stored, run.unregistered, classes)
                recorder = _Recorder(trace, empty=kind in EMPTY, gradients=gradients)
                result = forward(run, recorder, gradients=gradients)
        except ForwardError as error:
            if not gradients or error.error is None or INFERENCE not in one_line(error.error):
                raise
        else:
            break
    trace.outputs = returned(result, torch.Tensor)
    return trace


def forward(run: Run, watcher: Watcher, *, gradients: bool = False) -> Any:
    """Run the forward pass under the eyes of a watcher; return its result.

    With ``gradients`` they are enabled, so that ``no_grad`` in the module's own code shows; none is
    recorded.
    """
    watcher.modules.watch(run.subject)
    watcher.modules.entering = {id(tensor): name for name, tensor in run.inputs.items()}
    try:
        arguments, named = call_arguments(run.subject.forward, run.inputs)
    except UnknownArgumentError as error:
        raise ForwardError(error) from error
    gradient_mode, quiet = torch.set_grad_enabled(gradients), unlogged(FAKE_TENSORS)
    with uncompiled(), quiet, run.mode, gradient_mode, watcher.modules, watcher:
        try:
            return run.subject(*arguments, **named)
        except (CnnstatError, *PASSED_ON):  # the former: of a rule of the user's own
            raise
        except BaseException as error:
            raise watcher.modules.failure_of(error) from error


class Watcher(FunctionMode):  # type: ignore[no-untyped-call]
    """Sees the calls of functions, and by ``modules`` which module makes them."""

    def __init__(self) -> None:
        super().__init__()
        self.modules = ModuleCalls()


class _Recorder(Watcher):  # type: ignore[no-untyped-call]
    """Notes calls; splits those that are not understood where PyTorch knows their parts."""

    def __init__(self, trace: Trace, *, empty: bool, gradients: bool) -> None:
        super().__init__()
        self.trace, self.empty, self.gradients = trace, empty, gradients

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Note one call, and what it means before a later one can change its tensors."""
        if not leaf(name_of(func)):
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        running = self.modules.stack[-1]
        call = Call(
            func,
            func._schema.name.partition("::")[2],
            _bound(func._schema, args, kwargs),
            running.path,
            running.leaf,
            self.modules.position,
            self._is_differentiated(),
        )
        result: Any = known_result(call) if self.empty else None
        if result is None:
            result = func(*args, **kwargs)
        results = tuple(leaves(result))
        call = replace(call, results=results, specs=tuple(map(spec_of, results)))
        self.trace.calls.append(call)
        self.trace.meanings.append(meaning(call))
        return result

    def _is_differentiated(self) -> bool:
        """Return whether a call made now has a backward pass: not under ``no_grad``.

        Gradients are off inside a function with a backward pass of its own, and in one that is run
        again there (``torch.utils.checkpoint``); both are noted.
        """
        if self.gradients and torch.is_grad_enabled():
            return True
        frame = sys._getframe()
        while frame.f_back is not None:
            frame = frame.f_back
            if frame.f_code.co_filename in OWN_BACKWARD:
                self.trace.own_backward.add(OWN_BACKWARD[frame.f_code.co_filename])
                return True
        return not self.gradients


def _bound(schema: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by the names of its schema, defaults filled in."""
    names = [each.name for each in schema.arguments]
    usual = {each.name: each.default_value for each in schema.arguments if each.has_default_value()}
    arguments = {**usual, **dict(zip(names, args, strict=False)), **kwargs}
    return {name: arguments[name] for name in names if name in arguments}
