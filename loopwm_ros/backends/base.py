"""What an arm with a camera can do, whether simulated or real."""

from __future__ import annotations

from typing import Protocol

from loopwm_ros.types import F64, CameraFrame, JointState


class Backend(Protocol):
    """An arm stepped in lockstep at the servo rate."""

    @property
    def now(self) -> float:
        """Time of the last step [s]."""
        ...

    def reset(self, seed: int) -> None:
        """Start a new episode."""
        ...

    def step(self, command: F64 | None) -> None:
        """Advance one servo period under joint position references (n,) [rad]; None holds."""
        ...

    def joint_state(self) -> JointState | None:
        """Joints now; None where none arrived during the last step."""
        ...

    def new_frame(self) -> CameraFrame | None:
        """A camera frame that arrived during the last step, at most once each."""
        ...
