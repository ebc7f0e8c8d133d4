"""A copy of a module with stand-ins for its tensors: the run touches the copy alone.

Whatever a forward pass reaches from the module is copied with it: attributes, containers, objects,
and what hooks and other functions enclose. Settings are shared; parameters and buffers take no
memory. Objects that cannot be copied (a lock, a file) are shared.
"""

from __future__ import annotations

import copy
import functools
import types
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn

from cnnstat.pytorch.tensors import named_modules, named_stored

Filling = Callable[[torch.Tensor], torch.Tensor]
"""Returns the stand-in of a tensor."""

_WAYS = ("__deepcopy__", "__getstate__", "__setstate__", "__reduce__", "__reduce_ex__")
_SHARED = (
    *(int, float, complex, str, bytes, type(None), type, range, types.ModuleType, types.CodeType),
    *(torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format, fx.Graph),
)
_CONTAINERS = (dict, list, set, deque)
_OWN_CLASSES = ("torch.", "builtins")
"""Where classes are from that hold nothing for their instances."""

_BOUND = (types.BuiltinMethodType, types.MethodWrapperType)
"""Methods of built-in objects, such as ``list.append``."""


def filled_copy(module: nn.Module, filling: Filling) -> nn.Module:
    """Return such a copy whose stored tensors are what ``filling`` makes of each."""
    stand_ins = {id(tensor): filling(tensor) for _, tensor, _ in named_stored(module)}
    return evaluation_copy(module, stand_ins, filling)


