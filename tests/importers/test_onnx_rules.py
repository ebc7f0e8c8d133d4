"""Every ONNX operator that has a rule: what comes out, its weights, its work, its shape.

Shapes are those of a run: onnx's reference evaluator computes each small model.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from cnnstat import api
from cnnstat.importers.onnx.defined import DEFINED
from cnnstat.importers.onnx.table import ALIASES, RULES
from tests.importers import onnx_layer_cases as layers
from tests.importers import onnx_map_cases as maps
from tests.importers.onnx_models import Case, X, saved

CASES: tuple[Case, ...] = (
    *(*layers.CONVOLUTIONS, *layers.PRODUCTS, *layers.NORMS, *layers.RECURRENT),
    *(*maps.ACTIVATIONS, *maps.POOLS, *maps.ARITHMETIC, *maps.MOVES),
)

FUSED = {"Subsampling", "ScaledTanh", "LogSigmoid", "ScaledAttention"}
"""Rules of what several nodes make; test_onnx_stored.py and test_onnx_fused.py have them."""

FOLDED = {"Range", "ConstantOfShape"}
"""Rules of what is folded while its inputs are constants; test_onnx.py has them computed."""

ELSEWHERE = {
    *("QLinearConv", "ConvInteger", "QLinearMatMul", "MatMulInteger"),
    *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "CumProd"),
    *("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli"),
}
"""Rules that test_onnx_weights.py, test_onnx_defined.py and test_onnx_suite.py have."""


def test_every_rule_has_a_case() -> None:
    covered = {each.op_type for each in CASES}
    assert (set(RULES) | ALIASES) - covered == FUSED | FOLDED | ELSEWHERE
    assert covered - {*RULES, *DEFINED} == ALIASES


def run(case: Case) -> list[Any]:
    fed = {}
    for number, each in enumerate(case.inputs):
        if isinstance(each, X):
            shape = tuple(map(int, each.shape))
            values = np.random.default_rng(number).integers(1, 3, shape)
            fed[f"i{number}"] = values.astype(each.dtype)
    evaluator = ReferenceEvaluator(case.proto())
    return list(evaluator.run(None, fed))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_operator(case: Case, tmp_path: Path) -> None:
    report = api.analyze(saved(case.proto(), tmp_path), batch=_batch(case))
    nodes = report.shaped.nodes
    at = next((i for i, node in enumerate(nodes) if node.name == "here"), 0)
    opaque = type(nodes[at].op).__name__ == "Opaque"
    kind = nodes[at].op.type_name if opaque else type(nodes[at].op).__name__
    assert kind == case.kind
    assert report.totals.params == case.params
    assert report.status == ("partial" if opaque else "complete")
    if not opaque:
        assert report.totals.macs == case.macs
    if case.runs:
        made = [report.shaped.spec(value).shape for value in report.shaped.graph.outputs]
        assert made == [result.shape for result in run(case)]


def _batch(case: Case) -> int:
    first = next(each for each in case.inputs if isinstance(each, X))
    return int(first.shape[0])
