"""Finds and builds the ``nn.Module`` that a reference names.

A Python reference runs the user's code. Nothing is downloaded: weights are never asked for.
Modules are built on the meta device, without memory for their weights, and on the CPU where that
fails.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cnnstat.errors import PASSED_ON, ModelError, UsageError, said, unknown
from cnnstat.importers.keras.objects import is_keras_model
from cnnstat.importers.reference import check_argument_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from cnnstat.ir.tensor import TensorSpec

Arguments = Mapping[str, Any]

SEED = 0
"""Where random numbers start while a module is built."""


def load_module(
    reference: str, arguments: Arguments | None = None, *, weights: bool = False
) -> Any:
    """Return the module of ``model.py:factory``, ``package.module:Class`` or ``timm:resnet50``.

    ``arguments`` are passed to the callable by name. ``weights`` asks for a module with weights,
    initialised as the callable does it, the same each time. What the user's code prints goes to
    standard error; the random state is put back. Raises ``UsageError`` where nothing is found,
    ``ModelError`` where the callable raises or returns no module.
    """
    from cnnstat.pytorch import require_torch

    require_torch()
    import torch

    source, _, name = reference.rpartition(":") if ":" in reference else (reference, "", "")
    if not (source and name):
        whole = f"{source or 'model.py'}:{name or 'factory'}"
        raise UsageError(f"{reference}: name a file or module and a callable, as in {whole}")
    from cnnstat.pytorch.random_state import preserved_random_state

    options = dict(arguments or {})
    with redirect_stdout(sys.stderr), preserved_random_state(seed=SEED):
        build = _library(source, name) or _callable(source, name)
        made = _built(reference, build, options, weights=weights)
    if not isinstance(made, torch.nn.Module) and not is_keras_model(made):
        raise ModelError(f"{reference} returned {type(made).__name__}, not an nn.Module")
    return made


def check_arguments(reference: str, names: Iterable[str]) -> None:
    """Raise ``UsageError`` for an argument that a callable of the user's own does not take."""
    from cnnstat.pytorch import require_torch

    require_torch()

    from cnnstat.pytorch.random_state import preserved_random_state

    source, _, name = reference.rpartition(":")
    if not (source and name):
        load_module(reference)  # it raises what is wrong
    with redirect_stdout(sys.stderr), preserved_random_state():
        build = _library(source, name) or _callable(source, name)
    check_argument_names(reference, build, names)


def _built(
    reference: str, build: Callable[..., Any], arguments: Arguments, *, weights: bool
) -> object:
    import torch

    if isinstance(build, torch.nn.Module):  # the name of a module instead of a callable
        return copy.deepcopy(build) if weights else build
    if not weights:
        try:
            with torch.device("meta"):
                return build(**arguments)
        except PASSED_ON:
            raise
        except BaseException:  # it computes with values: weights take memory then
            weights = False
    try:
        with nullcontext() if weights else _uninitialised():
            return build(**arguments)
    except PASSED_ON:
        raise
    except BaseException as error:
        raise ModelError(f"{reference} raised {said(error)} (--debug shows the trace)") from error


def default_input(module: nn.Module) -> TensorSpec:
    """Return one image: the shape that a library states for its module, else 3x224x224.

    Its dtype is that of the module's first floating-point parameter.
    """
    from cnnstat.ir.tensor import TensorSpec
    from cnnstat.pytorch.stored import main_dtype

    dtype = str(main_dtype(module) or "float32").removeprefix("torch.")
    stated = getattr(module, "default_cfg", None) or getattr(module, "pretrained_cfg", None) or {}
    size = stated.get("input_size") if isinstance(stated, dict) else None
    return TensorSpec((1, *(size or (3, 224, 224))), dtype)


@contextmanager
def _uninitialised() -> Iterator[None]:
    """Leave weights as they are allocated: random numbers for them cost time and tell nothing."""
    from torch.overrides import TorchFunctionMode

    class Skip(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            if getattr(func, "__module__", None) == "torch.nn.init":
                return kwargs["tensor"] if "tensor" in kwargs else args[0]
            return func(*args, **kwargs)

    with Skip():
        yield


def _library(source: str, name: str) -> Callable[..., Any] | None:
    if source == "torchvision":
        models = _imported("torchvision").models
        known = models.list_models()
        if name not in known:
            raise unknown("torchvision model", name, known, listing="see torchvision.models")
        return lambda **arguments: models.get_model(
            name, weights=None, **_backbone(name, arguments)
        )
    if source == "timm":
        timm = _imported("timm")
        known = timm.list_models()
        if name.partition(".")[0] not in known:
            raise unknown("timm model", name, known, listing="see timm.list_models()")
        return lambda **arguments: timm.create_model(name, pretrained=False, **arguments)
    return None


def _backbone(name: str, arguments: Arguments) -> dict[str, Any]:
    """Keep detection and segmentation models from fetching a backbone's weights."""
    heads = ("rcnn", "retinanet", "fcos", "ssd", "deeplab", "fcn", "lraspp", "keypoint", "mask")
    extra = {"weights_backbone": None} if any(head in name for head in heads) else {}
    return {**extra, **arguments}


def _imported(library: str) -> ModuleType:
    try:
        module = importlib.import_module(library)
        importlib.import_module(f"{library}.models")
    except ModuleNotFoundError as error:
        raise UsageError(f"{library} is not installed: pip install {library}") from error
    except Exception as error:
        raise UsageError(f"{library} does not import here: {error}") from error
    return module


def _callable(source: str, name: str) -> Any:
    module = _file(source) if source.endswith(".py") else _package(source)
    target: Any = module
    for part in name.split("."):
        if not hasattr(target, part):
            known = [each for each in vars(target) if not each.startswith("_")]
            raise unknown(f"name in {source}", name, known)
        target = getattr(target, part)
    if not callable(target):
        raise ModelError(f"{source}:{name} is {type(target).__name__}, not a callable")
    return target


def _file(source: str) -> ModuleType:
    """Return a file as a module, executed once until it is changed, as an import is."""
    path = Path(source)
    if not path.is_file():
        raise UsageError(f"cannot read {source}: no such file")
    state = path.stat()
    key = path.resolve(), state.st_mtime_ns, state.st_size
    if key not in _executed:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise UsageError(f"{source}: not a Python file")
        module = importlib.util.module_from_spec(spec)
        loader = spec.loader
        _run(source, path.parent, lambda: loader.exec_module(module))
        _executed[key] = module
    return _executed[key]


_executed: dict[tuple[Path, int, int], ModuleType] = {}
"""Modules by path, time of the last change and size. Some cannot run twice: a library of operators
is defined once in a process."""


def _package(source: str) -> ModuleType:
    if importlib.util.find_spec(source.partition(".")[0]) is None and not _beside(source):
        raise UsageError(f"no module named {source!r} is installed or in this folder")
    _run(source, Path.cwd(), lambda: importlib.import_module(source))
    return sys.modules[source]


def _beside(source: str) -> bool:
    top = Path.cwd() / source.partition(".")[0]
    return top.is_dir() or top.with_suffix(".py").is_file()


def _run(source: str, folder: Path, execute: Callable[[], Any]) -> None:
    """Execute the user's code with its folder importable, one line for whatever it raises."""
    entry = os.fspath(folder.resolve())
    sys.path.insert(0, entry)
    try:
        execute()
    except PASSED_ON:
        raise
    except BaseException as error:
        raise ModelError(f"{source} cannot be imported: {said(error)}") from error
    finally:
        sys.path.remove(entry)
