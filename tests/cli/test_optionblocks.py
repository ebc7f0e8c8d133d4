"""Blocks of options: one parameter of a command for several options."""

from dataclasses import dataclass
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import get_args

import pytest

from cnnstat.cli.app import COMMANDS
from cnnstat.cli.optionblocks import Calling, Reading, Result, Subject, spread
from cnnstat.cli.options import argument, option
from cnnstat.cli.plot import KINDS
from cnnstat.errors import UsageError
from tests.cli.commandline import Cnnstat

OPTIONS = {
    "Size.width": option("Size", "--width -w N", "Across."),
    "height": option("Size", "--height N", "Up."),
    "name": argument("NAME", "The drawing's."),
    "quick": option("Size", "--quick", "Draw fast."),
}


@dataclass(frozen=True)
class Size:
    width: int
    height: int = 2


def test_a_block_is_its_options_in_their_places() -> None:
    seen: list[tuple[str, Size, bool]] = []

    def command(name: str, *, size: Size, quick: bool = False) -> None:
        """Draw it."""
        seen.append((name, size, quick))

    made = spread(command)
    parameters = signature(made).parameters
    assert list(parameters) == ["name", "width", "height", "quick"]
    assert [each.default for each in parameters.values()] == [
        *(Parameter.empty, Parameter.empty),
        *(2, False),
    ]
    assert get_args(parameters["width"].annotation) == (int, OPTIONS["Size.width"])
    assert [OPTIONS[name].metavar for name in ("Size.width", "quick")] == ["N", None]
    assert made.__doc__ == "Draw it."
    made(name="a", width=3, height=2, quick=True)
    assert seen == [("a", Size(3, 2), True)]


def test_each_option_of_a_table_is_one_of_a_command() -> None:
    taken: set[int] = set()
    for place in (*COMMANDS.values(), *KINDS.values()):
        if place == COMMANDS["plot"]:
            continue
        stem, name = place.split(":")
        command = getattr(import_module(f"cnnstat.cli.{stem}"), name)
        for parameter in signature(spread(command)).parameters.values():
            taken.add(id(get_args(parameter.annotation)[1]))
    for stem in {place.split(":")[0] for place in COMMANDS.values()} | {"options"}:
        table = getattr(import_module(f"cnnstat.cli.{stem}"), "OPTIONS", {})
        assert [name for name, each in table.items() if id(each) not in taken] == []


def test_what_enters_has_a_dtype_only_where_the_command_has_the_option() -> None:
    assert Reading(input=["8x9"], batch=2).entering() == {"input": (8, 9), "batch": 2}
    assert Subject(dtype="float16").entering() == {"input": None, "batch": 1, "dtype": "float16"}


def test_arguments_are_json() -> None:
    calling = Calling(args='{"width": 4}', method="features")
    assert calling.arguments() == {
        "arguments": {"width": 4},
        "call": None,
        "forward_method": "features",
    }
    with pytest.raises(UsageError, match="--call is not valid JSON"):
        Calling(call="{").arguments()


def test_a_result_has_the_format_of_its_suffix() -> None:
    assert Result(output="-").destination(verbose=False).format == "table"
    assert Result(format="csv", bare=True).destination().bare


METHOD = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Conv2d(4, 5, 1)

    def forward(self, x):
        return self.head(self.conv(x))

    def features(self, x):
        return self.conv(x)
"""


@pytest.mark.parametrize("command", [["explain"], ["roofline", "--device", "rtx-4090"]])
def test_every_command_of_a_model_takes_its_method(
    cnnstat: Cnnstat, command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(METHOD)
    reference = f"{tmp_path}/net.py:Net"
    name, *options = command
    whole = cnnstat(name, reference, *options, "-i", "3x8x8")
    part = cnnstat(name, reference, *options, "-i", "3x8x8", "--method", "features")
    assert (whole.code, part.code) == (0, 0)
    assert "head  " in whole.out
    assert "head  " not in part.out
    refused = cnnstat(name, "lenet5", *options, "--method", "features")
    assert refused.code == 2
    assert "only a PyTorch module takes a method" in refused.err
