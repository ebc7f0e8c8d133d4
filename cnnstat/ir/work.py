"""Work of an operator by kind; each kind and the FLOPs it stands for are written once, here.

Unknown is not zero: an operator without a rule answers ``None`` where it would answer a ``Work``.
"""

from typing import NamedTuple


class Work(NamedTuple):
    """Counts of one forward pass by kind; ``plus`` adds up, ``flops`` weighs the kinds."""

    macs: int = 0
    """Multiply-accumulates of convolutions, matrices and matrix products; 2 FLOPs each."""
    bias_adds: int = 0
    """Bias additions, one per output element of a layer with a bias; 1 FLOP each."""
    normalized: int = 0
    """Elements normalised with stored statistics: a multiplication, an addition; 2 FLOPs each."""
    activations: int = 0
    """Elements passed through a nonlinearity, whatever it costs inside; 1 FLOP each."""
    comparisons: int = 0
    """Comparisons of a maximum; 1 FLOP each."""
    additions: int = 0
    """Elementwise and pooling additions, subtractions; 1 FLOP each."""
    multiplications: int = 0
    """Elementwise multiplications; 1 FLOP each."""
    divisions: int = 0
    """Divisions; 1 FLOP each."""
    exponentials: int = 0
    """Exponentials, powers, roots; 1 FLOP each."""

    def plus(self, other: "Work") -> "Work":
        """Return the sum by kind."""
        return Work(*map(int.__add__, self, other))

    def times(self, count: int) -> "Work":
        """Return every kind ``count`` times."""
        return Work(*(kind * count for kind in self))

    @property
    def flops(self) -> int:
        """Floating-point operations: each kind times its weight in ``FLOPS_PER_UNIT``."""
        return sum(self) + self.macs + self.normalized


FLOPS_PER_UNIT: dict[str, int] = {**dict.fromkeys(Work._fields, 1), "macs": 2, "normalized": 2}
"""FLOPs that one unit of each kind stands for; ``Work.flops`` is this weighing, tested."""


def complex_products(macs: int, bias_adds: int) -> Work:
    """Return the work of complex matrix products: four real ones, two real bias additions each."""
    return Work(macs=4 * macs, bias_adds=2 * bias_adds)


def complex_convolution(
    macs: int, bias_adds: int, *, inputs: int, kernels: int, outputs: int
) -> Work:
    """Return the work of a complex convolution as PyTorch runs it: three real ones.

    With a + bi and kernels c + di: ac, bd and (a + b)(c + d); the result is ac - bd, and the third
    less both. The bias is in the first and in the third.
    """
    additions = inputs + kernels + 3 * outputs
    return Work(macs=3 * macs, bias_adds=2 * bias_adds, additions=additions)


NO_WORK = Work()
"""Known to be free: a view, a copy, a rearrangement."""
