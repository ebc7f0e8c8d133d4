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
    own,
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

    @property
    def rank(self) -> int:
        """Number of axes of the first input."""
        return len(self.before)

    def axis(self, name: str, usual: int | None = None) -> int:
        """Return an argument that names an axis of the first input; ``usual`` where it is left out.

        Raises ``KeyError`` where nothing is usual.
        """
        value = self.arguments[name] if usual is None else self.arguments.get(name, usual)
        return _axis(value, self.rank)


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
        order = list(range(move.rank))
        one, other = move.axis("dim0"), move.axis("dim1")
        order[one], order[other] = order[other], order[one]
    return permuted(order)


def _matrix_transpose(move: Move) -> tuple[AxisReach, ...]:
    order = list(range(move.rank))
    return permuted([*order[:-2], *reversed(order[-2:])])


def _move_axes(move: Move) -> tuple[AxisReach, ...]:
    sources = [_axis(axis, move.rank) for axis in _listed(move.arguments["source"])]
    targets = [_axis(axis, move.rank) for axis in _listed(move.arguments["destination"])]
    order: list[int] = [axis for axis in range(move.rank) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return permuted(order)


def _listed(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def _thinned(axis: int, start: int, step: int = 1) -> AxisReach:
    """Return the reach of element start + position*step."""
    return Slide(axis, Window(1, step, -start))


def _slice(move: Move) -> tuple[AxisReach, ...]:
    a = move.arguments
    if "starts" in a:  # every axis at once, as ONNX has it; a step below 0 walks backwards
        parts = enumerate(zip(a["starts"], a["steps"], move.after, strict=True))
        return tuple(
            _thinned(axis, start, step)
            if step > 0
            else _elements(axis, (start + step * position for position in range(n)))
            for axis, (start, step, n) in parts
        )
    axis = move.axis("dim", 0)
    part = slice(a.get("start"), a.get("end"), a.get("step", 1))
    start, _, step = part.indices(move.before[axis])
    return own(move.rank, {axis: _thinned(axis, start, step)})


def _narrow(move: Move) -> tuple[AxisReach, ...]:
    axis, start = move.axis("dim"), move.arguments["start"]
    return own(move.rank, {axis: _thinned(axis, start % move.before[axis] if start else 0)})


def _split(move: Move) -> tuple[AxisReach, ...]:
    axis = move.axis("dim", 0)
    start = sum(spec.shape[axis] for spec in move.results[: move.number])
    return own(move.rank, {axis: _thinned(axis, start)})


def _one_of(axis: int, index: int, rank: int) -> tuple[AxisReach, ...]:
    """Return the reach of one element of an axis that goes."""
    return (*own(axis), Pick(index), *[Slide(other - 1) for other in range(axis + 1, rank)])


def _select(move: Move) -> tuple[AxisReach, ...]:
    axis = move.axis("dim")
    return _one_of(axis, move.arguments["index"] % move.before[axis], move.rank)


def _unbind(move: Move) -> tuple[AxisReach, ...]:
    return _one_of(move.axis("dim", 0), move.number, move.rank)


def _stack(move: Move) -> ByAxis:
    rank = len(move.after)
    new = _axis(move.arguments.get("dim", 0), rank)
    axes = tuple([Slide(axis) for axis in range(rank) if axis != new])
    return ByAxis((axes,) * len(move.inputs))


def _elements(axis: int, elements: Iterable[int]) -> AxisReach:
    """Return the elements one by one; unknown where they are too many to list."""
    first = tuple(islice(elements, LISTED + 1))
    return "unknown" if len(first) > LISTED else Ranges(axis, tuple([(e, e) for e in first]))


def _roll(move: Move) -> tuple[AxisReach, ...]:
    shifts, axes = _listed(move.arguments["shifts"]), _listed(move.arguments["dims"])
    if not axes:
        raise ValueError("all elements as one row")
    total = dict.fromkeys(range(move.rank), 0)
    for shift, axis in zip(shifts, axes, strict=True):
        total[_axis(axis, move.rank)] += shift
    return tuple(
        _elements(axis, ((position - total[axis]) % n for position in range(n)))
        if n and total[axis] % n
        else Slide(axis)
        for axis, n in enumerate(move.before)
    )


def _flip(move: Move) -> tuple[AxisReach, ...]:
    if "starts" in move.arguments:
        return _slice(move)
    axes = [_axis(each, move.rank) for each in _listed(move.arguments["dims"])]
    return own(
        move.rank, {axis: _elements(axis, reversed(range(move.before[axis]))) for axis in axes}
    )


def _pad(move: Move) -> tuple[AxisReach, ...]:
    a = move.arguments
    if "before" in a:
        sides = list(zip(a["before"], a["after"], strict=True))
    else:
        pads = list(a["pad"] if "pad" in a else a["padding"])
        pairs = list(zip(pads[::2], pads[1::2], strict=True))
        sides = [(0, 0)] * (move.rank - len(pairs)) + pairs[::-1]
    mode = a.get("mode", "constant")
    answers: list[AxisReach] = []
    for axis, (before, after) in enumerate(sides):
        if mode == "constant":
            answers.append(Slide(axis, Window(1, 1, before)) if before or after else Slide(axis))
        else:
            n = move.before[axis]
            answers.append(
                _elements(axis, (_padded(p, n, mode) for p in range(-before, n + after)))
            )
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
    return lambda move: _pad(move._replace(arguments={**move.arguments, "mode": mode}))


def _repeat(move: Move) -> tuple[AxisReach, ...]:
    missing = len(move.after) - move.rank
    return tuple(
        Slide(axis) if n == move.after[axis] else _elements(axis, _cycled(n, move.after[axis]))
        for axis, n in enumerate(move.before, missing)
    )


def _cycled(n: int, count: int) -> Iterator[int]:
    return (position % n for position in range(count))


def _repeat_each(move: Move) -> tuple[AxisReach, ...]:
    axis, times = move.axis("dim"), move.arguments["repeats"]
    return own(move.rank, {axis: Slide(axis, Window(times, times), transposed=True)})


def _pixel_shuffle(move: Move) -> tuple[AxisReach, ...]:
    a = move.arguments
    r = a["upscale_factor"] if "upscale_factor" in a else a["blocksize"]
    *batch, _, h, w = range(move.rank)
    spread = [Slide(axis, Window(r, r), transposed=True) for axis in (h, w)]
    return (*own(len(batch)), "unknown", *spread)


def _channel_shuffle(move: Move) -> tuple[AxisReach, ...]:
    groups, c = move.arguments["groups"], move.before[1]
    elements = (p % groups * (c // groups) + p // groups for p in range(c))
    return own(move.rank, {1: _elements(1, elements)})


def _by_index(move: Move) -> tuple[AxisReach, ...]:
    """Return unknown for an axis along which computed indices choose."""
    return own(move.rank, {move.axis("dim"): "unknown"})


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
    "view_as_complex": lambda move: (*own(move.rank - 1), "whole"),
    "view_as_real": lambda move: own(move.rank),
    **dict.fromkeys(("fill", "zero", "zeros_like", "ones_like", "full_like"), _nothing),
    **dict.fromkeys(("empty_like", "new_zeros", "new_ones", "new_full", "new_empty"), _nothing),
    "copy": _written,
    "permute": _permute,
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _permute),
    **dict.fromkeys(("t", "mT", "mH", "adjoint", "matrix_H"), _matrix_transpose),
    "numpy_T": lambda move: permuted(list(reversed(range(move.rank)))),
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
