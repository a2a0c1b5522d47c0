"""What sensors sent, held for the planning thread; says in one sentence what is wrong with it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from loopwm_ros.control.command_history import HISTORY
from loopwm_ros.control.picture_check import PictureCheck
from loopwm_ros.control.synchroniser import Synchroniser
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, CameraFrame, JointState, Observation

ItemT = TypeVar("ItemT", JointState, CameraFrame)
Sent = tuple[float, F64]  # stamp [s], joint reference (n,) [rad]


@dataclass(frozen=True)
class Taken:
    """What has come since it was last asked for."""

    observation: Observation | None  # the newest there is
    sent: list[Sent]
    joints: list[JointState]


@dataclass
class _Source:
    """The newest arrival of one sensor."""

    topic: str
    stamp: float = 0.0
    arrival: float | None = None  # steady clock; None: nothing usable has come
    trouble: str = ""  # why the newest message was refused; empty if it was not


class SensorInbox:
    """Joints, frames and sent commands. ROS callbacks put in, the planning thread takes out."""

    def __init__(
        self,
        synchroniser: Synchroniser,
        timeout: float,
        joint_topic: str,
        image_topic: str,
        pictures: PictureCheck | None = None,
    ) -> None:
        """Input older than `timeout` [s] is stale; the topics are named in errors.

        Without `pictures` any picture will do.
        """
        self._synchroniser, self._pictures = synchroniser, pictures
        self._timeout = timeout
        self._lock = threading.Lock()
        self._joints, self._camera = _Source(joint_topic), _Source(image_topic)
        self._doubt = ""  # why no picture is to be believed
        self._sent: deque[Sent] = deque(maxlen=HISTORY)  # nobody takes them while nothing plans, nor ...
        self._measured: deque[JointState] = deque(maxlen=HISTORY)  # ... these

    def put_joints(self, read: Callable[[], JointState], arrival: float) -> None:
        """Store what `read` gives.

        Raises:
            SensorError: it is refused.
        """
        self._put(self._joints, read, self._add_joints, arrival)

    def _add_joints(self, joints: JointState) -> None:
        self._synchroniser.add_joints(joints)
        self._measured.append(joints)

    def put_frame(self, read: Callable[[], CameraFrame], arrival: float) -> None:
        """Store what `read` gives.

        Raises:
            SensorError: it is refused.
        """
        self._put(self._camera, read, self._add_frame, arrival)

    def refuse(self, topic: str, why: str) -> None:
        """Nothing is to be had from a topic, and why."""
        for source in (self._joints, self._camera):
            if source.topic == topic:
                source.trouble = why

    def doubt(self, why: str) -> None:
        """No picture is to be believed, and why; an empty string takes that back."""
        self._doubt = why

    def _add_frame(self, frame: CameraFrame) -> None:
        if self._pictures is not None:
            self._pictures.check(frame.rgb, self._synchroniser.joints)
        self._synchroniser.add_frame(frame)

    def put_sent(self, stamp: float, position: F64) -> None:
        """Note a joint reference (n,) that went to the controller."""
        with self._lock:
            self._sent.append((stamp, position))

    def take(self) -> Taken:
        """Newest observation, and what was sent and measured since the last call: `HISTORY` each at most."""
        with self._lock:
            taken = Taken(self._synchroniser.latest(), list(self._sent), list(self._measured))
            self._sent.clear()
            self._measured.clear()
            return taken

    def latest(self, steady: float, ros: float) -> Observation:
        """The newest observation, if it is usable at (`steady`, `ros`) [s]; it stays here.

        Raises:
            SensorError: the first thing that is wrong.
        """
        return self._usable(steady, ros)[0]

    def check(self, steady: float, ros: float) -> JointState:
        """The newest joints, if joints and camera are usable at (`steady`, `ros`) [s].

        Raises:
            SensorError: the first thing that is wrong.
        """
        return self._usable(steady, ros)[1]

    def _usable(self, steady: float, ros: float) -> tuple[Observation, JointState]:
        if self._doubt:
            raise SensorError(self._doubt)
        with self._lock:
            for source in (self._joints, self._camera):
                self._check(source, steady, ros)
            observation, joints = self._synchroniser.latest(), self._synchroniser.joints
        if observation is None or joints is None:  # also where the clock jumped back, and all was forgotten
            raise SensorError(f"no joint state on {self._joints.topic} near the newest image's stamp")
        return observation, joints

    def _put(
        self, source: _Source, read: Callable[[], ItemT], add: Callable[[ItemT], None], arrival: float
    ) -> None:
        try:
            item = read()
            with self._lock:
                add(item)
        except SensorError as error:
            source.trouble = str(error)
            raise
        source.stamp, source.arrival, source.trouble = item.stamp, arrival, ""

    def _check(self, source: _Source, steady: float, ros: float) -> None:
        if source.arrival is None or steady - source.arrival > self._timeout:
            raise SensorError(f"{source.topic}: {source.trouble or self._silence(source, steady)}")
        if abs(ros - source.stamp) > self._timeout:
            raise SensorError(
                f"{source.topic}: stamped {ros - source.stamp:.2f} s before this node's time "
                f"(at most {self._timeout:g} s); check use_sim_time and the clocks"
            )

    def _silence(self, source: _Source, steady: float) -> str:
        if source.arrival is None:
            return "nothing has arrived; is its publisher running?"
        return f"the last message came {steady - source.arrival:.2f} s ago (at most {self._timeout:g} s)"
