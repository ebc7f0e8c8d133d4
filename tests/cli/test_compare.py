"""``cnnstat compare``: one screen, the documents' ratios, stages, differences, bad input."""

import csv
import io
import json

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnstat import api
from cnnstat.zoo.lineup import LINEUP
from tests.cli.commandline import Cnnstat

SCREEN = 50
"""Lines of a terminal window of ordinary height."""


def test_without_models_the_line_up_fits_one_screen(cnnstat: Cnnstat) -> None:
    result = cnnstat("compare", columns=120)
    lines = result.out.splitlines()
    assert result.code == 0
    assert max(map(len, lines)) <= 120
    assert len(lines) <= SCREEN
    named = [line.split()[0] for line in lines if line.strip() and line.split()[0] in LINEUP]
    assert named[: len(LINEUP)] == list(LINEUP)
    head = "\n".join(lines[:6])
    for title in ("Year", "Depth", "Params", "MACs", "FLOPs", "Memory", "Peak", "Top-1", "Top-5"):
        assert title in head


def test_alexnet_beside_googlenet_looks_like_this(
    cnnstat: Cnnstat, snapshot: SnapshotAssertion
) -> None:
    result = cnnstat("compare", "alexnet", "googlenet", "--baseline", "alexnet", columns=120)
    assert result.out == snapshot


def test_googlenet_has_8_9_times_fewer_parameters_and_the_ledger_says_so(cnnstat: Cnnstat) -> None:
    # 62,378,344 / 6,998,552 = 8.913
    args = ("compare", "alexnet", "googlenet", "--baseline", "alexnet", "--verbose")
    out = " ".join(cnnstat(*args).out.split())
    assert "googlenet: depth 2.8x deeper, parameters 8.9x fewer, MACs 1.4x more" in out
    assert "differs alexnet, googlenet: times fewer parameters than AlexNet" in out
    assert "12 times smaller" in out


def test_the_json_has_what_the_contract_says(cnnstat: Cnnstat) -> None:
    args = ("compare", "alexnet", "googlenet", "--baseline", "alexnet", "-f", "json")
    payload = json.loads(cnnstat(*args).out)
    assert payload["schema"] == "cnnstat.compare/1"
    alexnet, googlenet = payload["models"]
    assert googlenet["totals"]["params"] == 6_998_552
    assert alexnet["input"] == {"shape": [1, 3, 227, 227], "dtype": "float32"}
    assert googlenet["accuracy"]["top5_error"] == 10.07
    assert googlenet["accuracy"]["ensemble"] is False
    assert googlenet["ratios"]["params"] == 6_998_552 / 62_378_344
    assert payload["baseline"] == "alexnet"
    assert {entry["verdict"] for entry in payload["published"]} == {"differs"}


def test_a_sweep_has_a_row_for_each_size(cnnstat: Cnnstat) -> None:
    one = cnnstat("compare", "resnet50", "--input", "128,160,192,224", "-f", "csv").out
    rows = list(csv.DictReader(io.StringIO(one)))
    assert [row["input"] for row in rows] == [f"3x{n}x{n}" for n in (128, 160, 192, 224)]
    assert [int(row["params"]) for row in rows] == [25_557_032] * 4
    assert rows[-1]["macs"] == "3857973248"
    repeated = ("-i", "128", "-i", "160", "-i", "192", "-i", "224")
    assert cnnstat("compare", "resnet50", *repeated, "-f", "csv").out == one


def test_the_batch_multiplies_the_work(cnnstat: Cnnstat) -> None:
    rows = csv.DictReader(io.StringIO(cnnstat("compare", "vgg16", "-b", "3", "-f", "csv").out))
    assert [int(row["macs"]) for row in rows] == [3 * 15_470_264_320]


def test_columns_are_chosen_and_ordered(cnnstat: Cnnstat) -> None:
    args = ("compare", "vgg16", "lenet5", "--sort", "macs", "-f", "csv")
    two = cnnstat(*args, "-c", "model,macs").out
    assert two == "model,macs\nvgg16,15470264320\nlenet5,325680\n"
    assert cnnstat(*args, "-c", "name,macs").out == two
    both = cnnstat(*args, "-c", "model,params_ratio", "--baseline", "lenet5").out
    assert both.splitlines()[2] == "lenet5,1.0"
    default = cnnstat(*args).out
    assert cnnstat(*args, "-c", "+macs").out == default
    every = cnnstat(*args, "-c", "all").out.splitlines()[0].split(",")
    shown = default.splitlines()[0].split(",")
    left_out = {"counted", "top1_accuracy", "top5_accuracy", "error_models"}
    assert [key for key in every if key not in left_out] == shown


def test_files_are_compared_by_their_reference(cnnstat: Cnnstat, tmp_path: object) -> None:
    spec = f"{tmp_path}/my_net.yaml"
    with open(spec, "w", encoding="utf-8") as file:
        file.write("input: 3x8x8\nlayers:\n- {name: c, Conv2d: {out_channels: 4, kernel: 3}}\n")
    result = cnnstat("compare", spec, "lenet5", "--baseline", spec, "-f", "json")
    assert (result.code, result.err) == (0, "")
    mine = json.loads(result.out)["models"][0]
    assert (mine["name"], mine["accuracy"], mine["year"]) == (spec, None, None)
    assert mine["totals"]["params"] == 3 * 3 * 3 * 4 + 4


