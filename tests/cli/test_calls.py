"""How a module is called from the command line: axes, keywords, settings, methods, files."""

import json
from pathlib import Path

import numpy
import pytest

from cnnstat.cli.options import input_shapes, input_sweep
from cnnstat.errors import UsageError
from cnnstat.ir.tensor import TensorSpec
from tests.cli.commandline import Cnnstat

SOURCE = """
import torch
from torch import nn

class Edges(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, x, edges):
        h = self.layer(x)
        return torch.zeros_like(h).index_add(0, edges[1], h[edges[0]])

class Switch(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, width, 1), nn.Conv2d(width, width, 1)

    def forward(self, x, *, deep=False):
        return self.b(self.a(x)) if deep else self.a(x)

    def encode(self, image, scale=1):
        return self.b(self.b(self.a(image))) * scale

class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x, tokens):
        for _ in range(int(tokens.max())):
            x = self.layer(x)
        return x
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    path = tmp_path / "calls.py"
    path.write_text(SOURCE)
    return str(path)


def macs(cnnstat: Cnnstat, *args: str) -> int:
    done = cnnstat("summary", *args, "--format", "json")
    assert done.code == 0, done.err
    total: int = json.loads(done.out)["totals"]["macs"]
    return total


@pytest.mark.parametrize("edges", ["edges=int64:!2x20", "edges=!2x20:int64"])
def test_a_shape_with_all_axes(edges: str, net: str, cnnstat: Cnnstat) -> None:
    inputs = ("-i", "x=!7x8", "-i", edges, "-b", "3")
    assert macs(cnnstat, f"{net}:Edges", *inputs) == 7 * 8 * 4


def test_settings_of_the_call(net: str, cnnstat: Cnnstat) -> None:
    reference = f"{net}:Switch"
    assert macs(cnnstat, reference, "-i", "8") == 64 * 3 * 4
    deep = ("-i", "x=3x8x8", "--call", '{"deep": true}')
    assert macs(cnnstat, reference, *deep) == 64 * (3 * 4 + 4 * 4)


def test_another_method(net: str, cnnstat: Cnnstat) -> None:
    inputs = ("-i", "image=3x8x8", "--method", "encode", "--call", '{"scale": 2}')
    assert macs(cnnstat, f"{net}:Switch", *inputs) == 64 * (3 * 4 + 2 * 4 * 4)


def test_values_from_a_file(net: str, cnnstat: Cnnstat, tmp_path: Path) -> None:
    numpy.save(tmp_path / "tokens.npy", numpy.array([3, 2]))
    inputs = ("-i", "x=8", "-i", f"tokens=@{tmp_path / 'tokens.npy'}")
    assert macs(cnnstat, f"{net}:Steps", *inputs) == 3 * 8 * 8


def test_arguments_in_the_reference(net: str, cnnstat: Cnnstat) -> None:
    assert macs(cnnstat, f"{net}:Switch(width=6)", "-i", "8") == 64 * 3 * 6
    for command in (
        ["compare", f"{net}:Switch(width=6)", f"{net}:Switch(width=8)", "-i", "8"],
        ["memory", f"{net}:Switch(width=6)", "-i", "8"],
        ["check", f"{net}:Switch(width=6)", "-i", "8"],
        ["sweep", f"{net}:Switch(width={{w}})", "w=4,6", "input=8"],
    ):
        done = cnnstat(*command)
        assert done.code == 0, done.err


def test_names_of_inputs_in_compare_and_plot(net: str, cnnstat: Cnnstat, tmp_path: Path) -> None:
    inputs = ("-i", "x=3x8x8,3x16x16", "--format", "json")
    done = cnnstat("compare", f"{net}:Switch", *inputs)
    models = json.loads(done.out)["models"]
    assert [each["totals"]["macs"] for each in models] == [64 * 3 * 4, 256 * 3 * 4]
    picture = tmp_path / "scaling.svg"
    done = cnnstat("plot", "scaling", f"{net}:Switch", "-i", "x=3x8x8,3x16x16", "-o", str(picture))
    assert done.code == 0, done.err
    assert picture.exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--call", "[1]"], "--call '[1]': expected an object"),
        (["--call", "{"], "--call is not valid JSON"),
        (["--call", '{"dep": true}'], "dep"),
        (["--method", "encod"], "did you mean encode?"),
        (["-i", "x=@nothing.npy"], "cannot read nothing.npy"),
        (["-i", "x=!"], "x"),
        (["-i", "y=3x8x8", "-i", "z=3"], "forward takes (x, deep)"),
        (["-i", "x=int65:3x8x8"], "int65"),
    ],
)
def test_mistakes_are_one_line(args: list[str], message: str, net: str, cnnstat: Cnnstat) -> None:
    done = cnnstat("summary", f"{net}:Switch", *args)
    assert done.code in (2, 3)
    assert done.err.count("\n") == 1
    assert message in done.err


@pytest.mark.parametrize("call", ["Switch(6)", "Switch(width=x)", "Switch(**{})", "Switch(width=)"])
def test_arguments_that_are_no_literals_by_name(call: str, net: str, cnnstat: Cnnstat) -> None:
    done = cnnstat("summary", f"{net}:{call}")
    assert done.code == 2
    assert "write arguments by name" in done.err


def test_an_argument_given_twice(net: str, cnnstat: Cnnstat) -> None:
    done = cnnstat("summary", f"{net}:Switch(width=6)", "--args", '{"width": 8}')
    assert done.code == 2
    assert "'width' is given twice" in done.err


def test_only_a_module_is_called(cnnstat: Cnnstat) -> None:
    for option in (["--call", '{"deep": true}'], ["--method", "encode"]):
        done = cnnstat("summary", "lenet5", *option)
        assert done.code == 2
        assert "only a PyTorch module takes" in done.err


def test_objects_are_not_unpickled_from_arrays(tmp_path: Path) -> None:
    path = tmp_path / "objects.npy"
    numpy.save(path, numpy.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UsageError, match="not an array"):
        input_shapes([f"x=@{path}"])


def test_inputs_by_name_vary_together() -> None:
    made = input_sweep(["a=3x8x8,3x16x16", "b=1x8x8, 1x16x16", "label=int64"])
    label = TensorSpec((), "int64")
    assert made == (
        {"a": (3, 8, 8), "b": (1, 8, 8), "label": label},
        {"a": (3, 16, 16), "b": (1, 16, 16), "label": label},
    )
    with pytest.raises(UsageError, match="input b: 2 shapes where another input has 3"):
        input_sweep(["a=8,16,24", "b=8,16"])


def test_inputs_by_name_vary_one_by_one() -> None:
    made = input_sweep(["x=3x8x8,3x16x16", "label=int64"])
    label = TensorSpec((), "int64")
    assert made == ({"x": (3, 8, 8), "label": label}, {"x": (3, 16, 16), "label": label})
    assert input_sweep(["8,16"]) == ((8,), (16,))
    assert input_sweep(None) == (None,)
