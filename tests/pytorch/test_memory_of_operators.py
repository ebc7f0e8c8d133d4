"""Memory of a training step of every operator, to the byte, against PyTorch's dispatcher.

Behind normalisations, which have gradients. An operator whose kernels are not known makes the
prediction a lower bound: nothing is above the measurement.
"""

from dataclasses import replace

import pytest

from cnnstat import ops
from cnnstat.count.report import Report, analyze
from cnnstat.ir.builder import Builder
from cnnstat.ir.shapes import infer_shapes
from cnnstat.memory.memory import Measured, plan, settings
from cnnstat.pytorch.measured_memory import measure, subject
from cnnstat.pytorch.modules import UNBUILDABLE
from tests.cases import CASES, POOLS, Case

TRAINING = settings(mode="training", optimizer="adam")
NO_GRADIENT = ("floor_divide",)
"""Functions that PyTorch does not differentiate."""

BEHIND = [
    case
    for case in CASES
    if case not in POOLS
    and not isinstance(case.op, UNBUILDABLE)
    and getattr(case.op, "kind", "") not in NO_GRADIENT
]


def behind_normalisations(case: Case) -> Report:
    """A graph of the operator; its inputs of numbers are normalised first."""
    b = Builder("net")
    entering = []
    for number, spec in enumerate(case.inputs):
        x = b.add(f"x{number}", ops.Input(spec.shape[1:], spec.dtype))
        if spec.dtype == "float32" and spec.rank > 1:
            x = b.add(f"norm{number}", ops.LayerNorm(1), x)
        entering.append(x)
    first = b.add("op", case.op, *entering)
    results = [b.result(first, number) for number in range(len(case.op.infer(case.inputs)))]
    specs = {f"x{number}": spec for number, spec in enumerate(case.inputs)}
    return analyze(infer_shapes(b.graph(*results), specs))


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # PyTorch's own
@pytest.mark.parametrize("case", BEHIND, ids=[f"{n}-{case.id}" for n, case in enumerate(BEHIND)])
def test_prediction_equals_the_measurement_or_is_below_it(case: Case) -> None:
    report = behind_normalisations(case)
    predicted = plan(report, replace(TRAINING, tracked=True))
    measured = measure(subject(report.shaped, TRAINING))
    if predicted.status == "complete":
        assert measured == predicted.predicted
    else:
        assert quantities_below(predicted.predicted, measured)


def quantities_below(predicted: Measured, measured: Measured) -> bool:
    pairs = zip(predicted, measured, strict=True)
    return all(ours is None or real is None or ours <= real for ours, real in pairs)
