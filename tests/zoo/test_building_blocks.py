"""The blocks that papers argue with: each comparison as its own arithmetic."""

from fractions import Fraction

import pytest
import torch

from cnnstat.api import analyze, load
from cnnstat.count.report import Report
from cnnstat.errors import UsageError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch.build import build_module
from cnnstat.zoo import building_blocks
from cnnstat.zoo.catalog import FAMILIES


def _field(report: Report) -> tuple[int, ...]:
    field = report.layers[-1].receptive_field
    assert field is not None
    return field.size


@pytest.mark.parametrize(
    ("large", "small", "times_large", "times_small", "seen"),
    [("conv-5x5", "conv-3x3-x2", 25, 18, 5), ("conv-7x7", "conv-3x3-x3", 49, 27, 7)],
)
def test_stacks_see_the_same_with_fewer_weights(
    large: str, small: str, times_large: int, times_small: int, seen: int
) -> None:
    one, other = analyze(large).report, analyze(small).report
    assert _field(one) == _field(other) == (seen, seen)
    assert one.totals.params == times_large * 64**2
    assert other.totals.params == times_small * 64**2
    assert one.totals.macs == times_large * 64**2 * 56 * 56
    assert other.totals.macs == times_small * 64**2 * 56 * 56


def test_a_1x1_in_front_of_a_5x5() -> None:
    direct, thin = (analyze(name).report for name in ("conv-5x5-direct", "conv-5x5-reduced"))
    assert direct.totals.macs == 14 * 14 * 48 * 5 * 5 * 480 == 112_896_000
    assert thin.totals.macs == 14 * 14 * 16 * 480 + 14 * 14 * 48 * 5 * 5 * 16 == 5_268_480
    assert direct.layers[-1].output == thin.layers[-1].output
    assert _field(direct) == _field(thin)


def test_residual_blocks_cost_about_the_same() -> None:
    basic, bottleneck = analyze("residual-basic").totals, analyze("residual-bottleneck").totals
    norms = 2 * (64 + 64)
    assert basic.params == 2 * 9 * 64 * 64 + norms
    assert bottleneck.params == 256 * 64 + 9 * 64 * 64 + 64 * 256 + 2 * (64 + 64 + 256)
    assert basic.macs == 2 * 9 * 64 * 64 * 56 * 56
    assert bottleneck.macs == (2 * 256 * 64 + 9 * 64 * 64) * 56 * 56
    assert 0.9 < bottleneck.macs / basic.macs < 1.1


def test_pre_activation_moves_work_and_keeps_weights() -> None:
    report, original = analyze("residual-preact"), analyze("residual-basic")
    assert report.totals.params == original.totals.params
    assert [layer.type for layer in report.layers][-1] == "Add"
    assert report.layers[-1].detail == ""  # nothing acts after the addition
    assert report.totals.activation_bytes > original.totals.activation_bytes


@pytest.mark.parametrize("name", ["resnext-block", "resnext-block-concat", "resnext-block-grouped"])
def test_the_three_forms_of_resnext_hold_and_cost_the_same(name: str) -> None:
    totals = analyze(name).totals
    kernels = 32 * (256 * 4 + 3 * 3 * 4 * 4 + 4 * 256)
    assert totals.params == kernels + 2 * (32 * 4 + 32 * 4 + 256)
    assert totals.macs == kernels * 56 * 56
    assert totals.depth == 3


def test_paths_and_groups_of_resnext() -> None:
    assert analyze("resnext-block").totals.paths == 32 + 1
    assert analyze("resnext-block-grouped").totals.paths == 1 + 1


def test_the_forms_of_resnext_are_one_function() -> None:
    inputs = {"input": TensorSpec((2, 256, 5, 5))}
    names = ("resnext-block", "resnext-block-concat", "resnext-block-grouped")
    paths, joined, grouped = (build_module(load(name).graph, inputs).eval() for name in names)
    source = grouped.state_dict()
    for other in (paths, joined):
        target = other.state_dict()
        for key in target:
            path, _, rest = key.rpartition("path")[2].partition(".")
            if not key.startswith("path"):
                target[key] = source[key]
                continue
            cut = slice(4 * int(path) - 4, 4 * int(path))
            whole = source[rest]
            if not whole.dim():
                target[key] = whole
            else:
                target[key] = whole[:, cut] if rest.startswith("conv3.") else whole[cut]
        other.load_state_dict(target)
    x = torch.randn(2, 256, 5, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = grouped(x)
        torch.testing.assert_close(paths(x), wanted, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(joined(x), wanted, rtol=1e-4, atol=1e-4)
    assert wanted.std() > 0


def test_dense_block_concatenates() -> None:
    report = analyze("dense-block")
    assert report.layers[-1].output.shape == (1, 64 + 6 * 32, 56, 56)
    # 64 + 32i channels enter layer i
    kernels = sum((64 + 32 * i) * 128 + 9 * 128 * 32 for i in range(6))
    norms = sum(2 * (64 + 32 * i) + 2 * 128 for i in range(6))
    assert report.totals.params == kernels + norms
    assert report.totals.paths == 2**6  # each layer is passed through or passed by


def test_fractal_block_has_every_depth_between() -> None:
    report = analyze("fractal-block").report
    assert (report.totals.depth, report.shallowest_path) == (8, 1)
    assert report.totals.paths == ((1**2 + 1) ** 2 + 1) ** 2 + 1 == 26
    assert report.totals.params == (1 + 2 + 4 + 8) * (9 * 64 * 64 + 2 * 64)
    assert _field(report) == (1 + 2 * 8, 1 + 2 * 8)


def test_depthwise_separable_is_1_over_n_plus_1_over_k_squared() -> None:
    full, separable = analyze("standard-conv").totals, analyze("depthwise-separable").totals
    ratio = Fraction(1, 512) + Fraction(1, 3**2)
    assert Fraction(separable.macs, full.macs) == ratio
    assert Fraction(separable.params, full.params) == ratio
    # Howard et al. 2017, table 3: 462M and 2.36M, 52.3M and 0.27M
    assert (round(full.macs / 1e6), round(full.params / 1e6, 2)) == (462, 2.36)
    assert (round(separable.macs / 1e6, 1), round(separable.params / 1e6, 2)) == (52.3, 0.27)


def test_every_block_is_listed() -> None:
    listed = next(family for family in FAMILIES if family.module == "building_blocks").names
    assert sorted(listed) == sorted(building_blocks.BLOCKS)
    with pytest.raises(UsageError, match="conv-3x3-x2"):
        building_blocks.card("conv-3x3-x4")
