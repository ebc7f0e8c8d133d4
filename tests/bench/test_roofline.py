"""Demand and bound of small graphs, as products by hand."""

import pytest

from cnnstat.bench.roofline import Bound, Demand, Mode, Rates, bound, demands, total_bound
from cnnstat.count.report import Report, analyze
from cnnstat.ir.builder import Builder
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import Conv2d, Flatten, Input, Linear, MaxPool2d, ReLU

RATES = Rates(macs_per_s=100.0, bytes_per_s=10.0)  # ridge point: 10 multiply-accumulates a byte


def test_the_slower_of_the_two_sets_the_bound() -> None:
    assert bound(Demand(1000, 50), RATES) == Bound(10.0, "compute")  # 10 s against 5 s
    assert bound(Demand(100, 50), RATES) == Bound(5.0, "memory")  # 1 s against 5 s
    assert bound(Demand(500, 50), RATES) == Bound(5.0, "compute")  # on the ridge


def test_the_bound_of_a_model_adds_up_its_rows() -> None:
    rows = (Demand(1000, 50), Demand(100, 50), Demand(0, 20))
    assert total_bound(rows, RATES) == Bound(10.0 + 5.0 + 2.0, "compute")
    assert total_bound(rows[1:], RATES) == Bound(5.0 + 2.0, "memory")


def test_intensity_is_work_per_byte() -> None:
    assert Demand(300, 60).macs_per_byte == 5.0
    assert Demand(0, 0).macs_per_byte is None


def _small(batch: int = 1, dtype: str = "float32") -> Report:
    b = Builder("small")
    x = b.add("input", Input((3, 8, 8)))
    x = b.add("conv/relu", ReLU(), b.add("conv", Conv2d(4, (3, 3), (1, 1), (1, 1)), x))
    x = b.add("pool", MaxPool2d((2, 2), (2, 2)), x)
    x = b.add("fc", Linear(5), b.add("fc/flatten", Flatten(), x))
    return analyze(infer_shapes(b.graph(x), {"input": TensorSpec((batch, 3, 8, 8), dtype)}))


def _by_name(mode: Mode) -> dict[str, Demand]:
    report = _small()
    demanded = zip(report.layers, demands(report, mode=mode), strict=True)
    return {row.name: demand for row, demand in demanded}


CONV = 4 * 8 * 8 * 3 * 3 * 3
FC = 5 * 4 * 4 * 4


def test_a_row_reads_its_inputs_and_weights_and_writes_its_output() -> None:
    rows = _by_name("inference")
    assert rows == {
        "input": Demand(0, 0),
        "conv": Demand(CONV, 4 * (3 * 8 * 8 + 4 * 8 * 8 + (4 * 3 * 3 * 3 + 4))),
        "pool": Demand(0, 4 * (4 * 8 * 8 + 4 * 4 * 4)),
        "fc": Demand(FC, 4 * (4 * 4 * 4 + 5 + (5 * 4 * 4 * 4 + 5))),
    }


def test_training_makes_three_products_of_one_and_two_where_nothing_before_is_trained() -> None:
    rows = _by_name("training")
    x, y, w = 4 * 3 * 8 * 8, 4 * 4 * 8 * 8, 4 * (4 * 3 * 3 * 3 + 4)
    assert rows["conv"] == Demand(2 * CONV, 2 * x + 8 * w + 2 * y)
    x, y, w = 4 * 4 * 4 * 4, 4 * 5, 4 * (5 * 4 * 4 * 4 + 5)
    assert rows["fc"] == Demand(3 * FC, 3 * x + 8 * w + 2 * y)


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_work_and_values_grow_with_the_batch_and_weights_do_not(mode: Mode) -> None:
    one, two, three = (demands(_small(batch), mode=mode)[1] for batch in (1, 2, 3))
    assert (two.macs, three.macs) == (2 * one.macs, 3 * one.macs)
    assert three.traffic_bytes - two.traffic_bytes == two.traffic_bytes - one.traffic_bytes
    assert 2 * one.traffic_bytes > two.traffic_bytes


def test_half_the_bytes_in_half_the_precision() -> None:
    whole, half = (
        demands(_small(), mode="inference"),
        demands(_small(dtype="bfloat16"), mode="inference"),
    )
    assert [row.traffic_bytes for row in whole] == [2 * row.traffic_bytes for row in half]
