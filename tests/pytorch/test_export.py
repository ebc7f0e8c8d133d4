"""Models exported to ONNX compute what PyTorch computes, and their counts read back."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (PyTorch's own name for it)

from cnnstat import api, ops
from cnnstat.count.report import Report
from cnnstat.errors import ModelError, UsageError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch import export
from cnnstat.pytorch.build import build_full_form
from cnnstat.pytorch.export import Exported, export_onnx
from cnnstat.pytorch.modules import UNBUILDABLE
from tests.cases import CASES, Case
from tests.pytorch.capture.modules import Applied

ZOO = ("lenet5", "zfnet-deconv", "resnet20-cifar", "mobilenet")
"""Partial connections and squared distances, unpooling with tied weights, zero-padding shortcuts,
depthwise convolutions with batch norms."""


def totals(report: Report) -> tuple[Any, ...]:
    names = ("weights", "biases", "params", "buffers", "macs")
    return (report.status, *(getattr(report.totals, name) for name in names))


def saved(exported: Exported, folder: Path) -> str:
    path = str(folder / "net.onnx")
    exported.save(path)
    return path


def run(path: str, inputs: list[Tensor]) -> list[Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    results: list[Any] = session.run(
        None, dict(zip(names, [x.numpy() for x in inputs], strict=True))
    )
    return results


@pytest.mark.parametrize("name", ZOO)
def test_zoo_reads_back_to_equal_counts_and_runs_with_any_batch(name: str, tmp_path: Path) -> None:
    model = api.load(name)
    exported = api.export_onnx(model)
    assert exported.notes == []
    path = saved(exported, tmp_path)
    report = api.analyze(model).report
    assert totals(api.analyze(path).report) == totals(report)
    (spec,) = report.inputs.values()
    x = torch.randn(3, *spec.shape[1:], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = exported.module(x).numpy()
    (computed,) = run(path, [x])
    assert computed.std() > 0
    np.testing.assert_allclose(computed, expected, atol=1e-3 * expected.std(), rtol=1e-5)


HEADS = """
input: 3x8x8
layers:
  - {name: conv, Conv2d: [4, 3]}
  - {name: aux, Conv2d: [2, 6], training_only: true}
  - {name: main, Conv2d: [5, 1], from: conv}
outputs: main
training_outputs: aux
"""


def spec_file(folder: Path, text: str) -> str:
    (folder / "net.yaml").write_text(text)
    return str(folder / "net.yaml")


def test_auxiliary_heads_are_further_outputs(tmp_path: Path) -> None:
    spec = spec_file(tmp_path, HEADS)
    path = saved(api.export_onnx(api.load(spec)), tmp_path)
    assert [each.shape for each in run(path, [torch.zeros(1, 3, 8, 8)])] == [
        (1, 5, 6, 6),
        (1, 2, 1, 1),
    ]
    report = api.analyze(path).report
    assert report.totals.params == (27 + 1) * 4 + (4 * 36 + 1) * 2 + (4 + 1) * 5
    assert totals(report) == totals(api.analyze(spec).report)


# -- operators ------------------------------------------------------------------------------------


class Limitation(NamedTuple):
    """Operators that something does not hold for, and why."""

    why: str
    ops: tuple[type, ...]


NOT_EXPORTED = Limitation(
    "PyTorch's exporter has no form of it",
    (ops.WeightNorm, ops.Fold, ops.MaxUnpool2d, *UNBUILDABLE),
)
FIRST = [
    next(case for case in CASES if type(case.op) is kind)
    for kind in sorted({type(case.op) for case in CASES}, key=lambda kind: kind.__name__)
    if not kind.is_input and kind not in NOT_EXPORTED.ops
]
"""One use of every operator."""


@pytest.mark.parametrize("case", FIRST, ids=lambda case: case.id)
def test_operator_reads_back_to_its_counts(case: Case, tmp_path: Path) -> None:
    shaped = case.shaped()
    specs = {f"x{number}": spec for number, spec in enumerate(case.inputs)}
    exported = export_onnx("op", build_full_form(shaped), specs)
    report = api.analyze(saved(exported, tmp_path), batch=case.inputs[0].shape[0]).report
    weights, work = shaped.facts[-1].weights, shaped.facts[-1].work
    assert work is not None
    assert report.totals.params == sum(w.numel for w in weights if w.role != "buffer")
    assert report.totals.buffers == sum(w.numel for w in weights if w.role == "buffer")
    assert report.totals.macs == work.macs


# -- modules --------------------------------------------------------------------------------------


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.norm = nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, 16, 16) -> (n, 5)."""
        x = self.patches(x).flatten(2).transpose(1, 2)
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        logits: Tensor = self.head(x.mean(1))
        return logits


