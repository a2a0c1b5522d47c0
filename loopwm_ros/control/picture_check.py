"""A camera that delivers, and shows nothing: black pictures, or the same one again and again."""

from __future__ import annotations

import numpy as np

from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, U8, JointState

BLACK = 24  # the brightest value, of 255, of a picture that shows nothing
MOVED = 0.1  # of a joint, while the picture stays the same to the last bit [rad]


class PictureCheck:
    """Refuses pictures that cannot be of what is there now.

    A frozen picture is known only by the arm that moves and is not seen to. A camera's noise makes no two
    pictures equal, so one that stands still without any is frozen, too, but in simulation that is usual.
    """

    def __init__(self) -> None:
        self._last: U8 | None = None
        self._since: F64 | None = None  # joints when this picture was first seen (n,) [rad]

    def check(self, rgb: U8, joints: JointState | None) -> None:
        """Look at a picture (height, width, 3); `joints` are the newest measured ones.

        Raises:
            SensorError: it is black, or did not change while the arm moved.
        """
        if int(rgb.max()) <= BLACK:
            raise SensorError("camera image is black: is the lens covered, or the light off?")
        if self._last is None or not np.array_equal(rgb, self._last):
            self._last, self._since = rgb, None
        if joints is None:
            return
        if self._since is None:
            self._since = joints.position
        if (moved := float(np.max(np.abs(joints.position - self._since)))) > MOVED:
            raise SensorError(
                f"camera image is frozen: the arm has moved by {moved:.2f} rad and it is the same to the "
                "last bit; restart the camera"
            )
