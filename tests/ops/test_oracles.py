"""Every operator against counters that cnnstat did not write; completeness of the tables."""

import inspect
import warnings

import pytest
import torch

from cnnstat.count.check import differences
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.op import Op
from cnnstat.ops import ALL_OPS
from cnnstat.pytorch.build import build_module, forward_graph, make_modules
from cnnstat.pytorch.modules import MAKERS, UNBUILDABLE
from cnnstat.pytorch.othercounters import measure
from tests.cases import CASES, Case

HEADINGS = ("Shape:", "Weights:", "Work:", "Source:")
each_case = pytest.mark.parametrize(
    "case", CASES, ids=[f"{number}-{case.id}" for number, case in enumerate(CASES)]
)
each_op = pytest.mark.parametrize("op", ALL_OPS, ids=lambda op: op.__name__)


@each_case
def test_shapes_weights_and_counts_are_those_of_pytorch(case: Case) -> None:
    shaped = case.shaped()
    assert differences(shaped, measure(shaped)) == ()


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@each_case
def test_a_real_run_gives_the_inferred_shapes_and_dtypes(case: Case) -> None:
    shaped = case.shaped()
    specs = {f"x{number}": spec for number, spec in enumerate(case.inputs)}
    module = build_module(shaped.graph, specs).eval()
    with torch.inference_mode():
        computed = module(*real_inputs(shaped))
    results = computed if isinstance(computed, tuple) else (computed,)
    outputs = shaped.facts[-1].outputs
    assert [(tuple(r.shape), str(r.dtype)) for r in results] == [
        (spec.shape, f"torch.{spec.dtype}") for spec in outputs
    ]


@each_case
def test_fvcore_counts_the_same_on_the_cpu_as_on_the_meta_device(case: Case) -> None:
    """The way that fvcore is led onto the meta device changes none of its counts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        shaped = case.shaped()
        code = forward_graph(shaped, form="training")
        module = torch.fx.GraphModule(make_modules(shaped), code).eval()
        analysis = FlopCountAnalysis(module, tuple(real_inputs(shaped)))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        total, left_out = analysis.total(), dict(analysis.unsupported_ops())
    counted = measure(shaped)
    assert (counted.fvcore_total, counted.left_out) == (total, left_out)


def real_inputs(shaped: ShapedGraph) -> list[torch.Tensor]:
    """Small random tensors; the indices of an unpooling each at a place of its own."""
    generator = torch.Generator().manual_seed(0)
    tensors = []
    for node, facts in zip(shaped.nodes, shaped.facts, strict=True):
        if not node.op.is_input:
            continue
        spec = facts.outputs[0]
        if spec.dtype == "int64" and spec.rank == 2:  # rows of a table
            tensors.append(torch.zeros(spec.shape, dtype=torch.int64))
        elif spec.dtype == "int64":
            n, c, h, w = spec.shape
            tensors.append(torch.arange(h * w).view(h, w).expand(n, c, h, w).contiguous())
        else:
            made = torch.randn(spec.shape, generator=generator)
            tensors.append(made.to(getattr(torch, spec.dtype)))
    return tensors


@each_op
def test_every_operator_has_a_case(op: type[Op]) -> None:
    assert any(type(case.op) is op for case in CASES) != (op in UNBUILDABLE)


@each_op
def test_every_operator_has_a_line_in_the_torch_table(op: type[Op]) -> None:
    assert op in MAKERS


def test_the_torch_table_has_no_other_lines() -> None:
    assert set(MAKERS) <= set(ALL_OPS)


@each_op
def test_every_operator_says_its_shape_weights_work_and_source(op: type[Op]) -> None:
    lines = [line.strip() for line in (inspect.getdoc(op) or "").splitlines()]
    starts = [line.split(" ")[0] for line in lines]
    assert [start for start in starts if start in HEADINGS] == list(HEADINGS)
