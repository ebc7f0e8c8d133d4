"""Counts a graph with two counters that cnnstat did not write: ``FlopCounterMode`` and fvcore.

Both see the generated module on the meta device, in evaluation mode and with every node that trains
or infers: shapes are those of an execution, and no weight is allocated.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.flop_counter import FlopCounterMode

from cnnstat.count.check import Measurement, Shapes
from cnnstat.errors import MissingDependencyError
from cnnstat.ir.graph import ShapedGraph
from cnnstat.pytorch.build import NODE, forward_graph, make_modules, submodule_names
from cnnstat.pytorch.steps import empty_inputs
from cnnstat.pytorch.watching import FunctionMode


def measure(shaped: ShapedGraph) -> Measurement:
    """Return what both counters, the execution and the module's own tensors say of every node.

    Raises ``MissingDependencyError`` where fvcore is not installed and ``ModelError`` where an
    operator has no PyTorch form.
    """
    root = make_modules(shaped, device="meta")
    module = fx.GraphModule(root, forward_graph(shaped, form="training")).eval()
    for part in module.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False  # the counters read shapes after the fact; overwriting hides none
    with torch.device("meta"):
        inputs = empty_inputs(shaped)
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            watched = _Watched(module, counter, len(shaped.nodes))
            watched.run(*inputs)
        by_module, left_out = _fvcore(module, inputs)
    names, parts = submodule_names(shaped.graph), dict(module.named_modules())
    tensors = [parts[n].state_dict(keep_vars=True) if n in parts else {} for n in names]
    return Measurement(
        shapes=tuple(watched.shapes),
        stored=tuple({key: tuple(t.shape) for key, t in each.items()} for each in tensors),
        torch_flops=tuple(watched.flops),
        torch_total=counter.get_total_flops(),
        fvcore_flops=tuple(by_module.get(name, 0) for name in names),
        fvcore_total=by_module[""],
        left_out=left_out,
    )


class _Watched(fx.Interpreter):
    """Runs a module node by node and notes what each one adds to the counter."""

    def __init__(self, module: fx.GraphModule, counter: FlopCounterMode, nodes: int) -> None:
        super().__init__(module)
        self.counter = counter
        self.shapes: list[Shapes] = [()] * nodes
        self.flops = [0] * nodes

    def run_node(self, n: fx.Node) -> Any:
        before = self.counter.get_total_flops()
        result = super().run_node(n)
        index = n.meta.get(NODE)
        if index is not None:
            results = result if isinstance(result, tuple) else (result,)
            self.shapes[index] = tuple(tuple(tensor.shape) for tensor in results)
            self.flops[index] += self.counter.get_total_flops() - before
        return result


def _fvcore(module: nn.Module, inputs: Sequence[Tensor]) -> tuple[dict[str, int], dict[str, int]]:
    """Return fvcore's count by submodule (the whole under the empty name) and what it left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fvcore and the tracer it uses are deprecated in PyTorch
        try:
            from fvcore.nn import FlopCountAnalysis
        except ImportError as error:
            raise MissingDependencyError("fvcore", "torch") from error
        analysis = FlopCountAnalysis(module, tuple(inputs))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        analysis.tracer_warnings("none")
        with ThreadPoolExecutor(1) as untraced, _DirectConvolutions(), _OnThread(untraced):
            counts = analysis.by_module()
        left_out = dict(analysis.unsupported_ops())
    return {name: int(count) for name, count in counts.items()}, left_out


class _OnThread(FunctionMode):  # type: ignore[no-untyped-call]
    """Computes every operator on another thread and returns a result that has no history there.

    Meta kernels are written in Python. ``torch.jit``'s tracer, which fvcore uses, would hand them
    tensors for sizes and record what they do inside; another thread is not traced.
    An operator on the same shapes is computed once; its further results are made from the first.
    """

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        super().__init__()
        self.thread = thread
        self.known: dict[Any, Any] = {}

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute an operator."""
        if func is torch.ops.aten._convolution.default:
            func, args = torch.ops.aten.convolution.default, args[:9]
        leaves, structure = tree_flatten((args, kwargs))
        if not all(leaf.is_meta for leaf in leaves if isinstance(leaf, Tensor)):
            return self.thread.submit(_fresh, func, args, kwargs).result()
        key = (func, structure, *map(_plain, leaves))
        if key not in self.known:
            result = self.thread.submit(_fresh, func, args, kwargs).result()
            self.known[key] = tree_map_only(Tensor, _blank, result)  # the tracer wants its own
            return result
        return tree_map_only(Tensor, _blank, self.known[key])


def _plain(leaf: Any) -> Any:
    return (leaf.shape, leaf.stride(), leaf.dtype) if isinstance(leaf, Tensor) else leaf


def _blank(tensor: Tensor) -> Tensor:
    return torch.empty_strided(
        tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device
    )


@torch.no_grad()
def _fresh(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    def copy(tensor: Tensor) -> Tensor:
        # the tracer carries sizes as tensors with a value
        return _blank(tensor) if tensor.is_meta else tensor.clone()

    return tree_map_only(Tensor, copy, func(*args, **kwargs))


class _DirectConvolutions(TorchFunctionMode):
    """Calls the form of a convolution that the tracer records also where it has a meta kernel."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return CONVOLUTIONS.get(func, func)(*args, **(kwargs or {}))


_FIRST = ("input", "weight", "bias", "stride", "padding")
_USUAL = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "output_padding": 0, "groups": 1}


def _direct(transposed: bool, *names: str) -> Callable[..., Tensor]:
    """Return a convolution whose arguments behind the padding are ``names``."""

    def run(*args: Any, **named: Any) -> Tensor:
        a: dict[str, Any] = {**_USUAL, **dict(zip((*_FIRST, *names), args, strict=False)), **named}

        def axes(name: str) -> list[int]:
            value, rank = a[name], a["input"].dim() - 2
            return list(value) if isinstance(value, tuple | list) else [value] * rank

        window = axes("stride"), axes("padding"), axes("dilation")
        where = *window, transposed, axes("output_padding"), a["groups"]
        switches = (False, False, True, True)  # benchmark, deterministic, cudnn_enabled, allow_tf32
        result: Tensor = torch._convolution(a["input"], a["weight"], a["bias"], *where, *switches)
        return result

    return run


_FORWARD = _direct(False, "dilation", "groups")
_TRANSPOSED = _direct(True, "output_padding", "groups", "dilation")
CONVOLUTIONS: dict[Callable[..., Any], Callable[..., Tensor]] = {
    **dict.fromkeys((torch.conv1d, torch.conv2d, torch.conv3d), _FORWARD),
    **dict.fromkeys(
        (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d), _TRANSPOSED
    ),
}
