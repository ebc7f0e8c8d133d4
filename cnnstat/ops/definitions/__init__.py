"""Work of functions that no layer stands for, by PyTorch's names of them: one file per family.

``m`` are the elements of the first tensor, ``n`` those of the first result.
"""

from collections.abc import Iterable, Mapping

from cnnstat.ops.definitions import algebra, losses, ordering, products, sampling
from cnnstat.ops.definitions.algebra import ALGEBRA
from cnnstat.ops.definitions.elementwise import ELEMENTWISE
from cnnstat.ops.definitions.losses import LOSSES, OPTIMISERS
from cnnstat.ops.definitions.ordering import ORDERING
from cnnstat.ops.definitions.products import PRODUCTS, WHOLE
from cnnstat.ops.definitions.reductions import REDUCTIONS
from cnnstat.ops.definitions.sampling import SAMPLING
from cnnstat.ops.definitions.signals import SIGNALS
from cnnstat.ops.definitions.use import Definition, Use, per_result

__all__ = ["CAVEATS", "COMPLEX", "DEFINITIONS", "ELEMENTWISE", "WHOLE", "Use"]

GATED: dict[str, Definition] = {"glu": per_result(activations=1, multiplications=1)}


def _one_table(tables: Iterable[Mapping[str, Definition]]) -> dict[str, Definition]:
    """Return all tables as one; raise ``ValueError`` where a name is in two."""
    joined: dict[str, Definition] = {}
    for table in tables:
        if twice := joined.keys() & table.keys():
            raise ValueError(f"defined twice: {', '.join(sorted(twice))}")
        joined |= table
    return joined


DEFINITIONS = _one_table(
    (
        *(ELEMENTWISE, GATED, REDUCTIONS, ORDERING, PRODUCTS, ALGEBRA),
        *(SIGNALS, SAMPLING, LOSSES, OPTIMISERS),
    )
)
"""The work of a use of a function, by its name."""

CAVEATS: dict[str, str] = (
    ordering.CAVEATS | losses.CAVEATS | algebra.CAVEATS | sampling.CAVEATS | products.CAVEATS
)
"""Functions whose work or results depend on values: what the count stands for."""

COMPLEX = frozenset(
    (
        *("_fft_r2c", "_fft_c2c", "_fft_c2r", "polar", "angle"),
        *("linalg_eig", "linalg_eigvals", "_linalg_eigvals"),
    )
)
"""Functions whose definition holds where complex numbers are read or made."""
