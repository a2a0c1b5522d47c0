"""One sentence about what is wrong with the sensors."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from loopwm_ros.control.command_history import HISTORY
from loopwm_ros.control.synchroniser import Synchroniser
from loopwm_ros.errors import SensorError
from loopwm_ros.nodes.sensor_inbox import SensorInbox
from loopwm_ros.types import CameraFrame, JointState

STEADY, ROS = 50.0, 3.0


def joints(stamp: float = ROS, value: float = 0.1) -> JointState:
    return JointState(stamp, np.full(7, value), np.zeros(7))


def frame(stamp: float = ROS, size: tuple[int, int] = (16, 12)) -> CameraFrame:
    return CameraFrame(stamp, np.zeros((size[1], size[0], 3), dtype=np.uint8))


@pytest.fixture
def inbox() -> SensorInbox:
    return SensorInbox(Synchroniser((16, 12)), 0.3, "/joints", "/camera")


def put(inbox: SensorInbox, j: JointState | None, f: CameraFrame | None, at: float = STEADY) -> None:
    """What is refused is left out."""
    with suppress(SensorError):
        if j is not None:
            inbox.put_joints(lambda: j, at)
    with suppress(SensorError):
        if f is not None:
            inbox.put_frame(lambda: f, at)


@pytest.mark.parametrize(
    ("j", "f", "said"),
    [
        (None, frame(), "/joints: nothing has arrived"),
        (joints(), None, "/camera: nothing has arrived"),
        (joints(value=np.nan), frame(), "/joints: .*NaN"),
        (joints(), frame(size=(8, 8)), "/camera: camera image is 8x8; .* trained for 16x12"),
        (joints(ROS - 5), frame(ROS - 5), "/joints: stamped 5.00 s before this node's time .* use_sim_time"),
        (joints(ROS - 0.25), frame(ROS + 0.25), "no joint state on /joints near the newest image"),
    ],
)
def test_check_names_the_first_thing_that_is_wrong(inbox, j, f, said) -> None:
    put(inbox, j, f)
    with pytest.raises(SensorError, match=said):
        inbox.check(STEADY, ROS)


def test_fresh_input_is_accepted_and_becomes_stale(inbox) -> None:
    put(inbox, joints(), frame())
    assert inbox.check(STEADY + 0.29, ROS + 0.29).stamp == ROS
    with pytest.raises(SensorError, match=r"/joints: the last message came 0.31 s ago"):
        inbox.check(STEADY + 0.31, ROS)


def test_one_bad_message_among_good_ones_is_left_out(inbox) -> None:
    put(inbox, joints(), frame())
    with pytest.raises(SensorError, match="NaN"):
        inbox.put_joints(lambda: joints(ROS + 0.01, np.nan), STEADY + 0.01)
    assert inbox.check(STEADY + 0.02, ROS + 0.02).stamp == ROS


def test_after_a_jump_back_in_time_there_is_nothing_to_use_until_all_has_come_anew(inbox) -> None:
    put(inbox, joints(), frame())
    put(inbox, joints(0.0), None)
    with pytest.raises(SensorError, match="no joint state on /joints near"):
        inbox.check(STEADY, ROS)
    put(inbox, joints(), frame())
    assert inbox.check(STEADY, ROS).stamp == ROS


def test_a_topic_that_is_refused_says_why_once_its_last_message_is_old(inbox) -> None:
    put(inbox, joints(), frame())
    inbox.refuse("/joints", "it is flooded")
    assert inbox.check(STEADY, ROS).stamp == ROS
    with pytest.raises(SensorError, match="/joints: it is flooded"):
        inbox.check(STEADY + 0.5, ROS)


def test_sent_commands_and_measured_joints_are_taken_once(inbox) -> None:
    put(inbox, joints(), frame())
    put(inbox, joints(ROS + 0.01, np.nan), None)
    inbox.put_sent(1.0, np.zeros(7))
    taken = inbox.take()
    assert taken.observation is not None
    assert [stamp for stamp, _ in taken.sent] == [1.0]
    assert [state.stamp for state in taken.joints] == [ROS], "a refused one is not among them"
    again = inbox.take()
    assert (again.sent, again.joints) == ([], [])
    assert again.observation is not None


def test_commands_that_nobody_takes_do_not_pile_up(inbox) -> None:
    for i in range(HISTORY + 5):
        inbox.put_sent(float(i), np.zeros(7))
    assert [stamp for stamp, _ in inbox.take().sent] == [float(i) for i in range(5, HISTORY + 5)]
