"""Functions of PyTorch in all their forms: each is counted, as a definition or by its parts."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.ao.quantization import quantize_dynamic
from torch.nn import functional as F  # noqa: N812  (PyTorch's own name for it)

from cnnstat import api
from tests.pytorch.capture.modules import Applied, named, seen

N = 2 * 6 * 8
"""Elements of the input, (2, 6, 8)."""

MATRICES = 2 * 6 * 6


def whole(x: Tensor, *shape: int) -> Tensor:
    return torch.zeros(shape or x.shape, dtype=torch.int64, device=x.device)


def square(x: Tensor) -> Tensor:
    return x[..., :6]


def maps(x: Tensor) -> Tensor:
    return x[:, :, None, :].repeat(1, 1, 4, 1)  # (2, 6, 4, 8)


def written(x: Tensor) -> Tensor:
    return x.new_zeros(x.shape).index_put_((whole(x, 2),), x, accumulate=True)


CASES: dict[str, tuple[Callable[[Tensor], Any], int]] = {
    "deg2rad": (torch.deg2rad, N),
    "deg2rad in place": (lambda x: x.deg2rad_(), N),
    "ldexp": (lambda x: torch.ldexp(x, x), 2 * N),
    "logical_xor": (lambda x: torch.logical_xor(x, x), N),
    "nextafter": (lambda x: x.nextafter(x), N),
    "bessel": (torch.special.bessel_j0, N),
    "igamma": (lambda x: torch.special.gammainc(x, x), N),
    "bitwise": (lambda x: (whole(x) ^ whole(x)) << 1, 0),
    "norm 1": (lambda x: x.norm(1), N + N - 1),
    "norm 3": (lambda x: x.norm(3, dim=1), N + N + N - 16 + 16),
    "norm inf": (lambda x: torch.linalg.vector_norm(x, float("inf")), N + N - 1),
    "pairwise_distance": (lambda x: F.pairwise_distance(x, x), 2 * N + N + N - 12 + 12),
    "var_mean": (lambda x: torch.var_mean(x, -1), 3 * N - 2 * 12 + N + 2 * 12),
    "nansum": (lambda x: torch.nansum(x, -1), 2 * N - 12),
    "accumulated": (written, N),
    "put": (lambda x: x.put(whole(x, 3), x.new_ones(3), accumulate=True), 3),
    "replaced": (lambda x: x.put(whole(x, 3), x.new_ones(3)), 0),
    "scatter": (lambda x: x.scatter(1, whole(x), x), 0),
    "scatter product": (lambda x: x.scatter(1, whole(x), x, reduce="multiply"), N),
    "scatter_reduce": (lambda x: x.scatter_reduce(1, whole(x), x, "mean"), 2 * N),
    "slice_scatter": (lambda x: x.slice_scatter(x[:, :2], 1, 0, 2), 0),
    "histc": (lambda x: x.histc(10), 5 * N),
    "drawn": (lambda x: x.normal_().uniform_().exponential_(), 0),
    "complex": (lambda x: torch.complex(x, x), 0),
    "diagonal": (lambda x: torch.diag(x[0, :, :6]), 0),
    "fake quantised": (lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255), 5 * N),
    "log sum of a loss": (lambda x: F.binary_cross_entropy_with_logits(x, x), 8 * N + N),
    "affine_grid": (
        lambda x: F.affine_grid(x[:, :2, :3], [2, 8, 4, 5], align_corners=False),
        2 * 2 * 20 * 2 * 3,
    ),
    "fractional pooling": (
        lambda x: F.fractional_max_pool2d(maps(x), 2, output_size=3),
        2 * 6 * 9 * 3,
    ),
    "indices of an adaptive pooling": (
        lambda x: F.adaptive_max_pool2d(maps(x), 2, return_indices=True),
        2 * 6 * 4 * (2 * 4 - 1),
    ),
    "pooling of a sample": (lambda x: F.max_pool2d(x, 2), 2 * 3 * 4 * 3),
    "adaptive pooling of a sample": (lambda x: F.adaptive_avg_pool2d(x, 2), 2 * 4 * 12),
    "qr": (lambda x: torch.linalg.qr(square(x)), 2 * (221 + 167 + 170 + 146)),
    "inverse": (lambda x: torch.linalg.inv(square(x)), 2 * (76 + 55 + 167 + 95)),
    "svdvals": (lambda x: torch.linalg.svdvals(square(x)), 2 * 4 * 216),
    "eigvalsh": (lambda x: torch.linalg.eigvalsh(square(x)), 2 * 288),
    "gumbel": (lambda x: F.gumbel_softmax(x), 4 * N + 3 * N - 12),
    "unique": (lambda x: torch.unique(x), N * 7 + N - 1),
    "places": (lambda x: torch.where(x > 0), N),
}


@pytest.mark.parametrize("name", CASES)
def test_counted_by_definition(name: str) -> None:
    calculate, flops = CASES[name]
    report = api.analyze(Applied(lambda x: calculate(x + 0)), input=named((6, 8)), batch=2).report
    assert report.status == "complete", report.notes
    assert report.totals.flops - N == flops


def test_a_count_that_depends_on_values_says_so() -> None:
    report = api.analyze(Applied(lambda x: torch.unique(x)), input=named((6, 8)), batch=2).report
    said = {note.code: note.message for note in report.notes}
    assert "distinct elements depends on the values" in said["depends_on_values"]
    assert "real_tensors" in said


def test_a_scaled_product_is_what_pytorch_counts() -> None:
    def scaled(x: Tensor) -> Tensor:
        halves = x.new_ones(16, 32).to(torch.float8_e4m3fn)
        ones = x.new_ones(())
        return torch._scaled_mm(halves, halves.t(), ones, ones, out_dtype=torch.bfloat16)

    assert seen(Applied(scaled), (6, 8)).totals.macs == 16 * 16 * 32


@pytest.mark.parametrize("shape", [(2, 16, 16), (16, 16)])
def test_products_of_experts(shape: tuple[int, ...]) -> None:
    def mixed(x: Tensor) -> Tensor:
        rows = x.new_ones(shape, dtype=torch.bfloat16)
        experts = x.new_ones(2, 16, 16, dtype=torch.bfloat16)
        ends = (
            None if len(shape) == 3 else torch.tensor([8, 16], dtype=torch.int32, device=x.device)
        )
        return torch._grouped_mm(rows, experts, ends)

    report = api.analyze(Applied(mixed), input=named((6, 8)), batch=2).report
    assert report.totals.macs == (2 if len(shape) == 3 else 1) * 16 * 16 * 16


def test_a_layer_on_one_sample_without_a_batch() -> None:
    report = seen(torch.nn.Conv2d(2, 4, 3), (6, 8))
    assert report.totals.macs == 4 * 4 * 6 * 2 * 9
    assert report.status == "complete"


@pytest.mark.parametrize("layer", [nn.Linear(8, 4), nn.LSTM(8, 5, 2), nn.GRU(8, 5)])
def test_packed_weights_are_noted_each_once(layer: nn.Module) -> None:
    elements = sum(parameter.numel() for parameter in layer.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantisation moves to another package
        module = quantize_dynamic(  # type: ignore[no-untyped-call]
            nn.Sequential(layer), {type(layer)}
        )
        report = api.analyze(module, input={"input": (6, 8)}, batch=2).report
    said = [note.message for note in report.notes if note.code == "uncounted_weights"]
    assert said == [
        f"uses {elements:,} weights that are not parameters or buffers of the model; "
        "params is a lower bound"
    ]
    if isinstance(layer, nn.Linear):
        assert report.totals.macs == 2 * 6 * 8 * 4


@pytest.mark.parametrize("dim", [1, 2])
def test_reach_of_a_gate_is_both_halves(dim: int) -> None:
    """Along the width a result reads its place and the one 4 further, each through a 3x3."""
    conv = nn.Conv2d(2, 2, 3, padding=1)
    report = api.analyze(
        nn.Sequential(conv, nn.GLU(dim)), input=(2, 8, 8)
    ).report  # channels, then height
    field = report.layers[-1].receptive_field
    assert field is not None
    assert field.size == ((3, 3) if dim == 1 else (3 + 4, 3))
