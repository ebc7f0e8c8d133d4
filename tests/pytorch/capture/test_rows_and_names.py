"""Rows that a model's author recognises: projections by name, masks where they are used."""

import torch
from torch import nn
from torch.nn import functional

from cnnstat import api
from cnnstat.count.report import Report


def _names(report: Report) -> list[str]:
    return [row.name for row in report.layers]


class Cross(nn.Module):
    """Attention whose queries, keys and values come from three tensors."""

    def __init__(self, **sizes: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True, **sizes)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.attn(x, y, y)[0]
        return out


def test_stacked_projections_are_named_by_their_parts() -> None:
    report = api.analyze(Cross(), input={"x": (5, 8), "y": (7, 8)}).report
    query, both = report.layer("attn/in_proj_q"), report.layer("attn/in_proj_kv")
    assert query is not None
    assert both is not None
    assert query.macs == 5 * 8 * 8
    assert both.macs == 7 * 8 * 16
    assert "attn/out_proj" in _names(report)


def test_separate_projections_have_the_names_of_their_weights() -> None:
    report = api.analyze(Cross(kdim=4, vdim=4), input={"x": (5, 8), "y": (7, 4)}).report
    rows = {row.name: row for row in report.layers}
    assert rows["attn/q_proj"].params == 8 * 8 + 3 * 8  # and the bias of all three
    assert rows["attn/k_proj"].params == rows["attn/v_proj"].params == 4 * 8
    assert not any(name.endswith("_weight") for name in rows)


class Masked(nn.Module):
    """Causal scores, with a mask and positions that it makes anew."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Embedding(6, 4)
        self.query = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        at = torch.arange(x.shape[1])
        mask = (1 - (at[:, None] >= at[None, :]).float()) * -1e4
        y = self.query(x + self.positions(at))
        scores = (y @ x.transpose(1, 2) + mask).softmax(-1)
        out: torch.Tensor = scores @ x
        return out


def test_masks_and_ranges_stand_in_the_row_that_uses_them() -> None:
    report = api.analyze(Masked(), input={"x": (6, 4)}).report
    assert _names(report) == ["x", "positions", "add", "query", "matmul", "add_2", "matmul_2"]
    assert sorted(i for row in report.layers for i in row.nodes) == [*range(len(report.nodes))]
    masked = report.layer("add_2")
    assert masked is not None
    assert masked.detail == "Softmax"
    assert masked.output.shape == (1, 6, 6)
    total = report.totals
    assert sum(row.flops or 0 for row in report.layers) == total.flops
    assert sum(row.activation_bytes for row in report.layers) == total.activation_bytes


class Products(nn.Module):
    """A stored matrix in three spellings."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 4))
        self.bias = nn.Parameter(torch.zeros(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.addmm(self.bias, x, self.weight)
        x = x @ self.weight.t()
        return functional.linear(x, self.weight)


def test_a_stored_matrix_is_a_layer_in_every_spelling() -> None:
    report = api.analyze(Products(), input={"x": (4,)}).report
    assert report.totals.depth == report.shallowest_path == 3
    assert report.totals.params == 4 * 4 + 4


def test_a_product_of_two_results_is_no_layer() -> None:
    assert api.analyze(Masked(), input={"x": (6, 4)}).report.totals.depth == 1


class Post(nn.Module):
    """A convolution, then arithmetic on its result."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return ((x + 1).sin() * 2).cos() - x


class Outer(nn.Module):
    """A module in a module."""

    def __init__(self) -> None:
        super().__init__()
        self.post = Post()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.post(x)
        return out


def test_functions_in_a_row_are_one_row_of_a_level() -> None:
    report = api.analyze(Outer(), input=(3, 8, 8)).report
    rows = report.view(depth=2)
    assert [row.name for row in rows] == ["input", "post/conv", "post/add ... sub"]
    assert rows[-1].flops == 5 * 4 * 8 * 8
    assert len(report.layers) == 7
