"""Commands on a file of weights alone: what they show, and which of them need more."""

from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat
from tests.importers.test_weights import HEADER, write


def test_everything_else_is_unknown_on_the_screen(cnnstat: Cnnstat, tmp_path: Path) -> None:
    done = cnnstat("summary", write(tmp_path / "net.safetensors", HEADER), columns=120)
    row = next(line for line in done.out.splitlines() if line.startswith("stem/conv"))
    assert row.split()[-3:] == ["?", "?", "?"]  # memory, MACs, FLOPs
    assert "depth  " not in done.out
    assert "model.py:factory" in done.out


@pytest.mark.parametrize(
    "command", [["memory"], ["fit"], ["bench"], ["check"], ["export"], ["graph"]]
)
def test_commands_that_need_a_forward_pass_say_so(
    command: list[str], cnnstat: Cnnstat, tmp_path: Path
) -> None:
    done = cnnstat(*command, write(tmp_path / "net.safetensors", HEADER))
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "holds weights alone" in done.err
