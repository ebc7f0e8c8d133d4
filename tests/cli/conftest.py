"""The real command line, run in this process, its exit code and both streams apart."""

import pytest

from cnnstat.cli.app import run
from tests.cli.commandline import Cnnstat, Result


@pytest.fixture
def cnnstat(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cnnstat:
    """Return a function that runs ``cnnstat ARGS`` with nothing set that a terminal would set."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)

    def call(*args: str, columns: int | None = None) -> Result:
        if columns is not None:
            monkeypatch.setenv("COLUMNS", str(columns))
        code = run(args)
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call
