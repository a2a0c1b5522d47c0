"""What drives an arm: observes topics' contents, answers with a joint trajectory every control period."""

from __future__ import annotations

from typing import Protocol

from loopwm_ros.types import F64, CameraFrame, JointState, JointTrajectory


class Controller(Protocol):
    """One controller, stepped at the control rate. Times are seconds on one clock."""

    def reset(self, seed: int, now: float, joints: JointState) -> None:
        """Begin an episode at rest at the measured joints."""
        ...

    def observe_joints(self, joints: JointState) -> None:
        """A measured joint state."""
        ...

    def observe_frame(self, frame: CameraFrame) -> None:
        """A camera frame that has arrived."""
        ...

    def observe_command(self, stamp: float, position: F64) -> None:
        """A joint reference (n,) that was really sent."""
        ...

    def tick(self, now: float) -> JointTrajectory | None:
        """The trajectory to follow from `now` on; None where none was made in time."""
        ...
