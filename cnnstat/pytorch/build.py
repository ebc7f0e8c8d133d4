"""A graph as an ``nn.Module`` with generated code: nothing is interpreted in the forward pass.

Submodules are named after the nodes: ``inception_3a/3x3_reduce`` is ``inception_3a.3x3_reduce``,
and an operator that acts on a layer is its neighbour (``conv1_1/relu`` is ``conv1_1_relu``). Names
come from files, so the code holds identifiers made here alone: letters, digits and underscores.
"""

from __future__ import annotations

import builtins
import keyword
import operator
import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Literal

import torch
from torch import fx, nn

from cnnstat.errors import ModelError, UsageError
from cnnstat.ir.graph import Graph, ShapedGraph, Value
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.memory.lowering import overwriting
from cnnstat.memory.passes import parameter_dtype
from cnnstat.pytorch.modules import Function, Scheme, initialize, make

Form = Literal["inference", "training"]
"""Which nodes a generated forward pass has: an inference form leaves the ``training_only`` ones
out."""

NOT_PLAIN = re.compile("[^0-9A-Za-z_]")
"""Characters of a name that generated code never holds."""

MAX_NAME = 100
"""Characters that are left of a part of a name."""

MEMBERS = frozenset(dir(fx.GraphModule(nn.Module(), fx.Graph()))) | {"self"}
"""Names of a module's own."""

GLOBALS = frozenset(dir(builtins)) | {
    *("self", "torch", "operator", "math", "device", "inf", "nan", "NoneType"),
    *("fx_pytree", "pytree", "cnnstat"),
}
"""Names that generated code may refer to."""

NODE = "cnnstat_node"
"""Key in ``fx.Node.meta``: the position in ``Graph.nodes`` of the node that it computes."""


def build_full_form(
    shaped: ShapedGraph, *, seed: int | None = 0, scheme: Scheme = "he"
) -> fx.GraphModule:
    """Return a module in evaluation mode that also returns the outputs for training."""
    root = make_modules(shaped, seed=seed, scheme=scheme)
    return fx.GraphModule(root, forward_graph(shaped, form="training")).eval()


def build_module(
    graph: Graph,
    inputs: Mapping[str, TensorSpec],
    *,
    seed: int | None = 0,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    scheme: Scheme = "he",
) -> nn.Module:
    """Return a module that computes ``graph``, in training mode as every new module.

    ``inputs`` gives the spec of each input by name (batch included, which the module does not
    depend on). The module is a ``torch.fx.GraphModule``; where the graph has nodes or outputs for
    training alone, a ``TwoForms`` whose forward pass depends on ``training``. ``dtype`` is by
    default that of the first input. ``seed`` None draws a fresh one. Raises ``ShapeError`` where
    the shapes do not fit and ``ModelError`` where an operator has no PyTorch form.
    """
    shaped = infer_shapes(graph, inputs)
    root = make_modules(shaped, seed=seed, device=device, dtype=dtype, scheme=scheme)
    full = fx.GraphModule(root, forward_graph(shaped, form="training"))
    if not graph.training_outputs and not any(node.training_only for node in graph.nodes):
        return full
    short = fx.GraphModule(root, forward_graph(shaped, form="inference"))
    return TwoForms(training=full, inference=short)


class TwoForms(nn.Module):
    """One set of weights with two generated forward passes; ``training`` picks one.

    In training, the outputs of the auxiliary heads are returned after the model's own, as a tuple.
    """

    def __init__(self, *, training: fx.GraphModule, inference: fx.GraphModule) -> None:
        super().__init__()
        for name, child in training.named_children():
            self.add_module(name, child)
        self._forms: tuple[Callable[..., object], Callable[..., object]] = (
            type(training).forward,
            type(inference).forward,
        )

    def forward(self, *inputs: torch.Tensor) -> object:
        """Run the training form in training mode, the inference form in evaluation mode."""
        training, inference = self._forms
        return training(self, *inputs) if self.training else inference(self, *inputs)


def submodule_names(graph: Graph) -> tuple[str, ...]:
    """Return the qualified name of each node's submodule, parallel to ``graph.nodes``, all unique.

    A path becomes nested modules. Where a node stands in the middle of a path, the rest joins its
    name with ``_``: a layer has no submodules.
    """
    layers = {node.name for node in graph.nodes}
    taken: set[str] = set()
    modules: dict[str, str] = {}
    names = []
    for node in graph.nodes:
        *parts, last = node.name.split("/")
        module, own = "", ""
        for end, part in enumerate(parts, 1):
            own = "_".join(filter(None, (own, _attribute(part))))
            path = "/".join(parts[:end])
            if path not in layers:
                if path not in modules:
                    modules[path] = _unique(".".join(filter(None, (module, own))), taken)
                module, own = modules[path], ""
        own = "_".join(filter(None, (own, _attribute(last))))
        names.append(_unique(".".join(filter(None, (module, own))), taken))
    return tuple(names)


