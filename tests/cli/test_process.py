"""The process as a user meets it: start, terminals, pipes, missing libraries."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

CNNSTAT = [sys.executable, "-m", "cnnstat"]
PLAIN = {
    key: value
    for key, value in os.environ.items()
    if key not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM")
}


def test_it_runs_without_the_optional_libraries() -> None:
    blocked = ["torch", "numpy", "onnx", "matplotlib", "fvcore", "yaml", "pydantic"]
    program = (
        "import sys\n"
        f"for name in {blocked}: sys.modules[name] = None\n"
        "sys.argv = ['cnnstat', 'summary', 'vgg16']\n"
        "from cnnstat.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=PLAIN, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "15,470,264,320" in done.stdout


def test_an_interrupt_inside_an_import_leaves_no_traceback() -> None:
    program = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def __set_name__(self, owner, name):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        [None for _ in range(1000)]\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            type('Owner', (), {'member': Interrupting()})\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.argv = ['cnnstat', 'list']\n"
        "from cnnstat.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=PLAIN, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize("error", ["ImportError", "RuntimeError", "KeyboardInterrupt"])
def test_an_interrupt_that_a_library_hides_is_an_interrupt(error: str) -> None:
    program = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n"
        "            try:\n"
        "                os.kill(os.getpid(), signal.SIGINT)\n"
        "                [None for _ in range(1000)]\n"
        "            except KeyboardInterrupt:\n"
        f"                raise {error}('no torch')\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.argv = ['cnnstat', 'check', 'lenet5']\n"
        "from cnnstat.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=PLAIN, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_json_does_not_load_rich() -> None:
    program = (
        "import sys\n"
        "from cnnstat.cli.app import run\n"
        "assert run(['summary', 'vgg16', '-f', 'json']) == 0\n"
        "assert not [name for name in sys.modules if name.startswith('rich')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=PLAIN, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_stops_early_leaves_no_traceback() -> None:
    reader, writer = os.pipe()
    with subprocess.Popen(
        [*CNNSTAT, "list", "-f", "json"], stdout=writer, stderr=subprocess.PIPE, env=PLAIN
    ) as process:
        os.close(writer)
        os.close(reader)
        _, err = process.communicate()
    assert (process.returncode, err) == (0, b"")


def test_a_full_disk_is_one_line() -> None:
    if not os.path.exists("/dev/full"):
        pytest.fail("this test needs /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*CNNSTAT, "summary", "vgg16"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=PLAIN,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == (
        "cnnstat: error: cannot write to standard output: No space left on device\n"
    )


def in_terminal(width: int, *args: str, **environment: str) -> str:
    """Return what the command prints on a terminal of this width."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    process = subprocess.Popen(
        [*CNNSTAT, *args],
        stdin=its,
        stdout=its,
        stderr=its,
        env={**PLAIN, "TERM": "xterm", **environment},
    )
    os.close(its)
    chunks = []
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the terminal's other end is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(ours)
    assert process.wait() == 0
    return b"".join(chunks).decode().replace("\r\n", "\n")


COLOR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_a_terminal_is_never_exceeded(width: int) -> None:
    out = in_terminal(width, "summary", "vgg16")
    lines = COLOR.sub("", out).splitlines()
    assert COLOR.search(out)
    assert max(map(len, lines)) <= width
    assert ("Not shown:" in out) == (width < 120)
    assert any(line.startswith("conv1_2") and "36,928" in line for line in lines)


def test_the_heavy_rows_stand_out_without_colour() -> None:
    out = in_terminal(100, "summary", "vgg16", NO_COLOR="1")
    assert not COLOR.search(out)
    marked = [line.split()[0] for line in out.splitlines() if "█" in line]
    assert marked == [
        *("conv1_1", "conv1_2", "conv2_2", "conv3_2", "conv3_3", "conv4_2", "conv4_3", "fc6")
    ]


def test_a_dumb_terminal_gets_no_colour() -> None:
    assert not COLOR.search(in_terminal(100, "summary", "vgg16", TERM="dumb"))


@pytest.mark.parametrize("columns", [None, "80"])
def test_a_pipe_gets_everything_unless_columns_is_set(columns: str | None) -> None:
    env = PLAIN if columns is None else {**PLAIN, "COLUMNS": columns}
    done = subprocess.run(
        [*CNNSTAT, "summary", "vgg16"], capture_output=True, text=True, env=env, check=True
    )
    assert "\x1b" not in done.stdout
    assert ("30,972,235,167  " not in done.stdout.split("Totals")[0]) or columns is None
    assert ("Not shown:" in done.stdout) == (columns == "80")


def test_an_ascii_terminal_gets_ascii() -> None:
    done = subprocess.run(
        [*CNNSTAT, "summary", "vgg16"],
        capture_output=True,
        env={**PLAIN, "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert "12.845 @" in done.stdout.decode("ascii")


def test_the_shell_completes_commands_models_and_formats() -> None:
    def complete(words: str, number: int) -> list[str]:
        env = {
            **PLAIN,
            "_CNNSTAT_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(number),
        }
        done = subprocess.run(CNNSTAT, capture_output=True, text=True, env=env, check=True)
        return done.stdout.split()

    assert complete("cnnstat su", 1) == ["summary"]
    assert "vgg16-bn" in complete("cnnstat summary vgg16", 2)
    assert complete("cnnstat summary vgg16 --format js", 4) == ["json"]
    assert complete("cnnstat list --family vg", 3) == ["vgg"]
