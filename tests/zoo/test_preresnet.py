"""Pre-activation ResNets against products and the counts of PyTorch reimplementations."""

import pytest

from cnnstat.api import analyze, load
from cnnstat.errors import UsageError

# pytorchcv's counts for CIFAR-10.
REIMPLEMENTED = {"preresnet164-cifar": 1_703_258, "preresnet1001-cifar": 10_327_706}


def _bottlenecks(n: int) -> tuple[int, int]:
    """Parameters and MACs of the 9n+2 net: (16 ->) 64, 128, 256 channels, inside a quarter."""
    params, macs = 3 * 3 * 3 * 16 + 2 * 16, 32 * 32 * 3 * 3 * 3 * 16
    before = 16
    for out, extent in ((64, 32), (128, 16), (256, 8)):
        inside = out // 4
        for unit in range(n):
            kernels = before * inside + 3 * 3 * inside * inside + inside * out
            kernels += before * out if unit == 0 else 0
            # The first activation of the net is the stem's.
            norms = 2 * inside + (0 if before == 16 else before)
            params += kernels + 2 * norms
            macs += extent * extent * kernels
            before = out
    return params + 2 * 256 + 256 * 10 + 10, macs + 256 * 10


@pytest.mark.parametrize("depth", [164, 1001])
def test_bottleneck_nets_by_hand(depth: int) -> None:
    totals = analyze(f"preresnet{depth}-cifar").totals
    assert (totals.params, totals.macs) == _bottlenecks((depth - 2) // 9)
    assert totals.params == REIMPLEMENTED[f"preresnet{depth}-cifar"]
    assert totals.depth == depth
    assert totals.paths == 2 ** ((depth - 2) // 3)


def test_110_layers_are_two_layer_units_with_the_weights_of_the_original() -> None:
    new, old = analyze("preresnet110-cifar").totals, analyze("resnet110-cifar").totals
    assert (new.params, new.macs, new.depth) == (old.params, old.macs, old.depth)


def test_200_layers_on_imagenet() -> None:
    report = analyze("preresnet200")
    assert report.totals.depth == 1 + 3 * (3 + 24 + 36 + 3) + 1
    rows = {row.name: row.output.shape for row in report.layers}
    for stage, (count, extent) in enumerate(zip((3, 24, 36, 3), (56, 28, 14, 7), strict=True), 1):
        last = f"stage{stage}/unit{count}/add"
        assert rows[last] == (1, 128 * 2**stage, extent, extent)
    # pytorchcv's 64,666,280 normalise the first unit's 64 input maps once more.
    assert report.totals.params == 64_666_280 - 2 * 64


def test_order_of_a_branch_is_norm_activation_convolution() -> None:
    graph = load("preresnet20-cifar").graph
    inside = [n for n in graph.nodes if n.name.startswith("stage1/unit2/")]
    kinds = [node.op.type_name for node in inside]
    assert kinds == [*("BatchNorm2d", "ReLU", "Conv2d") * 2, "Add"]
    before = next(i for i, n in enumerate(graph.nodes) if n.name == "stage1/unit1/add")
    assert before in [value.node for value in inside[-1].inputs]


def test_the_first_units_share_their_activation_with_the_shortcut() -> None:
    graph = load("preresnet164-cifar").graph
    readers = graph.consumers()
    for name in ("conv1/relu", "stage2/unit1/preact/relu", "stage3/unit1/preact/relu"):
        index = next(i for i, n in enumerate(graph.nodes) if n.name == name)
        kinds = [graph.nodes[reader].name.rpartition("/")[2] for reader in readers[index]]
        assert kinds == ["conv1", "shortcut"]


@pytest.mark.parametrize(
    ("depth", "rule", "near"),
    [(163, "6n", (158, 164)), (165, "9n", (164, 173)), (1000, "9n", (992, 1001))],
)
def test_illegal_depths(depth: int, rule: str, near: tuple[int, int]) -> None:
    with pytest.raises(UsageError) as error:
        load(f"preresnet{depth}-cifar")
    names = ", ".join(f"preresnet{d}-cifar" for d in near)
    assert f"is {rule}+2; nearest are {names}" in str(error.value)
    for legal in near:
        assert analyze(f"preresnet{legal}-cifar").totals.depth == legal
