"""``$`` expressions of a spec.

Names of parameters, whole numbers, + - * // and brackets; nothing else.

``$width`` is a parameter, ``$(4*width)`` arithmetic; inside a longer word, ``conv_$index`` is
filled in; ``$$`` is a dollar sign.
"""

import ast
import operator
import re
from collections.abc import Mapping

Parameters = Mapping[str, object]

_NAME = re.compile(r"\$(?:\$|([A-Za-z_]\w*)|\(([^()]*(?:\([^()]*\)[^()]*)*)\))")
_OPERATIONS = {
    **{ast.Add: operator.add, ast.Sub: operator.sub},
    **{ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv},
}
_MAX_LENGTH = 200
_MAX_VALUE = 10**12
_MAX_FILLED = 10_000


class ExpressionError(ValueError):
    """An expression with an unknown name or anything but whole-number arithmetic."""


def fill(text: str, parameters: Parameters) -> object:
    """Return ``text`` with its expressions evaluated.

    A text that is one expression becomes the value itself.
    """
    if whole := _NAME.fullmatch(text):
        return _evaluate(whole, parameters)

    def word(match: re.Match[str]) -> str:
        value = _evaluate(match, parameters)
        if isinstance(value, list | dict):
            raise ExpressionError(f"{match[0]} is not a word")
        return str(value)

    filled = _NAME.sub(word, text)
    if len(filled) > _MAX_FILLED:
        raise ExpressionError(f"a text of more than {_MAX_FILLED:,} characters")
    return filled


def names_in(value: object) -> set[str]:
    """Return the names that the expressions of a document's part use."""
    if isinstance(value, dict):
        return set().union(*map(names_in, (*value, *value.values())))
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    matches = _NAME.finditer(value) if isinstance(value, str) else ()
    return {name for match in matches for name in re.findall(r"[A-Za-z_]\w*", match[0])}


def _evaluate(match: re.Match[str], parameters: Parameters) -> object:
    name, arithmetic = match.groups()
    if match[0] == "$$":
        return "$"
    if name is not None:
        if name not in parameters:
            known = ", ".join(parameters) or "none"
            raise ExpressionError(f"unknown parameter ${name}; known: {known}")
        return parameters[name]
    if len(arithmetic) > _MAX_LENGTH:
        raise ExpressionError(f"an expression of more than {_MAX_LENGTH} characters")
    try:
        tree = ast.parse(arithmetic.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise ExpressionError(f"$({arithmetic}) is not arithmetic") from error
    return _value(tree.body, parameters)


def _value(node: ast.expr, parameters: Parameters) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name):
        value = parameters.get(node.id)
        if type(value) is not int:
            raise ExpressionError(f"{node.id} is not a whole-number parameter")
        return value
    if not isinstance(node, ast.BinOp):
        raise ExpressionError("only whole numbers, names, + - * // and brackets are allowed")
    if type(node.op) not in _OPERATIONS:
        raise ExpressionError("only + - * // are allowed")
    left, right = _value(node.left, parameters), _value(node.right, parameters)
    try:
        result = int(_OPERATIONS[type(node.op)](left, right))
    except ZeroDivisionError:
        raise ExpressionError("a division by zero") from None
    if abs(result) > _MAX_VALUE:
        raise ExpressionError(f"a value beyond {_MAX_VALUE:,}")
    return result
