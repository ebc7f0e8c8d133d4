"""Traffic of quantised files and of weights that are made in a row, as products by hand."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, save
from torch import Tensor, nn
from torch.nn import functional

from cnnstat.api import analyze
from cnnstat.bench.layerbounds import layer_bounds
from cnnstat.bench.roofline import Peak
from cnnstat.count.report import Report


@pytest.fixture
def quantised(tmp_path: Path) -> Report:
    """Quantise, dequantise, a convolution of int8 weights with a float bias, ReLU, a product."""
    stored: dict[str, numpy.ndarray[Any, Any]] = {
        "w": numpy.ones((4, 3, 3, 3), numpy.int8),
        "g": numpy.ones((10, 4), numpy.int8),
        "scale": numpy.array(0.1, numpy.float32),
        "zero": numpy.array(0, numpy.int8),
        "b": numpy.zeros(4, numpy.float32),
    }
    by = ["scale", "zero"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *by], ["xq"], "quantise"),
        helper.make_node("DequantizeLinear", ["xq", *by], ["xd"], "dequantise"),
        helper.make_node("DequantizeLinear", ["w", *by], ["wd"], "weights"),
        helper.make_node("Conv", ["xd", "wd", "b"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("DequantizeLinear", ["g", *by], ["gd"], "matrix"),
        helper.make_node("Gemm", ["f", "gd"], ["y"], "gemm", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "quantised",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    path = tmp_path / "quantised.onnx"
    opset = helper.make_opsetid("", 17)
    save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return analyze(str(path)).report


TRAFFIC = {
    "quantise": 3 * 8 * 8 * (4 + 1),
    "dequantise": 3 * 8 * 8 * (1 + 4),
    "conv": 3 * 8 * 8 * 4 + 4 * 3 * 3 * 3 * 1 + 4 * 4 + 4 * 8 * 8 * 4,
    "pool": 4 * 8 * 8 * 4 + 4 * 4,
    "gemm": 4 * 4 + 10 * 4 * 1 + 10 * 4,
}


def test_a_quantised_file_reads_weights_of_its_own_type(quantised: Report) -> None:
    rows = {row.name: row.traffic.total for row in quantised.layers if row.traffic.total}
    assert rows == TRAFFIC
    assert sum(part.total for part in quantised.traffic) == sum(TRAFFIC.values())
    assert quantised.totals.param_bytes == 4 * 3 * 3 * 3 + 10 * 4 + 4 * 4


def test_its_bounds_follow(quantised: Report) -> None:
    peak = Peak(1e12, 1e9)
    bounds = {each.layer.name: each for each in layer_bounds(quantised, peak)}
    assert bounds["conv"].bound_ms == pytest.approx(1e3 * TRAFFIC["conv"] / 1e9)
    flops = 8 * 8 * 4 * (2 * 27 + 1 + 1) + 4 * 3 * 3 * 3 * 2  # products, bias, ReLU; the weights'
    assert bounds["conv"].flops == flops


class Tied(nn.Module):
    """A head with the table of the embedding, and a bias of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.head = nn.Linear(16, 50)
        self.head.weight = self.words.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, l) -> (n, l, 50)."""
        scores: Tensor = self.head(self.words(tokens))
        return scores


def test_the_bias_of_a_tied_layer_is_read_once() -> None:
    from cnnstat.ir.tensor import TensorSpec

    report = analyze(Tied(), input={"tokens": TensorSpec((7,), "int64")}).report
    total = sum(part.total for part in report.traffic)
    words = 7 * 8 + 7 * 16 * 4 + 7 * 16 * 4
    assert total == words + 7 * 16 * 4 + (50 * 16 + 50) * 4 + 7 * 50 * 4


class Scaled(nn.Module):
    """A product with weights that are scaled first."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 16) -> (n, 8)."""
        return functional.linear(x, torch.tanh(self.fc.weight), self.fc.bias)


def test_weights_that_are_made_on_the_way_are_read_once() -> None:
    report = analyze(Scaled(), input=(16,)).report
    assert sum(part.total for part in report.traffic) == 4 * (16 + 16 * 8 + 8 + 8)
