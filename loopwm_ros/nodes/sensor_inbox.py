"""What sensors sent, held for the planning thread; says in one sentence what is wrong with it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from loopwm_ros.control.command_history import HISTORY
from loopwm_ros.control.picture_check import PictureCheck
from loopwm_ros.control.synchroniser import Synchroniser
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, CameraFrame, JointState, Observation

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

    def accept(self, stamp: float, arrival: float) -> None:
        """A message was usable."""
        self.stamp, self.arrival, self.trouble = stamp, arrival, ""

    def stale(self, steady: float, timeout: float) -> bool:
        """Has nothing usable come for `timeout` [s]?"""
        return self.arrival is None or steady - self.arrival > timeout


@dataclass(frozen=True)
class _Unread:
    """A picture that nobody has needed yet."""

    read: Callable[[], CameraFrame]
    arrival: float  # steady clock
    joints: JointState | None  # the newest when it came


class SensorInbox:
    """Joints, frames and sent commands. ROS callbacks put in, the planning thread takes out.

    A camera sends more pictures than are planned from, so one is decoded when it is needed, by the thread
    that needs it: the planning thread, or where that has not for longer than pictures are fresh, whoever asks
    whether there is one. After one that was refused each is decoded as it comes.
    """

    def __init__(
        self,
        synchroniser: Synchroniser,
        timeout: float,
        joint_topic: str,
        image_topic: str,
        pictures: PictureCheck | None = None,
        on_refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Input older than `timeout` [s] is stale; the topics are named in errors.

        Without `pictures` any picture will do. `on_refused` is told why a picture is refused, by the thread
        that needed it.
        """
        self._synchroniser, self._pictures = synchroniser, pictures
        self._timeout, self._on_refused = timeout, on_refused
        self._lock = threading.Lock()
        self._decoding = threading.Lock()  # pictures are decoded in the order in which they came
        self._unread: _Unread | None = None
        self._joints, self._camera = _Source(joint_topic), _Source(image_topic)
        self._doubt = ""  # why no picture is to be believed
        self._sent: deque[Sent] = deque(maxlen=HISTORY)  # nobody takes them while nothing plans, nor ...
        self._measured: deque[JointState] = deque(maxlen=HISTORY)  # ... these

    def put_joints(self, read: Callable[[], JointState], arrival: float) -> None:
        """Store what `read` gives.

        Raises:
            SensorError: it is refused.
        """
        try:
            joints = read()
            with self._lock:
                self._synchroniser.add_joints(joints)
                self._measured.append(joints)
                self._joints.accept(joints.stamp, arrival)
        except SensorError as error:
            self._joints.trouble = str(error)
            raise

    def put_frame(self, read: Callable[[], CameraFrame], arrival: float) -> None:
        """Keep a picture for when it is needed; `read` decodes it then."""
        with self._lock:
            self._unread = _Unread(read, arrival, self._synchroniser.joints)
        if self._camera.trouble and not self._decoding.locked():
            self._decode()

    def _decode(self) -> None:
        """See to the newest picture, unless that was done."""
        with self._decoding:
            unread, why = self._unread, ""
            if unread is None:
                return
            try:
                frame = unread.read()
                if self._pictures is not None:
                    self._pictures.check(frame.rgb, unread.joints)
                with self._lock:
                    if self._unread is not None:  # else all were refused meanwhile
                        self._synchroniser.add_frame(frame)
                        self._camera.accept(frame.stamp, unread.arrival)
            except SensorError as error:
                why = str(error)
            with self._lock:
                if why and self._unread is not None:
                    self._camera.trouble = why
                if self._unread is unread:
                    self._unread = None
        if why:
            self._on_refused(f"{self._camera.topic}: {why}")

    def refuse(self, topic: str, why: str) -> None:
        """Nothing is to be had from a topic, and why."""
        with self._lock:
            if topic == self._camera.topic:
                self._unread = None
            for source in (self._joints, self._camera):
                if source.topic == topic:
                    source.trouble = why

    def doubt(self, why: str) -> None:
        """No picture is to be believed, and why; an empty string takes that back."""
        self._doubt = why

    def put_sent(self, stamp: float, position: F64) -> None:
        """Note a joint reference (n,) that went to the controller."""
        with self._lock:
            self._sent.append((stamp, position))

    def take(self) -> Taken:
        """Newest observation, and what was sent and measured since the last call: `HISTORY` each at most."""
        self._decode()
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
        self._decode()
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
        observation = self._paired()
        if observation is None or self._camera.stale(steady, self._timeout):
            self._decode()
            observation = self._paired()
        with self._lock:
            for source in (self._joints, self._camera):
                self._check(source, steady, ros)
            joints = self._synchroniser.joints
        if observation is None or joints is None:  # also where the clock jumped back, and all was forgotten
            raise SensorError(f"no joint state on {self._joints.topic} near the newest image's stamp")
        return observation, joints

    def _paired(self) -> Observation | None:
        with self._lock:
            return self._synchroniser.latest()

    def _check(self, source: _Source, steady: float, ros: float) -> None:
        if source.stale(steady, self._timeout):
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