class Warped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.flow = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, 8, h + 4, w + 4)."""
        maps = self.conv(F.pad(x, (2, 2, 2, 2), mode="reflect")).relu()
        return F.grid_sample(maps, self.flow(maps).tanh().permute(0, 2, 3, 1), align_corners=False)


MODULES: tuple[tuple[nn.Module, tuple[int, ...], int], ...] = (
    (Attention(), (3, 16, 16), (3 * 16 + 1) * 16 + 2 * 16 + 4 * 17 * 16 + 17 * 5),
    (Warped(), (3, 12, 12), (27 + 1) * 8 + (8 + 1) * 2),
    (nn.Sequential(nn.Conv2d(3, 2, 1), nn.AvgPool2d(2, divisor_override=3)), (3, 8, 8), 8),
    (nn.Sequential(nn.Conv3d(1, 2, 1), nn.AvgPool3d(2, divisor_override=5)), (1, 4, 4, 4), 4),
)


@pytest.mark.parametrize(("module", "shape", "params"), MODULES)
def test_module_keeps_its_weights(
    module: nn.Module, shape: tuple[int, ...], params: int, tmp_path: Path
) -> None:
    exported = export_onnx("net", module, {"input": TensorSpec((1, *shape))})
    assert exported.notes == []
    path = saved(exported, tmp_path)
    x = torch.randn(5, *shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = module.eval()(x).numpy()
    np.testing.assert_allclose(run(path, [x])[0], expected, atol=1e-4)
    assert api.analyze(path).report.totals.params == params


def test_module_of_a_file_keeps_what_it_was_filled_with(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    layer = nn.Linear(4, 3)\n"
        "    nn.init.constant_(layer.weight, 7.0)\n"
        "    return layer\n"
    )
    exported = api.export_onnx(api.load(f"{tmp_path}/net.py:net"), input=(4,))
    proto = onnx.load(saved(exported, tmp_path))
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    assert tensors["weight"].tolist() == [[7.0] * 4] * 3


def test_files_hold_no_path_and_no_line_of_the_source(tmp_path: Path) -> None:
    path = saved(export_onnx("net", Warped(), {"x": TensorSpec((1, 3, 8, 8))}), tmp_path)
    contents = Path(path).read_bytes()
    assert b"test_export" not in contents
    assert b"grid_sample(" not in contents


def test_seed_draws_the_weights(tmp_path: Path) -> None:
    model = api.load(spec_file(tmp_path, HEADS))

    def contents(seed: int) -> bytes:
        return Path(saved(api.export_onnx(model, seed=seed), tmp_path)).read_bytes()

    assert contents(1) == contents(1)
    assert contents(1) != contents(2)


def test_inputs_go_by_name_and_keep_their_type(tmp_path: Path) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.layer = nn.Embedding(10, 4), nn.Linear(4, 4)

        def forward(self, ids: Tensor, *, image: Tensor) -> Tensor:
            """(n, 5) and (n, 5, 4) -> (n, 5, 4)."""
            both: Tensor = self.table(ids) + self.layer(image)
            return both

    specs = {"image": TensorSpec((1, 5, 4)), "ids": TensorSpec((1, 5), "int64")}
    proto = onnx.load(saved(export_onnx("net", Named(), specs), tmp_path))
    kinds = {each.name: each.type.tensor_type.elem_type for each in proto.graph.input}
    assert kinds == {"image": onnx.TensorProto.FLOAT, "ids": onnx.TensorProto.INT64}


def test_opset_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    for opset in (18, 23):
        exported = export_onnx("net", nn.ReLU(), {"input": TensorSpec((1, 3))}, opset=opset)
        proto = onnx.load(saved(exported, tmp_path))
        assert [each.version for each in proto.opset_import if not each.domain] == [opset]


# -- what cannot be exported ----------------------------------------------------------------------


def branches(x: Tensor) -> Tensor:
    return x + 1 if x.sum() > 0 else x


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (branches, "GuardOnDataDependentSymNode: Could not guard on data-dependent expression"),
        (lambda x: x.view(2, 2), "RuntimeError: shape '[2, 2]' is invalid for input of size 3"),
        (
            lambda x: F.avg_pool2d(x.view(-1, 1, 3, 1), 1, ceil_mode=True, divisor_override=3),
            "ONNX has no divisor_override in ceil_mode",
        ),
    ],
)
def test_module_that_pytorch_cannot_export(call: Callable[..., Any], said: str) -> None:
    with pytest.raises(ModelError) as raised:
        export_onnx("net", Applied(call), {"x": TensorSpec((1, 3))})
    assert str(raised.value).startswith(f"net cannot be written to ONNX: {said}")
    assert "\n" not in str(raised.value)


def test_batch_that_cannot_be_free_is_fixed_and_noted(tmp_path: Path) -> None:
    exported = export_onnx("net", Applied(lambda x: x.view(2, 3, 4)), {"x": TensorSpec((2, 3, 4))})
    assert len(exported.notes) == 1
    assert exported.notes[0].startswith("its batch is fixed in the file, since it cannot be free")
    graph = onnx.load(saved(exported, tmp_path)).graph
    assert [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim] == [2, 3, 4]


def test_file_that_computes_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_with_divisors", lambda program: program)
    exported = export_onnx(
        "net", nn.AvgPool2d(2, divisor_override=1), {"input": TensorSpec((1, 1, 4, 4))}
    )
    with pytest.raises(ModelError, match="computes something else than the module"):
        saved(exported, tmp_path)


def test_a_file_that_cannot_be_serialised_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = export_onnx("net", nn.ReLU(), {"input": TensorSpec((1, 4))})

    def fail(path: str, **options: object) -> None:
        raise RuntimeError("no such layout\nand more")

    monkeypatch.setattr(exported.program, "save", fail)
    with pytest.raises(ModelError, match=r"^net cannot be written to ONNX: .*no such layout$"):
        exported.save(str(tmp_path / "net.onnx"))


def test_more_weights_than_a_file_holds() -> None:
    layer = nn.Linear(30_000, 20_000, device="meta")
    said = re.escape("net: its weights take 2.40 GB and an ONNX file holds at most 2.15 GB")
    with pytest.raises(ModelError, match=said):
        export_onnx("net", layer, {"input": TensorSpec((1, 30_000))})


@pytest.mark.parametrize("opset", [3, 17, 24, -1])
def test_opset_that_pytorch_does_not_write(opset: int) -> None:
    with pytest.raises(UsageError, match=f"opset {opset}: PyTorch writes the opsets 18 to 23"):
        api.export_onnx(api.load("lenet5"), opset=opset)
