"""ONNX files, read without their weights; PyTorch writes them.

``wire`` knows the file's bytes, ``loading`` its frame, ``table`` what its operators mean. Importing
this package imports no onnx; ``require_onnx`` turns its absence into an error that names the extra.
"""

from cnnstat.errors import MissingDependencyError


def require_onnx() -> None:
    """Raise ``MissingDependencyError`` unless onnx can be imported."""
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("onnx", "onnx") from error
