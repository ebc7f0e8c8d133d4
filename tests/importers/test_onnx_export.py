"""Models written to ONNX: they read back to equal counts, and compute what PyTorch computes."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from cnnstat import api
from cnnstat.count.report import Report
from cnnstat.errors import ModelError
from cnnstat.importers.onnx import writing
from cnnstat.importers.onnx.writing import onnx_blocks
from cnnstat.zoo.catalog import names
from tests.importers.onnx_running import Both, written

SAMPLES = Path(__file__).parents[2] / "samples"

RUN = ("lenet5", "zfnet-deconv", "resnet20-cifar", "alexnet-2gpu", "stochastic-depth-110-cifar")
"""Models that are run: partial connections, unpooling with tied weights, zero-padding shortcuts,
response normalisation with groups, scaled paths."""


def counts(report: Report) -> dict[str, Any]:
    totals = report.totals
    fields = ("weights", "biases", "params", "buffers", "macs", "depth")
    return {"status": report.status, **{name: getattr(totals, name) for name in fields}}


@pytest.mark.parametrize("name", names())
def test_zoo_reads_back_to_equal_counts(name: str, tmp_path: Path) -> None:
    report = api.analyze(name).report
    back = api.analyze(written(report.shaped, tmp_path / "model.onnx", weights="none")).report
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
    back, own = (api.analyze(m, input=shape, batch=3).report for m in (path, "resnet18"))
    assert counts(back) == counts(own)


# -- what a file computes -------------------------------------------------------------------------


@pytest.mark.parametrize("name", RUN)
def test_model_computes_the_same(name: str, tmp_path: Path) -> None:
    for found, expected in Both(api.analyze(name).shaped, tmp_path / "model.onnx").run():
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


def test_more_than_a_file_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MAX_BYTES", 200_000)
    shaped = api.analyze("lenet5").shaped
    with pytest.raises(ModelError, match=r"lenet5: its weights take 0.00 GB and an ONNX file"):
        onnx_blocks(shaped)
    assert len(b"".join(onnx_blocks(shaped, weights="none"))) < 20_000


def test_sample_is_the_written_spec() -> None:
    sample = api.analyze(str(SAMPLES / "tiny.onnx")).report
    assert counts(sample) == counts(api.analyze(str(SAMPLES / "tiny.yaml")).report)
    assert sample.totals.params == (9 + 1) * 16 + (16 * 9 + 1) * 32 + (32 + 1) * 10
    assert [layer.name for layer in sample.view()] == [
        "input",
        "conv1",
        "pool1",
        "conv2",
        "pool2",
        "fc",
    ]