def test_the_stages_of_resnets_look_like_this(
    cnnstat: Cnnstat, snapshot: SnapshotAssertion
) -> None:
    models = ("resnet18", "resnet34-a", "resnet50")
    assert cnnstat("compare", *models, "--stages", columns=120).out == snapshot


def test_the_stages_print_the_papers_flops(cnnstat: Cnnstat) -> None:
    models = ("resnet18", "resnet34-a", "resnet50", "resnet101", "resnet152")
    rows = list(csv.reader(io.StringIO(cnnstat("compare", *models, "--stages", "-f", "csv").out)))
    flops = ["1.8", "3.6", "3.8", "7.6", "11.3"]
    assert rows[-2] == ["FLOPs (papers)", "", *(f"{text} x 10^9" for text in flops)]
    assert rows[-1][4] == "3,857,973,248"
    payload = json.loads(cnnstat("compare", *models, "--stages", "-f", "json").out)
    assert payload["schema"] == "cnnstat.stages/1"
    assert payload["macs"] == [api.analyze(name).totals.macs for name in models]
    assert payload["published_macs"] == [f"{text} x 10^9" for text in flops]


def test_the_stages_show_no_papers_flops_where_none_are_printed(cnnstat: Cnnstat) -> None:
    models = ("mobilenet", "lenet5-modern", "vgg16")
    payload = json.loads(cnnstat("compare", *models, "--stages", "-f", "json").out)
    assert payload["published_macs"] == ["569 x 10^6", None, "15.3 x 10^9"]
    smaller = cnnstat("compare", *models[::2], "--stages", "--input", "160", "-f", "json")
    assert json.loads(smaller.out)["published_macs"] == [None, None]


def test_the_difference_of_two_modules_looks_like_this(
    cnnstat: Cnnstat, snapshot: SnapshotAssertion
) -> None:
    models = ("inception-naive", "inception-bottleneck")
    assert cnnstat("compare", "--diff", *models, columns=120).out == snapshot


def test_the_difference_says_what_changed(cnnstat: Cnnstat) -> None:
    payload = json.loads(cnnstat("compare", "--diff", "alexnet", "zfnet", "-f", "json").out)
    assert payload["schema"] == "cnnstat.diff/1"
    by_name = {row["left"]["name"]: row for row in payload["layers"]}
    assert by_name["conv1"]["left"]["operator"] == "Conv 11x11/4 + ReLU + LRN"
    assert by_name["conv1"]["right"]["operator"] == "Conv 7x7/2 pad 1 + ReLU"
    assert by_name["fc7"]["change"] == "same"
    assert payload["left"]["totals"]["params"] == 62_378_344
    table = cnnstat("compare", "--diff", "alexnet", "zfnet").out
    assert "parameters 62,378,344 | 107,627,624: 1.7x more" in table


MISTAKES = [
    (["vgg17"], "unknown model 'vgg17'"),
    (["alexnet", "--baseline", "alxnet"], "unknown baseline 'alxnet': did you mean alexnet"),
    (["alexnet", "--columns", "parms"], "unknown column 'parms': did you mean params"),
    (["alexnet", "--columns", "params_ratio"], "a ratio needs --baseline"),
    (["alexnet", "--columns", ","], "name at least one of model, input"),
    (["alexnet", "--sort", "macz"], "unknown sort key 'macz': did you mean macs"),
    (["alexnet", "--input", "128,abc"], "input 'abc'"),
    (["alexnet", "--input", "128,,160"], "input ''"),
    (["alexnet", "--batch", "0"], "batch must be at least 1"),
    (["alexnet", "--format", "htm"], "unknown format 'htm': did you mean html"),
    (["--diff", "alexnet"], "--diff compares two models, got 1: alexnet"),
    (["--diff"], "--diff compares two models, got 0"),
    (["--diff", "alexnet", "zfnet", "vgg16"], "--diff compares two models, got 3"),
    (["--stages"], "--stages needs at least one MODEL"),
    (["--stages", "--diff", "alexnet", "zfnet"], "choose one"),
    (["--stages", "alexnet", "--sort", "macs"], "--sort has no meaning with --stages"),
    (["--diff", "alexnet", "zfnet", "-i", "224,256"], "--diff takes one --input, got 2"),
]


@pytest.mark.parametrize(("args", "words"), MISTAKES)
def test_bad_input_is_one_line_with_the_nearest_names(
    cnnstat: Cnnstat, args: list[str], words: str
) -> None:
    result = cnnstat("compare", *args)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert result.err.count("\n") == 1


def test_a_model_that_cannot_take_the_input_is_named(cnnstat: Cnnstat) -> None:
    result = cnnstat("compare", "vgg16", "--input", "224,8")
    assert (result.code, result.out) == (3, "")
    assert "pool4" in result.err
