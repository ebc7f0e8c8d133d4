"""Tensors without elements, as an empty slice makes them: counted or refused, no traceback."""

import pytest

from cnnstat import ops
from cnnstat.count.conventions import CONVENTIONS
from cnnstat.count.report import analyze
from cnnstat.errors import ShapeError
from cnnstat.ir.op import OpError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import WindowError
from cnnstat.memory.memory import plan, settings
from tests.cases import CASES, Case, case


def emptied(use: Case, extent: int) -> Case:
    """The same use with all axes of one extent empty."""
    shapes = [tuple(0 if n == extent else n for n in spec.shape) for spec in use.inputs]
    specs = zip(shapes, use.inputs, strict=True)
    return Case(use.op, tuple(TensorSpec(shape, spec.dtype) for shape, spec in specs))


EMPTIED = [
    emptied(use, extent)
    for use in CASES
    for extent in sorted({n for spec in use.inputs for n in spec.shape})
]


@pytest.mark.parametrize("use", EMPTIED, ids=lambda use: use.id)
def test_empty_tensors_are_counted_or_refused(use: Case) -> None:
    try:
        shaped = use.shaped()
    except (OpError, WindowError, ShapeError):
        return
    for convention in CONVENTIONS.values():
        report = analyze(shaped, convention=convention)
        assert all(facts.work is None or min(facts.work) >= 0 for facts in shaped.facts)
        assert report.totals.macs is not None
    for mode in ("inference", "training"):
        plan(report, settings(mode=mode))


@pytest.mark.parametrize(
    ("use", "flops"),
    [
        (case(ops.Softmax(-1), (2, 3, 0)), 0),
        (case(ops.LogSoftmax(1), (2, 0, 3)), 0),
        (case(ops.Reduce("sum", (1,)), (2, 0, 3)), 0),  # the sum of no elements is not added up
        (case(ops.Attention(), (2, 0, 4), (2, 5, 4), (2, 5, 6)), 0),
        (
            case(ops.Attention(), (2, 7, 4), (2, 5, 4), (2, 5, 0)),
            2 * 2 * 7 * 5 * 4 + 2 * 7 * (4 * 5 - 1),
        ),
    ],
    ids=lambda each: each.id if isinstance(each, Case) else str(each),
)
def test_work_on_empty_tensors(use: Case, flops: int) -> None:
    assert analyze(use.shaped()).totals.flops == flops
