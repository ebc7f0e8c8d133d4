"""Captures of modules that share, skip, freeze, branch and repeat."""

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from cnnstat import api
from cnnstat.errors import ModelError, UsageError
from cnnstat.ir.tensor import TensorSpec
from tests.pytorch.capture.modules import Applied, seen, types


def note_codes(report: Any) -> list[str]:
    return [note.code for note in report.notes]


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return y


def test_a_shared_weight_is_counted_once_and_works_twice() -> None:
    report = seen(Tied(), (6,))
    assert report.totals.params == 6 * 6 + 6 + 6
    assert report.totals.macs == 2 * (6 * 6 + 6 * 6)


def test_a_module_called_twice_stores_once() -> None:
    layer = nn.Conv2d(4, 4, 3, padding=1)
    report = seen(nn.Sequential(layer, nn.ReLU(), layer), (4, 5, 5))
    assert report.totals.params == 3 * 3 * 4 * 4 + 4
    assert report.totals.macs == 2 * 2 * 5 * 5 * 3 * 3 * 4 * 4
    assert [row.name for row in report.layers[1:]] == ["0", "0_2"]


class PartlyUsed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.auxiliary = nn.Linear(6, 2), nn.Linear(6, 3)
        self.register_buffer("statistics", torch.zeros(7))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x + self.auxiliary(x).sum()
        y: Tensor = self.used(x)
        return y


def test_unused_parameters_are_listed_and_counted() -> None:
    report = seen(PartlyUsed(), (6,))
    assert [note.path for note in report.notes] == [
        "auxiliary.weight",
        "auxiliary.bias",
        "statistics",
    ]
    assert set(note_codes(report)) == {"unused_parameter"}
    assert report.totals.params == (6 * 2 + 2) + (6 * 3 + 3)
    assert (report.totals.weights, report.totals.buffers) == (6 * 2 + 6 * 3, 7)
    unused = report.layer("auxiliary/weight")
    assert unused is not None
    assert unused.params == 6 * 3


def test_frozen_parameters_are_not_trainable() -> None:
    module = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2))
    module[0].requires_grad_(False)
    totals = seen(module, (6,)).totals
    assert totals.params == (6 * 4 + 4) + (4 * 2 + 2)
    assert totals.trainable_params == 4 * 2 + 2


def test_buffers_are_those_of_batch_norm_without_its_counter() -> None:
    assert seen(nn.BatchNorm2d(6), (6, 3, 3)).totals.buffers == 6 + 6


class ByExtent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.small, self.large = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.large(x) if x.shape[-1] > 8 else self.small(x)
        return y


@pytest.mark.parametrize(("extent", "channels"), [(4, 2), (16, 4)])
def test_control_flow_takes_the_path_of_the_input(extent: int, channels: int) -> None:
    report = seen(ByExtent(), (3, extent, extent))
    assert report.totals.macs == 2 * extent * extent * 3 * channels
    assert report.totals.params == (3 * 2 + 2) + (3 * 4 + 4)


def test_a_forward_pass_that_asks_for_values_runs_for_real() -> None:
    class ByValue(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.layer(x) if bool(x.isfinite().all()) else x
            return y

    report = api.analyze(ByValue(), input={"x": (6,)})
    assert report.totals.macs == 6 * 2
    assert "real_tensors" in note_codes(report)


def test_functions_in_place_act_on_what_they_are_given() -> None:
    def in_place(x: Tensor) -> Tensor:
        y = x * 2
        y.add_(1).relu_()
        return y + y

    assert types(seen(Applied(in_place), (5,))) == ["Mul", "Add", "ReLU", "Add"]


def test_writing_to_a_part_writes_to_the_whole() -> None:
    def padded(x: Tensor) -> Tensor:
        whole = x.new_zeros(x.shape[0], 8)
        whole[:, :5] = x
        return whole

    report = seen(nn.Sequential(nn.Linear(3, 5), Applied(padded), nn.Linear(8, 2)), (3,))
    assert report.totals.depth == 2  # the first layer's result is read by the last one


class Several(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.table = nn.Conv2d(3, 4, 1), nn.Embedding(10, 4)

    def forward(
        self, image: Tensor, tokens: Tensor | None = None, *, scale: Tensor | None = None
    ) -> dict[str, Any]:
        pooled = self.conv(image).mean((2, 3))
        if tokens is not None:
            pooled = pooled + self.table(tokens).mean(1)
        if scale is not None:
            pooled = pooled * scale
        return {"pooled": pooled, "parts": [pooled[:, :2], (pooled[:, 2:],)]}


def test_inputs_by_name_outputs_of_any_form() -> None:
    specs: api.Inputs = {
        "image": TensorSpec((3, 6, 6)),
        "scale": TensorSpec((4,)),
        "tokens": TensorSpec((5,), "int64"),
    }
    report = api.analyze(Several(), input=specs)
    assert list(report.inputs) == ["image", "scale", "tokens"]
    assert report.inputs["tokens"] == TensorSpec((1, 5), "int64")
    assert report.totals.params == (3 * 4 + 4) + 10 * 4
    assert len(report.shaped.graph.outputs) == 3
    assert api.analyze(Several(), input=(3, 6, 6)).totals.params == (3 * 4 + 4) + 10 * 4


def test_dropout_does_nothing_in_evaluation_form() -> None:
    module = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.5)).train()
    assert seen(module, (6,)).totals.flops == 2 * (2 * 6 * 4) + 2 * 4


