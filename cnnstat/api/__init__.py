"""The functions that a notebook and the command line call: load a model, analyse it.

One file per kind of question; heavy libraries are imported by the function that needs them.
"""

from cnnstat.api.exporting import export_onnx
from cnnstat.api.models import Inputs, Model, input_specs, load
from cnnstat.api.planning import fit, measured_memory, memory
from cnnstat.api.reports import analyze, claims, compare, zoo
from cnnstat.api.results import Analysis, ModelComparison
from cnnstat.api.running import bench, build, check, check_report
from cnnstat.ledger.claims import as_published

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