def with_contents(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy of a stored tensor; of zeros, where it has no contents."""
    values = torch.zeros_like(tensor, device="cpu") if tensor.is_meta else tensor.detach().clone()
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(values, requires_grad=tensor.requires_grad)
    return values


def evaluation_copy(
    module: nn.Module, stand_ins: Mapping[int, torch.Tensor], filling: Filling
) -> nn.Module:
    """Return a copy of ``module`` in evaluation mode whose stored tensors are ``stand_ins``.

    ``stand_ins`` has one for the identity of every parameter and buffer. Parameters that the module
    does not know of (of a layer in a plain list), and meta tensors, are what
    ``filling`` makes of them.
    """
    copied = _Copier(stand_ins, filling)
    parts = [part for _, part in named_modules(module)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what copies warn, the user has not written
        for part in parts:  # first, so that no part is copied from inside of another
            copied.begin(part)
        for part in parts:
            copied(part).training = False
        made: nn.Module = copied(module)
    return made


class _Copier:
    """Copies values; the same value gives the same copy."""

    def __init__(self, stand_ins: Mapping[int, torch.Tensor], filling: Filling) -> None:
        self._memo: dict[int, Any] = dict(stand_ins)
        self._filling = filling
        self._unfilled: dict[int, nn.Module] = {}
        self._classes: dict[type[nn.Module], dict[str, Any]] = {}
        self._alive: list[Any] = []  # an identity must not be used again meanwhile

    def __call__(self, value: Any) -> Any:
        """Return the copy of a value."""
        if isinstance(value, _SHARED):
            return value
        key = id(value)
        if key in self._unfilled:
            self._fill(self._unfilled.pop(key))
        if key not in self._memo:
            self._alive.append(value)
            made = self._copied(value)
            self._memo.setdefault(key, made)
        return self._memo[key]

    def begin(self, module: nn.Module) -> None:
        """Make an empty copy of a module whose class copies as its attributes."""
        inner = getattr(module, "_orig_mod", None)  # of what torch.compile wraps
        if isinstance(inner, nn.Module):
            self._memo[id(module)] = self(inner)
        elif _is_plain(type(module)):
            self._memo[id(module)] = object.__new__(type(module))
            self._unfilled[id(module)] = module

    def _fill(self, module: nn.Module) -> None:
        copied = self._memo[id(module)]
        made = copied.__dict__
        for key, value in self._of_class(type(module)).items():
            made[key] = types.MethodType(value, copied) if _is_function(value) else value
        for key, value in module.__dict__.items():
            if key != "_compiled_call_impl":  # it would call the original
                made[key] = self._later(value) if key == "_modules" else self(value)

    def _later(self, children: Any) -> Any:
        """Return a dictionary of modules without filling those that are begun: they may be deep."""
        if type(children) is not dict:
            return self(children)
        return {
            name: self._memo[id(child)] if id(child) in self._unfilled else self(child)
            for name, child in children.items()
        }

    def _copied(self, value: Any) -> Any:
        kind = type(value)
        if isinstance(value, nn.Module):
            return self._module(value)
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if kind in (list, dict, set):
            return self._container(value)
        if kind in (tuple, frozenset):
            return kind(map(self, value))
        if kind is types.FunctionType:
            return self._function(value)
        if kind is types.MethodType:
            return types.MethodType(self(value.__func__), self(value.__self__))
        if kind in _BOUND and value.__self__ is not None:
            return getattr(self(value.__self__), value.__name__, value)
        if kind is functools.partial:
            keywords = {key: self(each) for key, each in value.keywords.items()}
            return functools.partial(self(value.func), *map(self, value.args), **keywords)
        if kind is weakref.ref:
            target = value()
            return value if target is None else weakref.ref(self(target))
        return self._object(value)

    def _container(self, value: Any) -> Any:
        made = self._memo[id(value)] = type(value)()
        if isinstance(made, dict):
            made.update({self(key): self(each) for key, each in value.items()})
        elif isinstance(made, list):
            made.extend(map(self, value))
        else:
            made.update(map(self, value))
        return made

    def _module(self, module: nn.Module) -> Any:
        """Return the copy of a module: as its attributes, or in the way of its own."""
        self.begin(module)
        if id(module) not in self._memo:
            try:
                made = copy.deepcopy(module, self._memo)
            except Exception:
                self._memo[id(module)] = object.__new__(type(module))
                self._unfilled[id(module)] = module
            else:
                self._memo[id(module)] = made
                for key, value in module.__dict__.items():  # deepcopy shares functions
                    if key in made.__dict__ and (key.endswith("_hooks") or _is_function(value)):
                        made.__dict__[key] = self(value)
        if id(module) in self._unfilled:
            self._fill(self._unfilled.pop(id(module)))
        return self._memo[id(module)]

    def _tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        if isinstance(tensor, nn.Parameter) or tensor.is_meta:
            return self._filling(tensor)
        try:
            return copy.deepcopy(tensor, self._memo) if tensor.is_leaf else tensor.detach().clone()
        except Exception:
            return tensor

    def _function(self, function: types.FunctionType) -> types.FunctionType:
        """Return a function that reaches copies; itself where it reaches nothing but settings."""
        cells = function.__closure__ or ()
        self._memo[id(function)] = function  # where it calls itself, until there is a copy
        reached = self._globals(function)
        inside = [*map(_contents, cells), *(function.__defaults__ or ())]
        inside += [*(function.__kwdefaults__ or {}).values(), *function.__dict__.values()]
        if not reached and all(isinstance(each, _SHARED) for each in inside):
            return function
        names = {**function.__globals__, **reached} if reached else function.__globals__
        made = types.FunctionType(
            function.__code__,
            names,
            function.__name__,
            closure=tuple(types.CellType() for _ in cells) if cells else None,
        )
        self._memo[id(function)] = made
        if reached and names.get(function.__name__) is function:
            names[function.__name__] = made
        for cell, old in zip(made.__closure__ or (), cells, strict=True):
            if _contents(old) is not _EMPTY:
                cell.cell_contents = self(old.cell_contents)
        made.__defaults__ = self(function.__defaults__)
        made.__kwdefaults__ = self(function.__kwdefaults__)
        made.__dict__.update(self(function.__dict__))
        made.__qualname__, made.__doc__ = function.__qualname__, function.__doc__
        made.__module__, made.__annotations__ = function.__module__, function.__annotations__
        return made

    def _globals(self, function: types.FunctionType) -> dict[str, Any]:
        """Return copies of what a function can change by a global name.

        That is modules, containers, and functions of the same file that reach any of these.
        """
        reached = {}
        for name in _names(function.__code__):
            value = function.__globals__.get(name)
            same_file = getattr(value, "__globals__", None) is function.__globals__
            if isinstance(value, (nn.Module, *_CONTAINERS)) or same_file:
                made = self(value)
                if made is not value:
                    reached[name] = made
        return reached

    def _of_class(self, kind: type[nn.Module]) -> dict[str, Any]:
        """Return copies of what the classes of a module hold for all of its instances.

        That is containers, and methods that reach something by a global name.
        """
        if kind not in self._classes:
            attributes: dict[str, Any] = {}
            for base in reversed(kind.__mro__):
                if not base.__module__.startswith(_OWN_CLASSES):
                    attributes |= vars(base)
            self._classes[kind] = {
                name: self(value)
                for name, value in attributes.items()
                if isinstance(value, (types.FunctionType, *_CONTAINERS))
                and not (name.startswith("__") and name.endswith("__"))
                and self(value) is not value
            }
        return self._classes[kind]

    def _object(self, value: Any) -> Any:
        """Return the copy of an object as ``copy`` describes it; itself where nothing does."""
        try:
            if hasattr(type(value), "__deepcopy__"):
                return value.__deepcopy__(self._memo)
            reduced = value.__reduce_ex__(4)
            if isinstance(reduced, str):
                return value
            make, args, state, items, pairs = (*reduced, None, None, None)[:5]
            made = make(*map(self, args))
        except Exception:
            return value
        self._memo[id(value)] = made
        self._alive += [state, args]
        if state is not None:
            _restore(made, self(state))
        for item in items or ():
            made.append(self(item))
        for key, each in pairs or ():
            made[self(key)] = self(each)
        return made


_EMPTY = type("Empty", (), {})
"""The content of a cell that nothing was bound to yet."""


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _EMPTY


def _names(code: types.CodeType) -> set[str]:
    """Return the global names and attributes that code and the functions in it use."""
    inner = [_names(each) for each in code.co_consts if isinstance(each, types.CodeType)]
    return set(code.co_names).union(*inner)


def _restore(made: Any, state: Any) -> None:
    """Give an object its state, as ``copy`` does."""
    if hasattr(made, "__setstate__"):
        made.__setstate__(state)
        return
    attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if attributes:
        vars(made).update(attributes)
    for name, value in (slots or {}).items():
        setattr(made, name, value)


def _is_function(value: object) -> bool:
    return isinstance(value, types.FunctionType | types.MethodType | functools.partial)


def _is_plain(kind: type[nn.Module]) -> bool:
    """Return whether a class copies as its attributes; one with a way of its own keeps it."""
    if issubclass(kind, torch.jit.ScriptModule):
        return False
    own = [
        base for base in kind.__mro__ if not base.__module__.startswith(("torch.nn.", "torch.fx."))
    ]
    return not any(name in vars(base) for base in own if base is not object for name in _WAYS)
