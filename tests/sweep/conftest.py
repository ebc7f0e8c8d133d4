"""The command line for the tests of sweeps."""

from tests.cli.conftest import cnnstat

__all__ = ["cnnstat"]
