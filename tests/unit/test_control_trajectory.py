"""Sampling and stop tails."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.control.trajectory import approached, hold, sample, with_stop_tail
from loopwm_ros.types import JointTrajectory

ACCELERATION = np.array([2.0, 4.0])


def test_tail_ends_at_rest_within_the_acceleration_limit() -> None:
    start, speed = np.zeros((1, 2)), np.array([[1.0, -1.0]])
    tail = with_stop_tail(5.0, np.zeros(1), start, speed, ACCELERATION, 0.05)
    assert np.allclose(tail.velocities[-1], 0.0)
    assert tail.offsets[-1] == pytest.approx(0.5)  # 1 rad/s at 2 rad/s^2
    slopes = np.abs(np.diff(tail.velocities, axis=0)) / np.diff(tail.offsets)[:, None]
    assert np.all(slopes <= ACCELERATION + 1e-9)
    assert np.allclose(tail.positions[-1], [0.25, -0.25])


def test_sampling_is_continuous_and_agrees_with_its_own_velocity() -> None:
    tail = with_stop_tail(
        1.0, np.array([0.0, 0.1]), np.array([[0.0], [0.1]]), np.array([[1.0], [1.0]]), np.ones(1), 0.05
    )
    times = np.linspace(0.9, 2.4, 3001)
    positions = np.array([sample(tail, t)[0][0] for t in times])
    velocities = np.array([sample(tail, t)[1][0] for t in times])
    slope = np.gradient(positions, times)
    inside = (times > 1.001) & (times < 1.0 + tail.offsets[-1] - 0.001)
    assert np.allclose(slope[inside], velocities[inside], atol=2e-3)
    assert sample(tail, 0.0)[0] == tail.positions[0]
    assert sample(tail, 99.0)[0] == tail.positions[-1]
    assert sample(tail, 99.0)[1] == 0.0


def test_a_first_point_later_than_the_stamp_is_waited_for() -> None:
    late = JointTrajectory(0.0, np.array([1.0, 2.0]), np.array([[0.1], [0.2]]), np.array([[0.1], [0.0]]))
    for at in (-1.0, 0.0125, 0.5, 1.0):
        assert sample(late, at)[0] == 0.1
    assert 0.1 < sample(late, 1.5)[0][0] < 0.2


def test_a_single_point_is_a_position_to_hold() -> None:
    point = JointTrajectory(0.0, np.zeros(1), np.array([[0.3]]), np.array([[0.7]]))
    for at in (-1.0, 0.0, 5.0):
        assert sample(point, at)[0] == 0.3
        assert sample(point, at)[1] == 0.0


def test_hold_stays() -> None:
    still = hold(3.0, np.array([0.1, 0.2]))
    position, velocity = sample(still, 10.0)
    assert np.allclose(position, [0.1, 0.2])
    assert np.allclose(velocity, 0.0)


@pytest.mark.parametrize(("stamp", "offset"), [(5.0, 0.3), (5.2, 0.1), (4.9, 0.4)])
def test_a_point_ahead_is_approached_from_the_present_reference(stamp: float, offset: float) -> None:
    ahead = JointTrajectory(stamp, np.array([offset]), np.array([[1.0]]), np.zeros((1, 1)))
    led = approached(ahead, 5.0, np.array([0.4]), np.array([0.1]))
    assert sample(led, 5.0)[0] == pytest.approx(0.4)
    assert sample(led, 5.0)[1] == pytest.approx(0.1)
    assert 0.5 < sample(led, 5.15)[0][0] < 0.9
    assert sample(led, 5.3)[0] == pytest.approx(1.0)


def test_a_trajectory_that_has_begun_needs_no_approach() -> None:
    begun = JointTrajectory(4.0, np.array([0.5, 2.0]), np.zeros((2, 1)), np.zeros((2, 1)))
    assert approached(begun, 5.0, np.ones(1), np.zeros(1)) is begun
