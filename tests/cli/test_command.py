"""Help, start-up and errors of the command line as a whole."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from cnnstat.cli.app import COMMANDS
from cnnstat.cli.plot import KINDS
from cnnstat.count.conventions import CONVENTIONS
from cnnstat.render.columns import LAYER_COLUMNS
from tests.cli.commandline import Cnnstat

ROOT = Path(__file__).resolve().parents[2]
CNNSTAT = [sys.executable, "-m", "cnnstat"]
HELPED = [[name] for name in COMMANDS if name != "plot"] + [["plot", kind] for kind in KINDS]


def examples() -> list[str]:
    """Return every example of the help."""
    lines: list[str] = []
    for place in COMMANDS.values():
        shown = import_module(f"cnnstat.cli.{place.split(':')[0]}").EXAMPLES
        for group in shown.values() if isinstance(shown, dict) else (shown,):
            lines += group
    return lines


@pytest.mark.parametrize("command", HELPED, ids=" ".join)
def test_help_has_groups_defaults_and_examples(cnnstat: Cnnstat, command: list[str]) -> None:
    result = cnnstat(*command, "--help", columns=100)
    assert (result.code, result.err) == (0, "")
    assert "<bool>" not in result.out
    assert "<str>" not in result.out
    assert "Output ─" in result.out
    assert "Options ─" not in result.out
    prompt = f"   cnnstat {' '.join(command)} "
    assert prompt in result.out.split("Examples:")[1]
    for short in re.findall(r"^│ [* ]*(--[\w-]+)", result.out, flags=re.MULTILINE):
        assert short.islower()


def test_keys_and_conventions_are_listed_where_they_are_needed(cnnstat: Cnnstat) -> None:
    words = cnnstat("summary", "--help", columns=100).out.replace("│", " ").split()
    listed = {word.rstrip(".,") for word in words}
    assert {entry.key for entry in LAYER_COLUMNS} <= listed
    assert set(CONVENTIONS) <= listed
    assert {"[default:", "1]", "paper]"} <= set(words)


@pytest.mark.parametrize("example", examples())
def test_examples_run(
    cnnstat: Cnnstat, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    if "old.json" in example:
        cnnstat("summary", "samples/tiny.yaml", "-o", "old.json")
    program, *args = shlex.split(example)
    assert program == "cnnstat"
    result = cnnstat(*args)
    assert result.code == 0, result.err
    written = re.search(r" -o (\S+)$", example)
    assert written or "--open" in example or result.out
    assert not written or (tmp_path / written[1]).stat().st_size


def test_typer_still_reads_words_through_pydantic() -> None:
    """If this fails, ``_read`` of ``cnnstat/cli/command.py`` is no longer needed."""
    program = (
        "import sys, typer\n"
        "app = typer.Typer(add_completion=False)\n"
        "@app.command()\n"
        "def main(word: str): pass\n"
        "app(['word'], standalone_mode=False)\n"
        "print('pydantic' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "True\n"


def test_no_command_needs_pydantic() -> None:
    program = (
        "import sys\n"
        "from cnnstat.cli.app import run\n"
        "assert run(['compare', 'lenet5', 'vgg16', '-b', '2', '-i', '32', '-f', 'csv']) == 0\n"
        "assert 'pydantic' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("args", [["--help"], ["fit", "--help"], ["plot", "--help"], ["--version"]])
def test_help_that_cannot_be_written(args: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*CNNSTAT, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        "cnnstat: error: cannot write to standard output: No space left on device\n"
    )


@pytest.mark.parametrize("args", [[], ["--help"], ["fit", "--help"], ["--version"]])
def test_help_that_nobody_reads(args: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [*CNNSTAT, *args], stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["summary", "no-such-model"], 2),
        (["summary", "vgg16", "--batch", "x"], 2),
        (["summary", "vgg16", "--input", "3x1x1"], 3),
    ],
)
def test_debug_shows_the_traceback_and_keeps_the_status(
    cnnstat: Cnnstat, args: list[str], code: int
) -> None:
    plain = cnnstat(*args)
    assert plain.code == code
    assert "Traceback" not in plain.err
    for debugged in (cnnstat(*args, "--debug"), cnnstat("--debug", *args)):
        assert debugged.code == code
        assert "Traceback" in debugged.err
        assert debugged.err.endswith(plain.err)


@pytest.mark.parametrize("args", [["info", "vgg16"], ["check", "lenet5"]])
def test_an_interrupt_at_any_time_is_no_traceback(args: list[str]) -> None:
    for milliseconds in range(60, 300, 40):
        process = subprocess.Popen(
            [*CNNSTAT, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        if "Traceback" in err:  # Python itself was still starting
            assert "cnnstat/cli/app.py" not in err
            continue
        assert process.returncode in (0, 130, -signal.SIGINT), milliseconds
