"""Records a simulated episode with its labels."""

from __future__ import annotations

from loopwm_ros.bullet.cell import BulletCell, Truth
from loopwm_ros.config import TaskConfig
from loopwm_ros.data.writer import EpisodeWriter
from loopwm_ros.types import F64, CameraFrame, JointState
from loopwm_ros.validation.scoring import EpisodeScore

BALL = "ball"


class LabelledRecorder:
    """A lockstep recorder that adds the truth at each frame's stamp: ball, reward, done.

    The reward is minus the distance from tool to ball surface [m]; done is the task's own measure of
    success, now.
    """

    def __init__(self, writer: EpisodeWriter, cell: BulletCell, task: TaskConfig) -> None:
        self._writer, self._cell = writer, cell
        self._task = task
        self._score: EpisodeScore | None = None
        self._known: dict[float, tuple[Truth, bool]] = {}  # by stamp: a frame arrives after its capture

    def joint_state(self, joints: JointState) -> None:
        """Write the joints and remember the truth of now."""
        self._writer.joint_state(joints)
        truth = self._cell.truth()
        self._score = self._score or EpisodeScore(self._task, joints.stamp)
        outcome = self._score.update(joints.stamp, truth.distance)
        self._known[joints.stamp] = truth, outcome is not None and outcome.success

    def frame(self, frame: CameraFrame) -> None:
        """Write the frame and the labels of its stamp."""
        truth, done = self._known[frame.stamp]
        self._writer.frame(frame)
        self._writer.label(frame.stamp, BALL, truth.ball)
        self._writer.reward(frame.stamp, -truth.distance)
        self._writer.done(frame.stamp, done)

    def command(self, stamp: float, position: F64) -> None:
        """Write what the safety gate let through."""
        self._writer.command(stamp, position)
