"""What the calibration node reads: joints, and of the pictures the newest one when it wants to look."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from sensor_msgs.msg import JointState as JointStateMessage

from loopwm_ros.config import ArmConfig
from loopwm_ros.control.synchroniser import Synchroniser
from loopwm_ros.data import topics
from loopwm_ros.errors import SensorError
from loopwm_ros.messages import frame_from_compressed, frame_from_raw, joint_state_from
from loopwm_ros.nodes.camera_check import CameraCheck
from loopwm_ros.nodes.inlets import JOINTS_MOST, PICTURES_MOST, Inlet, InletNode
from loopwm_ros.nodes.qos import SENSOR
from loopwm_ros.processing.images import CALIBRATED
from loopwm_ros.types import Observation

RECENT = 1.0  # [s] for which a picture is of what is there now


class CalibrationInputs:
    """Pictures are kept as they come, and unpacked only to be looked at."""

    def __init__(
        self,
        node: InletNode,
        arm: ArmConfig,
        transport: str,
        size: tuple[int, int],
        time_offset: float,
        check: CameraCheck | None,
    ) -> None:
        """`size` (width, height) [px]; `time_offset` [s] is added to the camera's stamps.

        `check`: what CameraInfo must agree with; None: it is not read.
        """
        self._arm, self._offset, self._check = arm, time_offset, check
        self._synchroniser = Synchroniser(size, expected=CALIBRATED)
        self._picture: CompressedImage | Image | None = None
        self._arrival, self._fresh = 0.0, False  # on the steady clock; was it not given yet?
        self.doubt = ""  # why the camera is not the calibrated one
        self.topic = topics.TRANSPORTS[transport]
        kind = Image if transport == "raw" else CompressedImage
        joints = arm.topics.joint_states
        Inlet(node, JointStateMessage, joints, self._on_joints, SENSOR, JOINTS_MOST)
        Inlet(node, kind, self.topic, self._on_picture, SENSOR, PICTURES_MOST, newest=True)
        if check is not None:
            Inlet(node, CameraInfo, topics.CAMERA_INFO, self._on_info, SENSOR, PICTURES_MOST, newest=True)

    def observation(self, still: float, again: bool = False) -> Observation:
        """The newest picture with its joints; each picture is given once, unless it is asked for `again`.

        Raises:
            SensorError: there is none, or the arm moves faster than `still` [rad/s].
        """
        message, fresh, self._fresh = self._picture, self._fresh, False
        old = time.perf_counter() - self._arrival > RECENT
        if message is None or old or not (fresh or again):
            raise SensorError(f"{self.topic}: no new picture has come; is its publisher running?")
        raw = isinstance(message, Image)
        frame = frame_from_raw(message) if raw else frame_from_compressed(message)
        self._synchroniser.add_frame(replace(frame, stamp=frame.stamp + self._offset))
        found = self._synchroniser.latest()
        if found is None:
            raise SensorError(f"no joint state on {self._arm.topics.joint_states} near the picture's stamp")
        if (speed := float(np.abs(found.joints.velocity).max())) > still:
            raise SensorError(f"the arm moves ({speed:.2f} rad/s): it is looked at when it is slow")
        return found

    def _on_joints(self, message: JointStateMessage) -> None:
        self._synchroniser.add_joints(joint_state_from(message, self._arm.joints))

    def _on_picture(self, message: CompressedImage | Image) -> None:
        self._picture, self._arrival, self._fresh = message, time.perf_counter(), True

    def _on_info(self, message: CameraInfo) -> None:
        if self._check is not None:
            self.doubt = self._check.trouble(message)
