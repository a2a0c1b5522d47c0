"""Writes one episode as a rosbag2 MCAP recording with the live system's topics and types."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from loopwm_ros.config import ArmConfig, CameraConfig
from loopwm_ros.data import topics
from loopwm_ros.errors import BagError
from loopwm_ros.messages import MessageFactory, numpy_sequence
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import F64, CameraFrame, JointState

STORE = get_typestore(Stores.ROS2_JAZZY)
PARTIAL = ".partial"  # folder of recordings under way, beside the whole ones
VERSION: Literal[8] = 8  # of rosbag2's metadata: the newest that Humble, Jazzy and Kilted all read


class EpisodeWriter:
    """A recording under way. It appears at its path when closed, so a recording there is a whole one.

    Messages are logged at their stamps: the same episode gives the same bytes.
    """

    def __init__(self, path: Path, arm: ArmConfig, camera: CameraConfig) -> None:
        """Start a recording that will be the folder `path`.

        Raises:
            BagError: `path` exists, or cannot be written.
        """
        if path.exists():
            raise BagError(f"{path} exists; recordings are not overwritten")
        self._path, self._arm, self._camera = path, arm, camera
        self._build = MessageFactory(STORE.types, numpy_sequence)
        self._partial = path.parent / PARTIAL / path.name
        if self._partial.exists():
            shutil.rmtree(self._partial)
        self._writer = Writer(self._partial, version=VERSION, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with self._writing():
            self._writer.open()
        self._connections: dict[str, Connection] = {}

    def joint_state(self, joints: JointState) -> None:
        """Measured joints."""
        message = self._build.joint_state(joints, self._arm.joints)
        self._write(self._arm.topics.joint_states, joints.stamp, message)

    def frame(self, frame: CameraFrame) -> None:
        """A camera frame as JPEG, with its camera_info."""
        jpeg = encode_image(frame.rgb)
        message = self._build.compressed_image(frame.stamp, jpeg, self._camera.frame)
        self._write(topics.COMPRESSED, frame.stamp, message)
        info = self._build.camera_info(frame.stamp, self._camera)
        self._write(topics.CAMERA_INFO, frame.stamp, info)

    def command(self, stamp: float, position: F64) -> None:
        """Joint references (n,) [rad] that were sent to the controller."""
        self._write(self._arm.position_topic, stamp, self._build.command(position))

    def label(self, stamp: float, name: str, position: F64) -> None:
        """True position (3,) of `name` in the base frame [m]."""
        message = self._build.point(stamp, position, self._arm.base_frame)
        self._write(topics.label_topic(name), stamp, message)

    def reward(self, stamp: float, reward: float) -> None:
        """Reward at `stamp`."""
        self._write(topics.REWARD, stamp, self._build.float64(reward))

    def done(self, stamp: float, done: bool) -> None:
        """Whether the task is done at `stamp`."""
        self._write(topics.DONE, stamp, self._build.boolean(done))

    def close(self, metadata: dict[str, str]) -> None:
        """Finish the recording, with `metadata` as rosbag2's custom_data, and put it in its place.

        Raises:
            BagError: it cannot be written; what there is of it is thrown away.
        """
        for key, value in metadata.items():
            self._writer.set_custom_data(key, value)
        try:
            with self._writing():
                self._writer.close()
                self._partial.rename(self._path)
        except BagError:
            self.discard()
            raise

    def discard(self) -> None:
        """Throw the unfinished recording away."""
        with contextlib.suppress(OSError):  # no room for what waits in buffers
            self._writer.abort()
        shutil.rmtree(self._partial, ignore_errors=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BagError(
                f"cannot write {self._path}: {error.strerror}; recordings that were finished are whole: "
                "make room, then start the same command again, and it goes on"
            ) from error

    def _write(self, topic: str, stamp: float, message: Any) -> None:  # noqa: ANN401
        kind: str = message.__msgtype__
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(topic, kind, typestore=STORE)
        data = STORE.serialize_cdr(message, kind)
        with self._writing():
            self._writer.write(self._connections[topic], round(stamp * 1e9), data)
