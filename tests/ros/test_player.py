"""A 640x480 camera at 30 Hz, played from a recording, arrives whole with sensor QoS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import Image

from loopwm_ros.messages import MESSAGE_TYPES, MessageFactory, frame_from_raw, numpy_sequence
from loopwm_ros.nodes.qos import SENSOR

COUNT, RATE = 45, 30.0
WIDTH, HEIGHT = 640, 480


def picture(index: int) -> np.ndarray:
    """Different in every image, and different everywhere in it."""
    ramp = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint32) // 7 + 5 * index
    return ramp.astype(np.uint8).reshape(HEIGHT, WIDTH, 3)


def record(folder: Path) -> Path:
    store = get_typestore(Stores.ROS2_JAZZY)
    make = MessageFactory({name: store.types[name] for name in MESSAGE_TYPES}, numpy_sequence)
    kind = "sensor_msgs/msg/Image"
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/camera/image_raw", kind, typestore=store)
        for index in range(COUNT):
            stamp = 1.0 + index / RATE
            message = make.raw_image(stamp, picture(index), "camera")
            writer.write(connection, round(stamp * 1e9), store.serialize_cdr(message, kind))
    return folder


def test_large_images_arrive_whole_with_sensor_qos(bench, tmp_path) -> None:
    images = bench.listen(Image, "/camera/image_raw", SENSOR)
    player = bench.start("player", bag=str(record(tmp_path / "bag")), subscribers=1)
    bench.until(lambda: player.ended)
    assert player.process.returncode == 0, player.error_text()
    for message in images:
        frame = frame_from_raw(message)
        index = round((frame.stamp - 1.0) * RATE)
        np.testing.assert_array_equal(frame.rgb, picture(index))
    # None arrive without the shared-memory profile. A busy machine may lose some: depth 1, best effort.
    assert len(images) > COUNT // 2


def test_a_recording_damaged_in_the_middle_ends_with_one_line_that_names_it(bench, tmp_path) -> None:
    bag = record(tmp_path / "bag")
    (file,) = bag.glob("*.mcap")
    content = bytearray(file.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = b"\xff" * third
    file.write_bytes(content)
    player = bench.start("player", bag=str(bag), speed=100.0)
    bench.until(lambda: player.ended)
    assert player.process.returncode == 1
    (line,) = [x for x in player.log.read_text().splitlines() if "[ERROR]" in x]
    assert f"{bag} is damaged" in line
