"""Pairs each camera frame with the joints at its stamp."""

from __future__ import annotations

from collections import deque

import numpy as np

from loopwm_ros.errors import SensorError
from loopwm_ros.processing.images import TRAINED, check_picture_size
from loopwm_ros.types import CameraFrame, JointState, Observation

JUMP = 0.5  # a stamp this much older than the newest is a jump of the clock, not disorder [s]
HISTORY = 256  # joint states kept: over 2 s at 120 Hz


def interpolate(before: JointState, after: JointState, stamp: float) -> JointState:
    """Joints at `stamp` [s], linearly between two states; held outside them."""
    span = after.stamp - before.stamp
    share = 1.0 if span <= 0 else min(1.0, max(0.0, (stamp - before.stamp) / span))
    return JointState(
        stamp,
        before.position + share * (after.position - before.position),
        before.velocity + share * (after.velocity - before.velocity),
    )


class Synchroniser:
    """Newest frame with interpolated joints. Bad input is refused and changes nothing."""

    def __init__(
        self,
        camera_size: tuple[int, int],
        tolerance: float = 0.1,
        expected: str = TRAINED,
    ) -> None:
        """`camera_size` is (width, height) [px]; `tolerance` is the longest gap to a joint state [s].

        `expected` says in errors where that size comes from.
        """
        self._size, self._expected = camera_size, expected
        self._tolerance = tolerance
        self._joints: deque[JointState] = deque(maxlen=HISTORY)
        self._frame: CameraFrame | None = None

    def clear(self) -> None:
        """Forget everything, e.g. after a jump of the clock."""
        self._joints.clear()
        self._frame = None

    @property
    def joints(self) -> JointState | None:
        """The newest joint state."""
        return self._joints[-1] if self._joints else None

    def add_joints(self, joints: JointState) -> None:
        """Store a joint state.

        Raises:
            SensorError: NaN or infinity, or a stamp older than the newest one.
        """
        if not (np.isfinite(joints.position).all() and np.isfinite(joints.velocity).all()):
            raise SensorError("joint state holds NaN or infinity; expected finite radians")
        if self._joints:
            self._refuse_older("joint state", joints.stamp, self._joints[-1].stamp)
        self._joints.append(joints)

    def add_frame(self, frame: CameraFrame) -> None:
        """Store a frame.

        Raises:
            SensorError: not the size that is expected, or older than the newest frame.
        """
        check_picture_size(frame.rgb, self._size, self._expected)
        if self._frame:
            self._refuse_older("camera image", frame.stamp, self._frame.stamp)
        self._frame = frame

    def _refuse_older(self, what: str, stamp: float, newest: float) -> None:
        """Raise for a stamp before the newest one; after a jump of the clock, start anew with the next."""
        if stamp >= newest:
            return
        jumped = newest - stamp > JUMP
        if jumped:
            self.clear()
        cause = "the clock jumped back, so all before is forgotten" if jumped else "out of order"
        raise SensorError(
            f"{what} stamped {stamp:.3f} s is older than the last one ({newest:.3f} s): {cause}"
        )

    def latest(self) -> Observation | None:
        """The newest frame with joints at its stamp; None until both are there within tolerance."""
        frame = self._frame
        if frame is None or not self._joints:
            return None
        after = None
        for state in reversed(self._joints):
            if state.stamp <= frame.stamp:
                pair = interpolate(state, after or state, frame.stamp)
                gap = frame.stamp - state.stamp
                return Observation(frame.stamp, frame.rgb, pair) if gap <= self._tolerance else None
            after = state
        assert after is not None
        if after.stamp - frame.stamp > self._tolerance:
            return None
        return Observation(frame.stamp, frame.rgb, interpolate(after, after, frame.stamp))
