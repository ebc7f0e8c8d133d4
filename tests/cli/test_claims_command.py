"""``cnnstat claims``: the whole ledger, a choice of it, every format, bad names."""

import csv
import io
import json

import pytest

from tests.cli.commandline import Cnnstat

KEYS = {
    "id",
    "model",
    "quantity",
    "published",
    "computed",
    "unit",
    "verdict",
    "explanation",
    "source",
}


def test_the_whole_ledger_holds_the_contract(cnnstat: Cnnstat) -> None:
    result = cnnstat("claims", "--format", "json")
    assert (result.code, result.err) == (0, "")
    payload = json.loads(result.out)
    assert payload["schema"] == "cnnstat.claims/1"
    assert len(payload["claims"]) == sum(payload["counts"].values()) >= 440
    assert all(set(claim) >= KEYS for claim in payload["claims"])
    computed = {claim["id"]: claim["computed"] for claim in payload["claims"]}
    assert computed["slides-vgg16-total-params"] == 138_357_544
    assert computed["slides-alexnet-table-conv-1"] == [[55, 55, 96], 34_848, 96, 34_944]
    assert computed["blog-vgg-81pct"] == pytest.approx(49 / 27 - 1)
    assert computed["slides-resnet-double"] is True
    unexplained = [
        claim["id"]
        for claim in payload["claims"]
        if claim["verdict"] in ("reproduced", "differs") and not claim["explanation"]
    ]
    assert unexplained == []


def test_a_model_by_an_alias_has_its_own_figures(cnnstat: Cnnstat) -> None:
    result = cnnstat("claims", "VGG_D", "lenet5", "--format", "json")
    payload = json.loads(result.out)
    assert {claim["model"] for claim in payload["claims"]} == {"vgg16", "lenet5"}


@pytest.mark.parametrize("verdict", ["exact", "rounds", "truncates", "reproduced", "differs"])
def test_a_verdict_chooses(cnnstat: Cnnstat, verdict: str) -> None:
    payload = json.loads(cnnstat("claims", "--verdict", verdict, "--format", "json").out)
    assert {claim["verdict"] for claim in payload["claims"]} == {verdict}
    assert payload["counts"][verdict] == len(payload["claims"])


def test_a_source_chooses(cnnstat: Cnnstat) -> None:
    payload = json.loads(cnnstat("claims", "--source", "slides", "--format", "json").out)
    assert len(payload["claims"]) == 115 + 4
    assert all("Modulabs Rubato Lab" in claim["source"] for claim in payload["claims"])


def test_the_table_ends_with_reasons_and_counts(cnnstat: Cnnstat) -> None:
    result = cnnstat("claims", "inception-bottleneck", columns=100)
    assert result.code == 0
    assert "slides-inception-red-total: the six printed rows" in result.out
    assert "the 3x3 row counted twice: 358,055,936" in " ".join(result.out.split())
    assert "1  reproduced  matches under another accounting" in result.out
    assert all(len(line) <= 100 for line in result.out.splitlines())


def test_csv_has_raw_numbers_and_reasons(cnnstat: Cnnstat) -> None:
    rows = list(csv.DictReader(io.StringIO(cnnstat("claims", "vgg16", "--format", "csv").out)))
    total = next(row for row in rows if row["id"] == "slides-vgg16-total-params")
    assert (total["computed"], total["verdict"]) == ("138357544", "rounds")


def test_markdown_has_a_row_per_figure(cnnstat: Cnnstat) -> None:
    out = cnnstat("claims", "zfnet", "--format", "md").out
    assert sum(line.startswith("| zfnet") or "zfnet-" in line for line in out.splitlines()) >= 5


def test_a_choice_without_figures_is_empty(cnnstat: Cnnstat) -> None:
    result = cnnstat("claims", "resnet56-cifar", "--source", "slides", "--format", "json")
    assert (result.code, json.loads(result.out)["claims"]) == (0, [])
    table = cnnstat("claims", "resnet56-cifar", "--source", "slides").out
    assert table.startswith("No published figures of resnet56-cifar match\n")
    assert "Verdicts" not in table


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nosuch"], "unknown model 'nosuch'"),
        (["vgg17"], "unknown model 'vgg17': did you mean"),
        (["resnet111-cifar"], "6n+2"),
        (["--verdict", "exat"], "unknown verdict 'exat': did you mean exact"),
        (["--source", "slidez"], "unknown source 'slidez': did you mean slides"),
        (["--format", "xlm"], "unknown format 'xlm'"),
    ],
)
def test_a_bad_name_is_one_line(cnnstat: Cnnstat, args: list[str], message: str) -> None:
    result = cnnstat("claims", *args)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.count("\n") == 1
