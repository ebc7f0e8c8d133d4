"""Models written to ONNX: they read back to equal counts, and compute what PyTorch computes."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from cnnstat import api, ops
from cnnstat.backends.torch.build import build_module, submodule_names
from cnnstat.engine.report import Report
from cnnstat.errors import ModelError
from cnnstat.importers.onnx_file import writing
from cnnstat.importers.onnx_file.emitters import EMITTERS
from cnnstat.importers.onnx_file.writing import Weights, onnx_blocks
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.op import Weight
from cnnstat.zoo.catalog import names
from tests.cases import CASES, Case

SAMPLES = Path(__file__).parents[2] / "samples"

RUN = ("lenet5", "zfnet-deconv", "resnet20-cifar", "alexnet-2gpu", "stochastic-depth-110-cifar")
"""Models that are run: partial connections, unpooling with tied weights, zero-padding shortcuts,
response normalisation with groups, scaled paths."""

PER_TENSOR = "max-pooling's indices: ONNX counts them over the whole tensor, PyTorch in each map"

MAX_POOLS = (ops.MaxPool1d, ops.MaxPool2d, ops.MaxPool3d)
ADAPTIVE_POOLS = (
    *(ops.AdaptiveAvgPool1d, ops.AdaptiveAvgPool2d, ops.AdaptiveAvgPool3d),
    *(ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d),
)


def written(shaped: ShapedGraph, path: Path, *, weights: Weights = "random") -> str:
    path.write_bytes(b"".join(onnx_blocks(shaped, weights=weights)))
    return str(path)


def counts(report: Report) -> dict[str, Any]:
    totals = report.totals
    fields = ("weights", "biases", "params", "buffers", "macs", "depth")
    return {"status": report.status, **{name: getattr(totals, name) for name in fields}}


@pytest.mark.parametrize("name", names())
def test_zoo_reads_back_to_equal_counts(name: str, tmp_path: Path) -> None:
    report = api.analyze(name)
    back = api.analyze(written(report.shaped, tmp_path / "model.onnx", weights="none"))
    assert counts(back) == counts(report)
    assert back.notes == ()
    mine = {node.name for node in report.shaped.nodes}
    inside = [node.name for node in back.shaped.nodes if node.name not in mine]
    assert all(any(name.startswith(f"{own}/") for own in mine) for name in inside)


def test_lenet_reads_back_to_its_published_parameters(tmp_path: Path) -> None:
    path = written(api.analyze("lenet5").shaped, tmp_path / "lenet5.onnx", weights="none")
    report = api.analyze(path)
    assert report.totals.params == 60_000
    c3 = [layer.figures.params for layer in report.view() if layer.name.startswith("C3/of")]
    assert c3 == [6 * 3 * 25 + 6, 9 * 4 * 25 + 9, 6 * 25 + 1]
    assert sum(c3) == 1516
    assert report.totals.flops == api.analyze("lenet5").totals.flops


@pytest.mark.parametrize("shape", [(3, 96, 96), (3, 128, 160)])
def test_batch_and_extents_stay_free_where_the_model_lets_them(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    path = written(api.analyze("resnet18").shaped, tmp_path / "model.onnx", weights="none")
    back, own = (api.analyze(m, input=shape, batch=3) for m in (path, "resnet18"))
    assert counts(back) == counts(own)


# -- what a file computes -------------------------------------------------------------------------


def compared(shaped: ShapedGraph, path: Path) -> list[tuple[Any, Any]]:
    """Return what ONNX Runtime and PyTorch compute from one set of weights, result by result."""
    specs = {
        node.name: facts.outputs[0]
        for node, facts in zip(shaped.nodes, shaped.facts, strict=True)
        if node.op.is_input
    }
    module = build_module(shaped.graph, specs, seed=1).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point() and tensor.dim() < 2:  # no scale of 1, no shift of 0
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    places = dict(
        zip([node.name for node in shaped.nodes], submodule_names(shaped.graph), strict=True)
    )

    def weights(node: str, weight: Weight) -> Any:
        return getattr(module.get_submodule(places[node]), weight.name).detach().numpy()

    file = written(shaped, path, weights=weights)
    onnx.checker.check_model(file, full_check=True)
    draw = np.random.default_rng(0)
    given = {
        name: draw.integers(0, 4, spec.shape).astype(spec.dtype)
        if "float" not in spec.dtype
        else draw.standard_normal(spec.shape).astype(spec.dtype)
        for name, spec in specs.items()
    }
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = module(*map(torch.from_numpy, given.values()))
    results = [expected] if isinstance(expected, torch.Tensor) else expected
    found = session.run(None, given)
    assert len(found) == len(results)
    return [(one, other.numpy()) for one, other in zip(found, results, strict=True)]


WRITABLE = [
    case
    for case in CASES
    if type(case.op) in EMITTERS
    and {spec.dtype for spec in case.inputs} <= {"float32", "int64", "float16"}
    and not isinstance(case.op, ops.MaxUnpool2d)  # its indices come from a pooling: zfnet-deconv
]


@pytest.mark.parametrize("case", WRITABLE, ids=lambda case: case.id)
def test_operator_computes_the_same(case: Case, tmp_path: Path) -> None:
    shaped = case.shaped()
    if refused(case):
        with pytest.raises(ModelError, match=r"op: the operator .* cannot be written to ONNX"):
            onnx_blocks(shaped)
        return
    if "float16" in {spec.dtype for spec in case.inputs}:
        onnx.checker.check_model(written(shaped, tmp_path / "op.onnx"), full_check=True)
        return
    for number, (found, expected) in enumerate(compared(shaped, tmp_path / "op.onnx")):
        assert found.shape == expected.shape
        if not (number and isinstance(case.op, MAX_POOLS)):  # PER_TENSOR
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def refused(case: Case) -> bool:
    """Return whether ONNX cannot say this use of an operator that it has."""
    op = case.op
    if isinstance(op, ADAPTIVE_POOLS):
        extents = zip(case.inputs[0].shape[2:], op.output_size, strict=True)
        return set(op.output_size) != {1} and any(n % out for n, out in extents)
    if isinstance(op, MAX_POOLS):
        windows = zip(op.windows(case.inputs[0].shape[2:]), op.kernel, strict=True)
        return any(max(w.before, w.after) >= k for w, k in windows)
    if isinstance(op, ops.Nonlinearity):
        return op.kind in ("GELU", "Hardtanh", "Mish", "LogSigmoid")
    return isinstance(op, ops.BatchNorm2d) and not op.tracked


@pytest.mark.parametrize("name", RUN)
def test_model_computes_the_same(name: str, tmp_path: Path) -> None:
    for found, expected in compared(api.analyze(name).shaped, tmp_path / "model.onnx"):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found / scale, expected / scale, atol=1e-3)


def test_drawn_weights_follow_he(tmp_path: Path) -> None:
    path = written(api.analyze("lenet5").shaped, tmp_path / "lenet5.onnx")
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    assert abs(tensors["C5.weight"].std() / np.sqrt(2 / (16 * 25)) - 1) < 0.02
    assert not tensors["C5.bias"].any()
    again = written(api.analyze("lenet5").shaped, tmp_path / "again.onnx")
    assert Path(path).read_bytes() == Path(again).read_bytes()


# -- what cannot be written ------------------------------------------------------------------------


def test_operators_without_an_emitter_are_named() -> None:
    missing = [c for c in CASES if type(c.op) not in EMITTERS and not c.op.is_input]
    assert {type(case.op).__name__ for case in missing} >= {"Recurrent", "Attention"}
    for case in missing:
        with pytest.raises(ModelError, match=f"op: the operator {case.op.type_name} cannot be"):
            onnx_blocks(case.shaped())


def test_more_than_a_file_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MAX_BYTES", 200_000)
    shaped = api.analyze("lenet5").shaped
    with pytest.raises(ModelError, match=r"lenet5: its weights take 0.00 GB and an ONNX file"):
        onnx_blocks(shaped)
    assert len(b"".join(onnx_blocks(shaped, weights="none"))) < 20_000


def test_sample_is_the_written_spec() -> None:
    sample = api.analyze(str(SAMPLES / "tiny.onnx"))
    assert counts(sample) == counts(api.analyze(str(SAMPLES / "tiny.yaml")))
    assert sample.totals.params == (9 + 1) * 16 + (16 * 9 + 1) * 32 + (32 + 1) * 10
    assert [layer.name for layer in sample.view()] == [
        "input",
        "conv1",
        "pool1",
        "conv2",
        "pool2",
        "fc",
    ]
