"""Python callables by reference: ``model.py:factory``, ``package.module:Class``.

A Python reference runs the user's code. While it runs, its folder is importable.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from cnnstat.errors import (
    PASSED_ON,
    CnnstatError,
    MissingDependencyError,
    ModelError,
    UsageError,
    one_line,
    unknown,
)
from cnnstat.importers.reference import LIBRARIES

Arguments = Mapping[str, Any]


def parts_of(reference: str) -> tuple[str, str]:
    """Return file or module, and callable; raise ``UsageError`` where the form lacks one."""
    source, _, name = reference.rpartition(":") if ":" in reference else (reference, "", "")
    if not (source and name):
        whole = f"{source or 'model.py'}:{name or 'factory'}"
        raise UsageError(f"{reference}: name a file or module and a callable, as in {whole}")
    return source, name


def callable_of(reference: str) -> Callable[..., Any]:
    """Return the callable that a reference names; it runs the file or imports the module.

    Raises ``UsageError`` where there is none, ``ModelError`` where the user's code fails.
    """
    source, name = parts_of(reference)
    if source in LIBRARIES:
        return _library(source, name)
    target: Any = _file(source) if source.endswith(".py") else _package(source)
    for part in name.split("."):
        if not hasattr(target, part):
            names = [each for each in vars(target) if not each.startswith("_")]
            raise unknown(f"name in {source}", name, names)
        target = getattr(target, part)
    if not callable(target):
        raise ModelError(f"{reference} is {type(target).__name__}, not a callable")
    built: Callable[..., Any] = target
    return built


@contextmanager
def importable(reference: str) -> Iterator[None]:
    """Keep the folder of a reference's file, or this one, importable while its code runs."""
    source, _ = parts_of(reference)
    path = Path(source)
    if source in LIBRARIES:
        yield
        return
    folder = path.parent if source.endswith(".py") else Path.cwd()
    module = _executed.get(_key(path)) if source.endswith(".py") and path.is_file() else None
    with _on_path(folder), _registered(path.stem, module):
        yield


@contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    entry = os.fspath(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        if entry in sys.path:
            sys.path.remove(entry)


@contextmanager
def _registered(name: str, module: ModuleType | None) -> Iterator[None]:
    """Have a file's module among the imported ones, if its name is free: dataclasses look there."""
    free = module is not None and name not in sys.modules
    if module is not None and free:
        sys.modules[name] = module
    try:
        yield
    finally:
        if free and sys.modules.get(name) is module:
            del sys.modules[name]


def _library(source: str, name: str) -> Callable[..., Any]:
    library = _imported(source)
    if source == "torchvision":
        models = library.models
        names = models.list_models()
        if name not in names:
            raise unknown("torchvision model", name, names, listing="see torchvision.models")
        return lambda **options: models.get_model(name, weights=None, **_backbone(name, options))
    names = library.list_models()
    if name.partition(".")[0] not in names:
        raise unknown("timm model", name, names, listing="see timm.list_models()")
    return lambda **options: library.create_model(name, pretrained=False, **options)


def _backbone(name: str, options: Arguments) -> dict[str, Any]:
    """Keep detection and segmentation models from fetching a backbone's weights."""
    heads = ("rcnn", "retinanet", "fcos", "ssd", "deeplab", "fcn", "lraspp", "keypoint", "mask")
    extra = {"weights_backbone": None} if any(head in name for head in heads) else {}
    return {**extra, **options}


def _imported(library: str) -> ModuleType:
    try:
        module = importlib.import_module(library)
        importlib.import_module(f"{library}.models")
    except ModuleNotFoundError as error:
        raise UsageError(f"{library} is not installed: pip install {library}") from error
    except Exception as error:
        raise UsageError(f"{library} cannot be imported: {error}") from error
    return module


def _file(source: str) -> ModuleType:
    """Return a file as a module, executed once until it is changed, as an import is."""
    path = Path(source)
    if not path.is_file():
        raise UsageError(f"cannot read {source}: no such file")
    key = _key(path)
    if key not in _executed:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise UsageError(f"{source}: not a Python file")
        module = importlib.util.module_from_spec(spec)
        loader = spec.loader
        with _registered(path.stem, module):
            _run(source, path.parent, lambda: loader.exec_module(module))
        _executed[key] = module
    return _executed[key]


def _key(path: Path) -> tuple[Path, int, int]:
    state = path.stat()
    return path.resolve(), state.st_mtime_ns, state.st_size


_executed: dict[tuple[Path, int, int], ModuleType] = {}
"""Modules by path, time of the last change and size. Some cannot run twice: a library of operators
is defined once in a process."""


def _package(source: str) -> ModuleType:
    if importlib.util.find_spec(source.partition(".")[0]) is None and not _in_folder(source):
        raise UsageError(f"no module named {source!r} is installed or in this folder")
    _run(source, Path.cwd(), lambda: importlib.import_module(source))
    return sys.modules[source]


def _in_folder(source: str) -> bool:
    top = Path.cwd() / source.partition(".")[0]
    return top.is_dir() or top.with_suffix(".py").is_file()


def _run(source: str, folder: Path, execute: Callable[[], Any]) -> None:
    """Execute the user's code with its folder importable, one line for whatever it raises."""
    try:
        with _on_path(folder):
            execute()
    except PASSED_ON:
        raise
    except BaseException as error:
        raise failed(f"{source} cannot be imported:", error) from error


def failed(subject: str, error: BaseException, *, hint: str = "") -> CnnstatError:
    """Return the error for the user's code that raised one: PyTorch's absence has its own."""
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return MissingDependencyError("PyTorch", "torch")
    return ModelError(f"{subject} {one_line(error)}{hint}")
