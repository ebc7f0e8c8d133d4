"""Functions of single elements. A transcendental function counts as one exponential."""

from __future__ import annotations

from cnnstat.ir.work import NO_WORK, Work
from cnnstat.ops.definitions.use import Definition, Use, per_result

EXPONENTIALS = (
    *("tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "atan2", "sinc"),
    *("log2", "log10", "log1p", "exp2", "expm1", "erfc", "erfinv", "lgamma", "digamma", "i0"),
    *("logit", "angle", "polar", "logaddexp", "logaddexp2", "float_power", "igamma", "igammac"),
    *("polygamma", "mvlgamma", "special_ndtri", "special_log_ndtr", "special_zeta"),
    *("special_erfcx", "special_i0e", "special_i1", "special_i1e", "special_airy_ai"),
    *("special_bessel_j0", "special_bessel_j1", "special_bessel_y0", "special_bessel_y1"),
    *("special_modified_bessel_i0", "special_modified_bessel_i1", "special_modified_bessel_k0"),
    *("special_modified_bessel_k1", "special_scaled_modified_bessel_k0"),
    *("special_scaled_modified_bessel_k1", "special_spherical_bessel_j0"),
)
"""One transcendental function for each element of the result."""

COMPARISONS = (
    *("trunc", "frac", "fix", "isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit"),
    *("sgn", "heaviside", "copysign", "fmax", "fmin", "nan_to_num", "isclose", "nextafter"),
    *("binarizer", "imputer"),
)
"""One comparison for each element of the result."""

WHOLE_NUMBERS = (
    *("bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "__lshift__", "__rshift__"),
    *("__and__", "__or__", "__xor__", "__ilshift__", "__irshift__", "gcd", "lcm", "bitwise"),
)
"""Functions of whole numbers, of which nothing is counted."""


def _sum(use: Use) -> Work:
    """Return the additions of all tensors, one after another."""
    return Work(additions=use.n * (int(use.arguments["terms"]) - 1))


ELEMENTWISE: dict[str, Definition] = {
    **{name: per_result(exponentials=1) for name in EXPONENTIALS},
    **{name: per_result(comparisons=1) for name in COMPARISONS},
    **{name: lambda use: NO_WORK for name in WHOLE_NUMBERS},
    "elementwise_sum": _sum,
    "elementwise_mean": lambda use: _sum(use).plus(Work(divisions=use.n)),
    "elementwise_extreme": lambda use: Work(comparisons=use.n * (int(use.arguments["terms"]) - 1)),
    **dict.fromkeys(  # of these, ONNX's shrink is x + bias, x - bias or 0
        ("rrelu", "rrelu_with_noise", "rrelu_with_noise_functional", "shrink"),
        per_result(activations=1),
    ),
    "fmod": per_result(divisions=1),
    **dict.fromkeys(("deg2rad", "rad2deg"), per_result(multiplications=1)),
    "conj_physical": lambda use: NO_WORK,  # of real numbers; complex ones are unknown
    "fake_quantize": per_result(divisions=1, comparisons=1, additions=2, multiplications=1),
    **dict.fromkeys(
        ("ldexp", "xlogy", "special_xlog1py", "special_entr"),
        per_result(exponentials=1, multiplications=1),
    ),
    "hypot": per_result(multiplications=2, additions=1, exponentials=1),
    "swiglu": per_result(activations=1, multiplications=1),  # x * silu(gate)
    "scaler": per_result(additions=1, multiplications=1),  # ONNX: (x - offset) * scale
}
"""Functions whose result reads its own position in every tensor."""
