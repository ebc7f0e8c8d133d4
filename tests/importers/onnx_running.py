"""A graph written to ONNX and run beside the module that PyTorch makes of it."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch

from cnnstat.importers.onnx.writing import Weights, onnx_blocks
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.op import Weight
from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch.build import build_module, submodule_names


class Pair(NamedTuple):
    """One result as ONNX Runtime has it and as PyTorch has it."""

    found: Any
    expected: Any


def written(shaped: ShapedGraph, path: Path, *, weights: Weights = "random") -> str:
    path.write_bytes(b"".join(onnx_blocks(shaped, weights=weights)))
    return str(path)


def entering(shaped: ShapedGraph) -> dict[str, TensorSpec]:
    pairs = zip(shaped.nodes, shaped.facts, strict=True)
    return {node.name: facts.outputs[0] for node, facts in pairs if node.op.is_input}


def drawn(specs: dict[str, TensorSpec]) -> dict[str, Any]:
    """Return inputs: small whole numbers, truth values or normal deviates."""
    draw = np.random.default_rng(0)

    def one(spec: TensorSpec) -> Any:
        if "float" in spec.dtype:
            return draw.standard_normal(spec.shape).astype(spec.dtype)
        return draw.integers(0, 2 if spec.dtype == "bool" else 4, spec.shape).astype(spec.dtype)

    return {name: one(spec) for name, spec in specs.items()}


class Both:
    """A graph's file in ONNX Runtime, and its module in PyTorch, with one set of weights."""

    def __init__(self, shaped: ShapedGraph, path: Path) -> None:
        self.specs = entering(shaped)
        self.module = build_module(shaped.graph, self.specs, seed=1).eval()
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for tensor in (*self.module.parameters(), *self.module.buffers()):
                if tensor.is_floating_point() and tensor.dim() < 2:  # no scale of 1, no shift of 0
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        names = submodule_names(shaped.graph)
        places = dict(zip([node.name for node in shaped.nodes], names, strict=True))

        def weights(node: str, weight: Weight) -> Any:
            return getattr(self.module.get_submodule(places[node]), weight.name).detach().numpy()

        file = written(shaped, path, weights=weights)
        onnx.checker.check_model(file, full_check=True)
        self.session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def run(self, specs: dict[str, TensorSpec] | None = None) -> list[Pair]:
        """Return every result for inputs of these specs, or those that the graph was made for."""
        given = drawn(specs or self.specs)
        with torch.no_grad():
            made = self.module(*map(torch.from_numpy, given.values()))
        expected = [made] if isinstance(made, torch.Tensor) else made
        found = self.session.run(None, given)
        return [Pair(one, other.numpy()) for one, other in zip(found, expected, strict=True)]
