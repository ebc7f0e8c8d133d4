"""The README's commands run as they are written, and what it shows is what they print."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cnnstat.api import analyze
from cnnstat.count.conventions import CONVENTIONS
from cnnstat.zoo.catalog import names

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for language, block in BLOCKS
    if language == "sh"
    for line in block.splitlines()
    if line.startswith(("cnnstat ", "cd "))
]
PLAIN = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM")


def shell(command: str, folder: Path) -> str:
    """Return what a command prints in a shell where cnnstat is installed.

    It runs in ``folder``, where the samples are at hand.
    """
    environment = {key: value for key, value in os.environ.items() if key not in PLAIN}
    (folder / "samples").symlink_to(ROOT / "samples")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_succeed(command: str, tmp_path: Path) -> None:
    printed = shell(command, tmp_path)
    written = re.search(r" -o (\S+)$", command)
    if written:
        assert (tmp_path / written[1]).stat().st_size > 0
    else:
        assert printed


def test_the_workflow_of_a_pull_request_runs(tmp_path: Path) -> None:
    (workflow,) = [block for language, block in BLOCKS if language == "yaml" and "jobs:" in block]
    steps = [run for run in re.findall(r"- run: (.*)", workflow) if "cnnstat " in run]
    assert len(steps) == 2
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "samples").symlink_to(ROOT / "samples")
    shell(" && ".join(f"({step})" for step in steps), tmp_path)
    comment = (tmp_path / "comment.md").read_text(encoding="utf-8")
    assert "layers: 1" in comment
    assert "same" in comment


def test_every_command_of_the_tool_is_shown() -> None:
    from cnnstat.cli.app import COMMANDS as KNOWN

    shown = {command.partition("cnnstat ")[2].split()[0] for command in COMMANDS}
    assert shown == set(KNOWN)


def test_shown_output_is_printed_so(tmp_path: Path) -> None:
    (example,) = [block for language, block in BLOCKS if language == "text"]
    printed = iter(shell("cnnstat summary vgg16", tmp_path).splitlines())
    for line in example.splitlines():
        if line != "...":
            assert line in printed, f"missing, or out of order: {line}"


def test_the_number_of_models_is_that_of_the_zoo() -> None:
    assert f"It knows {len(names())} published architectures" in README


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", README, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)\s]+)\)", README)
    assert links
    for link in links:
        assert link[1:] in anchors if link.startswith("#") else (ROOT / link).exists(), link


def test_python_runs() -> None:
    programs = [block for language, block in BLOCKS if language == "python"]
    assert len(programs) == 2  # the second registers a rule, and prints nothing
    done = subprocess.run(
        [sys.executable, "-c", "".join(programs)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    totals = analyze("resnet50", batch=8).totals
    assert done.stdout == f"{totals.params} {totals.macs} {totals.activation_bytes}\n"


def test_conventions_are_listed_with_their_figures() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d,]+) \|", README, flags=re.MULTILINE)
    assert [name for name, _ in rows] == list(CONVENTIONS)
    for name, figure in rows:
        counted = analyze("resnet50-v1.5", convention=name).totals.counted
        assert figure == f"{counted:,}", name


def test_two_commands_install() -> None:
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv .venv && ")]
    assert len(lines) == 2
    assert lines[0].endswith(".venv/bin/cnnstat summary vgg16")
    assert "pytest" in lines[1]
    assert "-c constraints.txt" in lines[1]


def test_memory_of_vgg16_is_computed() -> None:
    """Every cell of the table of memory is what cnnstat derives."""
    from cnnstat.api import memory
    from cnnstat.memory.memory import settings

    section = README.split("## Memory\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines()]
    figures = {row[0]: row[2] for row in rows if len(row) == 3 and row[2][:1].isdigit()}
    report, eager = analyze("vgg16"), memory("vgg16")
    training = memory("vgg16", settings(mode="training"))
    derived = {
        "activations": report.totals.activation_bytes,
        "with cached inputs": report.totals.cached_activation_bytes,
        "peak, ideal": report.totals.peak_activation_bytes,
        "peak, eager": eager.forward_peak.bytes,
        "saved for backward": training.saved_bytes,
        "training": training.total_bytes,
    }
    assert figures == {name: f"{size:,}" for name, size in derived.items()}
