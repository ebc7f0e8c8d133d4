"""Why a module does not take its inputs, in one line: the argument, what it got, how to write it.

Names are compared with the forward pass before it runs; shapes and dtypes are the module's own
business, and the layer that refuses them tells what it takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from torch import nn

from cnnstat.errors import UsageError, nearest, one_line
from cnnstat.ir.tensor import TensorSpec
from cnnstat.pytorch.capture.entrance import entrance, example_of
from cnnstat.pytorch.capture.standins import ForwardArguments
from cnnstat.pytorch.named import (
    UnknownArgumentError,
    assigned_names,
    nested,
    parameters_of,
    root_of,
    variadic,
)
from cnnstat.pytorch.watching import ForwardError

LONGEST_PATH = 200
"""Characters of a module's path in a message."""


def check_names(subject: str, module: nn.Module, arguments: ForwardArguments) -> None:
    """Raise ``UsageError`` where a forward pass has no argument for an input or a setting.

    Also where it needs one more, unless a hook may add it. ``subject`` begins the message.
    """
    known = parameters_of(module.forward)
    if not known:
        return
    inputs, settings = arguments.inputs, arguments.settings
    try:
        nested(inputs)
    except UnknownArgumentError as error:
        raise UsageError(f"{subject}: input {error}") from error
    assigned, others = assigned_names(known, inputs)
    args, kwargs = variadic(known)
    missing = [
        name
        for name, each in known.items()
        if each.default is each.empty and name not in {*assigned, *settings, args, kwargs}
    ]
    free = [name for name in known if name not in {*assigned, *settings, args, kwargs}]
    takes = f"forward takes ({', '.join(known)})"
    if others and (missing or not (args or kwargs)):
        right = _nearest(others[0], missing or free)
        got = _got(others[0], inputs)
        write = f"; write {_option(right, got)}" if right else ""
        raise UsageError(
            f"{subject}: unknown input {', '.join(got)} ({_specs(got)}): {takes}{write}"
        )
    wrong = [name for name in settings if name not in known and not kwargs]
    if wrong:
        right = _nearest(wrong[0], free)
        write = f"; write --call '{json.dumps({right: 0})[:-2]}...}}'" if right else ""
        raise UsageError(f"{subject}: unknown argument {wrong[0]!r}: {takes}{write}")
    if missing and not module._forward_pre_hooks:
        raise UsageError(
            f"{subject}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing: "
            f"{takes} but got {_listing(inputs)}; "
            f"add {_option(missing[0], {})}, {missing[0]}=int64:SHAPE for whole numbers"
        )


def check_read(
    subject: str, module: nn.Module, inputs: Mapping[str, TensorSpec], unread: Iterable[str]
) -> None:
    """Raise ``UsageError`` for an input in ``**kwargs`` that is not read and has a near name.

    A forward pass that takes any names takes a typing error, too. ``unread`` are the inputs that no
    function of the pass has read.
    """
    known = parameters_of(module.forward)
    assigned, others = assigned_names(known, inputs)
    free = set(known) - assigned - set(variadic(known))
    for name in set(others) & set(map(root_of, unread)):
        for right in nearest(name, sorted(free), limit=1):
            got = _got(name, inputs)
            raise UsageError(
                f"{subject}: unknown input {', '.join(got)} ({_specs(got)}): forward does not read "
                f"it; write {_option(right, got)}"
            )


def _nearest(wrong: str, right: list[str]) -> str:
    """Return the name that was meant: the only one that is free, else the nearest."""
    return right[0] if len(right) == 1 else next(iter(nearest(wrong, right)), "")


