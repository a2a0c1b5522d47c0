"""Recordings as other tools see them, and other tools' recordings as we see them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from mcap.reader import make_reader
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from recordings import arm, camera, image, joints_at, write_episode
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from loopwm_ros.data.bags import find_bags
from loopwm_ros.data.reader import read_episode
from loopwm_ros.errors import BagError
from loopwm_ros.messages import MessageFactory, numpy_sequence
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import JointState, JointTrajectory

LIVE = {
    "/joint_states": "sensor_msgs/msg/JointState",
    "/camera/image_raw/compressed": "sensor_msgs/msg/CompressedImage",
    "/camera/camera_info": "sensor_msgs/msg/CameraInfo",
    "/forward_position_controller/commands": "std_msgs/msg/Float64MultiArray",
}
LABELS = {
    "/loopwm/labels/ball": "geometry_msgs/msg/PointStamped",
    "/loopwm/labels/reward": "std_msgs/msg/Float64",
    "/loopwm/labels/done": "std_msgs/msg/Bool",
}
STORE = get_typestore(Stores.ROS2_HUMBLE)
BUILD = MessageFactory(STORE.types, numpy_sequence)
Message = tuple[str, float, object]  # topic, log time [s], message


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    return write_episode(tmp_path / "episode", seed=7)


def test_rosbag2_metadata_lists_the_live_topics(bag: Path) -> None:
    info = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    found = {entry["topic_metadata"]["name"]: entry for entry in info["topics_with_message_count"]}
    assert {name: entry["topic_metadata"]["type"] for name, entry in found.items()} == {**LIVE, **LABELS}
    assert found["/joint_states"]["message_count"] == 40
    assert found["/camera/camera_info"]["message_count"] == 10
    assert info["storage_identifier"] == "mcap"
    assert info["version"] <= 8  # Humble reads no offered_qos_profiles of version 9
    assert info["custom_data"] == {"seed": "7"}
    assert [bag / name for name in info["relative_file_paths"]] == sorted(bag.glob("*.mcap"))


def test_mcap_tools_decode_every_topic_from_the_file_alone(bag: Path) -> None:
    """What Foxglove needs: the ros2 profile, CDR, whole message definitions, increasing times."""
    with next(bag.glob("*.mcap")).open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        messages = list(reader.iter_messages())
    times = [message.log_time for _, _, message in messages]
    assert times == sorted(times)
    store = get_typestore(Stores.EMPTY)
    for schema, channel, message in messages:
        assert schema is not None
        assert (schema.encoding, channel.message_encoding) == ("ros2msg", "cdr")
        if schema.name not in store.types:
            store.register(_definitions(schema.name, schema.data.decode()))
        assert store.deserialize_cdr(message.data, schema.name)
    assert {channel.topic for _, channel, _ in messages} == {*LIVE, *LABELS}


def _definitions(name: str, text: str) -> dict[str, object]:
    from rosbags.typesys import get_types_from_msg

    return dict(get_types_from_msg(text, name))


def test_log_time_is_the_message_stamp(bag: Path) -> None:
    with Reader(bag) as reader:
        stamped = [c for c in reader.connections if "Joint" in c.msgtype or "Image" in c.msgtype]
        for connection, logged, data in reader.messages(stamped):
            stamp = STORE.deserialize_cdr(data, connection.msgtype).header.stamp
            assert logged == stamp.sec * 10**9 + stamp.nanosec


def test_an_episode_is_read_back(bag: Path) -> None:
    episode = read_episode(bag, arm())
    assert episode.metadata == {"seed": "7"}
    np.testing.assert_allclose(episode.frame_stamps, 0.05 * np.arange(10), atol=1e-9)
    np.testing.assert_allclose(episode.joint_position.values[5], joints_at(5 * 0.0125))
    assert len(episode.command) == len(episode.joint_velocity) == 40
    assert set(episode.labels) == {"ball"}
    assert np.abs(episode.image(3).astype(int) - image(7)).max() <= 4


def plain_messages(offset: float = 0.0, raw: bool = False) -> list[Message]:
    """What `ros2 bag record` sees of a robot: other joints too, no labels. Log time is stamp + `offset`."""
    names = ("gripper", *reversed(arm().joints))
    messages: list[Message] = []
    for tick in range(40):
        now = 100.0 + tick * 0.0125
        position = np.array([0.01, *reversed(joints_at(now))])
        joints = BUILD.joint_state(JointState(now, position, np.zeros(8)), names)
        messages.append(("/joint_states", now, joints))
        messages.append(("/forward_position_controller/commands", now, BUILD.command(joints_at(now))))
        if tick % 4 == 0 and raw:
            messages.append(("/camera/image_raw", now, BUILD.raw_image(now, image(3), "camera")))
        elif tick % 4 == 0:
            jpeg = BUILD.compressed_image(now, encode_image(image(3)), "camera")
            messages.append(("/camera/image_raw/compressed", now, jpeg))
    return [(topic, stamp + offset, message) for topic, stamp, message in messages]


def record(
    path: Path,
    messages: list[Message],
    plugin: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, logged, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], round(logged * 1e9), STORE.serialize_cdr(message, kind))
    return path


def record_with_mcap(path: Path, messages: list[Message], compression: CompressionType) -> Path:
    """A single file, as the C++ recorder's storage plugin leaves it in small chunks."""
    with path.open("wb") as stream:
        writer = McapWriter(stream, compression=compression, chunk_size=4096)
        writer.start(profile="ros2", library="test")
        channels = {}
        for topic, logged, message in messages:
            kind = message.__msgtype__
            if topic not in channels:
                text, _ = STORE.generate_msgdef(kind, ros_version=2)
                schema = writer.register_schema(kind, "ros2msg", text.encode())
                channels[topic] = writer.register_channel(topic, "cdr", schema)
            time = round(logged * 1e9)
            writer.add_message(channels[topic], time, bytes(STORE.serialize_cdr(message, kind)), time)
        writer.finish()
    return path


