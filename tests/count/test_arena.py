"""Tensors at the ideal peak, and a plan in which no two that live together overlap."""

import pytest

from cnnstat.api import analyze
from cnnstat.count.liveness import ArenaTensor, arena, at_peak, extent
from cnnstat.count.report import Report
from cnnstat.count.report import analyze as analyze_graph
from cnnstat.ir.builder import Builder
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ops import Add, Input, Linear


def _plan(report: Report) -> tuple[ArenaTensor, ...]:
    plan = arena(report.shaped, report.placement)
    assert plan is not None
    return plan


def _residual() -> Report:
    b = Builder("net")
    x = b.add("input", Input((8,)))
    a = b.add("a", Linear(16), x)
    y = b.add("b", Linear(16), a)
    return analyze_graph(infer_shapes(b.graph(b.add("add", Add(), a, y)), {}))


def test_the_tensors_at_the_peak_are_named() -> None:
    report = _residual()
    names = [report.shaped.nodes[node].name for node, _ in at_peak(report.shaped, report.placement)]
    assert names == ["a", "b", "add"]  # 3 * 16 * 4 bytes


def test_the_input_gives_its_place_away() -> None:
    plan = {report_name(tensor): tensor for tensor in _plan(_residual())}
    assert plan["input"].offset in (plan["b"].offset, plan["add"].offset)
    assert extent(tuple(plan.values())) == 3 * 16 * 4


def report_name(tensor: ArenaTensor) -> str:
    return ("input", "a", "b", "add")[tensor.node]


@pytest.mark.parametrize("model", ["lenet5", "googlenet-aux", "densenet121", "fractalnet20-cifar"])
def test_no_two_that_live_together_overlap(model: str) -> None:
    report = analyze(model).report
    plan = _plan(report)
    for place, one in enumerate(plan):
        for other in plan[place + 1 :]:
            together = one.first <= other.last and other.first <= one.last
            apart = (
                one.offset + one.bytes <= other.offset or other.offset + other.bytes <= one.offset
            )
            assert apart or not together
    sizes = [size for _, size in at_peak(report.shaped, report.placement)]
    assert sum(sizes) == report.totals.peak_activation_bytes
    assert extent(plan) >= report.totals.peak_activation_bytes