def _got(root: str, inputs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    return {name: spec for name, spec in inputs.items() if root_of(name) == root}


def _option(name: str, got: Mapping[str, TensorSpec]) -> str:
    """Return how to write an input under another name."""
    first = next(iter(got), name)
    spec = got.get(first)
    kind = "" if spec is None or "float" in spec.dtype else f"{spec.dtype}:"
    return f"--input {name}{first[len(root_of(first)) :]}={kind}SHAPE"


def _specs(inputs: Mapping[str, TensorSpec]) -> str:
    return ", ".join(map(_spec, inputs.values()))


def _spec(spec: TensorSpec) -> str:
    return f"{spec}" if spec.dtype == "float32" else f"{spec} {spec.dtype}"


def _listing(inputs: Mapping[str, TensorSpec]) -> str:
    return ", ".join(f"{name} {_spec(spec)}" for name, spec in inputs.items())


def needed_in_training(
    module: nn.Module, inputs: Iterable[str], settings: Iterable[str], message: str
) -> str:
    """Return how to write the argument whose absence a message complains of; empty if of none."""
    known = parameters_of(module.forward)
    present = {*map(root_of, inputs), *settings}
    absent = [name for name, each in known.items() if each.default is None and name not in present]
    for name in absent:
        if re.search(rf"\b{name}\b", message):
            return (
                f"in training mode forward needs {name}, too ({message}); write it as --input "
                f"{name}=SHAPE, a structure as {name}.0.KEY=SHAPE, its values as =@FILE.npy; "
                "in Python, example= takes the arguments themselves"
            )
    return ""


def is_bad_call(failure: ForwardError) -> bool:
    """Return whether the arguments do not fit the forward pass, whatever they hold."""
    error = failure.error
    return isinstance(error, TypeError) and not failure.path and "forward()" in str(error)


def explained(failure: ForwardError, module: nn.Module, inputs: Mapping[str, TensorSpec]) -> str:
    """Return what went wrong in a forward pass, and how the input at fault is written."""
    error = failure.error
    why = one_line(error) if error is not None else ""
    got = _listing(inputs)
    if is_bad_call(failure):
        takes = ", ".join(parameters_of(module.forward))
        return f"forward takes ({takes}) but got {got}; give each as --input NAME=SHAPE ({why})"
    hint = _hint(failure, module, inputs)
    if not failure.path:
        return f"cannot take {got}: {why}{hint}"
    refused = f" cannot take {failure.inputs}" if failure.inputs else " fails"
    path = failure.path
    if len(path) > LONGEST_PATH:
        path = f"{path[:40]}...{path[-40:]}"
    return f"{path} ({failure.kind}){refused}, with {got}: {why}{hint}"


def _hint(failure: ForwardError, module: nn.Module, inputs: Mapping[str, TensorSpec]) -> str:
    """Return how to write the input that a layer refuses, or the one that was meant."""
    known = parameters_of(module.forward)
    assigned, others = assigned_names(known, inputs)
    if isinstance(failure.error, KeyError | IndexError):
        return _place(failure.error, inputs, others)
    for name in others:  # it went into **kwargs
        right = nearest(name, set(known) - assigned - set(variadic(known)))
        if right:
            return f"; {name} is none of its named arguments: did you mean {right[0]}?"
    named = dict(zip(inputs, _argument_names(known, inputs), strict=True))
    direct = [name for name in failure.entering if name in inputs]
    if direct and (usual := example_of(module.get_submodule(failure.path.replace("/", ".")))):
        return f"; without the batch, as in --input {named[direct[0]]}={usual}"
    in_code = isinstance(failure.error, TypeError | AttributeError | NameError)
    if len(inputs) != 1 or in_code:  # another shape would not help
        return ""
    usual = entrance(module).example
    return f"; without the batch, as in --input {next(iter(named.values()))}={usual}"


def _argument_names(known: Mapping[str, object], inputs: Mapping[str, TensorSpec]) -> list[str]:
    """Return the names of inputs as a user writes them: one without a name has its argument's."""
    first = next(iter(known), "input")
    return [first if name == "input" and name not in known else name for name in inputs]


def _place(error: KeyError | IndexError, inputs: Mapping[str, TensorSpec], loose: list[str]) -> str:
    """Return how to write the place of a container that a forward pass looked for.

    ``loose`` are the inputs that went into its ``**kwargs``.
    """
    key = error.args[0] if isinstance(error, KeyError) and error.args else ""
    inside = [name for name in inputs if name != root_of(name)]
    root = root_of(next(iter([*inside, *inputs])))
    if isinstance(key, str) and key.isidentifier():
        return f"; write --input {key if loose else f'{root}.{key}'}=SHAPE"
    return f"; write a list as --input {root}.0=SHAPE, a dictionary as --input {root}.KEY=SHAPE"
