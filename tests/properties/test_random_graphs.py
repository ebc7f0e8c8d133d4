"""Random networks against PyTorch and fvcore; what must hold for every network."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnnstat.count.check import differences
from cnnstat.count.report import analyze
from cnnstat.errors import ShapeError
from cnnstat.ir.graph import Graph, ShapedGraph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch.othercounters import measure
from tests.properties.graphs import CHANNELS, EXTENTS, networks


def shaped(graph: Graph, batch: int = 1) -> ShapedGraph:
    """The graph on its input; what shrinks to nothing on the way is left out."""
    try:
        return infer_shapes(graph, {"input": TensorSpec((batch, CHANNELS, *EXTENTS))})
    except ShapeError:
        assume(False)
        raise


@settings(max_examples=40, deadline=None)
@given(networks(), st.integers(1, 3))
def test_shapes_weights_and_counts_are_those_of_pytorch(graph: Graph, batch: int) -> None:
    net = shaped(graph, batch)
    assert differences(net, measure(net)) == ()


@settings(max_examples=200, deadline=None)
@given(networks(), st.integers(2, 9))
def test_work_and_activations_are_linear_in_the_batch(graph: Graph, batch: int) -> None:
    one, many = analyze(shaped(graph)).totals, analyze(shaped(graph, batch)).totals
    assert many.macs == batch * one.macs
    assert many.flops == batch * one.flops
    assert many.activation_bytes == batch * one.activation_bytes
    assert many.peak_activation_bytes == batch * one.peak_activation_bytes
    assert many.params == one.params


@settings(max_examples=200, deadline=None)
@given(networks())
def test_rows_add_up_to_the_total_in_every_view(graph: Graph) -> None:
    report = analyze(shaped(graph))
    for view in (report.view(), report.view(expand=True), report.view(depth=1)):
        assert sum(row.params for row in view) == report.totals.params
        assert sum(row.figures.work.macs for row in view) == report.totals.macs
        assert sum(row.figures.work.flops for row in view) == report.totals.flops
        assert sum(row.activation_bytes for row in view) == report.totals.activation_bytes
