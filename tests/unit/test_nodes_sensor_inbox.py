"""One sentence about what is wrong with the sensors."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
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


class Camera:
    """Sends pictures, and counts those that are decoded."""

    def __init__(self, inbox: SensorInbox) -> None:
        self.inbox, self.decoded = inbox, 0

    def send(self, stamp: float, at: float, broken: bool = False) -> None:
        def read() -> CameraFrame:
            self.decoded += 1
            if broken:
                raise SensorError("no JPEG")
            return frame(stamp)

        self.inbox.put_frame(read, at)


def test_of_many_pictures_only_that_which_is_needed_is_decoded(inbox) -> None:
    camera = Camera(inbox)
    put(inbox, joints(), None)
    for i in range(3):
        camera.send(ROS - 0.02 + 0.01 * i, STEADY)
    assert camera.decoded == 0
    taken = [inbox.take().observation for _ in range(2)]
    assert [each.stamp for each in taken] == [ROS, ROS]
    assert camera.decoded == 1
    camera.send(ROS + 0.01, STEADY)
    assert inbox.check(STEADY, ROS).stamp == ROS
    assert camera.decoded == 1, "a control period decodes nothing"
    assert inbox.latest(STEADY, ROS).stamp == ROS + 0.01


def test_pictures_that_nobody_takes_are_looked_at_when_the_last_one_is_old(inbox) -> None:
    camera = Camera(inbox)
    put(inbox, joints(), frame())
    inbox.take()
    for i in range(1, 7):
        later = 0.1 * i
        inbox.put_joints(lambda i=i: joints(ROS + 0.1 * i), STEADY + later)
        camera.send(ROS + later, STEADY + later)
        assert inbox.check(STEADY + later, ROS + later).stamp == ROS + later
    assert camera.decoded == 1
    inbox.put_joints(lambda: joints(ROS + 1.2), STEADY + 1.2)
    with pytest.raises(SensorError, match=r"/camera: the last message came 0.60 s ago"):
        inbox.check(STEADY + 1.2, ROS + 1.2)


def test_a_picture_that_was_never_looked_at_does_not_stand_for_an_old_one(inbox) -> None:
    put(inbox, joints(), frame())
    inbox.take()
    inbox.put_joints(lambda: joints(ROS + 0.5), STEADY + 0.5)
    Camera(inbox).send(ROS + 0.5, STEADY + 0.5, broken=True)
    with pytest.raises(SensorError, match="/camera: no JPEG"):
        inbox.check(STEADY + 0.5, ROS + 0.5)


@pytest.mark.parametrize("decoding", [False, True])
def test_a_refused_camera_says_why_though_a_picture_waits_or_is_being_decoded(inbox, decoding) -> None:
    def refuse() -> None:
        inbox.refuse("/camera", "it is flooded")

    def read() -> CameraFrame:
        refuse()
        return frame(ROS + 0.1)

    put(inbox, joints(), frame())
    inbox.take()
    inbox.put_frame(read if decoding else lambda: frame(ROS + 0.1), STEADY + 0.1)
    if not decoding:
        refuse()
    assert inbox.take().observation.stamp == ROS, "none that came with the flood"
    inbox.put_joints(lambda: joints(ROS + 0.4), STEADY + 0.4)
    with pytest.raises(SensorError, match="/camera: it is flooded"):
        inbox.check(STEADY + 0.4, ROS + 0.4)


def test_a_camera_is_not_silent_while_its_picture_is_being_decoded(inbox) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def read() -> CameraFrame:
        begun.set()
        assert go_on.wait(10.0)
        return frame(ROS + 0.5)

    put(inbox, joints(), frame())
    inbox.take()
    inbox.put_joints(lambda: joints(ROS + 0.5), STEADY + 0.5)
    inbox.put_frame(read, STEADY + 0.5)
    with ThreadPoolExecutor(2) as pool:
        planning = pool.submit(inbox.take)
        assert begun.wait(10.0)
        checked = pool.submit(inbox.check, STEADY + 0.5, ROS + 0.5)
        go_on.set()
        assert checked.result(10.0).stamp == ROS + 0.5
        assert planning.result(10.0).observation.stamp == ROS + 0.5


def test_while_pictures_are_refused_each_is_decoded_as_it_comes_and_a_good_one_ends_that() -> None:
    told: list[str] = []
    inbox = SensorInbox(Synchroniser((16, 12)), 0.3, "/joints", "/camera", on_refused=told.append)
    camera = Camera(inbox)
    put(inbox, joints(), frame())
    assert inbox.take().observation is not None
    camera.send(ROS + 0.1, STEADY + 0.1, broken=True)
    assert inbox.take().observation.stamp == ROS, "the one before it"
    assert told == ["/camera: no JPEG"]
    camera.send(ROS + 0.4, STEADY + 0.4, broken=True)
    assert camera.decoded == 2
    inbox.put_joints(lambda: joints(ROS + 0.4), STEADY + 0.4)
    with pytest.raises(SensorError, match="/camera: no JPEG"):
        inbox.check(STEADY + 0.4, ROS + 0.4)
    camera.send(ROS + 0.41, STEADY + 0.41)
    assert inbox.check(STEADY + 0.41, ROS + 0.41).stamp == ROS + 0.4
    camera.send(ROS + 0.42, STEADY + 0.42)
    assert camera.decoded == 3, "trust again"


def test_a_first_picture_that_is_no_good_is_refused_at_the_start(inbox) -> None:
    put(inbox, joints(), None)
    Camera(inbox).send(ROS, STEADY, broken=True)
    with pytest.raises(SensorError, match="/camera: no JPEG"):
        inbox.check(STEADY, ROS)


def test_fast_joints_that_have_left_the_last_decoded_picture_behind_do_not_hide_a_new_one(inbox) -> None:
    put(inbox, joints(), frame())
    inbox.take()
    for i in range(300):
        inbox.put_joints(lambda i=i: joints(ROS + 0.001 * i), STEADY + 0.001 * i)
    Camera(inbox).send(ROS + 0.29, STEADY + 0.29)
    assert inbox.check(STEADY + 0.299, ROS + 0.299).stamp == pytest.approx(ROS + 0.299)
