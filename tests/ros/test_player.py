"""A 640x480 camera at 30 Hz, played from a recording, arrives whole with sensor QoS."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import Image
from std_msgs.msg import Float64MultiArray

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


def plain(folder: Path, *connections: tuple[str, str]) -> Path:
    """A recording with one message of no content on each topic; types may be made up."""
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, kind in connections:
            known = kind if kind in store.types else "std_msgs/msg/Empty"
            text, digest = store.generate_msgdef(known)
            connection = writer.add_connection(topic, kind, msgdef=text, rihs01=digest)
            writer.write(connection, 1, bytes(4))
    return folder


def test_a_recording_cannot_name_a_module_to_be_run(bench, tmp_path, monkeypatch) -> None:
    package = tmp_path / "evil"
    package.mkdir()
    for name in ("__init__.py", "msg.py"):
        (package / name).write_text(f"open({str(tmp_path / 'owned')!r}, 'w')\nclass Evil: pass\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    bag = plain(
        tmp_path / "bag",
        ("/a", "evil/msg/Evil"), ("/b", "evil"), ("/c", "evil.msg/msg/Evil"), ("/d", "..evil/msg/Evil"),
        ("no topic", "std_msgs/msg/Empty"), ("/kept", "std_msgs/msg/Empty"),
    )  # fmt: skip
    player = bench.start("player", bag=str(bag))
    bench.until(lambda: player.ended)
    log = player.log.read_text()
    assert player.process.returncode == 0, log
    assert not (tmp_path / "owned").exists()
    assert log.count("left out") == 4
    assert "/kept" not in log


def test_commands_are_played_only_where_they_are_asked_for(bench, tmp_path) -> None:
    topic = "/forward_position_controller/commands"
    bag = plain(tmp_path / "bag", (topic, "std_msgs/msg/Float64MultiArray"), ("/kept", "std_msgs/msg/Empty"))
    player = bench.start("player", bag=str(bag))
    bench.until(lambda: player.ended)
    assert f"{topic} left out" in player.log.read_text()
    heard = bench.listen(Float64MultiArray, topic, SENSOR)
    asked = bench.start("player", bag=str(bag), topics=topic, subscribers=1)
    bench.until(lambda: asked.ended)
    assert "left out" not in asked.log.read_text()
    assert len(heard) <= 1


@pytest.mark.parametrize("name", ["bag", "bag.mcap", "bag.db3"])
def test_what_is_no_recording_is_refused_in_one_line(bench, tmp_path, name) -> None:
    path = tmp_path / name
    if name == "bag":
        path.mkdir()
        (path / "metadata.yaml").write_text("[" * 5000)
    else:
        path.write_bytes(b"\x89MCAP0\r\n" + b"\xff" * 100)
    player = bench.start("player", bag=str(path))
    bench.until(lambda: player.ended)
    assert player.process.returncode == 1
    (line,) = [x for x in player.log.read_text().splitlines() if "cannot start" in x]
    assert str(path) in line
