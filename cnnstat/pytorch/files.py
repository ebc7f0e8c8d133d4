"""Files that PyTorch writes: exported programs, TorchScript, weights.

PyTorch runs the operators of the first two, and no Python of theirs. Weights are read without
unpickling foreign classes, their elements stay in the file.
"""

from __future__ import annotations

import re
import types
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cnnstat.errors import PASSED_ON, ModelError, UsageError, one_line
from cnnstat.importers.declared import Declared
from cnnstat.importers.weights import NO_FORWARD, NamedTensor
from cnnstat.pytorch import unlogged
from cnnstat.pytorch.programcode import check_program, nothing_unpickled

if TYPE_CHECKING:
    from torch.nn import Module

Content = Literal["exported", "script", "weights"]
STATE_KEYS = ("state_dict", "model_state_dict", "model", "module", "ema", "net", "params")
"""Keys under which checkpoints keep their weights, the likeliest first."""


class Program(NamedTuple):
    """An exported program: the inputs that it states, their usual extents, and how to load it.

    ``usual`` are extents by the names of the axes that the program leaves open.
    """

    inputs: dict[str, Declared]
    usual: dict[str, int]
    load: Callable[[], Module]


def content_of(path: str) -> Content:
    """Return what a file holds, by the names inside; raise ``UsageError`` if it is not readable."""
    try:
        with Path(path).open("rb"):
            pass
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        if path.lower().endswith(".pt2"):
            raise ModelError(f"{path}: not a file of torch.export.save") from None
        return "weights"  # as PyTorch wrote them before version 1.6
    inside = {name.partition("/")[2] for name in names} | set(names)
    if any(name.startswith("models/") or name.endswith("exported_program.json") for name in inside):
        return "exported"
    if "constants.pkl" in inside or any(name.startswith("code/") for name in inside):
        return "script"
    if path.lower().endswith(".pt2"):
        raise ModelError(f"{path}: it holds no exported program; write it with torch.export.save")
    return "weights"


def load_script(path: str) -> Module:
    """Return the module of a TorchScript file. Raises ``ModelError`` where PyTorch refuses it."""
    import torch

    with _errors(path, "TorchScript"):
        module: Module = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
        return module


def load_exported(path: str) -> Program:
    """Return the program of a file that ``torch.export.save`` wrote; errors as ``load_script``."""
    import torch
    from torch.utils._pytree import tree_leaves

    with _errors(path, "an exported program"):
        program = _loaded(path)
        nodes = {node.name: node for node in program.graph.nodes}
        kinds = [
            each for each in program.graph_signature.input_specs if each.kind.name == "USER_INPUT"
        ]
        names = [str(getattr(each.arg, "name", "")) for each in kinds]
        specs = [nodes[name].meta.get("val") for name in names]
        inputs = {
            name: Declared(name, tuple(map(_extent, value.shape)), _dtype(value))
            for name, value in zip(names, specs, strict=True)
            if isinstance(value, torch.Tensor)
        }
        leaves = tree_leaves(program.example_inputs) if program.example_inputs else []
        examples = dict(zip(names, leaves, strict=False))
        usual: dict[str, int] = {}
        for name, declared in inputs.items():
            example = examples.get(name)
            if isinstance(example, torch.Tensor):
                extents = zip(declared.extents or (), example.shape, strict=False)
                usual.update({str(e): int(n) for e, n in extents if isinstance(e, str)})
        leaves = [None if name in inputs else examples.get(name) for name in names]

    def load() -> Module:
        with _errors(path, "an exported program"):
            return _module(_loaded(path), names, leaves, set(inputs))

    return Program(inputs, usual, load)


def _loaded(path: str) -> Any:
    """Return the program that a file holds as data; its guards, which are source, are dropped."""
    import torch

    check_program(path)
    with nothing_unpickled():
        program = torch.export.load(path)
    program._guards_code = []
    return program


