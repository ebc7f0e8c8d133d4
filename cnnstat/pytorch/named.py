"""How the inputs of a model become the arguments of its forward pass.

An input is named as the argument that it is for. One that belongs in a list or a dictionary is
named by its place there: ``x[0]``, ``batch[image]``.
"""

from __future__ import annotations

import copy
import functools
import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from cnnstat.errors import unknown

T = TypeVar("T")

BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
PLACE = re.compile(r"\[([^\[\]]*)\]")
"""One place in a container, in a name."""


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
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(each.name for each in parameters if each.kind in kinds)


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

    They are passed by name where it knows all their names, or takes any beyond those that it needs;
    else in order. The leading ones are positional, as a caller would write them. Raises
    ``UnknownArgumentError`` where several are given and it has no place for one of them.
    """
    values, known = _nested(inputs), parameters_of(forward)
    kinds = {each.kind for each in known.values()}
    if not _go_by_name(known, values):
        if known and len(values) > 1 and inspect.Parameter.VAR_POSITIONAL not in kinds:
            wrong = next(name for name in values if name not in known)
            raise UnknownArgumentError(f"forward() has no argument {wrong!r}")
        return tuple(values.values()), {}
    leading = []
    for name, each in known.items():
        if name not in values or each.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            break
        leading.append(values.pop(name))
    return tuple(leading), values


def use_settings(module: Any, settings: Mapping[str, object]) -> None:
    """Make a module, which is a copy, pass these arguments to its forward pass by name."""
    if settings:
        module.__dict__["forward"] = functools.partial(module.forward, **settings)


def _go_by_name(known: Mapping[str, inspect.Parameter], names: Iterable[str]) -> bool:
    """Return whether arguments of these names can be passed by name."""
    others = {name for name in names if name not in known or known[name].kind not in BY_NAME}
    if not others:
        return True
    kinds = {each.kind for each in known.values()}
    needed = {
        name
        for name, each in known.items()
        if each.kind in BY_NAME and each.default is inspect.Parameter.empty
    }
    return (
        inspect.Parameter.VAR_KEYWORD in kinds
        and inspect.Parameter.VAR_POSITIONAL not in kinds
        and others.isdisjoint(known)
        and needed.issubset(names)
    )


def _nested(inputs: Mapping[str, T]) -> dict[str, Any]:
    """Return the inputs by argument, those of containers in dictionaries and lists."""
    values: dict[str, Any] = {}
    for name, value in inputs.items():
        root, *places = [name.partition("[")[0], *PLACE.findall(name)]
        if not root or name != root + "".join(f"[{place}]" for place in places):
            root, places = name, []
        inside, key = values, root
        for place in places:
            inside = inside.setdefault(key, {})
            key = place
        inside[key] = value
    return {name: _listed(value) for name, value in values.items()}


def _listed(value: Any) -> Any:
    """Return a list for a dictionary whose keys are 0, 1, 2 ..."""
    if not isinstance(value, dict):
        return value
    inside = {key: _listed(each) for key, each in value.items()}
    places = [str(place) for place in range(len(inside))]
    return [inside[place] for place in places] if sorted(inside) == sorted(places) else inside
