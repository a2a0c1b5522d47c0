from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from recordings import arm, camera, write_episode

from loopwm_ros.data.bags import find_bags
from loopwm_ros.data.writer import PARTIAL, EpisodeWriter
from loopwm_ros.errors import BagError
from loopwm_ros.types import CameraFrame


def contents(bag: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(bag.iterdir())}


def test_the_same_episode_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_episode(tmp_path / "a" / "episode")
    second = write_episode(tmp_path / "b" / "episode")
    assert contents(first) == contents(second)
    assert contents(write_episode(tmp_path / "c" / "episode", seed=50)) != contents(first)


def test_an_interrupted_recording_is_not_found(tmp_path: Path) -> None:
    left_over = write_episode(tmp_path / "elsewhere" / "episode")
    (tmp_path / PARTIAL).mkdir()
    left_over.rename(tmp_path / PARTIAL / "episode")
    assert find_bags(tmp_path) == []
    whole = write_episode(tmp_path / "episode")
    assert find_bags(tmp_path) == [whole]


def test_a_discarded_recording_leaves_nothing(tmp_path: Path) -> None:
    EpisodeWriter(tmp_path / "episode", arm(), camera()).discard()
    assert not list(tmp_path.rglob("*.mcap"))


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Files may grow to `size` bytes: what lies beyond fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_noise(writer: EpisodeWriter) -> None:
    rng = np.random.default_rng(0)
    for i in range(500):
        pixels = rng.integers(0, 256, (camera().height, camera().width, 3), dtype=np.uint8)
        writer.frame(CameraFrame(i / 20.0, pixels))
    writer.close({})


def test_a_full_disk_is_one_error_and_what_was_finished_is_whole(tmp_path: Path) -> None:
    whole = write_episode(tmp_path / "first")
    before = contents(whole)
    writer = EpisodeWriter(tmp_path / "second", arm(), camera())
    with room_for(100_000), pytest.raises(BagError, match=r"cannot write .*second: .*make room"):
        write_noise(writer)
    with room_for(100_000):
        writer.discard()
    assert find_bags(tmp_path) == [whole]
    assert contents(whole) == before
    assert not list((tmp_path / PARTIAL).iterdir())
    write_episode(tmp_path / "second")


def test_recordings_are_not_overwritten(tmp_path: Path) -> None:
    write_episode(tmp_path / "episode")
    with pytest.raises(BagError, match="not overwritten"):
        EpisodeWriter(tmp_path / "episode", arm(), camera())
