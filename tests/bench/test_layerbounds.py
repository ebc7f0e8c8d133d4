"""Bounds of layers at a device's peak, as products by hand, and what a fusion saves."""

import pytest

from cnnstat.api import analyze
from cnnstat.bench.devices import find_device
from cnnstat.bench.layerbounds import LayerBound, layer_bounds, total_ms
from cnnstat.bench.roofline import Peak
from cnnstat.count.report import Report
from cnnstat.ir.builder import Builder
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import Conv2d, Embedding, Flatten, Input, Linear, MaxPool2d, Opaque, ReLU


def _bounds(report: Report, peak: Peak) -> dict[str, LayerBound]:
    return {each.layer.name: each for each in layer_bounds(report, peak)}


def test_three_layers_of_resnet50_on_an_h100() -> None:
    report = analyze("resnet50").report
    device = find_device("h100-sxm")
    bounds = _bounds(report, Peak(device.peak("float32"), device.bytes_per_s))
    # conv1: 7x7 on 3 channels to 64 maps of 112x112; per output 2 FLOPs a tap, 2 of the
    # normalisation, 1 of the ReLU
    outputs = 64 * 112 * 112
    compute = outputs * (2 * 7 * 7 * 3 + 2 + 1) / 66.9e12
    assert bounds["conv1"].bound_ms == pytest.approx(1e3 * compute)
    assert bounds["conv1"].limit == "compute"
    # conv2_1/1x1_expand: 256 maps of 56x56 from 64; inputs, weights with 2 of the normalisation
    # for each map, outputs, each 4 bytes
    expand = next(name for name in bounds if name.startswith("conv2_1/") and "expand" in name)
    outputs = 256 * 56 * 56
    compute = outputs * (2 * 64 + 2) / 66.9e12
    assert bounds[expand].bound_ms == pytest.approx(1e3 * compute, rel=0.01)
    # fc: 2048 to 1000, every weight is read once
    moved = 4 * (2048 + 2048 * 1000 + 1000 + 1000)
    assert bounds["fc"].bound_ms == pytest.approx(1e3 * moved / 3350e9)
    assert bounds["fc"].limit == "memory"


def _two() -> Report:
    b = Builder("two")
    x = b.add("input", Input((3, 8, 8)))
    x = b.add("conv/relu", ReLU(), b.add("conv", Conv2d(4, (3, 3), (1, 1), (1, 1)), x))
    x = b.add("pool", MaxPool2d((2, 2), (2, 2)), x)
    x = b.add("fc", Linear(5), b.add("fc/flatten", Flatten(), x))
    return analyze_graph(b, x)


def analyze_graph(b: Builder, x: object) -> Report:
    from cnnstat.count.report import analyze as analyze_shaped

    return analyze_shaped(infer_shapes(b.graph(x), {}))  # type: ignore[arg-type]


CONV_BYTES = 4 * (3 * 8 * 8 + 4 * 3 * 3 * 3 + 4 + 4 * 8 * 8)
POOL_BYTES = 4 * (4 * 8 * 8 + 4 * 4 * 4)


def test_a_fusion_saves_what_is_written_and_read_between_two_layers() -> None:
    bounds = _bounds(_two(), Peak(1e15, 1e6))  # memory sets everything
    between = 4 * 4 * 8 * 8
    assert bounds["conv"].bound_ms == pytest.approx(CONV_BYTES / 1e3)
    assert bounds["conv"].fusion_saves_ms == pytest.approx(2 * between / 1e3)
    assert bounds["fc"].fusion_saves_ms is None  # its result leaves the model
    assert "input" not in bounds


def test_a_fusion_hides_the_smaller_time_behind_the_larger() -> None:
    report = _two()
    flops = {layer.name: layer.flops or 0 for layer in report.layers}
    peak = Peak(1e6, 1e6)  # the convolution computes, the pooling moves
    bounds = _bounds(report, peak)
    apart = flops["conv"] / 1e3 + POOL_BYTES / 1e3
    together = (flops["conv"] + flops["pool"]) / 1e3
    assert bounds["conv"].limit == "compute"
    assert bounds["pool"].limit == "memory"
    assert bounds["conv"].fusion_saves_ms == pytest.approx(apart - together)


def test_the_bounds_add_up_to_the_total() -> None:
    rows = layer_bounds(_two(), Peak(1e6, 1e6))
    assert total_ms(rows) == pytest.approx(sum(row.bound_ms or 0 for row in rows))


def test_unknown_flops_leave_the_bound_unknown() -> None:
    b = Builder("net")
    x = b.add("a", Linear(6), b.add("input", Input((6,))))
    x = b.add("strange", Opaque("strange", (TensorSpec((1, 6)),)), x)
    bounds = _bounds(analyze_graph(b, x), Peak(1e6, 1e6))
    assert (bounds["strange"].bound_ms, bounds["strange"].limit) == (None, None)
    assert bounds["a"].fusion_saves_ms is None


def test_only_the_rows_of_a_table_that_are_looked_up_are_read() -> None:
    b = Builder("net")
    x = b.add("table", Embedding(1000, 8), b.add("ids", Input((5,), "int64")))
    report = analyze_graph(b, x)
    assert report.layer("table").traffic == (5 * 8, 5 * 8 * 4, 5 * 8 * 4)  # type: ignore[union-attr]


@pytest.mark.parametrize("model", ["googlenet", "densenet121", "mobilenet"])
def test_traffic_is_the_same_in_every_view(model: str) -> None:
    report = analyze(model).report
    totals = {
        sum(row.traffic.total for row in view)
        for view in (report.layers, report.view(expand=True), report.view(depth=1))
    }
    assert len(totals) == 1


def test_weights_that_are_tied_are_read_again() -> None:
    b = Builder("net")
    x = b.add("a", Linear(6, bias=False), b.add("input", Input((6,))))
    x = b.add("b", Linear(6, bias=False), x, tied_to=x)
    report = analyze_graph(b, x)
    assert [layer.traffic.weights for layer in report.layers] == [0, 4 * 36, 4 * 36]
