"""``cnnstat summary`` through the real command line: figures to the unit, in every format."""

import csv
import io
import json

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.cli.commandline import Cnnstat

SHOWN = ["vgg16", "alexnet", "lenet5", "inception-bottleneck", "resnet50"]


@pytest.mark.parametrize("model", SHOWN)
def test_the_table_looks_like_this(
    cnnstat: Cnnstat, snapshot: SnapshotAssertion, model: str
) -> None:
    result = cnnstat("summary", model, columns=100)
    assert (result.code, result.err) == (0, "")
    assert result.out == snapshot


@pytest.mark.parametrize(
    "args",
    [
        ["vgg16", "--formulas"],
        ["vgg16", "--verbose"],
        ["googlenet", "--depth", "1", "--convention", "fvcore"],
        ["lenet5", "--expand", "--columns", "layer,type,detail,params"],
        ["resnet50", "--sort", "params", "--top", "4", "--columns", "+receptive_field,macs_share"],
    ],
    ids=" ".join,
)
def test_the_views_look_like_this(
    cnnstat: Cnnstat, snapshot: SnapshotAssertion, args: list[str]
) -> None:
    result = cnnstat("summary", *args)
    assert (result.code, result.err) == (0, "")
    assert result.out == snapshot


def test_markdown_looks_like_this(cnnstat: Cnnstat, snapshot: SnapshotAssertion) -> None:
    assert cnnstat("summary", "lenet5", "-f", "md").out == snapshot


def test_vgg16_is_right_to_the_unit(cnnstat: Cnnstat) -> None:
    out = cnnstat("summary", "vgg16", "--verbose").out
    for figure in (
        "138,357,544",
        "weights 138,344,128 + biases 13,416",
        "15,470,264,320",
        "60.95 MB  15,237,608 values",
        "97.41 MB  24,352,744 values",
        "212x212  of one element of pool5, 32 apart",
    ):
        assert figure in out
    row = next(line for line in out.splitlines() if line.startswith("conv1_2"))
    # 3*3*64*64 weights, 64 biases, 224*224*64 outputs
    assert "36,864" in row
    assert "12.845" in row
    assert "1,849,688,064" in row


@pytest.mark.parametrize(
    ("convention", "figure"),
    [("fvcore", "4,111,512,576"), ("torch", "8,178,368,512")],
)
def test_another_convention_names_its_total(cnnstat: Cnnstat, convention: str, figure: str) -> None:
    out = cnnstat("summary", "resnet50-v1.5", "--convention", convention).out
    assert f"{convention}: {figure}" in out
    total = next(line for line in out.splitlines() if line.startswith("total"))
    assert total.split()[-1] == figure
    assert "4,089,184,256" in total  # MACs stay MACs


def test_json_is_the_contract(cnnstat: Cnnstat) -> None:
    payload = json.loads(cnnstat("summary", "resnet50", "--format", "json").out)
    assert list(payload)[:9] == [
        *("schema", "status", "model", "input", "convention"),
        *("layers", "totals", "published", "notes"),
    ]
    assert payload["schema"] == "cnnstat.summary/1"
    assert payload["status"] == "complete"
    assert list(payload["model"]) == ["name", "title", "family", "year", "reference"]
    assert payload["input"] == {"shape": [1, 3, 224, 224], "dtype": "float32"}
    assert payload["convention"] == {"name": "paper", "counted": 3_857_973_248}
    assert set(payload["layers"][0]) >= {
        *("name", "path", "type", "detail", "input_shapes", "output_shape", "weights", "biases"),
        *("params", "buffers", "macs", "flops", "activation_bytes", "receptive_field", "formulas"),
    }
    assert set(payload["layers"][0]["formulas"]) == {"params", "activation", "macs"}
    assert set(payload["totals"]) >= {
        *("weights", "biases", "params", "trainable_params", "buffers", "macs", "flops"),
        *("param_bytes", "activation_bytes", "cached_activation_bytes"),
        *("peak_activation_bytes", "depth"),
    }
    assert payload["totals"]["params"] == 25_557_032


