"""The receptive field against PyTorch's gradients: weights of one mark every input that is read."""

import torch
from hypothesis import assume, given, settings

from cnnstat.count.report import analyze
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import Conv2d, ConvTranspose2d, Input
from cnnstat.pytorch.build import build_module
from tests.properties.graphs import CHANNELS, networks

MARGIN = 40
"""Half the extent of a map on which no field in the middle is cut off at an edge."""


def enlarged(graph: Graph) -> Graph:
    return Graph(
        graph.name,
        (graph.nodes[0]._replace(op=Input((CHANNELS, 2 * MARGIN, 2 * MARGIN))), *graph.nodes[1:]),
        graph.outputs,
    )


def read_by_gradient(graph: Graph, *, phases: int = 1) -> tuple[int, int]:
    """Extent of what ``phases`` outputs in the middle read along each axis, the most of any."""
    spec = TensorSpec((1, CHANNELS, 2 * MARGIN, 2 * MARGIN))
    module = build_module(graph, {"input": spec})
    for parameter in module.parameters():
        torch.nn.init.ones_(parameter)
    x = torch.ones(spec.shape, requires_grad=True)
    out = module(x)
    widest = [0, 0]
    _, _, rows, columns = out.shape
    for row in range(rows // 2, min(rows // 2 + phases, rows)):
        for column in range(columns // 2, min(columns // 2 + phases, columns)):
            (gradient,) = torch.autograd.grad(out[0, 0, row, column], x, retain_graph=True)
            read = gradient[0].sum(0).nonzero()
            spans = (read.max(0).values - read.min(0).values + 1).tolist()
            widest = [max(a, b) for a, b in zip(widest, spans, strict=True)]
    return widest[0], widest[1]


@settings(max_examples=25, deadline=None)
@given(networks(spatial=True))
def test_the_size_is_the_extent_of_the_gradient(graph: Graph) -> None:
    big = enlarged(graph)
    spec = TensorSpec((1, CHANNELS, 2 * MARGIN, 2 * MARGIN))
    report = analyze(infer_shapes(big, {"input": spec}))
    field = report.receptive_field(len(big.nodes) - 1)
    assert field is not None
    assume(max(field.size) < MARGIN)
    assert field.size == read_by_gradient(big)


def test_transposed_convolutions_too() -> None:
    b = Builder("up")
    x = b.add("input", Input((CHANNELS, 2 * MARGIN, 2 * MARGIN)))
    x = b.add("down", Conv2d(CHANNELS, (3, 3), (2, 2), (1, 1)), x)
    x = b.add("up", ConvTranspose2d(CHANNELS, (4, 3), (2, 2), (1, 1)), x)
    graph = b.graph(b.add("conv", Conv2d(CHANNELS, (3, 3), padding=(1, 1)), x))
    spec = TensorSpec((1, CHANNELS, 2 * MARGIN, 2 * MARGIN))
    field = analyze(infer_shapes(graph, {"input": spec})).receptive_field(3)
    assert field is not None
    assert field.size == read_by_gradient(graph, phases=4)
