"""Recordings from anybody: read, or refused with one error, in bounded memory and disk space."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from loopwm_ros.data import bags
from loopwm_ros.data.bags import bag_sha256, find_bags
from loopwm_ros.data.memory import bounded_memory
from loopwm_ros.data.reader import read_episode
from loopwm_ros.errors import BagError
from tests.mutation import damaged_bytes, damaged_trees, fuzz
from tests.recordings import arm, write_episode

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GIB = 2**30


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    return write_episode(tmp_path / "episode", frames=3)


def read_or_refuse(path: Path) -> None:
    said = str(path)
    try:
        episode = read_episode(path, arm())
        for frame in range(len(episode.images)):
            episode.image(frame)
    except BagError as error:
        said = str(error)
    assert str(path) in said
    assert len(said) < 20_000


def test_damaged_files_are_read_or_refused(bag: Path) -> None:
    (file,) = bag.glob("*.mcap")
    data = file.read_bytes()

    @fuzz(60)
    @given(damaged_bytes(data))
    def check(made: bytes) -> None:
        file.write_bytes(made)
        read_or_refuse(bag)
        read_or_refuse(file)

    check()


def test_damaged_metadata_is_read_or_refused(bag: Path) -> None:
    file = bag / "metadata.yaml"
    text = file.read_bytes()

    @fuzz(60)
    @given(st.one_of(damaged_trees(yaml.safe_load(text)).map(yaml.safe_dump), damaged_bytes(text)))
    def check(made: str | bytes) -> None:
        file.write_bytes(made if isinstance(made, bytes) else made.encode())
        read_or_refuse(bag)

    check()


def changed(bag: Path, **values: object) -> None:
    file = bag / "metadata.yaml"
    found = yaml.safe_load(file.read_text())
    found["rosbag2_bagfile_information"] |= values
    file.write_text(yaml.safe_dump(found))


@pytest.mark.parametrize(
    "name", ["../other/other.mcap", "/{other}", "..", ".", "metadata.yaml", "", "link.mcap"]
)
def test_metadata_names_files_of_its_own_folder(bag: Path, tmp_path: Path, name: str) -> None:
    other = next(write_episode(tmp_path / "other").glob("*.mcap"))
    (bag / "link.mcap").symlink_to("/dev/zero")
    changed(bag, relative_file_paths=[name.replace("{other}", str(other))])
    with pytest.raises(BagError):
        read_episode(bag, arm())


def test_metadata_that_unfolds_is_refused(bag: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    changed(bag, custom_data={"seed": "BOMB"})
    text = (bag / "metadata.yaml").read_text()
    (bag / "metadata.yaml").write_text("\n".join(lines) + "\n" + text.replace("BOMB", "*a9"))
    with pytest.raises(BagError, match="values"):
        read_episode(bag, arm())


def record(operation: int, body: bytes) -> bytes:
    return bytes([operation]) + struct.pack("<Q", len(body)) + body


def text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode()


def bomb(compression: str, packed: bytes, size: int) -> bytes:
    """An MCAP file with one chunk that unpacks to `size` bytes."""
    made = b"\x89MCAP0\r\n" + record(1, text("ros2") + text(""))
    start = len(made)
    sizes = struct.pack("<QQ", len(packed), size)
    made += record(
        6, struct.pack("<QQQI", 0, 1, size, 0) + text(compression) + struct.pack("<Q", len(packed)) + packed
    )
    length = len(made) - start
    summary = len(made)
    made += record(3, struct.pack("<H", 1) + text("sensor_msgs/msg/JointState") + text("ros2msg") + text(""))
    made += record(4, struct.pack("<HH", 1, 1) + text("/joint_states") + text("cdr") + struct.pack("<I", 0))
    index = struct.pack("<QQQQIHQQ", 0, 1, start, length, 10, 1, 0, 0) + text(compression) + sizes
    made += record(8, index)
    counts = struct.pack("<QHIIIIQQIHQ", 1, 1, 1, 0, 0, 1, 0, 1, 10, 1, 1)
    return made + record(11, counts) + record(2, struct.pack("<QQI", summary, 0, 0)) + b"\x89MCAP0\r\n"


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda block: zstd.compress(block) * 64,
    "lz4": lambda block: lz4.frame.compress(block * 4),
}
READ = """
import resource, sys
from pathlib import Path
from loopwm_ros.config import load_arm
from loopwm_ros.data import bags
from loopwm_ros.data.reader import read_episode
from loopwm_ros.errors import BagError
bags.budget = lambda: 2**28
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_episode(Path(sys.argv[1]), load_arm("panda"))
except BagError as error:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, error)
"""


@pytest.mark.parametrize("compression", PACKERS)
def test_a_chunk_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, compression: str) -> None:
    packed = PACKERS[compression](bytes(2**26))
    path = tmp_path / "bomb.mcap"
    path.write_bytes(bomb(compression, packed, 4 * GIB))
    assert path.stat().st_size < 4 * 2**20
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True)
    megabytes, _, said = done.stdout.partition(" ")
    assert int(megabytes) < 400
    assert f"{path} cannot be read" in said


@pytest.mark.parametrize("mode", [CompressionMode.FILE, CompressionMode.MESSAGE], ids=["file", "message"])
def test_a_recording_larger_than_memory_is_refused(tmp_path: Path, monkeypatch, mode) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    path = tmp_path / "bag"
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection("/camera/image_raw", "sensor_msgs/msg/Image", typestore=store)
        writer.write(connection, 1, bytes(2**29))
    assert sum(entry.stat().st_size for entry in path.iterdir()) < 2**20
    monkeypatch.setattr(bags, "budget", lambda: 2**27)
    with pytest.raises(BagError, match="larger than memory"):
        read_episode(path, arm())


def test_limits_hold_in_the_block_only() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(MemoryError), bounded_memory(2**27):
        bytes(2**28)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert len(bytes(2**28)) == 2**28


def test_folders_that_lead_in_circles_are_gone_through_once(bag: Path) -> None:
    root = bag.parent
    (root / "again").symlink_to(root)
    (root / "sub").mkdir()
    (root / "sub" / "up").symlink_to(root)
    (root / "broken").symlink_to(root / "none")
    assert find_bags(root) == [bag]


def test_a_pipe_in_a_recording_is_not_waited_for(bag: Path) -> None:
    import os

    before = bag_sha256(bag)
    os.mkfifo(bag / "pipe.mcap")
    assert bag_sha256(bag) == before
