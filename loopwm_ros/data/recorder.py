"""Records a simulated episode with its labels."""

from __future__ import annotations

import numpy as np

from loopwm_ros.bullet.cell import BulletCell, Truth
from loopwm_ros.config import TaskConfig
from loopwm_ros.data.writer import EpisodeWriter
from loopwm_ros.types import F64, CameraFrame, JointState, JointTrajectory
from loopwm_ros.validation.scoring import Hold

TURN = "_turn"  # after an object's name: which way its faces look
TURN_LENGTH = 0.03  # of that label [m]: as much as a place error that matters as much


def turn_label(yaw: float) -> F64:
    """Yaw of something with four equal sides, as a vector (3,) that does not jump, `TURN_LENGTH` long."""
    return TURN_LENGTH * np.array([np.cos(4 * yaw), np.sin(4 * yaw), 0.0])


class LabelledRecorder:
    """A lockstep recorder that adds the truth at each frame's stamp: objects, reward, done.

    The reward is minus the task's distance [m]; done says whether the task's success is held, now.
    """

    def __init__(self, writer: EpisodeWriter, cell: BulletCell, task: TaskConfig) -> None:
        self._writer, self._cell = writer, cell
        self._task = task
        self._success: Hold | None = None
        self._known: dict[float, tuple[Truth, bool]] = {}  # by stamp: a frame arrives after its capture

    def joint_state(self, joints: JointState) -> None:
        """Write the joints and remember the truth of now."""
        self._writer.joint_state(joints)
        truth = self._cell.truth()
        task = self._task
        self._success = self._success or Hold(
            task.success_distance, task.success_hold, joints.stamp, 0.0, task.time_limit
        )
        self._known[joints.stamp] = truth, self._success.update(joints.stamp, truth.distance)

    def frame(self, frame: CameraFrame) -> None:
        """Write the frame and the labels of its stamp."""
        truth, done = self._known[frame.stamp]
        self._writer.frame(frame)
        for name, point in truth.points.items():
            self._writer.label(frame.stamp, name, point)
            if self._task.objects[name].shape == "box":
                self._writer.label(frame.stamp, name + TURN, turn_label(truth.yaw[name]))
        self._writer.reward(frame.stamp, -truth.distance)
        self._writer.done(frame.stamp, done)

    def plan(self, plan: JointTrajectory) -> None:
        """Not recorded: what was really sent is."""

    def command(self, stamp: float, position: F64) -> None:
        """Write what the safety gate let through."""
        self._writer.command(stamp, position)
