"""Memory of every pooling after a trained layer, to the byte, against PyTorch's dispatcher."""

from dataclasses import replace

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from cnnstat import ops
from cnnstat.count.report import Report, analyze
from cnnstat.ir.builder import Builder
from cnnstat.ir.op import Op
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.memory.memory import plan, settings
from cnnstat.memory.passes import Settings
from cnnstat.pytorch.build import build_module
from cnnstat.pytorch.measured_memory import measure, subject
from tests.cases import POOLS, Case

CASES = [case for case in POOLS if [spec.dtype for spec in case.inputs] == ["float32"]]
CONDITIONS = {
    "inference": settings(),
    "inference-bfloat16": settings(amp="bfloat16"),
    "training": settings(mode="training", optimizer="adam"),
    "training-bfloat16": settings(mode="training", amp="bfloat16"),
}


CONVOLUTIONS: dict[int, type[ops.Conv1d | ops.Conv2d | ops.Conv3d]] = {
    3: ops.Conv1d,
    4: ops.Conv2d,
    5: ops.Conv3d,
}
"""By rank of the tensor; under autocast their results are in the lower dtype."""


def behind_a_convolution(op: Op, shape: tuple[int, ...]) -> Report:
    """A convolution, a pooling and what reads it: all have gradients but the image."""
    b = Builder("pooled")
    conv = CONVOLUTIONS[len(shape)](shape[1], (1,) * (len(shape) - 2))
    x = b.add("conv", conv, b.add("x", ops.Input(shape[1:])))
    graph = b.graph(b.add("tanh", ops.Tanh(), b.add("pool", op, x)))
    return analyze(infer_shapes(graph, {"x": TensorSpec(shape)}))


@pytest.mark.parametrize("chosen", CONDITIONS.values(), ids=CONDITIONS.keys())
@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case.id}" for n, case in enumerate(CASES)])
def test_predicted_is_measured(case: Case, chosen: Settings) -> None:
    report = behind_a_convolution(case.op, case.inputs[0].shape)
    predicted = plan(report, replace(chosen, tracked=True))
    assert predicted.status == "complete"
    assert measure(subject(report.shaped, chosen)) == predicted.predicted


def test_max_pooling_along_an_axis_makes_no_indices_unwatched() -> None:
    report = behind_a_convolution(ops.MaxPool1d((2,), (2,)), (1, 3, 8))
    before = 4 * 2 * 3 * 8  # the image and the maps
    assert plan(report, settings()).forward_peak.bytes == before + 4 * 3 * 4
    watched = plan(report, replace(settings(), tracked=True))
    assert watched.forward_peak.bytes == before + (4 + 8) * 3 * 4

    module = build_module(report.shaped.graph, {"x": TensorSpec((1, 3, 8))}).eval()
    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU]) as seen:
        module(torch.zeros(1, 3, 8))
    called = {event.key for event in seen.key_averages()}
    assert "aten::max_pool1d" in called
    assert "aten::max_pool2d_with_indices" not in called
