"""Frames get the joints of their own stamp; bad input is refused."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.control.synchroniser import Synchroniser
from loopwm_ros.errors import SensorError
from loopwm_ros.types import CameraFrame, JointState


def joints(stamp: float, value: float) -> JointState:
    return JointState(stamp, np.full(2, value), np.full(2, 10.0 * value))


def frame(stamp: float, width: int = 8, height: int = 6) -> CameraFrame:
    return CameraFrame(stamp, np.zeros((height, width, 3), dtype=np.uint8))


def test_joints_are_interpolated_to_the_frame() -> None:
    sync = Synchroniser((8, 6))
    sync.add_joints(joints(1.00, 0.0))
    sync.add_joints(joints(1.02, 2.0))
    sync.add_frame(frame(1.005))
    seen = sync.latest()
    assert seen is not None
    assert seen.rgb is sync.latest().rgb, "no copy"
    assert seen.stamp == 1.005
    assert np.allclose(seen.joints.position, 0.5)
    assert np.allclose(seen.joints.velocity, 5.0)


def test_nothing_until_both_are_there_and_close() -> None:
    sync = Synchroniser((8, 6), tolerance=0.1)
    assert sync.latest() is None
    sync.add_frame(frame(1.0))
    assert sync.latest() is None
    sync.add_joints(joints(1.5, 0.0))
    assert sync.latest() is None
    sync.add_frame(frame(1.45))
    assert sync.latest() is not None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_joints_are_refused_and_leave_the_rest_alone(bad: float) -> None:
    sync = Synchroniser((8, 6))
    sync.add_joints(joints(1.0, 1.0))
    with pytest.raises(SensorError, match="NaN or infinity"):
        sync.add_joints(joints(1.1, bad))
    assert sync.joints is not None
    assert sync.joints.stamp == 1.0


def test_disorder_is_refused_and_keeps_the_rest() -> None:
    sync = Synchroniser((8, 6))
    sync.add_joints(joints(1.0, 1.0))
    sync.add_frame(frame(1.0))
    with pytest.raises(SensorError, match="out of order"):
        sync.add_joints(joints(0.9, 1.0))
    with pytest.raises(SensorError, match="out of order"):
        sync.add_frame(frame(0.9))
    assert sync.latest() is not None


def test_a_clock_that_jumps_back_is_one_error_and_then_a_new_start() -> None:
    sync = Synchroniser((8, 6))
    sync.add_joints(joints(100.0, 1.0))
    sync.add_frame(frame(100.0))
    with pytest.raises(SensorError, match="clock jumped back"):
        sync.add_joints(joints(5.0, 1.0))
    sync.add_joints(joints(5.01, 2.0))
    sync.add_frame(frame(5.01))
    seen = sync.latest()
    assert seen is not None
    assert np.allclose(seen.joints.position, 2.0)


def test_other_camera_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(SensorError, match=r"16x6.*8x6"):
        Synchroniser((8, 6)).add_frame(frame(1.0, width=16))