RECORDERS: dict[str, Callable[[Path], Path]] = {
    "folder": lambda p: record(p / "bag", plain_messages()),
    "folder, file compression": lambda p: record(
        p / "bag", plain_messages(), compression=CompressionMode.FILE
    ),
    "folder, message compression": lambda p: record(
        p / "bag", plain_messages(), compression=CompressionMode.MESSAGE
    ),
    "folder, sqlite3": lambda p: record(p / "bag", plain_messages(), StoragePlugin.SQLITE3),
    "folder, raw images": lambda p: record(p / "bag", plain_messages(raw=True)),
    "folder, log times are wall time": lambda p: record(p / "bag", plain_messages(offset=1.7e9)),
    "file": lambda p: record_with_mcap(p / "bag.mcap", plain_messages(), CompressionType.NONE),
    "file, zstd": lambda p: record_with_mcap(p / "bag.mcap", plain_messages(), CompressionType.ZSTD),
    "file, lz4": lambda p: record_with_mcap(p / "bag.mcap", plain_messages(), CompressionType.LZ4),
}


@pytest.mark.parametrize("recorder", RECORDERS.values(), ids=RECORDERS)
def test_plain_recordings_are_read(recorder: Callable[[Path], Path], tmp_path: Path) -> None:
    path = recorder(tmp_path)
    assert find_bags(tmp_path) == [path]
    episode = read_episode(path, arm())
    np.testing.assert_allclose(episode.joint_position.values[8], joints_at(100.1), atol=1e-9)
    np.testing.assert_allclose(episode.command.stamps, episode.joint_position.stamps, atol=1e-6)
    np.testing.assert_allclose(episode.command.values[8], joints_at(100.1), atol=1e-9)
    assert len(episode.images) == 10
    assert episode.image(0).shape == (camera().height, camera().width, 3)
    assert (episode.labels, len(episode.reward), len(episode.done)) == ({}, 0, 0)


