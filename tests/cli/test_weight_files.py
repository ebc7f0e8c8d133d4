"""Commands on a file of weights alone: what they show, and which of them need more."""

import json
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


def test_totals_that_weights_do_not_tell_are_null(cnnstat: Cnnstat, tmp_path: Path) -> None:
    file = write(tmp_path / "net.safetensors", HEADER)
    summary = json.loads(cnnstat("summary", file, "-f", "json").out)
    compared = json.loads(cnnstat("compare", file, "lenet5", "-f", "json").out)["models"][0]
    for totals in (summary["totals"], compared["totals"]):
        assert totals["params"] > 0
        for key in ("macs", "flops", "activation_bytes", "peak_activation_bytes", "depth"):
            assert totals[key] is None
    assert summary["convention"]["counted"] is None
    assert {layer["traffic_bytes"] for layer in summary["layers"]} == {None}


@pytest.mark.parametrize(
    "command", [["memory"], ["fit"], ["bench"], ["check"], ["export"], ["graph"]]
)
def test_commands_that_need_a_forward_pass_say_so(
    command: list[str], cnnstat: Cnnstat, tmp_path: Path
) -> None:
    done = cnnstat(*command, write(tmp_path / "net.safetensors", HEADER))
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "has weights and no forward pass" in done.err


def test_a_limit_on_what_weights_do_not_tell_is_not_met(cnnstat: Cnnstat, tmp_path: Path) -> None:
    file = write(tmp_path / "net.safetensors", HEADER)
    for command in ("summary", "compare"):
        result = cnnstat(command, file, "--limit", "depth < 5")
        assert result.code == 1
        assert "depth (=?) cannot be shown to meet the limit 'depth < 5'" in result.err
        assert cnnstat(command, file, "--limit", "params > 0").code == 0
