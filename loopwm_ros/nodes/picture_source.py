"""A camera that shows noise over shades, without a scene: for measuring what reading pictures costs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import Field
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image

from loopwm_ros.config import Settings
from loopwm_ros.data import topics
from loopwm_ros.nodes import params, spin
from loopwm_ros.nodes.qos import SENSOR_SOURCE
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import U8

NAME, FRAME = "picture_source", "camera_optical_frame"
PICTURES = 8  # that are shown in turns
GRAIN = 6.0  # standard deviation of the noise [of 255]
SHADES = (12, 16)  # patches of a picture, rows and columns: about as much to code as a desk has


class PictureSourceParameters(Settings):
    """Parameters of the node `picture_source`."""

    width: int = Field(640, ge=16, le=4096, description="[px]")
    height: int = Field(480, ge=16, le=4096, description="[px]")
    rate: float = Field(30.0, gt=0, le=400, description="pictures a second [Hz]")
    image_transport: Literal["compressed", "raw"] = Field("compressed", description="topic to use")


def pictures(width: int, height: int) -> list[U8]:
    """Some pictures (height, width, 3), always the same."""
    random = np.random.default_rng(0)

    def one() -> U8:
        shades = random.integers(40, 215, (*SHADES, 3)).astype(np.float32)
        wide = cv2.resize(shades, (width, height), interpolation=cv2.INTER_CUBIC)
        grain = random.normal(0.0, GRAIN, wide.shape)
        return np.asarray(np.clip(wide + grain, 0, 255), dtype=np.uint8)

    return [one() for _ in range(PICTURES)]


class PictureSource(Node):
    """Publishes them at an even rate."""

    def __init__(self, overrides: Sequence[Parameter[Any]] = ()) -> None:
        """Start at once."""
        super().__init__(NAME, parameter_overrides=list(overrides))
        params.declare(self, PictureSourceParameters)
        settings = params.read(self, PictureSourceParameters)
        make, raw = message_factory(), settings.image_transport == "raw"
        shown = pictures(settings.width, settings.height)
        self._messages = [
            make.raw_image(0.0, rgb, FRAME) if raw else make.compressed_image(0.0, encode_image(rgb), FRAME)
            for rgb in shown
        ]
        topic = topics.TRANSPORTS[settings.image_transport]
        self._publisher = self.create_publisher(Image if raw else CompressedImage, topic, SENSOR_SOURCE)
        self._count = 0
        self.create_timer(1.0 / settings.rate, self._on_frame, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _on_frame(self) -> None:
        message = self._messages[self._count % PICTURES]
        message.header.stamp = self.get_clock().now().to_msg()
        self._publisher.publish(message)
        self._count += 1


def main() -> int:
    """Run the node until interrupted."""
    return spin.run(NAME, PictureSource, PictureSourceParameters)


if __name__ == "__main__":
    sys.exit(main())
