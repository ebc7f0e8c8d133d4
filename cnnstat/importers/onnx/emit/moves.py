"""Elements that only move.

Importers keep of a captured move its name and the shapes before and after. Where these leave one
meaning it is written; where they leave several it is refused, with what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import prod
from typing import Any

from cnnstat.importers.onnx.emitting import Emission, Emitter
from cnnstat.ir.window import Axes
from cnnstat.ops import Parameter


def concat(use: Emission) -> str:
    """Write a concatenation."""
    op: Any = use.op
    return use.node("Concat", use.alike(), axis=op.axis)


def zero_pad(use: Emission) -> str:
    """Write ResNet's option A: a slice, then channels of zeros."""
    op: Any = use.op
    thinned, missing = use.input, op.out_channels - use.facts.inputs[0].shape[1]
    if op.stride > 1:
        starts = use.constant([0, 0], suffix="starts", whole=True)
        ends = use.constant([2**31 - 1] * 2, suffix="ends", whole=True)
        axes = use.constant([2, 3], suffix="axes", whole=True)
        steps = use.constant([op.stride] * 2, suffix="steps", whole=True)
        inputs = (thinned, starts, ends, axes, steps)
        thinned = use.node("Slice", inputs, suffix="thinned" if missing else "")
    if not missing:
        return thinned if op.stride > 1 else use.node("Identity", (thinned,))
    pads = use.constant([0, 0, 0, 0, 0, missing, 0, 0], suffix="pads", whole=True)
    return use.node("Pad", (thinned, pads))


# -- captured moves --------------------------------------------------------------------------------


def moved(use: Emission) -> str | tuple[str, ...]:
    """Write a view or a captured move by its name, where its shapes leave one meaning."""
    op: Any = use.op
    found = MOVES.get(op.kind)
    if found is None:
        raise use.cannot("the graph keeps its shapes, not what it moves where")
    if any("complex" in spec.dtype for spec in use.facts.outputs):
        raise use.cannot("ONNX's operators take no complex numbers")
    return found(use)


def _shapes(use: Emission) -> tuple[Axes, Axes]:
    """Return the shapes before and after a move of one tensor into one."""
    if not use.inputs or len(use.facts.outputs) != 1:
        raise use.cannot("it makes one tensor of one other")
    given, made = use.facts.inputs[0], use.facts.outputs[0]
    if given.dtype != made.dtype:
        raise use.cannot(f"it turns {given.dtype} into {made.dtype}")
    return given.shape, made.shape


def _reshaped(use: Emission) -> str:
    """Write another shape of the same elements in their order."""
    given, made = _shapes(use)
    if prod(given) != prod(made):
        raise use.cannot(f"{prod(given)} elements cannot be seen as {prod(made)}")
    if isinstance(use.sources[0], Parameter) and _extents(given) != _extents(made):
        raise use.cannot("a stored tensor seen in another shape may also be turned")
    return use.node("Reshape", (use.input, use.constant(made, suffix="shape", whole=True)))


def _extents(shape: Sequence[int]) -> list[int]:
    """Return the extents other than 1, which alone say where an element lies."""
    return [n for n in shape if n != 1]


def _permuted(use: Emission) -> str:
    """Write axes in another order, which the extents tell where no two but 1 are alike."""
    given, made = _shapes(use)
    if sorted(given) != sorted(made):
        raise use.cannot("it does more than give the axes another order")
    known = _extents(given)
    if len(set(known)) < len(known):
        twice = next(n for n in known if known.count(n) > 1)
        raise use.cannot(f"two axes have {twice} elements and the graph keeps no order of axes")
    places = {n: [axis for axis, extent in enumerate(given) if extent == n] for n in given}
    order = [places[n].pop(0) for n in made]
    return use.node("Transpose", (use.input,), perm=order)


def _swapped(use: Emission) -> str:
    """Write two axes that change places, where only one pair of them makes the new shape."""
    given, made = _shapes(use)
    orders = []
    for i, j in combinations(range(len(given)), 2):
        order = list(range(len(given)))
        order[i], order[j] = j, i
        if tuple(given[axis] for axis in order) == made:
            orders.append(order if given[i] * given[j] > 1 else sorted(order))
    if not orders:
        raise use.cannot("it does more than swap two axes")
    if any(order != orders[0] for order in orders):
        raise use.cannot("more than one pair of axes may have been swapped")
    return use.node("Transpose", (use.input,), perm=orders[0])


