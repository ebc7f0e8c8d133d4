"""Operators of one's own: PyTorch's registry, the file that a project names, and no data file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "own_operator"
NET = ("net.py:Net", "--input", "x=16")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run cnnstat in a folder, as a process of its own: rules are run once a process."""
    command = [sys.executable, "-m", "cnnstat", *arguments]
    path = os.pathsep.join(filter(None, (str(SAMPLE.parents[1]), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("COLUMNS", None)  # a worker of the tests has it; long lines would wrap
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, check=False
    )


def project(folder: Path, table: str, rules: str = "") -> Path:
    (folder / "net.py").write_text((SAMPLE / "net.py").read_text())
    (folder / "pyproject.toml").write_text(table)
    (folder / "rules.py").write_text(rules or (SAMPLE / "rules.py").read_text())
    return folder


def test_both_operators_are_counted_and_say_by_whom() -> None:
    done = run(SAMPLE, "summary", *NET, "--batch", "3", "-f", "csv", "-c", "layer,macs,flops")
    rows = dict(line.split(",", 1) for line in done.stdout.splitlines())
    assert rows["mix"] == f"{3 * 16 * 8},{2 * 3 * 16 * 8}"
    assert rows["blend"] == f"0,{3 * 8 * 4 + 3 * 8}"  # 4 additions and a division a value
    shown = run(SAMPLE, "summary", *NET).stdout
    assert "mix is counted by a rule of torch.utils.flop_counter.register_flop_formula: " in shown
    assert "net.mix_flops" in shown
    assert "blend is counted by a rule of cnnstat.register: blend (" in shown


def test_the_count_agrees_with_the_counter_of_pytorch() -> None:
    done = run(SAMPLE, "check", *NET)
    assert (done.returncode, "everything agrees" in done.stdout) == (0, True)


def test_without_the_table_the_operator_is_unknown(tmp_path: Path) -> None:
    done = run(project(tmp_path, "[tool.other]\n"), "summary", *NET, "--strict")
    assert done.returncode == 1
    assert "?" in done.stdout


LOUD = "raise SystemExit('rules were run')\n"


@pytest.mark.parametrize(
    "file", ["tiny.yaml", "tiny.onnx", "handson.keras"], ids=["spec", "onnx", "keras"]
)
def test_a_data_file_runs_nothing(tmp_path: Path, file: str) -> None:
    folder = project(tmp_path, '[tool.cnnstat]\nrules = "rules.py"\n', LOUD)
    done = run(folder, "summary", str(SAMPLE.parent / file))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_named_model_runs_nothing(tmp_path: Path) -> None:
    folder = project(tmp_path, '[tool.cnnstat]\nrules = "rules.py"\n', LOUD)
    assert run(folder, "summary", "lenet5").returncode == 0


@pytest.mark.parametrize(
    ("table", "rules", "message"),
    [
        ("[tool.cnnstat]\nrules = 3\n", "", "tool.cnnstat.rules is 3: expected a file's name"),
        ('[tool.cnnstat]\nrule = "x"\n', "", "unknown key of tool.cnnstat 'rule': did you mean"),
        ('[tool.cnnstat]\nrules = "none.py"\n', "", "tool.cnnstat.rules: there is no file"),
        ("[tool.cnnstat\n", "", "cannot read it: TOMLDecodeError"),
        ("[tool]\ncnnstat = 3\n", "", "tool.cnnstat is 3: expected a table"),
        ('[tool.cnnstat]\nrules = "rules.py"\n', LOUD, "cannot run these rules: SystemExit"),
        ('[tool.cnnstat]\nrules = "rules.py"\n', "x = 1 +\n", "cannot run these rules: SyntaxErr"),
        (
            '[tool.cnnstat]\nrules = "rules.py"\n',
            "import cnnstat\ncnnstat.register('own::blend', lambda call: -1)\n",
            "rule of own::blend, <lambda> (",
        ),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, table: str, rules: str, message: str) -> None:
    done = run(project(tmp_path, table, rules), "summary", *NET)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
