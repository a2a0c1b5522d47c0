"""Evenness and waits, told from moments that are known."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.bench.timing import step_timing, timings, topic_timing

MS = 1_000_000  # of ns


def even(count: int, period: float, begin: float = 0.0) -> np.ndarray:
    """Moments [ns], `period` [ms] apart."""
    return np.round((begin + period * np.arange(count)) * MS).astype(np.int64)


def test_an_even_publisher_is_off_by_nothing_and_a_late_message_shows_twice() -> None:
    assert topic_timing("mpc", "/plan", even(100, 20.0)).off_ms.max == 0.0
    late = even(100, 20.0)
    late[50] += 7 * MS
    found = topic_timing("mpc", "/plan", late)
    assert found.period_ms == 20.0
    assert found.messages == 100
    assert found.off_ms.max == pytest.approx(7.0)
    assert found.off_ms.p50 == 0.0


def test_a_pause_between_episodes_is_no_jitter_and_a_long_gap_is() -> None:
    def off(gap: float) -> float:
        sent = np.concatenate([even(50, 20.0), even(50, 20.0, begin=49 * 20.0 + gap)])
        return topic_timing("mpc", "/plan", sent).off_ms.max

    assert off(250.0) == 0.0
    assert off(150.0) == pytest.approx(130.0)


def test_a_step_lasts_until_the_next_message_of_the_other() -> None:
    found = step_timing("plan to command", even(50, 50.0, begin=3.0), even(250, 12.5))
    assert found.times == 50
    assert (found.ms.p50, found.ms.max) == pytest.approx((9.5, 9.5))


def test_what_nobody_answers_is_left_out() -> None:
    causes = np.concatenate([even(20, 50.0, begin=3.0), even(20, 50.0, begin=5000.0)])
    effects = np.concatenate([even(100, 12.5), even(1, 12.5, begin=9000.0)])
    found = step_timing("plan to command", causes, effects)
    assert found.times == 20
    assert found.ms.max == pytest.approx(9.5)


def test_topics_in_any_order_and_none_of_too_few_messages() -> None:
    sent = {"/a": list(reversed(even(30, 10.0).tolist())), "/b": even(5, 10.0).tolist()}
    topics, steps = timings(sent, {"/a": "sim", "/b": "mpc"}, [("a to b", "/a", "/b")])
    assert [(each.node, each.topic, each.period_ms) for each in topics] == [("sim", "/a", 10.0)]
    assert steps == ()
