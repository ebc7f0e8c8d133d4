"""The call of one node that a lowering writes on a tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cnnstat.ir.graph import Node, NodeFacts
from cnnstat.ir.reach import Sliding
from cnnstat.ir.window import Window
from cnnstat.memory import kernels as k
from cnnstat.memory.tape import Shape, Tape, Tensor


class Call(NamedTuple):
    """One node that is about to run: its inputs and stored tensors on the tape."""

    node: Node
    facts: NodeFacts
    inputs: tuple[Tensor, ...]
    stored: dict[str, Tensor]
    training: bool
    in_place: bool

    @property
    def op(self) -> Any:
        """The operator, whatever hyper-parameters it has."""
        return self.node.op

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self.inputs[0]

    @property
    def shape(self) -> Shape:
        """Shape of the first result."""
        return self.facts.outputs[0].shape

    @property
    def affine(self) -> list[Tensor]:
        """Scale and shift, as far as they are there."""
        return [self.stored[name] for name in ("weight", "bias") if name in self.stored]


Lowering = Callable[[Tape, Call], Tensor | list[Tensor]]


def padded(t: Tape, call: Call, *, half: bool = False) -> Tensor:
    """Return the input, or a padded copy where PyTorch's kernel cannot pad as the window does.

    It pads both sides of an axis alike; ``half``: by half the kernel at most, as poolings do.
    """
    windows = windows_of(call)
    if all(w.before == w.after and not (half and 2 * w.before > w.kernel) for w in windows):
        return call.x
    return k.pad(t, call.x, padded_shape(call))


def padded_shape(call: Call) -> Shape:
    """Return the shape of the input with the padding that its windows cover."""
    n, c, *extents = call.x.shape
    sides = [w.padding_read(e) for e, w in zip(extents, windows_of(call), strict=True)]
    return (n, c, *[e + before + after for e, (before, after) in zip(extents, sides, strict=True)])


def windows_of(call: Call) -> tuple[Window, ...]:
    """Return the window of each axis; nothing where the operator has none."""
    reach = call.facts.reach
    return reach.windows if isinstance(reach, Sliding) else ()
