"""A simulation that keeps to the wall clock."""

from __future__ import annotations

import numpy as np

from loopwm_ros.nodes.pacer import Pacer

PERIOD = 0.0125


def test_one_step_a_period_without_drift() -> None:
    pacer = Pacer(PERIOD)
    jitter = np.random.default_rng(0).uniform(-0.4, 0.4, 800) * PERIOD
    jitter[0] = 0.0
    steps = [pacer.due(5.0 + i * PERIOD + jitter[i]) for i in range(800)]
    assert set(steps) == {1}


def test_a_short_delay_is_caught_up_a_few_steps_at_a_time() -> None:
    pacer = Pacer(PERIOD, at_once=4)
    pacer.due(0.0)
    assert [pacer.due(9 * PERIOD), pacer.due(9 * PERIOD), pacer.due(9 * PERIOD)] == [4, 4, 1]
    assert pacer.dropped == 0


def test_a_long_delay_is_given_up() -> None:
    pacer = Pacer(PERIOD, patience=16)
    pacer.due(0.0)
    assert pacer.due(100 * PERIOD) == 1
    assert pacer.dropped == 99
    assert pacer.due(101 * PERIOD) == 1
    assert pacer.dropped == 99


def test_restart_forgets_the_past() -> None:
    pacer = Pacer(PERIOD)
    pacer.due(0.0)
    pacer.restart()
    assert pacer.due(3.0) == 1
    assert pacer.dropped == 0
