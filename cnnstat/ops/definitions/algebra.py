"""Linear algebra beyond products, counted as LAPACK's authors do.

Factorisations and solutions: Blackford and Dongarra 1999, LAPACK Working Note 41, appendix C, with
multiplications and additions apart (a division or a root is a multiplication there). Decompositions
that iterate: Golub and Van Loan, Matrix Computations, 5.4.5, 7.5.6 and 8.3.3, where the number of
iterations is the typical one; half of their flops are multiplications.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import prod

from cnnstat.ir.work import Work
from cnnstat.ops.definitions.use import Definition, Use, per_result

Pair = tuple[Fraction, Fraction]
"""Multiplications and additions."""


def _work(batch: int, *pairs: Pair) -> Work:
    return Work(
        multiplications=round(sum(pair[0] for pair in pairs) * batch),
        additions=round(sum(pair[1] for pair in pairs) * batch),
    )


def lu(m: int, n: int) -> Pair:
    """GETRF: elimination with pivots.

    Step k of p = min(m, n) takes a reciprocal, m - k products with it, and (m - k)(n - k) products
    that are subtracted.
    """
    p = min(m, n)
    additions = p * m * n - (m + n) * p * (p + 1) // 2 + p * (p + 1) * (2 * p + 1) // 6
    return Fraction(additions + m * p - p * (p + 1) // 2 + p), Fraction(additions)


def cholesky(n: int) -> Pair:
    """POTRF."""
    k = Fraction(n)
    return k**3 / 6 + k**2 / 2 + k / 3, k**3 / 6 - k / 6


def symmetric(n: int) -> Pair:
    """SYTRF: a symmetric matrix with diagonal pivots."""
    k = Fraction(n)
    return k**3 / 6 + k**2 / 2 + 10 * k / 3, k**3 / 6 - k / 6


def qr(m: int, n: int) -> Pair:
    """GEQRF: a factorisation by reflections."""
    a, b = Fraction(m), Fraction(n)
    if m >= n:
        both = a * b**2 - b**3 / 3 + b**2 / 2
        return both + a * b + 23 * b / 6, both + 5 * b / 6
    both = b * a**2 - a**3 / 3 + a * b - a**2 / 2
    return both + a * b + 23 * a / 6, both + 5 * a / 6


def orthogonal(m: int, n: int, k: int) -> Pair:
    """ORGQR: n columns of the product of k reflections."""
    a, b, c = Fraction(m), Fraction(n), Fraction(k)
    both = 2 * a * b * c - (a + b) * c**2 + 2 * c**3 / 3
    return both + 2 * b * c - c**2 - 5 * c / 3, both + b * c - a * c + c / 3


def reflected(m: int, n: int, k: int) -> Pair:
    """ORMQR: k reflections of n columns of m elements."""
    a, b, c = Fraction(m), Fraction(n), Fraction(k)
    both = 2 * a * b * c - b * c**2
    return both + 2 * b * c, both + b * c


def inverse(n: int) -> Pair:
    """GETRI: the inverse from a factorisation."""
    k = Fraction(n)
    return 2 * k**3 / 3 + k**2 / 2 + 5 * k / 6, 2 * k**3 / 3 - 3 * k**2 / 2 + 5 * k / 6


def cholesky_inverse(n: int) -> Pair:
    """POTRI."""
    k = Fraction(n)
    return k**3 / 3 + k**2 + 2 * k / 3, k**3 / 3 - k**2 / 2 + k / 6


def solved(n: int, columns: int) -> Pair:
    """GETRS: both triangles of a factorisation."""
    return Fraction(columns * n * n), Fraction(columns * (n * n - n))


def cholesky_solved(n: int, columns: int) -> Pair:
    """POTRS."""
    return Fraction(columns * (n * n + n)), Fraction(columns * (n * n - n))


def triangular(n: int, columns: int) -> Pair:
    """TRTRS: one triangle."""
    return Fraction(columns * n * (n + 1), 2), Fraction(columns * n * (n - 1), 2)


def half_each(flops: Fraction | int) -> Pair:
    """Return flops as as many multiplications and additions."""
    return Fraction(flops) / 2, Fraction(flops) / 2


def _matrices(use: Use) -> tuple[int, int, int]:
    """Return batch, rows and columns of the first tensor."""
    *batch, m, n = use.first.shape
    return prod(batch), m, n


def _factored(count: Callable[[int, int], Pair]) -> Definition:
    def definition(use: Use) -> Work:
        batch, m, n = _matrices(use)
        return _work(batch, count(m, n))

    return definition


def _square(*counts: Callable[[int], Pair]) -> Definition:
    def definition(use: Use) -> Work:
        batch, n, _ = _matrices(use)
        return _work(batch, *[count(n) for count in counts])

    return definition


def _lu_square(n: int) -> Pair:
    return lu(n, n)


def _determinant(use: Use) -> Work:
    """Return a factorisation and the product of its diagonal."""
    batch, n, _ = _matrices(use)
    return _work(batch, lu(n, n), (Fraction(n - 1), Fraction(0)))


def _log_determinant(use: Use) -> Work:
    """Return a factorisation, the logarithms of its diagonal, and their sum."""
    batch, n, _ = _matrices(use)
    logs = Work(exponentials=batch * n)
    return _work(batch, lu(n, n), (Fraction(0), Fraction(n - 1))).plus(logs)


def _orthonormal(use: Use) -> Work:
    """Return a factorisation, and its orthogonal matrix where that is asked for."""
    batch, m, n = _matrices(use)
    mode, k = use.arguments.get("mode", "reduced"), min(m, n)
    pairs = [qr(m, n)]
    if mode != "r":
        pairs.append(orthogonal(m, m if mode == "complete" else k, k))
    return _work(batch, *pairs)


def _products_of_reflections(use: Use) -> Work:
    batch, m, n = _matrices(use)
    return _work(batch, orthogonal(m, n, use.inputs[1].shape[-1]))


def _columns(use: Use, n: int) -> tuple[int, int]:
    """Return batch and columns of the results of a system of n equations."""
    columns = use.results[0].numel // max(n, 1)
    batch = prod(use.results[0].shape[:-2])
    return (batch, columns // max(batch, 1)) if use.results[0].rank > 1 else (1, 1)


def _solution(
    factor: Callable[[int], Pair] | None, solve: Callable[[int, int], Pair]
) -> Definition:
    """Return a factorisation of each matrix where there is one, and the solution of all columns."""

    def definition(use: Use) -> Work:
        matrix = use.tensor("A") or use.tensor("LU") or use.tensor("input2") or use.first
        n, matrices = matrix.shape[-1], prod(matrix.shape[:-2])
        batch, columns = _columns(use, n)
        work = _work(batch, solve(n, columns))
        return work if factor is None else work.plus(_work(matrices, factor(n)))

    return definition


def _least_squares(use: Use) -> Work:
    """Return a factorisation by reflections, these of all columns, and one triangle."""
    batch, m, n = _matrices(use)
    k = min(m, n)
    right = use.inputs[1]
    columns = right.shape[-1] if right.rank == use.first.rank else 1
    return _work(batch, qr(m, n), reflected(m, columns, k), triangular(k, columns))


def _singular(use: Use) -> Work:
    """Return singular values alone, or with vectors, of all or of the smaller side.

    With m rows no fewer than n columns: 2 m n^2 + 2 n^3, 4 m^2 n + 22 n^3, 6 m n^2 + 20 n^3 flops.
    """
    batch, m, n = _matrices(use)
    m, n = max(m, n), min(m, n)
    flops = 6 * m * n**2 + 20 * n**3
    if not use.arguments.get("compute_uv", True):
        flops = 2 * m * n**2 + 2 * n**3
    elif use.arguments.get("full_matrices", False):
        flops = 4 * m**2 * n + 22 * n**3
    return _work(batch, half_each(flops))


def _pseudoinverse(use: Use) -> Work:
    """Return the decomposition, the reciprocals of k singular values, and V diag(1/s) U^T."""
    batch, m, n = _matrices(use)
    k = min(m, n)
    product = Work(multiplications=n * k * (m + 1), additions=n * m * (k - 1), divisions=k)
    return _singular(use).plus(product.times(batch))


def _symmetric_values(use: Use) -> Work:
    """Return 9 n^3 flops with vectors, 4/3 n^3 without."""
    batch, n, _ = _matrices(use)
    vectors = use.arguments.get("compute_v", True)
    return _work(batch, half_each(9 * n**3 if vectors else Fraction(4 * n**3, 3)))


def _values(flops: int | Fraction) -> Definition:
    """Return as many flops as n^3 has, of real matrices."""

    def definition(use: Use) -> Work | None:
        if use.first.is_complex:
            return None
        batch, n, _ = _matrices(use)
        return _work(batch, half_each(flops * n**3))

    return definition


ALGEBRA: dict[str, Definition] = {
    "linalg_cross": per_result(multiplications=2, additions=1),
    "trace": lambda use: Work(additions=max(min(use.first.shape) - 1, 0)),
    **dict.fromkeys(("linalg_cholesky_ex", "cholesky"), _square(cholesky)),
    **dict.fromkeys(("linalg_lu_factor_ex", "linalg_lu", "_lu_with_info"), _factored(lu)),
    "linalg_ldl_factor_ex": _square(symmetric),
    "linalg_inv_ex": _square(_lu_square, inverse),
    "cholesky_inverse": _square(cholesky_inverse),
    "_linalg_det": _determinant,
    "_linalg_slogdet": _log_determinant,
    "linalg_qr": _orthonormal,
    "geqrf": _factored(qr),
    "linalg_householder_product": _products_of_reflections,
    **dict.fromkeys(("linalg_solve_ex", "_linalg_solve_ex"), _solution(_lu_square, solved)),
    "linalg_lu_solve": _solution(None, solved),
    **dict.fromkeys(("linalg_solve_triangular", "triangular_solve"), _solution(None, triangular)),
    "cholesky_solve": _solution(None, cholesky_solved),
    "linalg_lstsq": _least_squares,
    "_linalg_svd": _singular,
    "linalg_pinv": _pseudoinverse,
    "_linalg_eigh": _symmetric_values,
    "linalg_eig": _values(25),
    **dict.fromkeys(("linalg_eigvals", "_linalg_eigvals"), _values(10)),
    "linalg_eigvalsh": _values(Fraction(4, 3)),
    "linalg_svdvals": lambda use: _singular(use._replace(arguments={"compute_uv": False})),
}
"""Functions of matrices by PyTorch's names of their kernels."""

CAVEATS = dict.fromkeys(
    (
        *("_linalg_svd", "linalg_svdvals", "linalg_pinv", "_linalg_eigh", "linalg_eigvalsh"),
        *("linalg_eig", "linalg_eigvals", "_linalg_eigvals"),
    ),
    "iterates until it converges; counted with the typical number of iterations (Golub, Van Loan)",
)
"""Decompositions whose number of steps depends on values."""