def _extent(extent: Any) -> int | str:
    return extent if type(extent) is int else str(extent)


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _module(program: Any, names: list[str], leaves: list[Any], open_names: set[str]) -> Module:
    """Return a module with the original hierarchy, which takes the program's inputs in order."""
    import torch
    from torch.utils._pytree import tree_unflatten

    try:
        module: Module = torch.export.unflatten(program)
    except PASSED_ON:
        raise
    except Exception:  # a pattern of calls that it does not know
        module = program.module()
    forward = types.MethodType(type(module).forward, module)
    in_spec = program.call_spec.in_spec

    def in_order(*inputs: Any) -> Any:
        waiting = iter(inputs)
        flat = [
            next(waiting) if name in open_names else leaf
            for name, leaf in zip(names, leaves, strict=True)
        ]
        args, kwargs = tree_unflatten(flat, in_spec)
        return forward(*args, **kwargs)

    module.__dict__["forward"] = in_order
    return module


def load_weights(path: str) -> list[NamedTensor]:
    """Return the tensors of a state dict, or of the one that a checkpoint holds.

    Raises ``UsageError`` where the file has pickled objects of foreign classes, which are not
    unpickled, and where it holds no state dict; ``ModelError`` where it is damaged.
    """
    import pickle

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mapped = zipfile.is_zipfile(path)  # else as PyTorch wrote them before version 1.6
            content = torch.load(path, map_location="cpu", mmap=mapped, weights_only=True)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        classes = re.search(r"(?:GLOBAL|class) ([\w.]+)", str(error))
        if classes is None:
            raise ModelError(f"{path}: not a file of torch.save: {one_line(error)}") from error
        raise UsageError(
            f"{path}: it pickles {classes[1]}, which is not unpickled since that runs code; "
            "save module.state_dict(), or name a model that runs: model.py:factory"
        ) from error
    except PASSED_ON:
        raise
    except BaseException as error:
        raise ModelError(f"{path}: not a file of torch.save: {one_line(error)}") from error
    tensors = _state(content)
    if tensors is None:
        keys = (
            f" among its keys {', '.join(map(str, content))[:80]}"
            if isinstance(content, Mapping)
            else ""
        )
        raise UsageError(f"{path}: there is no state dict{keys}; {NO_FORWARD}")
    nested = next((name for name, tensor in tensors.items() if tensor.is_nested), None)
    if nested is not None:
        raise ModelError(f"{path}: the tensor {nested[:60]!a} is nested: it has no single shape")
    return [
        NamedTensor(name, tuple(map(int, tensor.shape)), _dtype(tensor), _identity(tensor))
        for name, tensor in tensors.items()
    ]


def _state(content: Any, depth: int = 0) -> dict[str, Any] | None:
    """Return the tensors by name of the likeliest mapping; None where none holds tensors."""
    import torch

    if not isinstance(content, Mapping) or depth > 3:
        return None
    tensors = {str(key): each for key, each in content.items() if isinstance(each, torch.Tensor)}
    if tensors:
        return tensors
    keys = [key for key in STATE_KEYS if key in content]
    keys += [key for key in content if key not in keys]
    states = (_state(content[key], depth + 1) for key in keys)
    return next((state for state in states if state), None)


def _identity(tensor: Any) -> tuple[object, ...]:
    """Return what two tensors have in common that are one: their memory, and where in it."""
    if str(tensor.layout) != "torch.strided":
        return (id(tensor),)
    return tensor.untyped_storage()._cdata, tensor.storage_offset(), tensor.shape


@contextmanager
def _errors(path: str, kind: str) -> Iterator[None]:
    """Give one line for whatever PyTorch raises about a file, and nothing of what it logs."""
    try:
        with unlogged("torch.export"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ModelError, *PASSED_ON):
        raise
    except BaseException as error:
        raise ModelError(f"{path}: PyTorch cannot read it as {kind}: {one_line(error)}") from error
