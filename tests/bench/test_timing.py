"""Statistics against numbers that are worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstat.bench.timing import Spread, enough, percentile, settled, spread, timing_note


def test_percentiles_lie_between_the_two_nearest_samples() -> None:
    samples = [4.0, 1.0, 3.0, 2.0]  # sorted 1 2 3 4: positions 0 1 2 3
    assert percentile(samples, 0) == 1.0
    assert percentile(samples, 0.25) == 1.75  # position 0.75
    assert percentile(samples, 0.5) == 2.5  # position 1.5
    assert percentile(samples, 0.75) == 3.25  # position 2.25
    assert percentile(samples, 0.95) == pytest.approx(3.85)  # position 2.85
    assert percentile(samples, 1) == 4.0


@pytest.mark.parametrize(("samples", "share"), [([], 0.5), ([1.0], 1.5), ([1.0], -0.1)])
def test_no_percentile_of_nothing_and_outside_zero_to_one(
    samples: list[float], share: float
) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(samples, share)


def test_spread_of_eleven_samples_with_one_interruption() -> None:
    # Sorted: ten steps of 1 from 10 to 19, then 100. p25 at position 2.5, p75 at 7.5.
    timing = spread([100.0, *(float(value) for value in range(10, 20))])
    assert timing == Spread(11, 15.0, 12.5, 17.5, 59.5, 10.0, 100.0, 1)  # p95 at position 9.5
    # The fence is 17.5 + 3 x 5 = 32.5: only 100 is beyond it.
    assert timing_note(timing) == (
        "1 of 11 samples lie more than 3 interquartile ranges beyond the quartiles "
        "(slowest 1e+05 ms)"
    )


def test_equal_samples_have_no_outliers_and_no_note() -> None:
    timing = spread([0.25] * 10)
    assert (timing.median, timing.p25, timing.p95, timing.outliers) == (0.25, 0.25, 0.25, 0)
    assert timing_note(timing) == ""


def test_the_note_says_when_there_are_too_few_samples() -> None:
    assert timing_note(spread([0.5] * 3)) == "3 samples within --max-time, fewer than 10"
    assert timing_note(spread([0.5])) == "1 sample within --max-time, fewer than 10"


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=50))
def test_spread_is_in_order_whatever_the_samples(samples: list[float]) -> None:
    timing = spread(samples)
    ordered = (timing.minimum, timing.p25, timing.median, timing.p75, timing.p95, timing.maximum)
    assert list(ordered) == sorted(ordered)
    assert 0 <= timing.outliers <= timing.samples // 2


def test_a_warm_up_is_over_when_two_windows_have_the_same_median() -> None:
    falling = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.0]
    assert not settled(falling)  # medians 7 and 2
    assert not settled([1.0] * 9)  # less than two windows
    assert settled([9.0, 1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 5.0, 1.0, 1.0])  # medians 1 and 1
    assert settled([*falling, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])


@pytest.mark.parametrize(("latest", "over"), [(1.019, True), (1.021, False), (0.981, True)])
def test_a_warm_up_is_over_within_two_percent(latest: float, over: bool) -> None:
    assert settled([1.0] * 5 + [latest] * 5) is over


@pytest.mark.parametrize(
    ("samples", "elapsed", "over"),
    [
        (9, 1.0, False),
        (10, 1.0, True),
        (10, 0.4, False),  # the minimum time is not reached
        (1, 3.0, True),  # the maximum time is
        (0, 3.0, False),  # one sample there must be
    ],
)
def test_sampling_ends_with_ten_samples_and_the_minimum_time(
    samples: int, elapsed: float, over: bool
) -> None:
    assert enough(samples, elapsed, min_time=0.5, max_time=3.0) is over
