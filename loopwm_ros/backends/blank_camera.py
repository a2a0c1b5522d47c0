"""Is the ball found by looking? A backend whose camera sees nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from loopwm_ros.backends.base import Backend
from loopwm_ros.types import F64, CameraFrame, JointState


class BlankCamera:
    """Another backend with all frames black, of the same size and stamps."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def now(self) -> float:
        """Time of the last step [s]."""
        return self._backend.now

    def reset(self, seed: int) -> None:
        """Start a new episode."""
        self._backend.reset(seed)

    def step(self, command: F64 | None) -> None:
        """Advance one servo period."""
        self._backend.step(command)

    def joint_state(self) -> JointState | None:
        """Joints now."""
        return self._backend.joint_state()

    def new_frame(self) -> CameraFrame | None:
        """The backend's frame, black."""
        frame = self._backend.new_frame()
        return frame and replace(frame, rgb=np.zeros_like(frame.rgb))
