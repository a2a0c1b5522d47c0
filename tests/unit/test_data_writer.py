from __future__ import annotations

from pathlib import Path

import pytest
from recordings import arm, camera, write_episode

from loopwm_ros.data.bags import find_bags
from loopwm_ros.data.writer import PARTIAL, EpisodeWriter
from loopwm_ros.errors import BagError


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


def test_recordings_are_not_overwritten(tmp_path: Path) -> None:
    write_episode(tmp_path / "episode")
    with pytest.raises(BagError, match="not overwritten"):
        EpisodeWriter(tmp_path / "episode", arm(), camera())