def _turned(use: Emission) -> str:
    """Write the last two axes the other way round."""
    given, made = _shapes(use)
    order = [*range(len(given) - 2), *reversed(range(max(len(given) - 2, 0), len(given)))]
    if tuple(given[axis] for axis in order) != made:
        raise use.cannot("it does more than turn a matrix")
    return use.node("Transpose", (use.input,), perm=order)


def _expanded(use: Emission) -> str:
    """Write a tensor that is repeated along axes of one element; axes are aligned at the last."""
    given, made = _shapes(use)
    pairs = zip(given[::-1], made[::-1], strict=False)
    if len(given) > len(made) or any(n not in (1, m) for n, m in pairs):
        raise use.cannot(f"{given} elements do not spread to {made}")
    return use.node("Expand", (use.input, use.constant(made, suffix="shape", whole=True)))


def _same(use: Emission) -> str:
    """Write a copy, or a view of the whole; other inputs say its type or shape alone."""
    given, made = use.facts.inputs[0], use.facts.outputs[0]
    if len(use.facts.outputs) != 1 or given.shape != made.shape:
        raise use.cannot("the graph keeps its shapes, not which elements it takes")
    use.shape_only(*use.inputs[1:])
    if given.dtype != made.dtype:
        return use.cast(use.input, made.dtype, suffix="")
    return use.node("Identity", (use.input,))


def _split(use: Emission) -> str | tuple[str, ...]:
    """Write the parts of a tensor along the axis whose extents add up."""
    given = use.facts.inputs[0].shape
    parts = [spec.shape for spec in use.facts.outputs]
    if parts == [given]:
        return use.node("Identity", (use.input,))
    axes = [
        axis
        for axis, extent in enumerate(given)
        if sum(part[axis] for part in parts if len(part) == len(given)) == extent
        and all((*part[:axis], extent, *part[axis + 1 :]) == given for part in parts)
    ]
    if len(axes) != 1:
        raise use.cannot("its parts do not add up along one axis")
    sizes = use.constant([part[axes[0]] for part in parts], suffix="sizes", whole=True)
    return use.node("Split", (use.input, sizes), results=len(parts), axis=axes[0])


def _unbound(use: Emission) -> tuple[str, ...]:
    """Write the slices of one element along the axis that goes."""
    given = use.facts.inputs[0].shape
    parts = [spec.shape for spec in use.facts.outputs]
    axes = _new_axes(parts[0], given, len(parts))
    if len(axes) != 1:
        raise use.cannot("the extents do not tell which axis goes")
    sizes = use.constant([1] * len(parts), suffix="sizes", whole=True)
    many = use.node("Split", (use.input, sizes), suffix="split", results=len(parts), axis=axes[0])
    gone = use.constant(axes, suffix="axis", whole=True)
    names = (many, *(f"{many}:{number}" for number in range(1, len(parts))))
    return tuple(
        use.node("Squeeze", (name, gone), suffix=f"part_{number}" if number else "")
        for number, name in enumerate(names)
    )


def _stacked(use: Emission) -> str:
    """Write tensors side by side along an axis of its own."""
    given, made = use.facts.inputs[0].shape, use.facts.outputs[0].shape
    axes = _new_axes(given, made, len(use.inputs))
    if len(axes) != 1:
        raise use.cannot("the extents do not tell which axis is new")
    axis = use.constant(axes, suffix="axis", whole=True)
    wide = [
        use.node("Unsqueeze", (name, axis), suffix=f"wide_{number}")
        for number, name in enumerate(use.alike())
    ]
    return use.node("Concat", wide, axis=axes[0])


def _new_axes(less: Axes, more: Axes, extent: int) -> list[int]:
    """Return the axes of ``more`` that ``less`` may lack; a run of equal extents tells nothing."""
    return [
        axis
        for axis, n in enumerate(more)
        if n == extent and (*more[:axis], *more[axis + 1 :]) == less
    ]