def numbers(text: str) -> dict[str, tuple[int, ...]]:
    """Read params, MACs and FLOPs of each row of a table or a Markdown table."""
    rows = {}
    for line in text.split("Totals", maxsplit=1)[0].splitlines():
        cells = [cell.strip("* ") for cell in line.strip("| ").split("|")]
        cells = cells if len(cells) > 1 else line.split()
        figures = [c.replace(",", "") for c in cells if c.replace(",", "").isdecimal()]
        if len(figures) == 3:
            rows[cells[0].replace("\\_", "_")] = tuple(map(int, figures))
    return rows


@pytest.mark.parametrize("model", ["vgg16", "googlenet", "resnet50"])
def test_every_format_has_the_same_values(cnnstat: Cnnstat, model: str) -> None:
    columns = "layer,params,macs,flops"
    outs = {
        name: cnnstat("summary", model, "--columns", columns, "--verbose", "-f", name).out
        for name in ("json", "csv", "table", "md")
    }
    payload = json.loads(outs["json"])
    layers = {x["name"]: (x["params"], x["macs"], x["flops"]) for x in payload["layers"]}
    total = tuple(payload["totals"][key] for key in ("params", "macs", "flops"))
    rows = csv.DictReader(io.StringIO(outs["csv"]))
    assert {r["layer"]: (int(r["params"]), int(r["macs"]), int(r["flops"])) for r in rows} == layers
    for name in ("table", "md"):
        assert numbers(outs[name]) == {**layers, "total": total}


@pytest.mark.parametrize("command", ["summary", "graph", "export"])
def test_a_dash_is_standard_output(cnnstat: Cnnstat, command: str) -> None:
    result = cnnstat(command, "lenet5", "-o", "-")
    assert (result.code, result.err) == (0, "")
    assert result.out == cnnstat(command, "lenet5").out != ""


def test_top_folds_the_rest_into_one_row(cnnstat: Cnnstat) -> None:
    args = ("summary", "vgg16", "--sort", "params", "--top", "2")
    rows = list(csv.DictReader(io.StringIO(cnnstat(*args, "-f", "csv").out)))
    assert [row["layer"] for row in rows] == ["fc6", "fc7", "(20 more)"]
    assert sum(int(row["params"]) for row in rows) == 138_357_544
    payload = json.loads(cnnstat(*args, "-f", "json").out)
    assert [layer["name"] for layer in payload["layers"]] == ["fc6", "fc7"]
    assert payload["omitted_layers"] == 20


def test_input_batch_dtype_and_classes(cnnstat: Cnnstat) -> None:
    def totals(*args: str) -> dict[str, int]:
        payload = json.loads(cnnstat("summary", "resnet50", *args, "-f", "json").out)
        totals: dict[str, int] = payload["totals"]
        return totals

    plain = totals()
    for same in ("3x224x224", "224x224", "224", "input=3x224x224"):
        assert totals("--input", same) == plain
    assert totals("--batch", "7")["macs"] == 7 * plain["macs"]
    assert totals("--batch", "7")["params"] == plain["params"]
    assert 2 * totals("--dtype", "float16")["activation_bytes"] == plain["activation_bytes"]
    assert plain["params"] - totals("--classes", "10")["params"] == 990 * (2048 + 1)


def test_huge_inputs_are_exact(cnnstat: Cnnstat) -> None:
    plain = json.loads(cnnstat("summary", "vgg16", "-f", "json").out)["totals"]
    args = ("summary", "vgg16", "--batch", "1000000000")
    assert json.loads(cnnstat(*args, "-f", "json").out)["totals"]["macs"] == 10**9 * plain["macs"]
    assert "15,470,264,320,000,000,000" in cnnstat(*args).out
    wide = cnnstat("summary", "vgg16", "--input", "3x100000x100000").out
    # conv1_1: every position of 100000 x 100000, 3*3*3 taps, 64 maps
    assert f"{100000 * 100000 * 27 * 64:,}" in wide


