"""Is the ball found by looking? A backend whose camera sees nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from loopwm_ros.backends.base import Backend
from loopwm_ros.types import F64, U8, CameraFrame, JointState


class ChangedCamera:
    """Another backend, its frames changed on the way; a subclass says how."""

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
        """The backend's frame, changed."""
        frame = self._backend.new_frame()
        return frame and replace(frame, rgb=self._changed(frame.rgb))

    def _changed(self, rgb: U8) -> U8:
        """A frame's picture (height, width, 3) as it is handed on."""
        raise NotImplementedError


class BlankCamera(ChangedCamera):
    """Another backend with all frames black, of the same size and stamps."""

    def _changed(self, rgb: U8) -> U8:
        return np.zeros_like(rgb)
