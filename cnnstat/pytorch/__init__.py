"""The only place that runs PyTorch: builds a module from a graph, counts it, times it.

Importing this package imports no torch; ``require_torch`` turns its absence into an error that
names the extra.
"""

from cnnstat.errors import MissingDependencyError


def require_torch() -> None:
    """Raise ``MissingDependencyError`` unless torch can be imported."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("PyTorch", "torch") from error
