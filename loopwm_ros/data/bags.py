"""Finds rosbag2 recordings and reads their messages, whoever recorded them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from loopwm_ros.config.outside import parse_yaml, read_bounded
from loopwm_ros.data.memory import bounded_memory, budget
from loopwm_ros.errors import BagError

STORE = get_typestore(Stores.ROS2_JAZZY)  # the types used here are the same in every distribution
METADATA = "metadata.yaml"
PIECE = 2**20  # hashed at once [bytes]
Logged = tuple[float, Any]  # log time [s], message


def find_bags(root: Path) -> list[Path]:
    """Recordings in `root`, sorted: folders with a metadata.yaml, and single .mcap files elsewhere.

    A link to a folder that `root` lies in, or that was gone through on the way, leads nowhere new.

    Raises:
        BagError: `root` does not exist.
    """
    if not root.exists():
        raise BagError(f"no recordings at {root}: no such file or folder")
    return _bags(root, ())


def _bags(root: Path, above: tuple[Path, ...]) -> list[Path]:
    if root.is_file() or (root / METADATA).is_file():
        return [root]
    way = (*above, root.resolve())
    found = []
    for entry in sorted(root.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            found += [] if entry.resolve() in way else _bags(entry, way)
        elif entry.suffix == ".mcap":
            found.append(entry)
    return found


def bag_sha256(path: Path) -> str:
    """SHA-256 of a recording's files, whatever its path."""
    digest = hashlib.sha256()
    files = sorted(entry for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path]
    for file in files:
        digest.update(file.name.encode() if path.is_dir() else b"")
        digest.update(_file_sha256(file))
    return digest.hexdigest()


def _file_sha256(file: Path) -> bytes:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(PIECE):
            digest.update(piece)
    return digest.digest()


def open_bag(path: Path) -> Reader:
    """An open recording, its metadata checked first. Use it where memory is bounded.

    Raises:
        BagError: it is cut short, damaged or foreign.
    """
    try:
        if path.is_dir():
            _check_metadata(path / METADATA)
        reader = Reader(path)
        reader.open()
    except Exception as error:  # parsers raise anything on bytes that are not what they should be
        raise unreadable(path, error) from error
    if all(isinstance(name, str) for c in reader.connections for name in (c.topic, c.msgtype)):
        return reader
    reader.close()
    raise unreadable(path, ValueError("a topic or its type is no text"))


def _check_metadata(path: Path) -> None:
    """Look first: the reader's own parser knows no bounds, and it cannot close what has no list of files."""
    raw = parse_yaml(read_bounded(path))
    info = raw.get("rosbag2_bagfile_information") if isinstance(raw, dict) else None
    if not isinstance(info, dict) or not isinstance(info.get("files", []), list):
        raise ValueError(f"{METADATA} is not rosbag2's")


def unreadable(path: Path, error: Exception) -> BagError:
    """What to say when a parser has given up."""
    reason = str(error) or type(error).__name__
    return BagError(
        f"{path} cannot be read ({reason}): it is cut short, damaged, larger than memory or no rosbag2 "
        "recording; expected a finished one, as `loopwm collect` or `ros2 bag record -s mcap` leaves it"
    )


def read_messages(path: Path, types: Mapping[str, str]) -> tuple[dict[str, list[Logged]], dict[str, str]]:
    """Messages by topic in log order, and the recording's custom_data.

    Args:
        path: a folder with metadata.yaml, or one .mcap file.
        types: wanted topics and their types; a topic that ends in / stands for all below it.

    Raises:
        BagError: the recording is cut short, damaged, foreign or larger than memory, or a topic has another
            type.
    """
    with bounded_memory(budget()):
        return _read(path, types)


def _read(path: Path, types: Mapping[str, str]) -> tuple[dict[str, list[Logged]], dict[str, str]]:
    logged: dict[str, list[Logged]] = {}
    try:
        with closing(open_bag(path)) as reader:
            metadata = {str(key): str(value) for key, value in (reader.storage.metadata.custom or {}).items()}
            wanted = [c for c in reader.connections if _expected_type(c.topic, types)]
            for connection in wanted:
                _check_type(path, connection, _expected_type(connection.topic, types))
            for connection, stamp, data in reader.messages(wanted) if wanted else ():
                message = STORE.deserialize_cdr(data, connection.msgtype)
                logged.setdefault(connection.topic, []).append((stamp * 1e-9, message))
    except BagError:
        raise
    except Exception as error:  # parsers raise anything on bytes that are not what they should be
        raise unreadable(path, error) from error
    return logged, metadata


def _expected_type(topic: str, types: Mapping[str, str]) -> str:
    """Type that `topic` must have; empty when it is not wanted."""
    return types.get(topic) or types.get(topic.rpartition("/")[0] + "/", "")


def _check_type(path: Path, connection: Connection, expected: str) -> None:
    if connection.msgtype != expected:
        raise BagError(f"{path}: topic {connection.topic} has type {connection.msgtype}; expected {expected}")
