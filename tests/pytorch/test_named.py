"""Inputs become the arguments of a forward pass by their names, or in order."""

from collections.abc import Callable
from typing import Any

import pytest

from cnnstat.pytorch.named import UnknownArgumentError, call_arguments


def plain(x: object, t: object = None, *, flag: object = None) -> None: ...
def keywords(**options: object) -> None: ...
def both(x: object, **options: object) -> None: ...
def anything(*arguments: object, **named: object) -> None: ...


CASES: list[tuple[Callable[..., object], list[str], tuple[Any, ...], dict[str, Any]]] = [
    (plain, ["input"], ("input",), {}),
    (plain, ["x", "t"], ("x", "t"), {}),
    (plain, ["t", "x"], ("x", "t"), {}),
    (plain, ["x", "flag"], ("x",), {"flag": "flag"}),
    (plain, ["t"], (), {"t": "t"}),
    (plain, ["x[0]", "x[1]"], (["x[0]", "x[1]"],), {}),
    (plain, ["x[b]", "x[a][0]", "t"], ({"b": "x[b]", "a": ["x[a][0]"]}, "t"), {}),
    (keywords, ["img"], (), {"img": "img"}),
    (both, ["x", "other"], ("x",), {"other": "other"}),
    (both, ["input"], ("input",), {}),
    (anything, ["a", "b"], ("a", "b"), {}),
]


@pytest.mark.parametrize(("forward", "names", "arguments", "named"), CASES)
def test_arguments(
    forward: Callable[..., object],
    names: list[str],
    arguments: tuple[Any, ...],
    named: dict[str, Any],
) -> None:
    assert call_arguments(forward, {name: name for name in names}) == (arguments, named)


def test_a_name_without_an_argument_is_refused() -> None:
    with pytest.raises(UnknownArgumentError, match="no argument 'y'"):
        call_arguments(plain, {"x": 1, "y": 2})