def _tiled(use: Emission) -> str:
    """Write a tensor that is repeated as a whole along each axis."""
    given, made = _shapes(use)
    wide = (*[1] * (len(made) - len(given)), *given)
    if len(wide) != len(made) or any(m % n for n, m in zip(wide, made, strict=True)):
        raise use.cannot(f"{given} elements repeated do not make {made}")
    whole = use.input
    if wide != given:
        shape = use.constant(wide, suffix="shape", whole=True)
        whole = use.node("Reshape", (whole, shape), suffix="wide")
    times = [m // n for n, m in zip(wide, made, strict=True)]
    return use.node("Tile", (whole, use.constant(times, suffix="times", whole=True)))


def _filled(value: float) -> Emitter:
    def emitter(use: Emission) -> str:
        made = use.facts.outputs[0]
        use.shape_only(*use.inputs)
        return use.filled(made.shape, value, dtype=made.dtype)

    return emitter


def _written(use: Emission) -> str:
    """Write what is copied over another tensor: it takes that one's shape and type."""
    made = use.facts.outputs[0]
    if len(use.inputs) != 2:
        raise use.cannot("it needs a tensor and what is copied over it")
    use.shape_only(use.input)
    source = use.alike(1)[0]
    return use.node("Expand", (source, use.constant(made.shape, suffix="shape", whole=True)))


def _block(use: Emission, wide: Axes, deep: Axes) -> int:
    """Return the side of the squares of positions that become channels; [n, c, h, w] both."""
    if len(wide) != 4 or len(deep) != 4:
        raise use.cannot("it needs 4 axes (batch, channels, height, width)")
    side = max(wide[2] // deep[2], 1)
    n, c, h, w = deep
    if wide != (n, c // side**2, h * side, w * side):
        raise use.cannot("its positions do not lie in squares")
    return side


def _pixel_shuffle(use: Emission) -> str:
    """[n, c * r^2, h, w] -> [n, c, h * r, w * r], a channel's r^2 positions beside each other."""
    given, made = _shapes(use)
    return use.node("DepthToSpace", (use.input,), blocksize=_block(use, made, given), mode="CRD")


def _pixel_unshuffle(use: Emission) -> str:
    """[n, c, h, r, w, r] -> [n, c, r, r, h, w]: ONNX's own puts the channels last."""
    given, made = _shapes(use)
    side = _block(use, given, made)
    n, c, h, w = given
    extents = (n, c, h // side, side, w // side, side)
    apart = use.constant(extents, suffix="squares_shape", whole=True)
    squares = use.node("Reshape", (use.input, apart), suffix="squares")
    turned = use.node("Transpose", (squares,), suffix="turned", perm=(0, 1, 3, 5, 2, 4))
    return use.node("Reshape", (turned, use.constant(made, suffix="shape", whole=True)))


def _space_to_depth(use: Emission) -> str:
    given, made = _shapes(use)
    return use.node("SpaceToDepth", (use.input,), blocksize=_block(use, given, made))


MOVES: dict[str, Emitter] = {
    **dict.fromkeys(
        (
            *("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"),
            *("_unsafe_view", "_reshape_alias"),
        ),
        _reshaped,
    ),
    **dict.fromkeys(
        ("permute", "movedim"),
        _permuted,
    ),
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _swapped),
    **dict.fromkeys(("t", "mT"), _turned),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _expanded),
    **dict.fromkeys(
        ("clone", "contiguous", "to", "_to_copy", "type_as", "cast", "slice", "narrow", "view_as"),
        _same,
    ),
    **dict.fromkeys(("split", "split_with_sizes", "chunk", "tensor_split"), _split),
    "unbind": _unbound,
    "stack": _stacked,
    **dict.fromkeys(("repeat", "tile"), _tiled),
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros", "zero"), _filled(0)),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), _filled(1)),
    "copy": _written,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "space_to_depth": _space_to_depth,
}
"""Moves by PyTorch's names (ONNX's in small letters) whose shapes may leave one meaning."""