def _unique(name: str, taken: set[str]) -> str:
    """Return the name, or with ``_2``, ``_3`` ... where it is taken, and take it."""
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{name}_{count}"
    taken.add(unique)
    return unique


def _attribute(part: str) -> str:
    """Return a part of a path as an attribute's name: plain characters, no name of a module's."""
    name = NOT_PLAIN.sub("_", part)[:MAX_NAME]
    if not name or name.startswith("_"):  # modules keep their own state behind an underscore
        name = f"n{name}"
    return f"{name}_" if name in MEMBERS or keyword.iskeyword(name) else name


def _variable(name: str) -> str:
    """Return a submodule's name as the name of an argument in generated code."""
    plain = name.replace(".", "_")
    if plain[0].isdigit():
        plain = f"x{plain}"
    return f"{plain}_" if plain in GLOBALS or keyword.iskeyword(plain) else plain


def make_modules(
    shaped: ShapedGraph,
    *,
    seed: int | None = 0,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    scheme: Scheme = "he",
) -> nn.Module:
    """Return a module that holds every node's submodule, initialised and tied; it cannot run."""
    root = nn.Module()
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    kind = dtype or getattr(torch, parameter_dtype(shaped))
    place_on = _device(device)
    names = submodule_names(shaped.graph)
    for index, (node, facts) in enumerate(zip(shaped.nodes, shaped.facts, strict=True)):
        with torch.device("meta"):
            made = make(node.op, facts)
        if not isinstance(made, nn.Module):
            continue
        if facts.weights:
            made.to(kind).to_empty(device=place_on)
            if node.tied_to is None and place_on.type != "meta":
                initialize(made, facts, scheme=scheme, generator=generator)
        if node.tied_to is not None:
            _tie(made, root.get_submodule(names[node.tied_to]), shaped, index)
        elif node.frozen:
            made.requires_grad_(requires_grad=False)
        _attach(root, names[index], made)
    for index in overwriting(shaped):
        setattr(root.get_submodule(names[index]), "inplace", True)  # noqa: B010 (typed as a module)
    return root


def _tie(module: nn.Module, source: nn.Module, shaped: ShapedGraph, index: int) -> None:
    for weight in shaped.facts[index].weights:
        tensor = getattr(source, weight.name)
        if tensor.shape != weight.shape:
            node = shaped.nodes[index]
            raise ModelError(
                f"{shaped.graph.name}: {node.name} shares the weights of "
                f"{shaped.nodes[node.tied_to or 0].name}, but {weight.name} is "
                f"{tuple(tensor.shape)} there and {weight.shape} here"
            )
        setattr(module, weight.name, tensor)


def _attach(root: nn.Module, name: str, module: nn.Module) -> None:
    *path, last = name.split(".")
    for part in path:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root.get_submodule(part)
    root.add_module(last, module)


def _device(name: str | torch.device) -> torch.device:
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            f"unknown device {str(name)!r}: choose from cpu, cuda, mps, meta"
        ) from error


def forward_graph(shaped: ShapedGraph, *, form: Form) -> fx.Graph:
    """Return the forward pass of one form as an ``fx.Graph`` over the modules of ``make_modules``.

    One output is returned as it is, several as a tuple: the graph's own, then those for training.
    """
    names = submodule_names(shaped.graph)
    entering: set[str] = set()
    code = fx.Graph()
    results: dict[Value, fx.Node] = {}
    several: dict[int, fx.Node] = {}

    def read(value: Value) -> fx.Node:
        if value not in results:
            picked = (several[value.node], value.result)
            results[value] = code.call_function(operator.getitem, picked)
        return results[value]

    for index, (node, facts) in enumerate(zip(shaped.nodes, shaped.facts, strict=True)):
        if node.training_only and form == "inference":
            continue
        arguments = tuple(map(read, node.inputs))
        if node.op.is_input:
            call = code.placeholder(_unique(_variable(names[index]), entering))
        else:
            with torch.device("meta"):
                made = make(node.op, facts)
            if isinstance(made, Function):
                call = _call(code, made, arguments, names[index].replace(".", "_"))
            else:
                call = code.call_module(names[index], arguments)
        call.meta[NODE] = index
        if len(facts.outputs) == 1:
            results[Value(index)] = call
        else:
            several[index] = call
    leaving = shaped.graph.outputs
    if form == "training":
        leaving += shaped.graph.training_outputs
    code.output(read(leaving[0]) if len(leaving) == 1 else tuple(map(read, leaving)))
    return code


def _call(code: fx.Graph, function: Function, arguments: tuple[fx.Node, ...], name: str) -> fx.Node:
    def call(*nodes: Any) -> fx.Node:
        values = (*nodes, *function.arguments)
        return code.create_node("call_function", function.target, values, name=name)

    if function.form == "list":
        return call(list(arguments))
    if function.form == "spread":
        return call(*arguments)
    return reduce(call, arguments)
