"""An ``nn.Module`` and the specs of its inputs -> a graph and notes on it, or PyTorch's own count.

The count of ``FlopCounterMode`` comes from the same run, with the counter in the place of the
notes. Attention is made of its products: the counter has no rule for the fused form of processors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils.flop_counter import FlopCounterMode

from cnnstat.count.check import LIMITATIONS, ModuleMeasurement
from cnnstat.count.report import Note
from cnnstat.errors import ModelError
from cnnstat.importers.reference import Imported
from cnnstat.pytorch.capture.assemble import assemble
from cnnstat.pytorch.capture.calls import tensors
from cnnstat.pytorch.capture.capture import (
    Trace,
    Watcher,
    capture,
    forward,
)
from cnnstat.pytorch.capture.refusals import check_names, check_read, explained, is_bad_call
from cnnstat.pytorch.capture.standins import EMPTY, ForwardArguments, Kind, prepared
from cnnstat.pytorch.tensors import named_stored
from cnnstat.pytorch.watching import ForwardError, Result, without_compiler

ALL_KINDS: tuple[Kind, ...] = ("meta", "real")
"""Tensors that a lazy module can run on: a fake one cannot get a shape later."""

VALUES = (
    "the forward pass depends on tensor values: it ran on random inputs with a fixed seed, and "
    "figures that depend on values are valid for these inputs only"
)


def import_module(
    name: str,
    module: nn.Module,
    arguments: ForwardArguments,
    *,
    remake: Callable[[], nn.Module] | None = None,
    training: bool = False,
) -> Imported:
    """Return the graph of one forward pass.

    Where the forward pass asks for values it runs on real tensors: ``remake`` returns the module
    with its weights, where ``module`` is on the meta device. Raises ``UsageError`` where the
    forward pass has no argument for one, ``ModelError`` with the module's own message and the place
    where it fails.
    """

    def captured(subject: nn.Module, kind: Kind) -> Trace:
        return capture(subject, arguments, kind=kind, training=training)

    trace, kind = on_emptiest(name, module, arguments, captured, remake)
    check_read(name, module, arguments.inputs, _unread(trace))
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


def _unread(trace: Trace) -> list[str]:
    """Return the inputs that no function reads."""
    read = {id(each) for call in trace.calls for each in tensors(*call.arguments.values())}
    read |= {id(each) for each in trace.outputs}
    return [name for name, (tensor, _) in trace.inputs.items() if id(tensor) not in read]


def on_emptiest(
    name: str,
    module: nn.Module,
    arguments: ForwardArguments,
    run: Callable[[nn.Module, Kind], Result],
    remake: Callable[[], nn.Module] | None,
) -> tuple[Result, Kind]:
    """Return what a run gives on the emptiest tensors that it takes, and which these are.

    The meta device is the fastest; fake tensors get on with real ones that a module holds beside
    its parameters; a forward pass that asks for values needs real ones. Arguments and errors are
    those of ``import_module``.
    """
    module = getattr(module, "_orig_mod", module)  # what torch.compile wraps
    check_names(name, module, arguments)

    def ran(kind: Kind) -> tuple[Result, Kind]:
        return without_compiler(lambda: run(module, kind)), kind

    try:
        module = with_shapes(name, module, arguments)
        for kind in EMPTY:
            try:
                return ran(kind)
            except ForwardError as error:
                if is_bad_call(error):
                    raise
        if remake is not None:
            module = with_shapes(name, remake(), arguments, kinds=("real",))
        try:
            return ran("real")
        except ForwardError as error:
            try:
                return ran("zeros")  # for whole numbers where ones are out of range
            except ForwardError:
                raise error from None
    except ForwardError as error:
        raise ModelError(f"{name}: {explained(error, module, arguments.inputs)}") from error.error


def with_shapes(
    name: str,
    module: nn.Module,
    arguments: ForwardArguments,
    *,
    kinds: tuple[Kind, ...] = ALL_KINDS,
) -> nn.Module:
    """Return a copy of a lazy module in which every parameter has a shape; else the module itself.

    One forward pass gives the shapes. ``kinds`` are the tensors to run on, in turn; the copy keeps
    those of the first that works. Raises ``ModelError`` where none does.
    """
    if not any(is_lazy(tensor) for _, tensor, _ in named_stored(module)):
        return module
    for kind in kinds:
        try:
            return _filled(module, arguments, kind)
        except ForwardError as error:
            failure = error
    raise ModelError(f"{name}: {explained(failure, module, arguments.inputs)}") from failure.error


def _filled(module: nn.Module, arguments: ForwardArguments, kind: Kind) -> nn.Module:
    with prepared(module, arguments, kind, lasting=True) as run:
        watcher = Watcher()
        forward(run, watcher)
    watcher.modules.forget(run.subject)
    run.subject.__dict__.pop("forward", None)
    if run.own_forward is not None:
        run.subject.__dict__["forward"] = run.own_forward
    return run.subject


def count_module(
    name: str,
    module: nn.Module,
    arguments: ForwardArguments,
    *,
    remake: Callable[[], nn.Module] | None = None,
) -> ModuleMeasurement:
    """Return the count of one forward pass in evaluation form; arguments and errors as the import.

    Stored tensors are the module's own word, each once.
    """

    def counted(subject: nn.Module, kind: Kind) -> ModuleMeasurement:
        counter = FlopCounterMode(display=False)
        with prepared(subject, arguments, kind) as run, counter:
            shares = _Shares(counter)
            forward(run, shares)
        return _measurement(subject, shares.flops, counter.get_total_flops())

    return on_emptiest(name, module, arguments, counted, remake)[0]


def _measurement(module: nn.Module, flops: Mapping[str, int], total: int) -> ModuleMeasurement:
    """Return what was counted of a module, and the elements of what it stores, each once."""
    elements = {True: 0, False: 0}
    left_out = {row.tensor for row in LIMITATIONS}
    distinct = {id(each[1]): each for each in reversed(list(named_stored(module)))}
    for path, tensor, trained in distinct.values():
        if path.rpartition(".")[2] not in left_out:
            elements[trained] += tensor.numel()
    return ModuleMeasurement(elements[True], elements[False], flops, total)


class _Shares(Watcher):  # type: ignore[no-untyped-call]
    """Notes what the calls of each module add to a counter; modules without calls are left out."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()
        self._counter = counter
        self.flops: dict[str, int] = {"": 0}

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Pass a function on to the counter and note what that makes of it."""
        before = self._counter.get_total_flops()
        aten = torch.ops.aten
        if func is aten.scaled_dot_product_attention.default:
            result = aten._scaled_dot_product_attention_math(*args, **kwargs)[0]
        else:
            result = func(*args, **kwargs)
        path = self.modules.path
        added = self._counter.get_total_flops() - before
        self.flops[path] = self.flops.get(path, 0) + added
        return result
