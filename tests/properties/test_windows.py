"""``Window`` against windows that are laid out one by one."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnstat.ir.window import Window, WindowError, adaptive_span, adaptive_taps, windows

small = st.integers(1, 6)
extents = st.integers(1, 40)


def positions(n: int, window: Window) -> list[list[int]]:
    """Elements that each window touches, from ``-before`` on, as long as it fits whole."""
    starts = []
    start = -window.before
    while start + (window.kernel - 1) * window.dilation < n + window.after:
        starts.append([start + tap * window.dilation for tap in range(window.kernel)])
        start += window.stride
    return starts


@given(extents, small, small, st.integers(0, 4), st.integers(0, 4), st.integers(1, 4))
def test_out_is_the_number_of_windows_that_fit(
    n: int, kernel: int, stride: int, before: int, after: int, dilation: int
) -> None:
    window = Window(kernel, stride, before, after, dilation)
    laid = positions(n, window)
    try:
        assert window.out(n) == len(laid)
    except WindowError:
        assert laid == []


@given(extents, small, small, st.integers(0, 3))
def test_ceil_mode_adds_a_cut_window_that_starts_on_the_map_or_before_it(
    n: int, kernel: int, stride: int, pad: int
) -> None:
    assume(2 * pad <= kernel <= n + 2 * pad)
    laid = positions(n, Window(kernel, stride, pad, pad))
    start = laid[-1][0] + stride
    covered = laid[-1][-1] == n + pad - 1
    more = 0 if covered or start >= n else 1
    assert Window(kernel, stride, pad, pad, ceil_mode=True).out(n) == len(laid) + more


@given(extents, small, small, st.integers(0, 3))
def test_ceil_mode_lets_a_lone_window_hang_over_by_less_than_its_stride(
    n: int, over: int, stride: int, pad: int
) -> None:
    window = Window(n + 2 * pad + over, stride, pad, pad, ceil_mode=True)
    if over < stride:
        assert window.out(n) == 1
    else:
        with pytest.raises(WindowError, match="does not fit"):
            window.out(n)


@given(extents, small, small, st.integers(1, 3))
def test_same_padding_keeps_one_output_per_stride(
    n: int, kernel: int, stride: int, dilation: int
) -> None:
    (window,) = windows((n,), (kernel,), (stride,), "same", (dilation,), False)
    assert window.out(n) == len(range(0, n, stride))
    assert window.after - window.before in (0, 1)
    if window.after:  # no less padding would do: the last window ends on the last padded element
        assert positions(n, window)[-1][-1] == n + window.after - 1


@given(extents, small, small, st.integers(0, 3), st.integers(1, 3))
def test_a_transposed_window_undoes_the_extent_of_a_forward_one(
    n: int, kernel: int, stride: int, pad: int, dilation: int
) -> None:
    window = Window(kernel, stride, pad, pad, dilation)
    assume(n + 2 * pad >= window.extent)
    out = window.out(n)
    lost = (n + 2 * pad - window.extent) % stride
    assume(n - lost >= 1)
    assert window.transposed_out(out, lost) == n


@given(extents, extents)
def test_adaptive_spans_cover_the_axis_in_order(n: int, out: int) -> None:
    assume(out <= n)
    spans = [adaptive_span(n, out, index) for index in range(out)]
    assert {element for start, end in spans for element in range(start, end)} == set(range(n))
    assert spans == sorted(spans)
    assert adaptive_taps(n, out) == sum(len(range(*span)) for span in spans)


@given(st.integers(1, 60), st.integers(1, 60))
def test_adaptive_taps_are_those_of_its_windows(n: int, out: int) -> None:
    spans = [adaptive_span(n, out, index) for index in range(out)]
    assert adaptive_taps(n, out) == sum(end - start for start, end in spans)
