"""Progress: on a terminal alone, after two seconds alone, gone before the result is written."""

import io
import sys
import time

import pytest

from cnnstat.cli import progress as display
from cnnstat.cli.output import write_stdout


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a terminal that stands for standard error.

    No fixture: pytest replaces the stream between a test's set-up and the test.
    """
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    return stream


def wait_for(text: str, stream: io.StringIO) -> None:
    end = time.monotonic() + 20
    while text not in stream.getvalue():
        assert time.monotonic() < end, stream.getvalue()
        time.sleep(0.01)


def test_a_quick_command_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    progress = display.Progress()
    with progress.watching():
        progress.step(0, 2, "lenet5")
    assert stream.getvalue() == ""


def test_a_slow_command_shows_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    monkeypatch.setattr(display, "DELAY_S", 0.01)
    progress = display.Progress()
    with progress.watching():
        progress.step(0, 2, "lenet5")
        wait_for("0/2", stream)
        progress.step(1, 2, "alexnet")
    assert "1/2" in stream.getvalue()
    assert "alexnet" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")  # the display is erased


def test_nothing_is_shown_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    monkeypatch.setattr(display, "DELAY_S", 0.0)
    progress = display.Progress()
    with progress.watching():
        time.sleep(0.05)
        progress.step(0, 1, "lenet5")
    assert pipe.getvalue() == ""


def test_it_leaves_before_the_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = terminal(monkeypatch)
    monkeypatch.setattr(display, "DELAY_S", 0.0)
    with display.progress.watching():
        wait_for("0:00", stream)
        write_stdout("the result\n")
        erased = stream.getvalue()
        display.progress.step(0, 1, "lenet5")
        time.sleep(0.6)
    assert stream.getvalue() == erased
    assert capsys.readouterr().out == "the result\n"
