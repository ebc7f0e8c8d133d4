"""Every command that takes a model, on modules with two inputs by name."""

import json
from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat

NET = """
from torch import nn


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, a, b):
        return (self.first(a) + self.second(b)).relu()


class Named(Sum):
    def forward(self, *, a, b):
        return super().forward(a, b)
"""
MACS = 16 * 16 * 4 * (3 + 1) * 3 * 3
A, B = ("--input", "a=3x16x16"), ("--input", "b=1x16x16")
COMMANDS = [
    ("summary",),
    ("memory",),
    ("memory", "--mode", "training"),
    ("fit", "--memory", "1GiB"),
    ("check",),
    ("graph",),
    ("roofline", "--device", "t4"),
    ("compare",),
    ("bench", "--device", "cpu", "--min-time", "0", "--max-time", "0.1", "--layers"),
    ("plot", "layers", "-o", "{tmp}/layers.svg"),
    ("plot", "memory", "-o", "{tmp}/memory.svg"),
    ("plot", "roofline", "--device", "t4", "-o", "{tmp}/roofline.svg"),
    ("plot", "bubble", "--accuracy", "{tmp}/rates.csv", "-o", "{tmp}/bubble.svg"),
    ("report", "-o", "{tmp}/report.html"),
]


@pytest.fixture
def net(tmp_path: Path) -> str:
    path = tmp_path / "net.py"
    path.write_text(NET)
    rates = f"model,top1_error,source\n{path}:Sum,30,mine\n{path}:Named,30,mine\n"
    (tmp_path / "rates.csv").write_text(rates)
    return str(path)


@pytest.mark.parametrize("name", ["Sum", "Named"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands(
    command: tuple[str, ...], name: str, net: str, cnnstat: Cnnstat, tmp_path: Path
) -> None:
    words = [word.format(tmp=tmp_path) for word in command]
    place = 2 if words[0] == "plot" else 1
    done = cnnstat(*words[:place], f"{net}:{name}", *words[place:], *A, *B)
    assert done.code == 0, done.err
    for word in words:
        assert not word.endswith((".svg", ".html")) or Path(word).stat().st_size > 1000


@pytest.mark.parametrize("name", ["Sum", "Named"])
def test_explain_takes_a_layer_behind_the_model(name: str, net: str, cnnstat: Cnnstat) -> None:
    done = cnnstat("explain", f"{net}:{name}", "second", *A, *B)
    assert done.code == 0, done.err
    assert "1x16x16" in done.out


def test_scaling_changes_both_inputs(net: str, cnnstat: Cnnstat, tmp_path: Path) -> None:
    both = ("-i", "a=3x16x16,3x32x32", "-i", "b=1x16x16,1x32x32")
    picture = tmp_path / "scaling.svg"
    done = cnnstat("plot", "scaling", f"{net}:Named", *both, "-o", str(picture))
    assert done.code == 0, done.err
    assert picture.stat().st_size > 1000
    done = cnnstat("compare", f"{net}:Named", *both, "--format", "json")
    models = json.loads(done.out)["models"]
    assert [each["totals"]["macs"] for each in models] == [MACS, 4 * MACS]


def test_a_model_without_such_inputs_keeps_its_own(net: str, cnnstat: Cnnstat) -> None:
    done = cnnstat("compare", f"{net}:Sum", "lenet5-modern", *A, *B, "--format", "json")
    assert done.code == 0, done.err
    own = json.loads(cnnstat("compare", "lenet5-modern", "--format", "json").out)["models"]
    models = json.loads(done.out)["models"]
    assert [each["totals"]["macs"] for each in models] == [MACS, own[0]["totals"]["macs"]]


def test_names_that_no_model_has(cnnstat: Cnnstat) -> None:
    done = cnnstat("compare", "vgg16", "lenet5", *A)
    assert (done.code, done.out) == (2, "")
    assert done.err == "cnnstat: error: unknown input of vgg16 'a': choose from input\n"