def test_commands_of_a_trajectory_controller_count_until_the_next(tmp_path: Path) -> None:
    offsets = np.array([0.0, 0.05, 0.1])
    chunks = np.array([[0.0, 0.5, 1.0], [5.0, 6.0, 7.0]])
    messages = [m for m in plain_messages() if "commands" not in m[0]]
    for stamp, chunk in zip((100.0, 100.1), chunks, strict=True):
        plan = JointTrajectory(stamp, offsets, np.tile(chunk[:, None], 7), np.zeros((3, 7)))
        topic = "/joint_trajectory_controller/joint_trajectory"
        messages.append((topic, stamp, BUILD.trajectory(plan, arm().joints)))
    episode = read_episode(record(tmp_path / "bag", sorted(messages, key=lambda m: m[1])), arm())
    np.testing.assert_allclose(episode.command.values[:, 0], [0.0, 0.5, 5.0, 6.0, 7.0])
    np.testing.assert_allclose(episode.command.stamps - 100.0, [0.0, 0.05, 0.1, 0.15, 0.2], atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.01, 0.25, 0.5, 0.75, 0.99, 0.9999])
def test_a_cut_recording_is_refused_by_name(share: float, tmp_path: Path) -> None:
    bag = write_episode(tmp_path / "episode")
    file = next(bag.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    for path in (bag, shutil.copy(file, tmp_path / "alone.mcap")):
        with pytest.raises(BagError, match=f"{path.name} cannot be read .* expected a finished one"):
            read_episode(path, arm())


def test_damaged_bytes_never_escape_as_another_error(bag: Path, tmp_path: Path) -> None:
    whole = next(bag.glob("*.mcap")).read_bytes()
    rng = np.random.default_rng(0)
    reasons = []
    for i in range(60):
        data = bytearray(whole)
        start = int(rng.integers(len(data)))
        data[start : start + 64] = rng.bytes(len(data[start : start + 64]))
        path = tmp_path / f"{i}.mcap"
        path.write_bytes(data)
        try:
            read_episode(path, arm())
        except BagError as error:
            reasons.append(str(error).startswith(str(path)))
    assert reasons
    assert all(reasons)


def test_bad_metadata_is_refused(bag: Path) -> None:
    metadata = bag / "metadata.yaml"
    for text in (
        "",
        "a: [",
        "rosbag2_bagfile_information: 3\n",
        metadata.read_text().replace("mcap\n", "x\n"),
    ):
        metadata.write_text(text)
        with pytest.raises(BagError, match="episode cannot be read"):
            read_episode(bag, arm())


def foreign(name: str) -> list[Message]:
    other = JointState(0.0, np.zeros(7), np.zeros(7))
    joints = [("/joint_states", 0.0, BUILD.joint_state(other, [*arm().joints[:6], "elbow"]))]
    nan = JointState(0.0, np.full(7, np.nan), np.zeros(7))
    whole = plain_messages()
    return {
        "other topics": [("/scan", 0.0, BUILD.float64(1.0))],
        "joint missing": joints + whole[1:],
        "NaN": [("/joint_states", 0.0, BUILD.joint_state(nan, arm().joints)), *whole],
        "type": [("/joint_states", 0.0, BUILD.float64(1.0)), *whole[1:4:2]],
        "no camera": [m for m in whole if "camera" not in m[0]],
        "no commands": [m for m in whole if "commands" not in m[0]],
        "command size": [("/forward_position_controller/commands", 0.0, BUILD.command(np.zeros(3))), *whole],
    }[name]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("other topics", r"no messages on /joint_states \(joint states\); it has some on: none"),
        ("joint missing", "joint state lacks panda_joint7; it has panda_joint1.*elbow"),
        ("NaN", "position holds NaN"),
        ("type", "topic /joint_states has type std_msgs/msg/Float64; expected sensor_msgs/msg/JointState"),
        ("no camera", "no messages on /camera/image_raw"),
        ("no commands", "no messages on /forward_position_controller/commands"),
        ("command size", "command has 3 values; expected 7"),
    ],
)
def test_foreign_recordings_are_refused_by_name(name: str, match: str, tmp_path: Path) -> None:
    with pytest.raises(BagError, match=rf"foreign.*{match}"):
        read_episode(record(tmp_path / "foreign", foreign(name)), arm())


def test_an_undecodable_image_names_the_recording(tmp_path: Path) -> None:
    messages = plain_messages()
    messages[2] = (messages[2][0], 100.0, BUILD.compressed_image(100.0, b"no jpeg", "camera"))
    episode = read_episode(record(tmp_path / "bag", messages), arm())
    with pytest.raises(BagError, match=r"bag: frame 0: .* expected JPEG or PNG"):
        episode.image(0)
