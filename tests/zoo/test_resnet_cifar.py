"""CIFAR ResNets and their plain and stochastic variants against section 4.2 and table 6."""

from fractions import Fraction

import pytest

from cnnstat.api import analyze, load
from cnnstat.count.expected import Expected, expected
from cnnstat.errors import UsageError
from cnnstat.ops import DropPath

# Table 6 prints millions; the counts to the unit are those of PyTorch reimplementations.
PUBLISHED = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7, 1202: 19.4}
EXACT = {20: 269_722, 32: 464_154, 56: 853_018, 110: 1_727_962, 1202: 19_421_274}


def _params(n: int) -> int:
    """Parameters of 6n+2 layers: convolutions without bias, two per channel for each batch norm."""
    total = 3 * 3 * 3 * 16 + 2 * 16
    total += 2 * n * (3 * 3 * 16 * 16 + 2 * 16)
    total += 3 * 3 * 16 * 32 + (2 * n - 1) * 3 * 3 * 32 * 32 + 2 * n * 2 * 32
    total += 3 * 3 * 32 * 64 + (2 * n - 1) * 3 * 3 * 64 * 64 + 2 * n * 2 * 64
    return total + 64 * 10 + 10


def _block_macs(n: int) -> list[int]:
    """MACs of the 3n blocks, in order."""
    first = [32 * 32 * 2 * 3 * 3 * 16 * 16] * n
    second = [16 * 16 * 2 * 3 * 3 * 32 * 32] * n
    third = [8 * 8 * 2 * 3 * 3 * 64 * 64] * n
    second[0] = 16 * 16 * 3 * 3 * (16 * 32 + 32 * 32)
    third[0] = 8 * 8 * 3 * 3 * (32 * 64 + 64 * 64)
    return first + second + third


STEM_AND_HEAD = 32 * 32 * 3 * 3 * 3 * 16 + 64 * 10
FORMS = ("resnet{}-cifar", "plain{}-cifar", "stochastic-depth-{}-cifar", "preresnet{}-cifar")


@pytest.mark.parametrize("depth", PUBLISHED)
def test_parameters_work_depth_and_paths(depth: int) -> None:
    n = (depth - 2) // 6
    totals = analyze(f"resnet{depth}-cifar").totals
    assert totals.params == _params(n)
    assert totals.params == EXACT.get(depth, _params(n))
    assert totals.macs == STEM_AND_HEAD + sum(_block_macs(n))
    assert totals.depth == depth
    assert totals.paths == 2 ** (3 * n)
    digits = len(str(PUBLISHED[depth]).partition(".")[2])
    assert round(totals.params / 1e6, digits) == PUBLISHED[depth]


def test_shapes_of_the_three_stages() -> None:
    rows = {row.name: row.output.shape for row in analyze("resnet20-cifar").layers}
    for stage, (width, extent) in enumerate(((16, 32), (32, 16), (64, 8)), 1):
        for block in (1, 2, 3):
            assert rows[f"stage{stage}/block{block}/add"] == (1, width, extent, extent)
    assert rows["pool"][1] == 64
    assert rows["fc"] == (1, 10)
    shortcuts = [name for name in rows if name.endswith("shortcut")]
    assert shortcuts == ["stage2/block1/shortcut", "stage3/block1/shortcut"]


@pytest.mark.parametrize("form", FORMS)
def test_variants_have_the_weights_and_the_work_of_the_residual_twin(form: str) -> None:
    twin, variant = analyze("resnet56-cifar").totals, analyze(form.format(56)).totals
    assert (variant.params, variant.macs) == (twin.params, twin.macs)
    assert variant.paths == (1 if form.startswith("plain") else twin.paths)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("depth", "near"), [(111, (110, 116)), (9, (8, 14))])
def test_an_illegal_depth_is_told_the_rule_and_its_neighbours(
    form: str, depth: int, near: tuple[int, int]
) -> None:
    with pytest.raises(UsageError) as error:
        load(form.format(depth))
    below, above = map(form.format, near)
    assert str(error.value).startswith(f"{form.format(depth)}: the depth of a")
    assert f"is 6n+2; nearest are {below}, {above}" in str(error.value)


@pytest.mark.parametrize("depth", [0, 1, 2, 7])
def test_below_the_smallest_depth_only_that_is_near(depth: int) -> None:
    with pytest.raises(UsageError, match=r"6n\+2; nearest is resnet8-cifar$"):
        load(f"resnet{depth}-cifar")


@pytest.mark.parametrize("name", ["resnet600002-cifar", "wrn-60004-2", "resnext90002-8x64d"])
def test_absurd_depths_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="too large; at most 20000"):
        load(name)


@pytest.mark.parametrize("name", ["resnet-20", "resnet020-cifar", "resnet9999999999-cifar"])
def test_other_spellings_are_unknown(name: str) -> None:
    with pytest.raises(UsageError, match="unknown model"):
        load(name)


def test_slides_claim_about_1202_layers_is_corrected() -> None:
    card = load("resnet1202-cifar").card
    assert card is not None
    assert any(
        "without loss" in fact and "7.93%" in fact and "6.43%" in fact for fact in card.facts
    )


@pytest.mark.parametrize("depth", [20, 110, 1202])
def test_survival_falls_linearly_to_one_half(depth: int) -> None:
    nodes = load(f"stochastic-depth-{depth}-cifar").graph.nodes
    survivals = [node.op.survival for node in nodes if isinstance(node.op, DropPath)]
    blocks = (depth - 2) // 2
    wanted = [float(1 - Fraction(block, 2 * blocks)) for block in range(1, blocks + 1)]
    assert survivals == pytest.approx(wanted, rel=1e-14)
    assert survivals[-1] == 0.5


@pytest.mark.parametrize("depth", [20, 110, 1202])
def test_expected_depth_and_work_of_stochastic_depth(depth: int) -> None:
    report = analyze(f"stochastic-depth-{depth}-cifar")
    averages = expected(report.shaped)
    assert isinstance(averages, Expected)
    blocks = (depth - 2) // 2
    survivors = Fraction(3 * blocks - 1, 4)  # sum of 1 - l/(2L): Huang et al. 2016, section 3
    assert averages.droppable_paths == blocks
    assert averages.kept_paths == pytest.approx(float(survivors), rel=1e-12)
    assert averages.depth == pytest.approx(float(1 + 2 * survivors + 1), rel=1e-12)
    work = _block_macs(blocks // 3)
    macs = sum(
        ((1 - Fraction(block, 2 * blocks)) * macs for block, macs in enumerate(work, 1)),
        Fraction(STEM_AND_HEAD),
    )
    assert averages.macs == pytest.approx(float(macs), rel=1e-12)
    assert (averages.full_depth, averages.full_macs) == (depth, report.totals.macs)
    assert averages.full_flops == report.totals.flops > averages.flops
