"""Stops in which all joints come to rest at once, and ways that are straight from rest."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import load_arm
from loopwm_ros.control.jerk_limited import JerkLimited, Motion, at_rest
from loopwm_ros.control.kinematics import Kinematics

PERIOD = 1.0 / 80.0
K = Kinematics(load_arm("panda"))
LIMITED = JerkLimited(K, PERIOD)


def moving(seed: int) -> Motion:
    rng = np.random.default_rng(seed)
    velocity = rng.uniform(-0.9, 0.9, 7) * K.velocity_limit
    return Motion(K.home, velocity, rng.uniform(-0.3, 0.3, 7) * K.acceleration_limit)


@pytest.mark.parametrize("seed", range(10))
def test_joints_that_stop_together_are_at_rest_at_once_within_the_limits(seed) -> None:
    start = moving(seed)
    stop, quickest = LIMITED.stop_together(start), LIMITED.stop(start)
    assert stop is not None
    assert stop.together
    assert stop.duration == pytest.approx(quickest.duration)
    times = np.linspace(0.0, stop.duration, 2001)
    _, velocities = stop.path(times)
    late = np.abs(velocities[(times > 0.7 * stop.duration) & (times < 0.9 * stop.duration)])
    assert np.all(late.max(axis=0)[np.abs(start.velocity) > 0.2] > 1e-3), "none rests before the others do"
    accelerations = np.diff(velocities, axis=0) / np.diff(times)[:, None]
    assert np.all(np.abs(accelerations) <= K.acceleration_limit * (1.0 + 1e-6))
    jerks = np.diff(accelerations, axis=0) / np.diff(times)[1:, None]
    assert np.all(np.abs(jerks) <= K.jerk_limit * 1.01)
    assert stop.at(stop.duration).at_rest


def test_an_arm_at_rest_needs_no_stop() -> None:
    stop = LIMITED.stop_together(at_rest(K.home))
    assert stop is not None
    assert stop.duration == 0.0


def test_from_rest_all_joints_go_in_proportion_to_their_ways_within_the_cap() -> None:
    way = np.array([0.3, -0.2, 0.1, 0.05, 0.0, -0.4, 0.01])
    cap = 0.2 * K.velocity_limit
    now, done = at_rest(K.home), 0.0
    while done < 0.9:
        following = LIMITED.straight(now, K.home + way, cap)
        assert following is not None
        assert np.all(np.abs(following.velocity) <= cap + 1e-9)
        done = (following.position - K.home) @ way / (way @ way)
        np.testing.assert_allclose(following.position, K.home + done * way, atol=1e-6)
        now = following
