"""Sums, means and extremes over axes, sums of overlapping patches, and resampling of maps."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cnnstat.ir.op import NoWeights, Op, OpError, Specs
from cnnstat.ir.reach import ByAxis, Reach, Slide, own, so_far, without
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Axes, Window, windows
from cnnstat.ir.work import NO_WORK, Work
from cnnstat.ops.conv import check_window, window_detail

REDUCTIONS: dict[str, dict[str, tuple[int, int]]] = {
    "sum": {"additions": (1, -1)},
    "mean": {"additions": (1, -1), "divisions": (0, 1)},
    **{kind: {"comparisons": (1, -1)} for kind in ("max", "min", "argmax", "argmin", "any", "all")},
    "norm": {"additions": (1, -1), "multiplications": (1, 0), "exponentials": (0, 1)},
    "l1": {"additions": (1, -1), "comparisons": (1, 0)},
    "sum_square": {"additions": (1, -1), "multiplications": (1, 0)},
    "log_sum": {"additions": (1, -1), "exponentials": (0, 1)},
    "var": {"additions": (3, -2), "multiplications": (1, 0), "divisions": (0, 2)},
    "std": {
        **{"additions": (3, -2), "multiplications": (1, 0), "divisions": (0, 2)},
        "exponentials": (0, 1),
    },
    "prod": {"multiplications": (1, -1)},
    "logsumexp": {"additions": (1, -1), "exponentials": (1, 1)},
    "cumsum": {"additions": (1, 0)},
    "cumprod": {"multiplications": (1, 0)},
}
"""Kinds of ``Reduce``, and how many operations of each kind they take: per input, per result."""

RUNNING = ("cumsum", "cumprod")
"""Reductions that keep every intermediate result: their shape stays."""

TAPS_PER_AXIS = {"nearest": 1, "nearest-exact": 1, "linear": 2, "bicubic": 4, "area": 1}
"""Elements that one output of ``Interpolate`` reads on each axis, by mode (bilinear is ``linear``
twice)."""


@dataclass(frozen=True, slots=True)
class Reduce(NoWeights, Op):
    """One value of all elements along ``axes``; no axes mean all of them.

    Shape: any -> without ``axes``, or with 1 in their place (``keepdim``); ``with_indices`` gives
        the positions of the extremes as a second result; running sums and products keep the shape.
    Weights: none.
    Work: inputs - results additions (``sum``, ``mean``), multiplications (``prod``) or comparisons;
        a division per result for ``mean``; ``norm``, ``var`` and ``std`` add one multiplication per
        input and a root or divisions per result; ``sum_square`` is ``norm`` without the root,
        ``l1`` adds a comparison per input, ``log_sum`` a logarithm per result to a sum;
        ``logsumexp`` an exponential per input and a logarithm per result; a running sum or product
        one operation per input.
    Source: the function of that name in torch.
    """

    counts_complex: ClassVar[bool] = True
    kind: str
    axes: tuple[int, ...] = ()
    keepdim: bool = False
    with_indices: bool = False

    def __post_init__(self) -> None:
        if self.kind not in REDUCTIONS:
            raise OpError(f"kind (={self.kind!r}) must be one of {', '.join(REDUCTIONS)}")

    @property
    def type_name(self) -> str:
        """The kind, as a name: ``Mean``."""
        return self.kind.capitalize()

    @property
    def detail(self) -> str:
        """Return the axes."""
        return f"over {'x'.join(map(str, self.axes))}" if self.axes else "over all"

    def _reduced(self, rank: int) -> set[int]:
        for axis in self.axes:
            if not -rank <= axis < rank:
                raise OpError(f"axis (={axis}) must be one of {rank}")
        return {axis % rank for axis in self.axes} or set(range(rank))

    def infer(self, inputs: Specs) -> Specs:
        """Return the shape without the axes; indices are int64."""
        if not inputs:
            raise OpError("it needs an input")
        gone = self._reduced(inputs[0].rank)
        if self.kind in RUNNING:
            return inputs[:1]
        shape = [
            1 if axis in gone else extent
            for axis, extent in enumerate(inputs[0].shape)
            if axis not in gone or self.keepdim
        ]
        indices = TensorSpec(tuple(shape), "int64")
        if self.kind in ("argmax", "argmin"):
            return (indices,)
        dtype = "bool" if self.kind in ("any", "all") else inputs[0].dtype
        values = TensorSpec(tuple(shape), dtype)
        return (values, indices) if self.with_indices else (values,)

    def work(self, inputs: Specs, outputs: Specs) -> Work | None:
        """Return the additions, comparisons and divisions."""
        before, after = inputs[0].numel, outputs[0].numel
        rows = REDUCTIONS[self.kind].items()
        work = Work(**{kind: own * before + made * after for kind, (own, made) in rows})
        if inputs[0].is_complex:  # each sum is two
            return work.times(2) if self.kind in ("sum", "mean", "cumsum") else None
        return work if inputs[0].is_float else NO_WORK

    def reach(self, inputs: Specs) -> Reach:
        """Return all elements of the axes; those so far of a running sum or product."""
        rank = inputs[0].rank
        reduced = self._reduced(rank)
        if self.kind not in RUNNING:
            return ByAxis((without(rank, reduced, keepdim=self.keepdim),))
        return ByAxis((own(rank, {axis: so_far(axis, inputs[0].shape[axis]) for axis in reduced}),))


@dataclass(frozen=True, slots=True)
class Interpolate(NoWeights, Op):
    """Maps resampled to ``output_size``.

    Shape: (n, c, ...) -> (n, c, *output_size).
    Weights: none.
    Work: per output a multiplication and an addition for each element read (2 per axis linear, 4
        bicubic), less the first addition; none for nearest.
    Source: torch.nn.functional.interpolate.
    """

    output_size: tuple[int, ...]
    mode: str = "nearest"

    def __post_init__(self) -> None:
        if self.mode not in TAPS_PER_AXIS:
            raise OpError(f"mode (={self.mode!r}) must be one of {', '.join(TAPS_PER_AXIS)}")
        if any(extent < 1 for extent in self.output_size):
            raise OpError(f"output_size (={self.output_size}) must be at least 1")

    @property
    def taps(self) -> int:
        """Elements that one output reads."""
        taps: int = TAPS_PER_AXIS[self.mode] ** len(self.output_size)
        return taps

    @property
    def detail(self) -> str:
        """Return the mode and the extents."""
        return f"{self.mode} to {'x'.join(map(str, self.output_size))}"

    def infer(self, inputs: Specs) -> Specs:
        """Return the requested extents."""
        if not inputs or inputs[0].rank != len(self.output_size) + 2:
            raise OpError(f"it needs {len(self.output_size) + 2} axes")
        return (TensorSpec((*inputs[0].shape[:2], *self.output_size), inputs[0].dtype),)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the weighted sums."""
        if self.taps == 1:
            return NO_WORK
        numel = outputs[0].numel
        return Work(multiplications=self.taps * numel, additions=(self.taps - 1) * numel)

    def reach(self, inputs: Specs) -> Reach:
        """Return the repeated element of a whole multiple; unknown at fractional distances."""
        pairs = list(zip(inputs[0].shape[2:], self.output_size, strict=True))
        if all(n == out for n, out in pairs):
            return "elementwise"
        if self.mode != "nearest" or any(not n or out % n for n, out in pairs):
            return "unknown"
        times = [out // n for n, out in pairs]
        spatial = [Slide(axis, Window(k, k), True) for axis, k in enumerate(times, 2)]
        return ByAxis(((Slide(0), Slide(1), *spatial),))


@dataclass(frozen=True, slots=True)
class Fold(NoWeights, Op):
    """Patches put back on a map, added up where they overlap: the adjoint of unfolding.

    Shape: (n, c*kh*kw, positions) -> (n, c, *output_size), as many positions as the window has on
        the map.
    Weights: none.
    Work: an addition for each element of a patch, those that fall on padding included.
    Source: torch.nn.Fold.
    """

    output_size: Axes
    kernel: Axes
    stride: Axes = (1, 1)
    padding: Axes = (0, 0)
    dilation: Axes = (1, 1)

    def __post_init__(self) -> None:
        check_window(self.kernel, self.stride, self.padding, self.dilation, rank=2)
        if len(self.output_size) != 2:
            raise OpError(f"output_size (={self.output_size}) needs 2 axes")

    @property
    def detail(self) -> str:
        """Return the window and the extents."""
        window = window_detail(self.kernel, self.stride, self.padding, self.dilation)
        return f"{window} to {'x'.join(map(str, self.output_size))}"

    def infer(self, inputs: Specs) -> Specs:
        """Return the map."""
        if not inputs or inputs[0].rank != 3:
            raise OpError("it needs 3 axes: batch, elements of a patch, positions")
        n, elements, positions = inputs[0].shape
        channels, rest = divmod(elements, prod(self.kernel))
        if rest:
            raise OpError(f"a patch of {elements} elements is not made of windows of {self.kernel}")
        over = windows(
            self.output_size, self.kernel, self.stride, self.padding, self.dilation, False
        )
        there = prod(w.out(extent) for w, extent in zip(over, self.output_size, strict=True))
        if there != positions:
            raise OpError(f"{positions} positions, but the window has {there} on the map")
        return (TensorSpec((n, channels, *self.output_size), inputs[0].dtype),)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return one addition per element of a patch."""
        return Work(additions=inputs[0].numel)

    def reach(self, inputs: Specs) -> Reach:
        """Return unknown: a position is not a place on a map."""
        return "unknown"
