"""A module as an ONNX file: ``torch.onnx.export``, with the weights that the module holds.

The file is in inference form. The first axis of every input stays free where the module takes any
batch. Batch norms stay operators of their own, and buffers other than running statistics become
constants, so that the file reads back with the module's own parameters.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from cnnstat.errors import MissingDependencyError, ModelError, UsageError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch import unlogged
from cnnstat.pytorch.named import call_arguments
from cnnstat.pytorch.tensors import returned

OPSETS = range(18, 24)
"""Versions of ONNX's operators that PyTorch's exporter writes."""

MAX_BYTES = 2**31 - 1
"""Protocol buffers end here, and with them ONNX files without external data."""

NAME_SCOPES = "pkg.torch.onnx.name_scopes"
"""The exporter's note of module names on a node; its other notes hold paths and lines of code."""

TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-3}
"""Largest difference of an output relative to its spread; 2e-2 for smaller types."""

DEFAULTS: tuple[Any, ...] = ((), 0, False, True, None)
"""Arguments of a mean-pooling after its kernel."""

Tensors = dict[str, torch.Tensor]


@dataclass(slots=True)
class Exported:
    """A module as an ONNX model; ``notes`` tell what is not as usual about it."""

    name: str
    program: Any
    module: nn.Module
    inputs: Mapping[str, TensorSpec]
    notes: list[str] = field(default_factory=list)

    def save(self, path: str) -> None:
        """Write one file, and compare its outputs with the module's where ONNX Runtime is there.

        Raises ``ModelError`` where they differ by more than rounding.
        """
        try:
            self.program.save(path, external_data=False)
        except OSError:
            raise
        except Exception as error:
            raise ModelError(f"{self.name} cannot be written to ONNX: {reason(error)}") from error
        self._compare(path)

    def _compare(self, path: str) -> None:
        try:
            import onnxruntime
        except ImportError:
            return
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        tensors = _random(self.inputs, more=0 if self.notes else 1)
        expected = _outputs(self.module, tensors)
        again = _outputs(self.module, tensors)
        step = "load"
        try:
            session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
            names = [each.name for each in session.get_inputs()]
            step = "run"
            computed = session.run(None, {n: t.numpy() for n, t in tensors.items() if n in names})
        except Exception as error:
            self.notes.append(f"ONNX Runtime cannot {step} the file: {reason(error)}")
            return
        if len(computed) != len(expected):
            return
        for one, other, same in zip(computed, expected, again, strict=True):
            if torch.equal(other, same) and not _close(torch.from_numpy(one), other):
                raise ModelError(
                    f"{self.name}: the ONNX file that PyTorch writes computes something else "
                    f"than the module: an output differs by up to {_difference(one, other):.3g}"
                )


def export_onnx(
    name: str, module: nn.Module, inputs: Mapping[str, TensorSpec], *, opset: int | None = None
) -> Exported:
    """Return a module in evaluation form as an ONNX model.

    ``inputs`` are passed as ``named`` says. Raises ``UsageError`` for an opset that PyTorch does
    not write, ``MissingDependencyError`` without onnx and onnxscript, ``ModelError`` with PyTorch's
    reason for a module that it cannot export.
    """
    check_opset(opset)
    module.eval()
    nbytes = sum(t.nbytes for t in (*module.parameters(), *module.buffers()))
    if nbytes > MAX_BYTES:
        raise ModelError(
            f"{name}: its weights take {nbytes / 1e9:.2f} GB and an ONNX file holds at most 2.15 GB"
        )
    with _quiet():
        captured, notes = _captured(name, module, inputs)
        try:
            program: Any = torch.onnx.export(
                _with_divisors(captured),
                dynamo=True,
                optimize=False,  # it would fold batch norms into convolutions
                verbose=False,
                input_names=tree_leaves(call_arguments(module.forward, {n: n for n in inputs})),
                opset_version=opset,
            )
        except Exception as error:
            raise ModelError(f"{name} cannot be written to ONNX: {reason(error)}") from error
    _tidy(program.model, set(captured.graph_signature.buffers))
    return Exported(name, program, module, inputs, notes)


def check_opset(opset: int | None) -> None:
    """Raise ``UsageError`` for an opset that PyTorch does not write, or without its exporter."""
    if opset is not None and opset not in OPSETS:
        raise UsageError(
            f"opset {opset}: PyTorch writes the opsets {OPSETS.start} to {OPSETS.stop - 1}"
        )
    for library in ("onnx", "onnxscript"):
        try:
            __import__(library)
        except ImportError as error:
            raise MissingDependencyError(library, "onnx") from error


