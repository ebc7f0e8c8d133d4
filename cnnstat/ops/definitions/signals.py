"""Fourier transforms, and the windows and filters of signals.

A transform is counted as the radix-2 algorithm of Cooley and Tukey 1965, 2 N log2 N multiplications
and 3 N log2 N additions for N complex values, half of that where one side is real.
"""

from __future__ import annotations

from cnnstat.ir.work import Work
from cnnstat.ops.definitions.use import Definition, Use, log2, per_input, per_result


def _transform(values: int, steps: int, *, real: bool) -> Work:
    """Return the work of transforms over ``values`` with ``steps`` halvings in all."""
    count = values * steps
    return Work(multiplications=2 * count // (1 + real), additions=3 * count // (1 + real))


def _fourier(use: Use) -> Work:
    """Return the transform over each axis in turn; of real values or to them, half of it."""
    x = max(use.first, use.results[0], key=lambda spec: spec.numel)
    real = not (use.first.is_complex and use.results[0].is_complex)
    steps = sum(log2(x.shape[axis]) for axis in use.axes())
    return _transform(x.numel, steps, real=real)


def _pairs_transformed(use: Use) -> Work:
    """Return ONNX's transform, whose last axis has the real and the imaginary part."""
    length = int(use.arguments["length"])
    rows = use.m // max(use.first.shape[-1], 1) // max(use.first.shape[use.axes()[0]], 1)
    real = use.first.shape[-1] == 1 or use.results[0].shape[-1] == 1
    return _transform(rows * length, log2(length), real=real)


def _frames_transformed(use: Use) -> Work:
    """Return ONNX's transforms of frames, each multiplied by the window where there is one."""
    frame = int(use.arguments["frame"])
    values = use.results[0].shape[0] * use.results[0].shape[1] * frame
    real = use.first.rank < 3 or use.first.shape[-1] == 1
    windowed = values * (2 - real) * bool(use.arguments.get("windowed"))
    return _transform(values, log2(frame), real=real).plus(Work(multiplications=windowed))


def _scanned(use: Use) -> Work:
    """Return a causal convolution of each channel by itself: k products for each result."""
    n, k = use.n, int(use.arguments["taps"])
    biased, active = bool(use.arguments.get("bias")), bool(use.arguments.get("activation"))
    return Work(macs=n * k, bias_adds=n * biased, activations=n * active)


def _cosines(terms: int) -> Definition:
    """Return a sum of ``terms`` scaled cosines and a constant for each element."""
    return per_result(exponentials=terms, multiplications=2 * terms, additions=terms)


SIGNALS: dict[str, Definition] = {
    **dict.fromkeys(("_fft_r2c", "_fft_c2c", "_fft_c2r"), _fourier),
    "unfold_backward": per_input(additions=1),  # frames that overlap
    "discrete_fourier": _pairs_transformed,
    "short_time_fourier": _frames_transformed,
    **dict.fromkeys(("hann", "hamming"), _cosines(1)),
    "blackman": _cosines(2),
    "mel_weight_matrix": per_result(comparisons=2, additions=2, divisions=2),
    "causal_convolution": _scanned,
}
"""Functions of signals."""