def test_an_operator_without_a_rule_is_unknown_and_never_zero() -> None:
    report = api.analyze(Applied(torch.linalg.matrix_exp), input=(5, 5))
    assert report.status == "partial"
    unknown = [row for row in report.layers if row.macs is None]
    assert [row.detail for row in unknown] == ["no rule"]
    assert note_codes(report) == ["no_rule"]


def test_paths_follow_the_module_tree() -> None:
    block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    module = nn.Sequential(nn.Sequential(block, block), nn.Flatten(), nn.Linear(4 * 4 * 4, 2))
    report = seen(module, (4, 4, 4))
    assert [row.name for row in report.layers] == ["argument0", "0/0/0", "0/0/0_2", "2"]
    assert [row.name for row in report.view(depth=1)] == ["argument0", "0", "2"]
    assert report.layers[1].detail == "3x3 pad 1 + BatchNorm2d + ReLU"


def test_views_fill_no_rows_of_their_own() -> None:
    def heads(x: Tensor) -> Tensor:
        q, k, v = x.reshape(x.shape[0], 5, 3, 2, 2).permute(2, 0, 3, 1, 4).unbind(0)
        return F.scaled_dot_product_attention(q, k, v)

    report = seen(nn.Sequential(nn.Linear(4, 12), Applied(heads)), (5, 4))
    assert [row.name for row in report.layers] == ["argument0", "0", "1"]
    assert len(report.view(expand=True)) == len(report.shaped.nodes)


def test_half_precision_modules_get_half_precision_inputs() -> None:
    report = api.analyze(nn.Conv2d(3, 4, 1).half(), input=(3, 5, 5))
    assert report.input.dtype == "float16"
    assert report.totals.param_bytes == 2 * (3 * 4 + 4)
    cast = api.analyze(nn.Conv2d(3, 4, 1), input=(3, 5, 5), dtype="bfloat16")
    assert cast.layers[-1].output.dtype == "bfloat16"


def test_the_batch_is_the_only_thing_that_changes() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 9, 5))
    one, three = (api.analyze(module, input=(3, 5, 5), batch=batch).totals for batch in (1, 3))
    assert three.macs == 3 * one.macs
    assert three.params == one.params


def test_a_wrong_shape_names_the_innermost_module_and_what_it_got() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.ReLU(), nn.Conv2d(5, 4, 1)))
    with pytest.raises(ModelError) as caught:
        api.analyze(module, input=(3, 6, 6))
    assert str(caught.value).startswith(
        "Sequential: 1/1 (Conv2d) cannot take 1x4x6x6, with input 1x3x6x6: RuntimeError: "
    )


def test_missing_inputs_are_named() -> None:
    with pytest.raises(
        UsageError, match=r"image is missing: forward takes \(image, tokens, scale\)"
    ):
        api.analyze(Several(), input={"tokens": TensorSpec((5,), "int64")})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own, of its compiler
def test_a_compiled_module_is_the_module_that_it_wraps() -> None:
    module = nn.Linear(6, 2)
    compiled = cast(nn.Module, torch.compile(module))
    assert api.analyze(compiled, input=(6,)).totals.params == 6 * 2 + 2


@pytest.mark.filterwarnings("ignore")
def test_a_scripted_module_uses_what_it_stores() -> None:
    inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    net = nn.Sequential(torch.jit.script(inner), nn.Conv2d(4, 4, 1))
    report = api.analyze(net, input=(3, 9, 9))  # "seen" needs a copy on the meta device
    assert note_codes(report) == []
    assert report.totals.macs == 7 * 7 * (3 * 9 * 4 + 4 * 4)
    assert [row.params for row in report.layers[1:]] == [3 * 9 * 4 + 4 + 2 * 4, 4 * 4 + 4]


class Unread(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        torch.stack([x] * 40)
        out: Tensor = self.conv(x)
        return out


def test_a_copy_that_nobody_reads_is_alive_while_it_is_made() -> None:
    totals = api.analyze(Unread(), input=(3, 8, 8)).totals
    assert totals.peak_activation_bytes == 4 * (41 * 3 * 8 * 8)
    assert totals.macs == 6 * 6 * 4 * (3 * 3 * 3)
