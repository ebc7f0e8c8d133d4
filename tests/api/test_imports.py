"""Each name of ``cnnstat.api`` brings its own file, and no command pays for another's."""

import subprocess
import sys

import pytest

from cnnstat import api


def modules_after(*arguments: str) -> set[str]:
    """Return the modules that are imported when a command has run."""
    program = (
        "import sys\n"
        "from cnnstat.cli.app import run\n"
        f"assert run({list(arguments)!r}) == 0\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stderr.split())


def test_every_public_name_is_there() -> None:
    assert all(getattr(api, name) is not None for name in api.__all__)
    assert set(api.__all__) <= set(dir(api))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="analyse"):
        api.analyse  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("command", [("claims", "nin-cifar"), ("list", "--family", "lenet")])
def test_a_table_of_the_zoo_reads_no_reference(command: tuple[str, ...]) -> None:
    imported = modules_after(*command)
    assert "cnnstat.count.counted" in imported
    for unused in ("api.models", "api.planning", "count.receptive", "memory", "render.summary"):
        assert f"cnnstat.{unused}" not in imported
    assert "rich.console" not in imported
