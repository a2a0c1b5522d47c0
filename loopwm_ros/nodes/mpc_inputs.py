"""What the mpc node reads: each callback converts and stores, nothing else."""

from __future__ import annotations

import time
from functools import partial

from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from sensor_msgs.msg import JointState as JointStateMessage

from loopwm_ros.config import ArmConfig
from loopwm_ros.data import topics
from loopwm_ros.messages import frame_from_compressed, frame_from_raw, joint_state_from
from loopwm_ros.nodes.camera_check import CameraCheck
from loopwm_ros.nodes.checked import sent_topics
from loopwm_ros.nodes.inlets import JOINTS_MOST, PICTURES_MOST, Inlet, InletNode
from loopwm_ros.nodes.qos import COMMAND, SENSOR
from loopwm_ros.nodes.sensor_inbox import SensorInbox


class MpcInputs:
    """Fills the inbox from joints, images and the commands that went to the controller."""

    def __init__(
        self,
        node: InletNode,
        arm: ArmConfig,
        image_topic: str,
        inbox: SensorInbox,
        check: CameraCheck | None,
    ) -> None:
        """`check`: what CameraInfo must agree with; None: it is not read."""
        self._arm, self._inbox = arm, inbox
        raw = image_topic == topics.IMAGE
        camera, on_picture = (Image, self._on_raw) if raw else (CompressedImage, self._on_compressed)
        joints = arm.topics.joint_states
        self._inlets = [
            Inlet(
                node,
                JointStateMessage,
                joints,
                self._on_joints,
                SENSOR,
                JOINTS_MOST,
                on_flood=partial(inbox.refuse, joints),
            ),
            Inlet(
                node,
                camera,
                image_topic,
                on_picture,
                SENSOR,
                PICTURES_MOST,
                newest=True,
                on_flood=partial(inbox.refuse, image_topic),
            ),
            *(
                Inlet(node, kind, topic, use, COMMAND, JOINTS_MOST)
                for kind, topic, use in sent_topics(node, arm, inbox.put_sent)
            ),
        ]
        if check is not None:

            def on_info(message: CameraInfo) -> None:
                inbox.doubt(check.trouble(message))

            self._inlets.append(
                Inlet(node, CameraInfo, topics.CAMERA_INFO, on_info, SENSOR, PICTURES_MOST, newest=True)
            )

    def close(self) -> None:
        """Unsubscribe."""
        for inlet in self._inlets:
            inlet.remove()
        self._inlets = []

    def _on_joints(self, message: JointStateMessage) -> None:
        joints = self._arm.joints
        self._inbox.put_joints(lambda: joint_state_from(message, joints), time.perf_counter())

    def _on_compressed(self, message: CompressedImage) -> None:
        self._inbox.put_frame(lambda: frame_from_compressed(message), time.perf_counter())

    def _on_raw(self, message: Image) -> None:
        self._inbox.put_frame(lambda: frame_from_raw(message), time.perf_counter())
