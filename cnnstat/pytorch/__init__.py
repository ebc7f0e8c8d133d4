"""The only place that runs PyTorch: builds a module from a graph, counts it, times it.

Importing this package imports no torch; ``require_torch`` turns its absence into an error that
names the extra.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from cnnstat.errors import MissingDependencyError


def require_torch() -> None:
    """Raise ``MissingDependencyError`` unless torch can be imported."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("PyTorch", "torch") from error


FAKE_TENSORS = "torch._subclasses.fake_tensor"
"""The logger that tells at length what fails on fake tensors."""


@contextmanager
def unlogged(*names: str) -> Iterator[None]:
    """Discard what these loggers of PyTorch would say of an error that is raised anyway."""
    import logging

    loggers = [logging.getLogger(name) for name in names]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
