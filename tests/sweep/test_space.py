"""Points by number, and samples without repetition from spaces that cannot be listed."""

import time
from itertools import product

import pytest

from cnnstat.errors import UsageError
from cnnstat.sweep.space import Sample, Space

BIG = Space("n-{a}-{b}-{c}", tuple((name, range(10**6)) for name in "abc"), zoo=True)


def test_points_come_in_the_order_of_nested_loops() -> None:
    space = Space("m.py:f", (("a", (1, 2)), ("b", ("x", "y", "z"))))
    points = [space.point(number).values for number in range(space.size)]
    assert points == list(product((1, 2), ("x", "y", "z")))


def test_a_point_tells_reference_arguments_and_settings() -> None:
    space = Space("m{n}.py:f", (("n", (3,)), ("width", (8,)), ("input", (32,)), ("classes", (5,))))
    point = space.point(0)
    assert point.reference == "m3.py:f"
    assert dict(point.arguments) == {"width": 8, "classes": 5}  # classes is the callable's own
    assert dict(point.settings) == {"input": 32}


@pytest.mark.parametrize("size", [1, 2, 3, 10, 64, 1000])
def test_a_sample_is_a_permutation(size: int) -> None:
    order = Sample(size, seed=7)
    assert sorted(order[position] for position in range(size)) == list(range(size))


def test_seeds_give_other_orders() -> None:
    assert [Sample(1000, 1)[i] for i in range(20)] != [Sample(1000, 2)[i] for i in range(20)]


def test_a_sample_is_uniform() -> None:
    """Chi-squared of 4,000 first draws over 16 cells: 15 degrees of freedom, 99.9% below 37.7."""
    cells = [0] * 16
    for seed in range(4000):
        cells[Sample(16, seed)[0]] += 1
    assert sum((n - 250) ** 2 / 250 for n in cells) < 37.7


def test_pairs_of_draws_are_independent() -> None:
    """The same for two draws in a row: 4 * 3 pairs, 11 degrees of freedom, 99.9% below 31.3."""
    pairs = {(a, b): 0 for a in range(4) for b in range(4) if a != b}
    for seed in range(6000):
        pairs[Sample(4, seed)[0], Sample(4, seed)[1]] += 1
    assert sum((n - 500) ** 2 / 500 for n in pairs.values()) < 31.3


def test_a_space_of_10_to_the_18_costs_nothing() -> None:
    start = time.process_time()
    assert BIG.size == 10**18
    order = Sample(BIG.size, 0)
    drawn = {BIG.point(order[position]).reference for position in range(1000)}
    assert len(drawn) == 1000
    assert time.process_time() - start < 5


def test_what_a_space_refuses() -> None:
    with pytest.raises(UsageError, match=r"placeholder \{depth\} has no values"):
        Space("wrn-{depth}", (("width", (1,)),), zoo=True)
    with pytest.raises(UsageError, match=r"no placeholder \{width\}"):
        Space("wrn-28-10", (("width", (1,)),), zoo=True)
    with pytest.raises(UsageError, match="no values"):
        Space("m.py:f", (("width", ()),))
    with pytest.raises(UsageError, match="given twice"):
        Space("m.py:f", (("width", (1,)), ("width", (2,))))
