"""Statistics against published and hand-worked values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.validation.statistics import Counts, LoopsUsed, Spread, counts, loops_used, spread, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_against_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_and_is_symmetric(case: tuple[int, int]) -> None:
    successes, trials = case
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    assert wilson(trials - successes, trials) == pytest.approx((1 - high, 1 - low))


def test_nothing_measured_is_none() -> None:
    assert wilson(0, 0) is None
    assert spread([]) == Spread(p50=None, p99=None, max=None)
    assert counts([]) == Counts(mean=None, min=None, p50=None, max=None)
    assert loops_used(np.zeros(9, dtype=np.int64)) == LoopsUsed(mean=None, p50=None, p95=None, histogram={})


def test_spread() -> None:
    assert spread(range(101)) == Spread(p50=50, p99=99, max=100)


def test_counts() -> None:
    assert counts([64, 128, 128, 256]) == Counts(mean=144, min=64, p50=128, max=256)


def test_loops_equal_those_of_the_samples() -> None:
    samples = [1] * 10 + [2] * 50 + [3] * 34 + [7] * 6
    used = loops_used(np.bincount(samples))
    assert used.mean == pytest.approx(np.mean(samples))
    assert (used.p50, used.p95) == (2, 7)
    assert used.histogram == {1: 10, 2: 50, 3: 34, 7: 6}
