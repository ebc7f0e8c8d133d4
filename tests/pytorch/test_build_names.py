"""Names come from files: generated code holds plain identifiers, whatever they are."""

import keyword
import random
import re
from pathlib import Path

import pytest
import torch
from torch import fx

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import Add, Flatten, Input, Linear, ReLU
from cnnstat.pytorch.build import build_module, submodule_names

CREATES = 'open("pwned", "w")'
NAMES = (
    *(f'c" + str({CREATES}) + "', f"x={CREATES}", f"x\n    {CREATES}", f"f({CREATES})", '"""'),
    *(
        "",
        "/",
        "//",
        "/a",
        "a",
        "a_",
        "a?",
        "a?/b",
        "a_/b",
        "a/b",
        "a.b",
        "a_b",
        "a/b/c",
        "a/b/c/d",
    ),
    *("class", "class/x", "in", "None", "True", "__class__", "__init__", "_modules", "_forms"),
    *("self", "forward", "training", "graph", "code", "meta", "print", "input", "getattr", "type"),
    *("torch", "operator", "math", "device", "inf", "nan", "fx_pytree", "relu", "add", "getitem"),
    *("3d", "3d/4", "x0", "n", "n_", "a b", "$", "\x1b[31m", "é", "\uff41", "\ud800", 'x"', "x\\"),
)


def chain(names: list[str], inputs: int, draw: random.Random) -> Graph:
    """Sum the inputs, then apply linear layers, activations and functions one after the other."""
    b = Builder("names")
    entering = [b.add(name, Input((4,))) for name in names[:inputs]]
    x = entering[0]
    for number, other in enumerate(entering[1:]):
        x = b.add(f"sum{number}", Add(), x, other)
    for name in names[inputs:]:
        op = draw.choice((Linear(4), ReLU(), Flatten(), Add()))
        x = b.add(name, op, *((x, entering[0]) if isinstance(op, Add) else (x,)))
    return b.graph(x)


@pytest.mark.parametrize("seed", range(40))
def test_any_names_make_a_module_that_runs(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw = random.Random(seed)
    names = draw.sample(NAMES, draw.randint(4, len(NAMES)))
    inputs = draw.randint(1, 3)
    graph = chain(names, inputs, draw)
    submodules = submodule_names(graph)
    assert len(set(submodules)) == len(graph.nodes)
    assert all(re.fullmatch("[0-9A-Za-z_.]+", name) for name in submodules)
    parts = [part for name in submodules for part in name.split(".")]
    assert not any(keyword.iskeyword(part) for part in parts)
    module = build_module(graph, {name: TensorSpec((1, 4)) for name in names[:inputs]})
    assert isinstance(module, fx.GraphModule)
    assert module.code.isascii()
    assert module(*[torch.zeros(2, 4)] * inputs).shape == (2, 4)
    assert list(tmp_path.iterdir()) == []


def test_long_name_is_cut() -> None:
    graph = chain(["x", "a" * 100_000, "a" * 100_000 + "b"], 1, random.Random(0))
    assert max(map(len, submodule_names(graph))) < 200
    build_module(graph, {"x": TensorSpec((1, 4))})
