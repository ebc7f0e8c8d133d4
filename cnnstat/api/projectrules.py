"""The rules that a project names in its ``pyproject.toml``: a Python file, run once.

The table is the user's choice, as a Python reference is: it is read with a model that is Python
code already, from the directory that the command is run in. A data file never runs anything.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

from cnnstat.errors import PASSED_ON, CnnstatError, UsageError, one_line, unknown

PROJECT = "pyproject.toml"
KEYS = ("rules",)
LARGEST = 2**20
"""Bytes of a project file that is read."""


def load_project_rules() -> None:
    """Run the file that ``[tool.cnnstat]`` of the current directory's ``pyproject.toml`` names.

    Raises ``UsageError`` for a malformed table, and for a file that cannot be run.
    """
    path = Path.cwd() / PROJECT
    if path.is_file():
        _run(path)


@cache
def _run(project: Path) -> None:
    rules = _rules_of(project)
    if rules is None:
        return
    file = project.parent / rules
    if not file.is_file():
        raise UsageError(f"{project}: tool.cnnstat.rules: there is no file {file}")
    import runpy

    try:
        with redirect_stdout(sys.stderr):
            runpy.run_path(str(file))
    except (CnnstatError, *PASSED_ON):
        raise
    except BaseException as error:
        raise UsageError(f"{file}: cannot run these rules: {one_line(error)}") from error


def _rules_of(project: Path) -> str | None:
    import tomllib

    try:
        with project.open("rb") as file:
            data = file.read(LARGEST + 1)
        if b"cnnstat" not in data:
            return None
        table = tomllib.loads(data.decode("utf-8")).get("tool", {}).get("cnnstat")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise UsageError(f"{project}: cannot read it: {one_line(error)}") from error
    if table is None:
        return None
    if not isinstance(table, dict):
        raise UsageError(f"{project}: tool.cnnstat is {table!r:.40}: expected a table")
    for key in table:
        if key not in KEYS:
            raise UsageError(f"{project}: {unknown('key of tool.cnnstat', key, KEYS)}")
    rules = table.get("rules")
    if rules is not None and not isinstance(rules, str):
        raise UsageError(f"{project}: tool.cnnstat.rules is {rules!r:.40}: expected a file's name")
    return rules
