"""The rows of every view of a model add up to its totals, to the unit."""

import pytest

from cnnstat.api import analyze
from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.zoo.catalog import names

MODELS = names()


def _sums(rows: tuple[Layer, ...]) -> tuple[int, ...]:
    figures = [row.figures for row in rows]
    return (
        sum(f.weights for f in figures),
        sum(f.biases for f in figures),
        sum(f.buffers for f in figures),
        sum(f.work.macs for f in figures),
        sum(f.work.flops for f in figures),
        sum(f.activation_bytes for f in figures),
        sum(f.activation_bytes + f.cached_bytes for f in figures),
    )


def _totals(report: Report) -> tuple[int, ...]:
    t = report.totals
    return (
        *(t.weights, t.biases, t.buffers, t.macs, t.flops),
        *(t.activation_bytes, t.cached_activation_bytes),
    )


@pytest.mark.parametrize("name", MODELS)
def test_rows_add_up_to_the_totals_in_every_view(name: str) -> None:
    report = analyze(name, batch=2).report
    assert report.status == "complete"
    for depth in (None, 1, 2, 3):
        assert _sums(report.view(depth=depth)) == _totals(report)
        assert _sums(report.view(expand=True, depth=depth)) == _totals(report)


@pytest.mark.parametrize("name", MODELS)
def test_work_and_memory_grow_with_the_batch_and_parameters_do_not(name: str) -> None:
    one, seven = analyze(name).totals, analyze(name, batch=7).totals
    assert (seven.macs, seven.flops) == (7 * one.macs, 7 * one.flops)
    assert seven.activation_bytes == 7 * one.activation_bytes
    assert seven.peak_activation_bytes == 7 * one.peak_activation_bytes
    assert (seven.params, seven.buffers) == (one.params, one.buffers)
