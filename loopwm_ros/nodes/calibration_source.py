"""Live pictures for a calibration, with the joints where the arm stood still; from these two topics alone."""

from __future__ import annotations

import sys
from collections import deque

import rclpy
from rclpy._rclpy_pybind11 import RCLError
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image
from sensor_msgs.msg import JointState as JointStateMessage

from loopwm_ros.calibration.sources import Picture
from loopwm_ros.calibration.standstill import AROUND, still_joints
from loopwm_ros.config import ArmConfig
from loopwm_ros.control.joint_history import JointHistory
from loopwm_ros.data import topics
from loopwm_ros.errors import ConfigError
from loopwm_ros.messages import frame_from_compressed, frame_from_raw, joint_state_from
from loopwm_ros.nodes.environment import stay_local, use_profile
from loopwm_ros.nodes.inlets import JOINTS_MOST, PICTURES_MOST, Inlet, InletNode
from loopwm_ros.nodes.processes import ENCLAVES
from loopwm_ros.nodes.qos import SENSOR
from loopwm_ros.nodes.spin import new_executor
from loopwm_ros.types import CameraFrame

NAME = "calibration_source"
LATEST = 0.5  # [s] between two calls of `newest`, a picture being looked at and drawn
WAITING = 64  # pictures that wait for the joints after them


class LiveSource:
    """The camera's newest picture, and joints for it where an arm is named."""

    def __init__(self, image_topic: str, arm: ArmConfig | None = None) -> None:
        """Listen on `image_topic`, compressed where it ends in /compressed, and on the arm's joint states.

        Raises:
            ConfigError: ROS does not start, for instance without the keys that SROS 2 asks for.
        """
        use_profile()
        stay_local()
        self.node = _listener()
        self._executor = new_executor()
        self._executor.add_node(self.node)
        self._arm, self._topic = arm, image_topic
        self._history = JointHistory()
        self._frames: deque[CameraFrame] = deque(maxlen=1 if arm is None else WAITING)
        self._told = -1.0  # stamp of the last picture that was handed out
        packed = image_topic.endswith(topics.PACKED)
        kind, read = (CompressedImage, frame_from_compressed) if packed else (Image, frame_from_raw)

        def take(message: Image | CompressedImage) -> None:
            self._frames.append(read(message))

        Inlet(self.node, kind, image_topic, take, SENSOR, PICTURES_MOST, newest=True)
        if arm is not None:
            topic = arm.topics.joint_states
            self.node.poll_period = LATEST  # all joints are kept for it, of pictures the newest few
            Inlet(self.node, JointStateMessage, topic, self._on_joints, SENSOR, JOINTS_MOST)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()

    def newest(self) -> Picture | None:
        """The newest picture that was not handed out yet; with an arm, the newest that is long enough ago.

        Only then is it known whether the arm stood still around it. Joints of a moving arm are None.
        """
        self._executor.spin_once(timeout_sec=0.0)
        self.node.poll()
        frame = self._ready()
        if frame is None:
            return None
        self._told = frame.stamp
        joints = None
        if self._arm is not None:
            joints = still_joints(frame.stamp, *self._history.all())
        return Picture(f"{self._topic}@{frame.stamp:.6f}", lambda: frame.rgb, frame.stamp, joints)

    @property
    def trouble(self) -> str:
        """What is missing, in words; empty if nothing is."""
        if self._told < 0 and not self._frames:
            return f"no picture on {self._topic} yet; is the camera's driver running?"
        if self._arm is not None and self._history.newest is None:
            return f"nothing usable on {self._arm.topics.joint_states} yet; is the arm's driver running?"
        return ""

    def _ready(self) -> CameraFrame | None:
        """The newest frame that the joints after it are known of."""
        known = self._history.newest
        if self._arm is None:
            return self._frames.pop() if self._frames else None
        if known is None:
            return None
        ready = [frame for frame in self._frames if frame.stamp <= known[0] - AROUND]
        while self._frames and ready and self._frames[0].stamp <= ready[-1].stamp:
            self._frames.popleft()
        return ready[-1] if ready else None

    def _on_joints(self, message: JointStateMessage) -> None:
        assert self._arm is not None
        self._history.add(joint_state_from(message, self._arm.joints))


def _listener() -> InletNode:
    """A node that answers no service and logs to no topic: it needs hardly any rights (docs/security.md)."""
    args = [sys.argv[0], "--ros-args", "--enclave", f"{ENCLAVES}{NAME}"]
    quiet = Parameter("start_type_description_service", value=False)
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        return InletNode(
            NAME, enable_rosout=False, start_parameter_services=False, parameter_overrides=[quiet]
        )
    except RCLError as error:
        rclpy.try_shutdown()
        raise ConfigError(f"cannot listen: {error}") from error
