"""Gives the goal of each simulated episode, where the task is to be told it."""

from __future__ import annotations

from geometry_msgs.msg import PointStamped
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import JointState as JointStateMessage

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import ArmConfig, TaskConfig
from loopwm_ros.control.goal import GoalSource
from loopwm_ros.errors import ConfigError
from loopwm_ros.nodes import goal_topics
from loopwm_ros.nodes.qos import LATCHED
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import F64


class SimGoal:
    """Publishes as the person does who sets the task: where the goal is, or an image of it.

    This is no truth that leaks: it is the task itself. A mark is then not shown, so there is nothing else to
    go by; where the object really is stays unsaid.
    """

    def __init__(self, node: Node, arm: ArmConfig, task: TaskConfig, source: GoalSource) -> None:
        """Make the publishers that `source` needs.

        Raises:
            ConfigError: a goal image is wanted for a task that has none.
        """
        if source == "image" and task.no_goal_image:
            raise ConfigError(task.no_goal_image)
        self._arm, self._goal, self._source = arm, task.goal, source
        self._make = message_factory()
        is_mark = task.objects[task.goal].shape == "mark"
        self.hidden = (task.goal,) if is_mark and source != "seen" else ()
        if source == "position":
            self._positions = node.create_publisher(PointStamped, goal_topics.POSITION, LATCHED)
        elif source == "image":
            self._images = node.create_publisher(CompressedImage, goal_topics.IMAGE, LATCHED)
            self._joints = node.create_publisher(JointStateMessage, goal_topics.JOINTS, LATCHED)

    def give(self, cell: BulletCell) -> None:
        """Publish the goal of the present episode."""
        if self._source == "position":
            frame = self._arm.base_frame
            self._positions.publish(self._make.point(cell.now, self.place(cell), frame))
        elif self._source == "image":
            seen = cell.goal_observation()
            self._joints.publish(self._make.joint_state(seen.joints, self._arm.joints))
            jpeg = encode_image(seen.rgb)
            self._images.publish(self._make.compressed_image(seen.stamp, jpeg, self._arm.camera.frame))

    def place(self, cell: BulletCell) -> F64:
        """Where the goal is, shown or not, (3,) in the base frame [m]."""
        return cell.truth().points[self._goal]
