"""Every error that a user can cause, each with its exit code.

The message is one line: subject, value, rule, what to do. Only ``cli`` turns an error into a
process status; everything else raises. Anything that is not a ``CnnstatError`` is a defect of
cnnstat.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType


class CnnstatError(Exception):
    """Base of all errors caused by input; ``exit_code`` is the status of the process."""

    exit_code = 2


class UsageError(CnnstatError):
    """An unknown name, an invalid option, a file that cannot be read or written (exit code 2)."""


EXTRAS: dict[str, str] = {
    "torch": "torch fvcore",
    "onnx": "onnx onnxscript",
    "plot": "matplotlib",
    "yaml": "PyYAML",
    "pandas": "pandas",
    "keras": "keras h5py",
    "parquet": "pyarrow",
    "dask": "distributed",
}
"""The packages that each extra of cnnstat brings, as pip takes them."""


class MissingDependencyError(UsageError):
    """An optional library is not installed (exit code 2).

    The message names the packages and not the extra alone: pip finds ``cnnstat[torch]`` only where
    cnnstat itself comes from an index.
    """

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"this needs {library}, which is not installed: pip install {EXTRAS[extra]} "
            f"(the extra {extra!r} of cnnstat)"
        )
        self.extra = extra


class ModelError(CnnstatError):
    """A model that cannot be built or shaped (exit code 3)."""

    exit_code = 3


class GraphError(ModelError):
    """A structure that is not a graph: a duplicate name, a dangling edge, a cycle (exit code 3)."""


class ShapeError(ModelError):
    """An operator that cannot take its inputs: node, operator, shapes, rule (exit code 3)."""

    def __init__(self, message: str, node: str) -> None:
        super().__init__(message)
        self.node = node


def one_line(error: BaseException) -> str:
    """Return an error of other code as one line: its class, and its first line."""
    try:
        lines = str(error).strip().splitlines() or [""]
    except Exception:  # its own __str__ raises
        lines = [""]
    return f"{type(error).__name__}: {lines[0]}".rstrip(": ")


PASSED_ON = (KeyboardInterrupt, GeneratorExit)
"""Interruptions: not errors of the code that raises them."""


def nearest(name: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """Return up to ``limit`` of the ``known`` names that look like ``name``, the nearest first."""
    from difflib import get_close_matches

    return get_close_matches(name.lower(), list(known), n=limit, cutoff=0.5)


def unknown(
    kind: str,
    name: str,
    known: Iterable[str],
    *,
    listing: str = "",
    titles: Mapping[str, str] = MappingProxyType({}),
) -> UsageError:
    """Return the error for a ``name`` that is not among the ``known`` ones, with the nearest ones.

    ``listing`` says where to see all of them; without it they are listed when none is near.
    ``titles`` are other words for known names: ``Memory`` for ``activation_bytes``.
    """
    names = list(known)
    words = {title.lower(): key for title, key in titles.items() if title}
    titled = [words[word] for word in nearest(name, words)] if name.lower() in words else []
    close = list(dict.fromkeys([*titled[:1], *nearest(name, names)]))[:3]
    hint = (
        f"did you mean {', '.join(close)}?"
        if close
        else (listing or f"choose from {', '.join(names)}")
    )
    if close and listing:
        hint = f"{hint} ({listing})"
    return UsageError(f"unknown {kind} {name!r}: {hint}")
