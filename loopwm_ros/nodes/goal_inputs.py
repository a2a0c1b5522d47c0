"""Subscriptions through which the mpc node is given its goal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import JointState as JointStateMessage

from loopwm_ros.config import ArmConfig
from loopwm_ros.errors import LoopWMError, SensorError
from loopwm_ros.messages import frame_from_compressed, joint_state_from
from loopwm_ros.nodes import goal_topics
from loopwm_ros.nodes.goal_desk import GoalDesk
from loopwm_ros.nodes.inlets import Inlet, InletNode
from loopwm_ros.nodes.qos import LATCHED
from loopwm_ros.types import F64, CameraFrame, JointState, Observation

SAME = 1e-6  # [s] between stamps that are equal, for rounding
PATIENCE = 2.0  # [s] for the joints of an image


def position_from(message: PointStamped, arm: ArmConfig) -> F64:
    """Goal position (3,) in the arm's base frame [m].

    Raises:
        SensorError: it is in another frame, or not finite.
    """
    frame = message.header.frame_id.lstrip("/")
    if frame != arm.base_frame:
        raise SensorError(
            f"the goal is in frame '{frame}'; expected '{arm.base_frame}', the arm's base frame"
        )
    position = np.array([message.point.x, message.point.y, message.point.z])
    if not np.isfinite(position).all():
        raise SensorError(f"the goal is {position.tolist()}; expected x, y and z [m], finite")
    return position


class GoalInputs:
    """Passes on what comes on the goal's topics; nothing where the goal is to be seen."""

    def __init__(
        self,
        node: InletNode,
        arm: ArmConfig,
        goals: GoalDesk,
    ) -> None:
        self._node, self._arm, self._goals = node, arm, goals
        self._frame: CameraFrame | None = None
        self._arrival = 0.0  # of the image, steady clock
        self._joints: JointState | None = None
        self._inlets: list[Inlet] = []
        if goals.source == "position":
            self._listen(PointStamped, goal_topics.POSITION, self._on_position)
        elif goals.source == "image":
            self._listen(CompressedImage, goal_topics.IMAGE, self._on_image)
            self._listen(JointStateMessage, goal_topics.JOINTS, self._on_joints)

    def close(self) -> None:
        """Unsubscribe."""
        for inlet in self._inlets:
            inlet.remove()
        self._inlets = []

    def check(self) -> None:
        """Refuse an image whose joints do not come."""
        if self._frame is not None and time.monotonic() - self._arrival > PATIENCE:
            stamp, self._frame = self._frame.stamp, None
            self._goals.inbox.refuse(
                goal_topics.IMAGE,
                f"no joint state of the image's stamp, {stamp:.6f} s, has come on {goal_topics.JOINTS}",
            )

    def _listen(self, kind: type[Any], topic: str, read: Callable[[Any], None]) -> None:
        def on_message(message: Any) -> None:  # noqa: ANN401  (of `kind`)
            try:
                read(message)
            except LoopWMError as error:
                self._goals.inbox.refuse(topic, str(error))

        self._inlets.append(Inlet(self._node, kind, topic, on_message, LATCHED, newest=True))

    def _on_position(self, message: PointStamped) -> None:
        self._goals.put(position_from(message, self._arm), goal_topics.POSITION)

    def _on_image(self, message: CompressedImage) -> None:
        self._frame, self._arrival = frame_from_compressed(message), time.monotonic()
        self._pair()

    def _on_joints(self, message: JointStateMessage) -> None:
        self._joints = joint_state_from(message, self._arm.joints)
        self._pair()

    def _pair(self) -> None:
        """Pass on the image once the joints of the same stamp are there; each is used once."""
        frame, joints = self._frame, self._joints
        if frame is None or joints is None or abs(joints.stamp - frame.stamp) > SAME:
            return
        self._frame = self._joints = None
        self._goals.put(Observation(frame.stamp, frame.rgb, joints), goal_topics.IMAGE)
