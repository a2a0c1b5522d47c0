"""What the monitor node reads: each callback converts and passes on, nothing else."""

from __future__ import annotations

import time

from sensor_msgs.msg import JointState as JointStateMessage
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage
from trajectory_msgs.msg import MultiDOFJointTrajectory

from loopwm_ros.config import ArmConfig
from loopwm_ros.control.prediction_monitor import PredictionMonitor
from loopwm_ros.errors import SensorError
from loopwm_ros.messages import joint_state_from, paths_from, trajectory_from
from loopwm_ros.nodes.checked import sent_topics
from loopwm_ros.nodes.inlets import JOINTS_MOST, Inlet, InletNode
from loopwm_ros.nodes.mpc_topics import PLAN_TOPIC
from loopwm_ros.nodes.prediction_topics import PREDICTION, READING
from loopwm_ros.nodes.qos import COMMAND, REPORT, SENSOR
from loopwm_ros.types import PointPaths


class MonitorInputs:
    """Feeds the monitor; what cannot be used is refused with one line in the log."""

    def __init__(self, node: InletNode, arm: ArmConfig, monitor: PredictionMonitor) -> None:
        self._arm, self._monitor = arm, monitor
        joints = arm.topics.joint_states
        Inlet(node, JointStateMessage, joints, self._on_joints, SENSOR, JOINTS_MOST)
        Inlet(node, MultiDOFJointTrajectory, PREDICTION, self._on_prediction, REPORT)
        Inlet(node, MultiDOFJointTrajectory, READING, self._on_reading, REPORT)
        Inlet(node, TrajectoryMessage, PLAN_TOPIC, self._on_plan, COMMAND)
        for kind, topic, use in sent_topics(node, arm, monitor.add_command):
            Inlet(node, kind, topic, use, COMMAND, JOINTS_MOST)

    def _on_joints(self, message: JointStateMessage) -> None:
        self._monitor.add_joints(joint_state_from(message, self._arm.joints))

    def _on_prediction(self, message: MultiDOFJointTrajectory) -> None:
        self._monitor.add_prediction(self._paths(message), time.perf_counter())

    def _on_reading(self, message: MultiDOFJointTrajectory) -> None:
        self._monitor.add_reading(self._paths(message))

    def _paths(self, message: MultiDOFJointTrajectory) -> PointPaths:
        frame, base = message.header.frame_id, self._arm.base_frame
        if frame != base:
            raise SensorError(f"points are in frame '{frame}'; expected the arm's base '{base}'")
        return paths_from(message)

    def _on_plan(self, message: TrajectoryMessage) -> None:
        self._monitor.add_plan(trajectory_from(message, self._arm.joints), time.perf_counter())
