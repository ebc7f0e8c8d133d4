"""Set-up that every test relies on."""

import signal

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Take interrupts: a shell starts a run in the background with SIGINT ignored.

    The processes that tests start and interrupt would inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
