"""A file of ``summary --format json`` is a MODEL wherever its figures suffice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commandline import Cnnstat

Save = Callable[..., str]


@pytest.fixture
def save(cnnstat: Cnnstat, tmp_path: Path) -> Save:
    def saved(model: str, *args: str) -> str:
        path = str(tmp_path / f"{model}.json")
        assert cnnstat("summary", model, *args, "-o", path).code == 0
        return path

    return saved


@pytest.mark.parametrize("model", ["vgg16", "googlenet-aux", "densenet121", "lenet5"])
def test_its_table_is_that_of_the_model(cnnstat: Cnnstat, save: Save, model: str) -> None:
    path = save(model)
    further = "+counted,path,type,detail,input_shapes,output_shape,buffers,cached_activation_bytes"
    fields = "receptive_field,jump,params_share,macs_share,params_formula,macs_formula"
    args = ("-f", "csv", "--columns", f"{further},{fields}")
    assert cnnstat("summary", path, *args).out == cnnstat("summary", model, *args).out


def test_nothing_differs_from_the_model_itself(cnnstat: Cnnstat, save: Save) -> None:
    args = ("--diff", "-f", "json")
    content = json.loads(cnnstat("compare", save("resnet50"), "resnet50", *args).out)
    assert {row["change"] for row in content["layers"]} == {"same"}
    assert content["left"]["totals"] == content["right"]["totals"]
    assert content["right"]["ratios"]["macs"] == 1


def test_a_comment_for_a_pull_request(cnnstat: Cnnstat, save: Save) -> None:
    result = cnnstat("compare", save("resnet50"), "resnet50-v1.5", "--diff", "-f", "md")
    assert result.code == 0
    # the stride moves from the first 1x1 to the 3x3 in three stages; no softmax at the end
    assert result.out.replace("\\", "").count("\n| ~ |") == 7
    assert "MACs 3,857,973,248 | 4,089,184,256: 1.1x more" in result.out.replace("\\", "")


def test_it_stands_in_a_table_with_models(cnnstat: Cnnstat, save: Save) -> None:
    path = save("vgg16")
    args = ("-c", "model,params,macs", "-f", "csv", "--bare")
    lines = cnnstat("compare", path, "lenet5", *args).out.splitlines()
    assert lines == [
        "model,params,macs",
        f"{path},138357544,15470264320",
        "lenet5,60000,325680",
    ]


def test_its_convention(cnnstat: Cnnstat, save: Save) -> None:
    path = save("vgg16", "--convention", "torch")
    # 2 per multiply-accumulate: 2 * 15,470,264,320
    args = ("-c", "counted", "-f", "csv", "--bare")
    result = cnnstat("compare", path, "--convention", "torch", *args)
    assert result.out.split() == ["counted", "30940528640"]
    assert cnnstat("compare", path, *args).out.split() == ["counted", "15470264320"]
    other = cnnstat("compare", path, "--convention", "fvcore")
    assert (other.code, other.err.count("\n")) == (2, 1)
    assert "was counted under 'torch', not 'fvcore'" in other.err


@pytest.mark.parametrize(
    ("written", "read", "said"),
    [
        ((), ("--input", "160"), "saved with input 3x224x224, not 3x160x160"),
        ((), ("--batch", "2"), "saved with batch 1, not 2"),
        (("--batch", "2"), (), "add --batch 2"),
    ],
)
def test_it_is_not_counted_again(
    cnnstat: Cnnstat, save: Save, written: tuple[str, ...], read: tuple[str, ...], said: str
) -> None:
    result = cnnstat("compare", save("vgg16", *written), *read)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert said in result.err


@pytest.mark.parametrize("written", [("--depth", "1"), ("--expand",), ("--sort", "params")])
def test_rows_that_are_not_all_layers_are_not_compared(
    cnnstat: Cnnstat, save: Save, written: tuple[str, ...]
) -> None:
    path = save("resnet50", *written)
    assert cnnstat("compare", path, "resnet50").code == 0
    result = cnnstat("compare", path, "resnet50", "--diff")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert written[0] in result.err
    short = save("vgg16", "--top", "3")
    assert "lacks 19 layers" in cnnstat("compare", short, "vgg16", "--diff").err


@pytest.mark.parametrize(
    "args",
    [
        ("memory",),
        ("graph",),
        ("fit",),
        ("explain",),
        ("check",),
        ("export", "--to", "yaml"),
        ("compare", "--stages"),
        ("summary", "--expand"),
        ("summary", "--check"),
        ("summary", "--mode", "training"),
        ("summary", "--columns", "traffic_bytes"),
    ],
)
def test_what_needs_the_graph_says_so(cnnstat: Cnnstat, save: Save, args: tuple[str, ...]) -> None:
    result = cnnstat(args[0], save("lenet5"), *args[1:])
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "is a saved result: it has figures but no graph" in result.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not a JSON file"),
        ("[" * 100_000, "not a result"),
        ("[]", "neither a saved summary"),
        ("{}", "neither a saved summary"),
        ('{"schema": "cnnstat.compare/1"}', "expected 'cnnstat.summary/1'"),
        ('{"schema": 3}', "expected 'cnnstat.summary/1'"),
        ('{"schema": "cnnstat.summary/1"}', "no 'model'"),
        ('{"schema": "cnnstat.summary/1", "model": NaN}', "not a JSON file"),
    ],
)
def test_another_file(cnnstat: Cnnstat, tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(content, encoding="utf-8")
    result = cnnstat("compare", str(path), "vgg16")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert said in result.err


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("totals", "params"), -1),
        (("totals", "params"), 7),
        (("totals", "macs"), 10**400),
        (("totals", "macs"), None),
        (("totals", "flops"), 1),
        (("status",), "?"),
        (("input", "shape"), "3x224x224"),
        (("input", "dtype"), "float23"),
        (("layers",), {}),
        (("layers", 1), 5),
        (("layers", 1, "output_shape"), "wide"),
        (("layers", 1, "output_shape"), [1, -1]),
        (("layers", 1, "weights"), True),
        (("layers", 1, "jump"), ["1/0"]),
        (("layers", 1, "jump"), ["1e2000000000", "1"]),
        (("layers", 1, "jump"), [-1, 1]),
        (("layers", 1, "jump"), "11"),
        (("layers", 1, "receptive_field"), 3),
        (("layers", 1, "activation_bytes"), 10**9),
        (("layers", 1, "name"), None),
    ],
)
def test_a_wrong_figure_is_refused_with_its_place(
    cnnstat: Cnnstat, save: Save, place: tuple[Any, ...], value: object
) -> None:
    path = Path(save("lenet5"))
    content = json.loads(path.read_text(encoding="utf-8"))
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    result = cnnstat("compare", str(path), "lenet5")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "lenet5.json: " in result.err


def test_a_partial_result_stays_a_lower_bound(cnnstat: Cnnstat, save: Save) -> None:
    path = Path(save("lenet5"))
    content = json.loads(path.read_text(encoding="utf-8"))
    content["status"] = "partial"
    path.write_text(json.dumps(content), encoding="utf-8")
    result = cnnstat("summary", str(path), "--limit", "macs < 1G")
    assert result.code == 1
    assert "macs (>=325,680) cannot be shown to meet" in result.err
    assert "FLOPs >= 676.34 k" in result.out
