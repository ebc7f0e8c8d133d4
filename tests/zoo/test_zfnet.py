"""ZFNet's extents as its figure 3 prints them, and the way back to pixels."""

from math import prod

import pytest

from cnnstat.api import analyze, load
from cnnstat.errors import UsageError
from cnnstat.ops import ConvTranspose2d, MaxUnpool2d
from cnnstat.zoo.zfnet import PROJECTED

EXTENTS = {
    **{"conv1": 110, "pool1": 55, "conv2": 26, "pool2": 13},
    **{"conv3": 13, "conv4": 13, "conv5": 13, "pool5": 6},
}
WIDTHS = {"zfnet": (512, 1024, 512), "zfnet-paper": (384, 384, 256)}


def _kernels(widths: tuple[int, int, int]) -> tuple[int, ...]:
    three, four, five = widths
    return (
        7 * 7 * 3 * 96,
        5 * 5 * 96 * 256,
        3 * 3 * 256 * three,
        3 * 3 * three * four,
        3 * 3 * four * five,
    )


@pytest.mark.parametrize("name", WIDTHS)
def test_extents_of_figure_3(name: str) -> None:
    rows = {row.name: row.output.shape for row in analyze(name).layers}
    for layer, extent in EXTENTS.items():
        assert rows[layer][2:] == (extent, extent)
    assert tuple(rows[f"conv{n}"][1] for n in (3, 4, 5)) == WIDTHS[name]


@pytest.mark.parametrize("name", WIDTHS)
def test_parameters_and_work_by_hand(name: str) -> None:
    totals = analyze(name).totals
    kernels = _kernels(WIDTHS[name])
    biases = 96 + 256 + sum(WIDTHS[name])
    dense = (6 * 6 * WIDTHS[name][2] * 4096, 4096 * 4096, 4096 * 1000)
    assert totals.params == sum(kernels) + biases + sum(dense) + 4096 + 4096 + 1000
    positions = (110 * 110, 26 * 26, 13 * 13, 13 * 13, 13 * 13)
    assert totals.macs == sum(p * k for p, k in zip(positions, kernels, strict=True)) + sum(dense)
    assert totals.depth == 5 + 3


def test_one_group_everywhere() -> None:
    for node in load("zfnet").graph.nodes:
        assert getattr(node.op, "groups", 1) == 1


@pytest.mark.parametrize("layer", PROJECTED)
def test_a_layer_is_projected_back_to_pixels(layer: str) -> None:
    report = analyze(f"zfnet-deconv-{layer}")
    reached = int(layer[-1])
    assert report.layers[-1].output.shape == (1, 3, 224, 224)
    kernels = _kernels(WIDTHS["zfnet"])[:reached]
    biases = (96, 256, 512, 1024, 512)[:reached]
    # Both ways share their filters: counted once.
    assert report.totals.params == sum(kernels) + sum(biases)
    assert report.totals.depth == 2 * reached
    # A transposed convolution does as many MACs as the convolution it is tied to.
    positions = (110 * 110, 26 * 26, 13 * 13, 13 * 13, 13 * 13)
    assert report.totals.macs == 2 * sum(p * k for p, k in zip(positions, kernels, strict=False))


def test_deconv_alone_is_from_conv5() -> None:
    assert analyze("zfnet-deconv").totals == analyze("zfnet-deconv-conv5").totals


def test_transposed_filters_are_the_tied_filters() -> None:
    graph = load("zfnet-deconv").graph
    report = analyze("zfnet-deconv")
    tied = [node for node in graph.nodes if isinstance(node.op, ConvTranspose2d)]
    assert [node.name for node in tied] == [f"deconv{n}" for n in (5, 4, 3, 2, 1)]
    for node in tied:
        assert node.tied_to is not None
        assert graph.nodes[node.tied_to].name == node.name.replace("de", "")
        own = report.shaped.facts[graph.nodes.index(node)].weights
        assert own[0].shape == report.shaped.facts[node.tied_to].weights[0].shape
        assert len(own) == 1


def test_unpoolings_take_the_switches_and_restore_the_extent() -> None:
    graph = load("zfnet-deconv-pool5").graph
    report = analyze("zfnet-deconv-pool5")
    pairs = [node for node in graph.nodes if isinstance(node.op, MaxUnpool2d)]
    assert [node.name for node in pairs] == ["unpool5", "unpool2", "unpool1"]
    for node in pairs:
        switches = node.inputs[1]
        assert graph.nodes[switches.node].name == node.name.replace("un", "")
        assert switches.result == 1
        number = node.name[-1]
        rows = {row.name: row.output.shape for row in report.view(expand=True)}
        assert prod(rows[node.name]) == prod(rows[f"conv{number}"])


def test_other_input_extents_come_back_too() -> None:
    report = analyze("zfnet-deconv", input=(3, 227, 231))
    assert report.layers[-1].output.shape == (1, 3, 227, 231)


def test_a_layer_that_cannot_be_projected_is_told_the_others() -> None:
    with pytest.raises(UsageError, match=r"conv9.*conv5"):
        load("zfnet-deconv-conv9")
