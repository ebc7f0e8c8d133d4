"""How the inputs of a model become the arguments of its forward pass.

An input is named as the argument that it is for. One that belongs in a list or a dictionary is
named by its place there: ``x[0]`` or ``x.0``, ``batch[image]`` or ``batch.image``; ``x['0']`` is a
key that looks like a number. An input without a name is the next argument.
"""

from __future__ import annotations

import copy
import functools
import inspect
import re
import types
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cnnstat.errors import unknown

T = TypeVar("T")

IN_ORDER = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

PLACE = re.compile(r"\[([^\[\]]*)\]|\.([^.\[\]]+)")
"""One place in a container, in a name."""

UNNAMED = re.compile(r"input|argument\d+")
"""Names that cnnstat gives to inputs which have none."""


class UnknownArgumentError(TypeError):
    """An input whose name the forward pass has no argument for."""


def parameters_of(forward: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    """Return the arguments of a forward pass by name; none where it does not tell."""
    try:
        return inspect.signature(forward).parameters
    except (TypeError, ValueError):
        return {}


def positional_names(forward: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of the arguments that a forward pass takes by position; none if any."""
    parameters = parameters_of(forward).values()
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return ()
    return tuple(each.name for each in parameters if each.kind in IN_ORDER)


def with_method(module: Any, name: str, subject: str) -> Any:
    """Return a shallow copy of a module whose forward pass is another of its methods.

    Raises ``UsageError`` where it has none of this name.
    """
    method = getattr(module, name, None)
    if not isinstance(method, types.MethodType) or method.__self__ is not module:
        from torch.nn import Module

        own = [each for each in dir(type(module)) if not hasattr(Module, each)]
        public = [each for each in own if callable(getattr(type(module), each))]
        raise unknown(f"method of {subject}", name, ["forward", *public])
    made = copy.copy(module)
    made.__dict__["forward"] = types.MethodType(method.__func__, made)
    return made


def call_arguments(
    forward: Callable[..., object], inputs: Mapping[str, T]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return positional and named arguments that hand each input to a forward pass.

    Each goes to the argument of its name, one without a name to the next argument. Any others go to
    ``*args``, in order, or to ``**kwargs``. Leading arguments are positional, as a caller would
    write them. Raises ``UnknownArgumentError`` for an input that there is no argument for.
    """
    values, known = nested(inputs), parameters_of(forward)
    if not known:
        return tuple(values.values()), {}
    args, kwargs = variadic(known)
    places, others = _assigned(known, values)
    spread: list[Any] = []
    for name, value in others.items():
        if name == kwargs and isinstance(value, dict):
            places.update(value)
        elif args:
            spread += value if name == args and isinstance(value, list) else [value]
        elif kwargs:
            places[name] = value
        else:
            raise UnknownArgumentError(f"forward() has no argument {name!r}")
    leading = []
    for name, each in known.items():
        omitted = spread and each.default is not each.empty
        if each.kind not in IN_ORDER or (name not in places and not omitted):
            break
        leading.append(places.pop(name, each.default))
    return (*leading, *spread), places


def variadic(known: Mapping[str, inspect.Parameter]) -> tuple[str, str]:
    """Return the names of ``*args`` and ``**kwargs``; empty where there are none."""
    names = {each.kind.name: name for name, each in known.items()}
    return names.get("VAR_POSITIONAL", ""), names.get("VAR_KEYWORD", "")


def _assigned(
    known: Mapping[str, inspect.Parameter], values: Mapping[str, T]
) -> tuple[dict[str, T], dict[str, T]]:
    """Return inputs by the argument that they are for, and those that there is none for."""
    fixed = [name for name, each in known.items() if each.kind in (*IN_ORDER, *BY_NAME)]
    places = {name: value for name, value in values.items() if name in fixed}
    free = [name for name in fixed if known[name].kind in IN_ORDER and name not in values]
    others = {name: value for name, value in values.items() if name not in places}
    for name in [each for each in others if UNNAMED.fullmatch(each)][: len(free)]:
        places[free.pop(0)] = others.pop(name)
    return places, others


def assigned_names(
    known: Mapping[str, inspect.Parameter], inputs: Mapping[str, object]
) -> tuple[set[str], list[str]]:
    """Return the arguments that inputs are for, and the names that there is no argument for."""
    places, others = _assigned(known, {root_of(name): None for name in inputs})
    return set(places), [name for name in others if name not in variadic(known)]


def use_settings(module: Any, settings: Mapping[str, object]) -> None:
    """Make a module, which is a copy, pass these arguments to its forward pass by name."""
    if settings:
        module.__dict__["forward"] = functools.partial(module.forward, **settings)


def root_of(name: str) -> str:
    """Return the argument that an input belongs to: ``batch`` of ``batch[image]``."""
    return _split(name)[0]


def _split(name: str) -> tuple[str, list[str]]:
    """Return the argument and the places of a name; the name alone where it is no such place."""
    root = re.split(r"[.\[]", name, maxsplit=1)[0]
    places = list(PLACE.finditer(name, len(root)))
    if not root or sum(len(each[0]) for each in places) != len(name) - len(root):
        return name, []
    return root, [each[1] if each[1] is not None else each[2] for each in places]


def nested(inputs: Mapping[str, T]) -> dict[str, Any]:
    """Return the inputs by argument, those of containers in dictionaries and lists.

    Raises ``UnknownArgumentError`` for places that no container has together.
    """
    values: dict[str, Any] = {}
    for name, value in inputs.items():
        key, places = _split(name)
        inside = values
        for place in places:
            inside = inside.setdefault(key, _Container())
            if not isinstance(inside, _Container):
                raise UnknownArgumentError(f"{key} is one input and cannot hold {name}")
            key = place
        if key in inside:
            raise UnknownArgumentError(f"{name} is named in parts as well")
        inside[key] = value
    return {name: _listed(value, name) for name, value in values.items()}


class _Container(dict[str, Any]):
    """What a list or a dictionary of inputs holds, by place."""


def _listed(value: Any, name: str) -> Any:
    """Return a list for a container whose places are 0, 1, 2 ..., else a dictionary."""
    if not isinstance(value, _Container):
        return value
    inside = {key: _listed(each, f"{name}[{key}]") for key, each in value.items()}
    if not all(map(str.isdecimal, inside)):
        return {key.strip("'"): each for key, each in inside.items()}
    places = [str(place) for place in range(len(inside))]
    for place in places:
        if place not in inside:
            raise UnknownArgumentError(
                f"{name}.{place} is missing: the places of a list are 0, 1, 2 ..."
            )
    return [inside[place] for place in places]
