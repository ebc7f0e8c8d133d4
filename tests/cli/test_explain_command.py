"""``cnnstat explain`` and ``cnnstat info`` through the real command line."""

import json

import pytest

from tests.cli.commandline import Cnnstat


def test_a_layer_is_derived_in_the_readers_numbers(cnnstat: Cnnstat) -> None:
    result = cnnstat("explain", "vgg16", "conv1_1", columns=120)
    assert (result.code, result.err) == (0, "")
    for expected in (
        "floor((224 + 2*1 - 3)/1) + 1 = 224",
        "(3*3*3)*64",
        "(224*224)*(3*3*3)*64",
        "86,704,128",
        "224*224*64 = 3,211,264 values, 4 B each",
        "1 + (3 - 1)*1 = 3; jump 1*1 = 1",
        "published 224*224*64=3.2M",
    ):
        assert expected in result.out


def test_nothing_of_a_derivation_is_cut_off_in_a_narrow_window(cnnstat: Cnnstat) -> None:
    result = cnnstat("explain", "vgg16", "conv1_1", columns=80)
    assert "…" not in result.out
    assert all(len(line) <= 80 for line in result.out.splitlines())


def test_a_model_says_why_its_published_figures_differ(cnnstat: Cnnstat) -> None:
    result = cnnstat("explain", "googlenet")
    assert "differs     parameters: published 5M" in result.out
    assert "without the last fully connected layer: 5,973,552" in result.out


def test_json_has_each_step(cnnstat: Cnnstat) -> None:
    payload = json.loads(cnnstat("explain", "vgg16", "fc6", "--format", "json").out)
    assert payload["schema"] == "cnnstat.explain/1"
    assert (payload["model"], payload["layer"]) == ("vgg16", "fc6")
    steps = {step["quantity"]: step for step in payload["steps"]}
    assert steps["MACs"]["derivation"] == "7*7*512*4096"
    assert steps["MACs"]["result"] == 7 * 7 * 512 * 4096
    assert [claim["id"] for claim in payload["published"]] == [
        "slides-vgg16-row-19-memory",
        "slides-vgg16-row-19-params",
    ]


def test_a_module_is_summed(cnnstat: Cnnstat) -> None:
    payload = json.loads(cnnstat("explain", "googlenet", "inception_3a", "-f", "json").out)
    totals = {s["quantity"]: s["result"] for s in payload["steps"] if s["layer"] == "total"}
    assert totals == {"parameters": 163_696, "MACs": 163_328 * 28 * 28}


def test_published_figures_are_not_held_against_another_input(cnnstat: Cnnstat) -> None:
    result = cnnstat("explain", "vgg16", "--input", "96")
    assert "138M" not in result.out
    assert "are for an input of 3x224x224" in result.out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["vgg16", "conv9_9"], "unknown layer 'conv9_9': did you mean conv5_"),
        (["vgg17"], "unknown model 'vgg17': did you mean"),
        (["wrn-27-10"], "6n+4"),
    ],
)
def test_a_bad_name_is_one_line(cnnstat: Cnnstat, args: list[str], message: str) -> None:
    result = cnnstat("explain", *args)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_a_card_shows_paper_training_results_and_corrections(cnnstat: Cnnstat) -> None:
    result = cnnstat("info", "resnet-50", columns=80)
    assert result.code == 0
    words = " ".join(result.out.split())
    for expected in (
        "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition",
        "SGD, momentum 0.9",
        "weight decay 1e-4",
        "He et al. 2015, table 3",
        "Lecture slides give a weight decay of 1e-5",
        "resnet-50",
    ):
        assert expected in words


def test_a_card_of_stochastic_depth_has_the_average_training_step(cnnstat: Cnnstat) -> None:
    payload = json.loads(cnnstat("info", "stochastic-depth-110-cifar", "--format", "json").out)
    assert payload["schema"] == "cnnstat.info/1"
    assert payload["training_step"]["kept_paths"] == pytest.approx((3 * 54 - 1) / 4)
    assert payload["training_step"]["droppable_paths"] == 54


def test_every_card_can_be_shown(cnnstat: Cnnstat) -> None:
    from cnnstat.zoo.catalog import names

    for name in names():
        result = cnnstat("info", name, "--format", "json")
        card = json.loads(result.out)
        assert result.code == 0
        assert card["name"] == name
        assert card["paper"]["url"].startswith("http")


def test_an_unknown_card_gets_the_nearest_names(cnnstat: Cnnstat) -> None:
    result = cnnstat("info", "lenet6")
    assert (result.code, result.out) == (2, "")
    assert "did you mean" in result.err


def test_info_and_explain_read_the_records_of_claims(cnnstat: Cnnstat) -> None:
    claims = json.loads(cnnstat("claims", "densenet264", "--format", "json").out)["claims"]
    explained = json.loads(cnnstat("explain", "densenet264", "--format", "json").out)["published"]
    assert explained == [claim for claim in claims if not claim["layer"]]
    card = json.loads(cnnstat("info", "densenet264", "--format", "json").out)
    keys = ("quantity", "published", "computed", "unit", "verdict", "source")
    assert [[figure[key] for key in keys] for figure in card["published"]] == [
        [claim[key] for key in keys] for claim in claims
    ]
    assert card["published"][0]["computed"] == 1 + 2 * (6 + 12 + 64 + 48) + 3 + 1


def test_info_shows_units_and_leaves_reasons_to_claims(cnnstat: Cnnstat) -> None:
    out = " ".join(cnnstat("info", "vgg16", columns=100).out.split())
    assert "published 24M * 4 bytes ~ 96MB, computed 15,237,608 values" in out
    assert "No public derivation" not in out
    claims = json.loads(cnnstat("claims", "vgg16", "--format", "json").out)["claims"]
    assert f"{len(claims)} in all, with reasons: 'cnnstat claims vgg16'" in out


def test_info_says_where_nothing_is_published(cnnstat: Cnnstat) -> None:
    assert "none: no source of 'cnnstat claims' prints" in cnnstat("info", "lenet5-modern").out
    card = json.loads(cnnstat("info", "lenet5-modern", "--format", "json").out)
    assert (card["published"], card["published_figures"]) == ([], 0)
    assert json.loads(cnnstat("info", "nin-cifar", "--format", "json").out)["published_figures"] > 0