def test_unknown_work_is_a_question_mark_and_a_lower_bound(
    cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnstat import api
    from cnnstat.ir.builder import Builder
    from cnnstat.ir.tensor import TensorSpec
    from cnnstat.ops import Input, Linear, Opaque

    b = Builder("odd")
    x = b.add("fc", Linear(5), b.add("input", Input((3,))))
    graph = b.graph(b.add("mystery", Opaque("aten::mystery", (TensorSpec((1, 5)),)), x))
    model = api.Model("odd", {"input": TensorSpec((1, 3))}, graph)
    monkeypatch.setattr(api, "load", lambda reference, **kwargs: model)

    result = cnnstat("summary", "odd")
    assert result.code == 0
    row = next(line for line in result.out.splitlines() if line.startswith("mystery"))
    total = next(line for line in result.out.splitlines() if line.startswith("total"))
    assert row.split()[-2:] == ["?", "?"]
    assert total.split()[-4:] == [">=", "15", ">=", "35"]  # 3*5 MACs; 2*15 + 5 bias additions
    assert "mystery: aten::mystery has no work rule" in result.out
    assert cnnstat("summary", "odd", "--strict").code == 1
    ranked = cnnstat("summary", "odd", "--sort", "macs", "-f", "csv").out.splitlines()
    assert ranked[1].startswith("mystery")  # it may be the largest

    payload = json.loads(cnnstat("summary", "odd", "-f", "json").out)
    assert payload["status"] == "partial"
    assert payload["layers"][-1]["macs"] is None
    assert payload["totals"]["macs"] == 15


def test_strict_is_content_with_a_complete_report(cnnstat: Cnnstat) -> None:
    assert cnnstat("summary", "vgg16", "--strict").code == 0


def test_check_adds_what_other_tools_count(cnnstat: Cnnstat) -> None:
    result = cnnstat("summary", "lenet5", "--check")
    assert result.code == 0
    foot = result.out.split("Other counters", maxsplit=1)[1]
    assert "FlopCounterMode: " in foot
    assert "shapes, parameters and counts agree" in foot
    payload = json.loads(cnnstat("summary", "lenet5", "--check", "-f", "json").out)
    assert payload["check"]["agree"] is True


def test_the_tree_indents_the_modules(cnnstat: Cnnstat) -> None:
    rows = cnnstat("summary", "googlenet", "--tree", "--bare").out.splitlines()
    module = next(number for number, row in enumerate(rows) if row.startswith("inception_3a "))
    assert "8 layers" in rows[module]
    assert rows[module + 1].startswith("  1x1 ")
    assert rows[module + 9].startswith("inception_3b ")


def test_other_formats_of_the_tree_have_paths(cnnstat: Cnnstat) -> None:
    out = cnnstat("summary", "googlenet", "--tree", "-f", "csv").out
    names = [row["layer"] for row in csv.DictReader(io.StringIO(out))]
    assert names[names.index("inception_3a") + 1] == "inception_3a/1x1"
    assert "total" not in names


def test_the_json_of_a_tree_has_rows_and_modules_apart(cnnstat: Cnnstat) -> None:
    plain = json.loads(cnnstat("summary", "googlenet", "-f", "json").out)
    tree = json.loads(cnnstat("summary", "googlenet", "--tree", "-f", "json").out)
    modules = {module["name"]: module for module in tree.pop("modules")}
    inside = [row["params"] for row in plain["layers"] if row["path"] == "inception_4e"]
    assert modules["inception_4e"]["params"] == sum(inside)
    assert tree == plain


@pytest.mark.parametrize("extra", [["--sort", "params"], ["--top", "3"]])
def test_a_tree_is_not_sorted(cnnstat: Cnnstat, extra: list[str]) -> None:
    result = cnnstat("summary", "lenet5", "--tree", *extra)
    assert result.code == 2
    assert "--tree keeps the order of the modules" in result.err


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("--convention torch", "torch convention 651.36 k"),  # 2*325,680
        ("", "FLOPs 676.34 k, activations 36.47 kB"),
    ],
)
def test_the_line_below_the_table_has_what_was_asked_for(
    cnnstat: Cnnstat, options: str, text: str
) -> None:
    assert text in " ".join(cnnstat("summary", "lenet5", *options.split()).out.split())
