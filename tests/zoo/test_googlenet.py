"""GoogLeNet against table 1 of Szegedy et al. 2014, the Caffe model, and the lecture's modules."""

import pytest

from cnnstat.api import analyze
from cnnstat.errors import UsageError
from cnnstat.zoo.googlenet import MODULES

# Table 1: output of each module (c, h, w).
OUTPUTS = {
    "3a": (256, 28, 28),
    "3b": (480, 28, 28),
    "4a": (512, 14, 14),
    "4b": (512, 14, 14),
    "4c": (512, 14, 14),
    "4d": (528, 14, 14),
    "4e": (832, 14, 14),
    "5a": (832, 7, 7),
    "5b": (1024, 7, 7),
}
INCEPTION_3A = {
    "1x1": 1 * 1 * 192 * 64 + 64,
    "3x3_reduce": 1 * 1 * 192 * 96 + 96,
    "3x3": 3 * 3 * 96 * 128 + 128,
    "5x5_reduce": 1 * 1 * 192 * 16 + 16,
    "5x5": 5 * 5 * 16 * 32 + 32,
    "pool": 0,
    "pool_proj": 1 * 1 * 192 * 32 + 32,
    "output": 0,
}
HEAD = {"aux1": 512, "aux2": 528}


def test_modules_put_out_what_table_1_says() -> None:
    report = analyze("googlenet")
    channels = {}
    for place in MODULES:
        layer = report.layer(f"inception_{place}/output")
        assert layer is not None
        channels[place] = layer.output.shape[1:]
    assert channels == OUTPUTS


def test_stem_halves_to_28() -> None:
    rows = {row.name: row.output.shape[1:] for row in analyze("googlenet").layers}
    assert [rows[name] for name in ("conv1", "pool1", "conv2/3x3", "pool2")] == [
        (64, 112, 112),
        (64, 56, 56),
        (192, 56, 56),
        (192, 28, 28),
    ]


def test_names_and_parameters_of_one_module() -> None:
    rows = analyze("googlenet").layers
    prefix = "inception_3a/"
    by_name = {r.name.removeprefix(prefix): r.params for r in rows if r.name.startswith(prefix)}
    assert by_name == INCEPTION_3A


def test_parameters_of_each_module() -> None:
    params: dict[str, int] = {}
    for row in analyze("googlenet").layers:
        params[row.path] = params.get(row.path, 0) + row.params
    assert {place: params[f"inception_{place}"] for place in MODULES} == {
        "3a": 163_696,
        "3b": 388_736,
        "4a": 376_176,
        "4b": 449_160,
        "4c": 510_104,
        "4d": 605_376,
        "4e": 868_352,
        "5a": 1_043_456,
        "5b": 1_444_080,
    }


def test_totals() -> None:
    totals = analyze("googlenet").totals
    assert (totals.weights, totals.biases) == (6_990_272, 8_280)
    assert (totals.params, totals.macs) == (6_998_552, 1_582_671_872)
    assert totals.depth == 3 + 9 * 2 + 1
    assert totals.paths == 4**9


def test_lrn_stands_behind_pool1_and_in_front_of_pool2() -> None:
    steps = [row.name for row in analyze("googlenet").view(expand=True)]
    assert steps[steps.index("pool1") + 1] == "pool1/lrn"
    assert steps[steps.index("conv2/3x3") : steps.index("pool2") + 1] == [
        "conv2/3x3",
        "conv2/3x3/relu",
        "conv2/3x3/lrn",
        "pool2",
    ]


def test_auxiliary_heads_read_4a_and_4d() -> None:
    report = analyze("googlenet-aux")
    for head, channels in HEAD.items():
        rows = {row.name: row for row in report.layers if row.path == head}
        assert {name: row.params for name, row in rows.items()} == {
            f"{head}/pool": 0,
            f"{head}/conv": channels * 128 + 128,
            f"{head}/fc1": 4 * 4 * 128 * 1024 + 1024,
            f"{head}/fc2": 1024 * 1000 + 1000,
        }
        assert rows[f"{head}/pool"].output.shape == (1, channels, 4, 4)
    nodes = report.shaped.nodes
    assert {node.name.split("/")[0] for node in nodes if node.training_only} == set(HEAD)
    assert len(report.shaped.graph.training_outputs) == 2


def test_auxiliary_heads_add_their_parameters_and_no_depth() -> None:
    plain, full = analyze("googlenet").totals, analyze("googlenet-aux").totals
    heads = sum(c * 128 + 128 + 2048 * 1024 + 1024 + 1024 * 1000 + 1000 for c in HEAD.values())
    assert full.params == plain.params + heads == 13_378_280
    assert full.depth == plain.depth == 22


@pytest.mark.parametrize(
    ("name", "terms", "channels"),
    [
        (
            "inception-naive",
            {
                "1x1": 28 * 28 * 256 * 1 * 1 * 128,
                "3x3": 28 * 28 * 256 * 3 * 3 * 192,
                "5x5": 28 * 28 * 256 * 5 * 5 * 96,
            },
            128 + 192 + 96 + 256,
        ),
        (
            "inception-bottleneck",
            {
                "1x1": 28 * 28 * 256 * 1 * 1 * 128,
                "3x3_reduce": 28 * 28 * 256 * 1 * 1 * 64,
                "3x3": 28 * 28 * 64 * 3 * 3 * 192,
                "5x5_reduce": 28 * 28 * 256 * 1 * 1 * 64,
                "5x5": 28 * 28 * 64 * 5 * 5 * 96,
                "pool_proj": 28 * 28 * 256 * 1 * 1 * 64,
            },
            128 + 192 + 96 + 64,
        ),
    ],
)
def test_modules_of_the_lecture(name: str, terms: dict[str, int], channels: int) -> None:
    report = analyze(name)
    assert {row.name: row.macs for row in report.layers if row.macs} == terms
    assert report.layers[-1].output.shape == (1, channels, 28, 28)
    assert report.totals.paths == 4


def test_the_lecture_totals() -> None:
    assert analyze("inception-naive").totals.macs == 854_196_224
    assert analyze("inception-bottleneck").totals.macs == 271_351_808


@pytest.mark.parametrize("name", ["inception-naive", "residual-basic", "zfnet-deconv"])
def test_what_classifies_nothing_has_no_classes(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: it has no classifier"):
        analyze(name, classes=10)
