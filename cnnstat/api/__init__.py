"""The functions that a notebook and the command line call: load a model, analyse it.

One file per kind of question, imported when one of its names is first used, as each command needs
few of them; heavy libraries are imported by the function that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnstat.api.catalog import as_published, claims, zoo
    from cnnstat.api.exporting import export_onnx
    from cnnstat.api.models import Inputs, Model, input_specs, load
    from cnnstat.api.planning import fit, measured_memory, memory
    from cnnstat.api.reports import analyze, compare
    from cnnstat.api.results import Analysis, ModelComparison
    from cnnstat.api.running import bench, build, check, check_report

__all__ = [
    "Analysis",
    "Inputs",
    "Model",
    "ModelComparison",
    "analyze",
    "as_published",
    "bench",
    "build",
    "check",
    "check_report",
    "claims",
    "compare",
    "export_onnx",
    "fit",
    "input_specs",
    "load",
    "measured_memory",
    "memory",
    "zoo",
]

_FILES = {
    "catalog": ("as_published", "claims", "zoo"),
    "exporting": ("export_onnx",),
    "models": ("Inputs", "Model", "input_specs", "load"),
    "planning": ("fit", "measured_memory", "memory"),
    "reports": ("analyze", "compare"),
    "results": ("Analysis", "ModelComparison"),
    "running": ("bench", "build", "check", "check_report"),
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names}


if not TYPE_CHECKING:  # a checker knows the names above, and no others

    def __getattr__(name: str) -> object:
        """Return a public name, importing its file."""
        if name not in _FILE_OF:
            raise AttributeError(f"module 'cnnstat.api' has no attribute {name!r}")
        value = getattr(import_module(f"cnnstat.api.{_FILE_OF[name]}"), name)
        globals()[name] = value  # once
        return value


def __dir__() -> list[str]:
    """Return the public names, those that are not imported yet among them."""
    return sorted({*globals(), *__all__})
