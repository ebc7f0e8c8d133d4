"""Names that PyTorch's exporters give to nodes, as paths.

``/layer1/layer1.0/conv1/Conv`` is the path of modules, each with its own path again, and the
operator: the module ``layer1/0/conv1`` and its function ``Conv``.
"""

from __future__ import annotations


def path_and_function(name: str) -> tuple[str, str]:
    """Return the path of the module that a node's name tells, and the rest of the name."""
    if not name.startswith("/"):
        return "", name
    parts: list[str] = []
    for part in filter(None, name.split("/")):
        path = ".".join(parts)
        parts.append(part.removeprefix(f"{path}.") if path else part)
    return "/".join(parts[:-1]), parts[-1] if parts else ""