def _captured(
    name: str, module: nn.Module, inputs: Mapping[str, TensorSpec]
) -> tuple[torch.export.ExportedProgram, list[str]]:
    """Return the module as PyTorch exports it, and a note where its batch cannot stay free."""
    try:
        return _program(module, inputs, free=True), []
    except Exception as error:
        notes = [f"its batch is fixed in the file, since it cannot be free: {reason(error)}"]
    try:
        return _program(module, inputs, free=False), notes
    except Exception as error:
        raise ModelError(f"{name} cannot be written to ONNX: {reason(error)}") from error


def _program(
    module: nn.Module, inputs: Mapping[str, TensorSpec], *, free: bool
) -> torch.export.ExportedProgram:
    tensors = _random(inputs, more=1 if free else 0)  # 1 would be taken for a fixed extent
    positional, named = call_arguments(module.forward, tensors)
    shapes: Any = torch.export.ShapesCollection()  # type: ignore[no-untyped-call]
    for tensor in tensors.values() if free else ():
        if tensor.dim():
            shapes[tensor] = {0: torch.export.Dim("batch")}
    return torch.export.export(
        module, positional, named, dynamic_shapes=shapes if free else None, strict=False
    )


def _with_divisors(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Return the program with every ``divisor_override``, which the exporter ignores, applied."""
    kinds = {torch.ops.aten.avg_pool2d.default, torch.ops.aten.avg_pool3d.default}
    if not any(n.target in kinds and len(n.args) > 6 for n in program.graph.nodes):
        return program
    table: Any = {kind: partial(_mean_pool, kind) for kind in kinds}
    applied: torch.export.ExportedProgram = program.run_decompositions(table)
    return applied


def _mean_pool(kind: Any, x: Any, kernel: list[int], *arguments: Any) -> Any:
    stride, padding, ceil_mode, _, divisor = (*arguments, *DEFAULTS[len(arguments) :])
    if divisor is None:
        return NotImplemented
    if ceil_mode:
        raise ModelError("ONNX has no divisor_override in ceil_mode")
    return kind(x, kernel, stride, padding, False, True) * (prod(kernel) / divisor)


def _random(inputs: Mapping[str, TensorSpec], *, more: int) -> Tensors:
    """Return inputs with ``more`` in the batch: normal deviates, and zeros for other types."""
    draw = torch.Generator().manual_seed(0)
    tensors = {}
    for name, spec in inputs.items():
        shape = (spec.shape[0] + more, *spec.shape[1:]) if spec.shape else ()
        dtype: torch.dtype = getattr(torch, spec.dtype)
        tensors[name] = torch.zeros(shape, dtype=dtype)
        if dtype.is_floating_point:
            tensors[name] = torch.randn(shape, generator=draw).to(dtype)
    return tensors


def _outputs(module: nn.Module, tensors: Tensors) -> tuple[torch.Tensor, ...]:
    positional, named = call_arguments(module.forward, tensors)
    with torch.no_grad():
        return returned(module(*positional, **named), torch.Tensor)


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape or not other.is_floating_point() or not other.numel():
        return one.shape == other.shape
    finite = other.double().nan_to_num(0, 0, 0)
    spread, scale = finite.std(correction=0).item(), finite.abs().max().item()
    bound = TOLERANCES.get(other.dtype, 2e-2) * (spread + scale / 30)
    return torch.allclose(one.double(), other.double(), rtol=0, atol=bound, equal_nan=True)


def _difference(one: Any, other: torch.Tensor) -> float:
    made = torch.from_numpy(one)
    return float("nan") if made.shape != other.shape else float((made - other).abs().max())


def _tidy(model: Any, buffers: set[str]) -> None:
    """Drop notes on the source code; make constants of buffers that hold no running statistics."""
    from onnx_ir import node

    graph = model.graph
    for each in graph:
        for key in [key for key in each.metadata_props if key != NAME_SCOPES]:
            del each.metadata_props[key]
    for name in [name for name in graph.initializers if name in buffers]:
        stored = graph.initializers[name]
        readers = [use.node for use in stored.uses()]
        if not readers or any(reader.op_type == "BatchNormalization" for reader in readers):
            continue
        constant = node("Constant", [], {"value": stored.const_value}, name=f"node_{name}")
        stored.replace_all_uses_with(constant.outputs[0])
        del graph.initializers[name]
        constant.outputs[0].name = name
        graph.insert_before(graph[0], constant)


def reason(error: BaseException) -> str:
    """Return why PyTorch cannot export a module, in one line: the innermost error's first."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, ModelError):
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Discard what the exporter and the module print on the way."""
    nowhere = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        with unlogged("torch", "onnxscript", "onnx_ir"):
            yield
