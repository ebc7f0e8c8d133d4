"""The functions that a notebook and the command line call: load a model, analyse it.

One file per kind of question, imported when one of its names is first used, as each command needs
few of them; heavy libraries are imported by the function that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnstat.api.catalog import as_published as as_published
    from cnnstat.api.catalog import claims as claims
    from cnnstat.api.catalog import zoo as zoo
    from cnnstat.api.model import Inputs as Inputs
    from cnnstat.api.model import Model as Model
    from cnnstat.api.models import input_specs as input_specs
    from cnnstat.api.models import load as load
    from cnnstat.api.planning import fit as fit
    from cnnstat.api.planning import measured_memory as measured_memory
    from cnnstat.api.planning import memory as memory
    from cnnstat.api.reports import analyze as analyze
    from cnnstat.api.reports import compare as compare
    from cnnstat.api.results import Analysis as Analysis
    from cnnstat.api.results import ModelComparison as ModelComparison
    from cnnstat.api.running import bench as bench
    from cnnstat.api.running import build as build
    from cnnstat.api.running import check as check
    from cnnstat.api.running import check_report as check_report
    from cnnstat.api.running import export_onnx as export_onnx

_FILES = {
    "catalog": ("as_published", "claims", "zoo"),
    "model": ("Inputs", "Model"),
    "models": ("input_specs", "load"),
    "planning": ("fit", "measured_memory", "memory"),
    "reports": ("analyze", "compare"),
    "results": ("Analysis", "ModelComparison"),
    "running": ("bench", "build", "check", "check_report", "export_onnx"),
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names}
__all__ = list(_FILE_OF)


if not TYPE_CHECKING:  # a checker knows the names above, and no others

    def __getattr__(name: str) -> object:
        """Return a public name, importing its file."""
        if name not in _FILE_OF:
            raise AttributeError(f"module 'cnnstat.api' has no attribute {name!r}")
        value = getattr(import_module(f"cnnstat.api.{_FILE_OF[name]}"), name)
        globals()[name] = value  # once
        return value


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
