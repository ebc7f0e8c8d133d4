"""Where the elements of a moved tensor come from: by the function's name and its arguments.

``MOVES`` has a line for each function whose movement is known; names and arguments are PyTorch's.
An answer is for one result. A function without a line, or without its arguments, is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from cnnstat.ir.op import OpError, Specs
from cnnstat.ir.reach import (
    LISTED,
    AxisReach,
    ByAxis,
    Pick,
    Ranges,
    Shape,
    Slide,
    aligned,
    permuted,
    regrouped,
)
from cnnstat.ir.window import Window


class Move(NamedTuple):
    """One result of one call: arguments by name, the inputs, all results, which of them it is."""

    arguments: Mapping[str, Any]
    inputs: Specs
    results: Specs
    number: int = 0

    @property
    def before(self) -> Shape:
        """Shape of the first input."""
        return self.inputs[0].shape

    @property
    def after(self) -> Shape:
        """Shape of the result."""
        return self.results[self.number].shape

    def axis(self, name: str) -> int:
        """Return an argument that names an axis of the first input."""
        return _axis(self.arguments[name], len(self.before))


Rule = Callable[[Move], tuple[AxisReach, ...] | ByAxis]


def reach_of(kind: str, move: Move) -> ByAxis | None:
    """Return what one result reads of each input; None where unknown.

    Inputs beyond the first (indices, a shape) are not read, unless the rule says so.
    """
    rule = MOVES.get(kind)
    try:
        answer = rule(move) if rule is not None else None
    except (KeyError, IndexError, ValueError, TypeError):
        return None
    if answer is None or isinstance(answer, ByAxis):
        return answer
    return ByAxis((answer, *[None] * (len(move.inputs) - 1)))


def _axis(value: int, rank: int) -> int:
    if not -rank <= value < max(rank, 1):
        raise OpError(f"axis (={value}) must be one of {rank}")
    return value % max(rank, 1)


def _same(rank: int) -> list[AxisReach]:
    return [Slide(axis) for axis in range(rank)]


def _elementwise(move: Move) -> tuple[AxisReach, ...]:
    return aligned(move.before, move.after)


def _written(move: Move) -> ByAxis:
    """Return the second input alone: it is copied into the first."""
    return ByAxis((None, aligned(move.inputs[1].shape, move.after)))


def _nothing(move: Move) -> ByAxis:
    return ByAxis((None,) * len(move.inputs))


def _reshape(move: Move) -> tuple[AxisReach, ...]:
    return regrouped(move.before, move.after)


def _permute(move: Move) -> tuple[AxisReach, ...]:
    order = move.arguments.get("dims")
    if order is None:
        order = list(range(len(move.before)))
        one, other = move.axis("dim0"), move.axis("dim1")
        order[one], order[other] = order[other], order[one]
    return permuted(order)


def _matrix_transpose(move: Move) -> tuple[AxisReach, ...]:
    order = list(range(len(move.before)))
    return permuted([*order[:-2], *reversed(order[-2:])])


def _move_axes(move: Move) -> tuple[AxisReach, ...]:
    rank = len(move.before)
    sources = [_axis(axis, rank) for axis in _listed(move.arguments["source"])]
    targets = [_axis(axis, rank) for axis in _listed(move.arguments["destination"])]
    order: list[int] = [axis for axis in range(rank) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return permuted(order)


def _listed(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def _thinned(start: int, step: int) -> Window:
    """Return the window that reads element start + position*step."""
    return Window(1, step, -start)


def _slice(move: Move) -> tuple[AxisReach, ...]:
    a = move.arguments
    answers = _same(len(move.before))
    if "starts" in a:  # every axis at once, as ONNX has it; a step below 0 walks backwards
        for axis, (start, step, n) in enumerate(
            zip(a["starts"], a["steps"], move.after, strict=True)
        ):
            answers[axis] = (
                Slide(axis, _thinned(start, step))
                if step > 0
                else _listed_elements(axis, (start + step * position for position in range(n)))
            )
        return tuple(answers)
    axis = _axis(a.get("dim", 0), len(move.before))
    start, _, step = slice(a.get("start"), a.get("end"), a.get("step", 1)).indices(
        move.before[axis]
    )
    answers[axis] = Slide(axis, _thinned(start, step))
    return tuple(answers)


def _narrow(move: Move) -> tuple[AxisReach, ...]:
    answers, axis = _same(len(move.before)), move.axis("dim")
    start = move.arguments["start"]
    answers[axis] = Slide(axis, _thinned(start % move.before[axis] if start else 0, 1))
    return tuple(answers)


def _split(move: Move) -> tuple[AxisReach, ...]:
    answers, axis = _same(len(move.before)), _axis(move.arguments.get("dim", 0), len(move.before))
    start = sum(spec.shape[axis] for spec in move.results[: move.number])
    answers[axis] = Slide(axis, _thinned(start, 1))
    return tuple(answers)


def _one_of(axis: int, index: int, rank: int) -> tuple[AxisReach, ...]:
    """Return the reach of one element of an axis that goes."""
    before: list[AxisReach] = [Slide(other) for other in range(axis)]
    return (*before, Pick(index), *[Slide(other - 1) for other in range(axis + 1, rank)])


def _select(move: Move) -> tuple[AxisReach, ...]:
    axis = move.axis("dim")
    return _one_of(axis, move.arguments["index"] % move.before[axis], len(move.before))


def _unbind(move: Move) -> tuple[AxisReach, ...]:
    axis = _axis(move.arguments.get("dim", 0), len(move.before))
    return _one_of(axis, move.number, len(move.before))


def _stack(move: Move) -> ByAxis:
    rank = len(move.after)
    new = _axis(move.arguments.get("dim", 0), rank)
    axes = [axis for axis in range(rank) if axis != new]
    return ByAxis(tuple(tuple(Slide(axis) for axis in axes) for _ in move.inputs))


def _listed_elements(axis: int, elements: Iterable[int | None]) -> AxisReach:
    """Return the elements one by one; unknown where they are too many to list."""
    first = tuple(islice(elements, LISTED + 1))
    if len(first) > LISTED:
        return "unknown"
    return Ranges(axis, tuple(None if e is None else (e, e) for e in first))


def _rolled(n: int, shift: int) -> Iterator[int]:
    return ((position - shift) % n for position in range(n))


def _roll(move: Move) -> tuple[AxisReach, ...]:
    answers = _same(len(move.before))
    shifts, axes = _listed(move.arguments["shifts"]), _listed(move.arguments["dims"])
    if not axes:
        raise ValueError("all elements as one row")
    total = dict.fromkeys(range(len(move.before)), 0)
    for shift, axis in zip(shifts, axes, strict=True):
        total[_axis(axis, len(move.before))] += shift
    for axis, shift in total.items():
        n = move.before[axis]
        if n and shift % n:
            answers[axis] = _listed_elements(axis, _rolled(n, shift))
    return tuple(answers)


def _flip(move: Move) -> tuple[AxisReach, ...]:
    if "starts" in move.arguments:
        return _slice(move)
    answers = _same(len(move.before))
    for each in _listed(move.arguments["dims"]):
        axis = _axis(each, len(move.before))
        answers[axis] = _listed_elements(axis, reversed(range(move.before[axis])))
    return tuple(answers)


def _pad(move: Move) -> tuple[AxisReach, ...]:
    a, rank = move.arguments, len(move.before)
    if "before" in a:
        sides = list(zip(a["before"], a["after"], strict=True))
    else:
        pads = list(a["pad"] if "pad" in a else a["padding"])
        pairs = list(zip(pads[::2], pads[1::2], strict=True))
        sides = [(0, 0)] * (rank - len(pairs)) + pairs[::-1]
    answers: list[AxisReach] = []
    for axis, (before, after) in enumerate(sides):
        n, mode = move.before[axis], a.get("mode", "constant")
        if mode == "constant":
            answers.append(Slide(axis, Window(1, 1, before)) if before or after else Slide(axis))
        else:
            positions = range(-before, n + after)
            answers.append(_listed_elements(axis, (_padded(p, n, mode) for p in positions)))
    return tuple(answers)


def _padded(position: int, n: int, mode: str) -> int:
    """Return the element that a padding repeats at a position before, on or after an axis."""
    if mode in ("circular", "wrap"):
        return position % n
    if mode in ("replicate", "edge"):
        return min(max(position, 0), n - 1)
    if mode == "reflect":
        turned = position % (2 * n - 2) if n > 1 else 0
        return min(turned, 2 * n - 2 - turned) if n > 1 else 0
    raise ValueError(f"mode {mode}")


def _padded_as(mode: str) -> Rule:
    def rule(move: Move) -> tuple[AxisReach, ...]:
        return _pad(move._replace(arguments={**move.arguments, "mode": mode}))

    return rule


def _repeat(move: Move) -> tuple[AxisReach, ...]:
    missing = len(move.after) - len(move.before)
    answers: list[AxisReach] = []
    for axis, n in enumerate(move.before):
        made = move.after[axis + missing]
        same = made == n
        elements = (position % n for position in range(made))
        answers.append(
            Slide(axis + missing) if same else _listed_elements(axis + missing, elements)
        )
    return tuple(answers)


def _repeat_each(move: Move) -> tuple[AxisReach, ...]:
    answers, axis = _same(len(move.before)), move.axis("dim")
    times = move.arguments["repeats"]
    answers[axis] = Slide(axis, Window(times, times), transposed=True)
    return tuple(answers)


def _pixel_shuffle(move: Move) -> tuple[AxisReach, ...]:
    a, answers = move.arguments, _same(len(move.before))
    r = a["upscale_factor"] if "upscale_factor" in a else a["blocksize"]
    answers[-3] = "unknown"
    answers[-2:] = [Slide(len(answers) - k, Window(r, r), transposed=True) for k in (2, 1)]
    return tuple(answers)


def _channel_shuffle(move: Move) -> tuple[AxisReach, ...]:
    answers, groups, c = _same(len(move.before)), move.arguments["groups"], move.before[1]
    elements = (p % groups * (c // groups) + p // groups for p in range(c))
    answers[1] = _listed_elements(1, elements)
    return tuple(answers)


def _by_index(move: Move) -> tuple[AxisReach, ...]:
    """Return unknown for an axis along which computed indices choose."""
    answers = _same(len(move.before))
    answers[_axis(move.arguments["dim"], len(move.before))] = "unknown"
    return tuple(answers)


MOVES: Mapping[str, Rule] = {
    **dict.fromkeys(
        (
            *("clone", "contiguous", "to", "_to_copy", "type_as", "cast", "expand", "expand_as"),
            *("broadcast_to", "real", "imag", "alias", "detach", "tril", "triu", "trilu"),
            *("_conj", "conj", "resolve_conj", "resolve_neg"),
        ),
        _elementwise,
    ),
    **dict.fromkeys(
        (
            *("view", "reshape", "_unsafe_view", "_reshape_alias", "flatten", "unflatten"),
            *("squeeze", "unsqueeze", "view_as", "reshape_as", "ravel"),
        ),
        _reshape,
    ),
    "view_as_complex": lambda move: (*_same(len(move.before) - 1), "whole"),
    "view_as_real": lambda move: tuple(_same(len(move.before))),
    **dict.fromkeys(("fill", "zero", "zeros_like", "ones_like", "full_like"), _nothing),
    **dict.fromkeys(("empty_like", "new_zeros", "new_ones", "new_full", "new_empty"), _nothing),
    "copy": _written,
    "permute": _permute,
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _permute),
    **dict.fromkeys(("t", "mT", "mH", "adjoint", "matrix_H"), _matrix_transpose),
    "numpy_T": lambda move: permuted(list(reversed(range(len(move.before))))),
    **dict.fromkeys(("movedim", "moveaxis"), _move_axes),
    "slice": _slice,
    "narrow": _narrow,
    **dict.fromkeys(
        ("split", "chunk", "split_with_sizes", "unsafe_split", "unsafe_chunk", "tensor_split"),
        _split,
    ),
    "unsafe_split_with_sizes": _split,
    "select": _select,
    "unbind": _unbind,
    "stack": _stack,
    "roll": _roll,
    "flip": _flip,
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    **dict.fromkeys(
        ("reflection_pad1d", "reflection_pad2d", "reflection_pad3d"), _padded_as("reflect")
    ),
    **dict.fromkeys(
        ("replication_pad1d", "replication_pad2d", "replication_pad3d"), _padded_as("replicate")
    ),
    **dict.fromkeys(("repeat", "tile"), _repeat),
    "repeat_interleave": _repeat_each,
    **dict.fromkeys(("pixel_shuffle", "depth_to_space"), _pixel_shuffle),
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), _channel_shuffle),
    **dict.fromkeys(("gather", "index_select"), _by_index),
}
"""Functions by name: what one result reads of the inputs."""
