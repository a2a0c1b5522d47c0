"""What is written beside the sensors' data: the truth at each frame's stamp."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.data.reader import read_episode
from loopwm_ros.data.recorder import TURN_LENGTH, LabelledRecorder, turn_label
from loopwm_ros.data.writer import EpisodeWriter

ARM, TASK = load_arm("panda_rod"), load_task("push")
QUARTER = np.pi / 2
angles = st.floats(-10.0, 10.0)


@given(yaw=angles, quarters=st.integers(-6, 6))
def test_a_quarter_turn_looks_the_same(yaw: float, quarters: int) -> None:
    assert np.allclose(turn_label(yaw + quarters * QUARTER), turn_label(yaw), atol=1e-9)


@given(yaw=angles)
def test_the_label_has_one_length_and_lies_on_the_table(yaw: float) -> None:
    label = turn_label(yaw)
    assert label.shape == (3,)
    assert label[2] == 0.0
    assert np.linalg.norm(label) == pytest.approx(TURN_LENGTH)


@given(yaw=angles, step=st.floats(-0.01, 0.01))
def test_the_label_does_not_jump(yaw: float, step: float) -> None:
    moved = np.linalg.norm(turn_label(yaw + step) - turn_label(yaw))
    assert moved <= 4 * TURN_LENGTH * abs(step) + 1e-12


def test_other_turns_look_different() -> None:
    labels = [turn_label(yaw) for yaw in np.linspace(0.0, QUARTER, 9)[:-1]]
    gaps = [np.linalg.norm(a - b) for a, b in pairwise(labels)]
    assert np.allclose(gaps, gaps[0])
    assert gaps[0] > 0.7 * TURN_LENGTH


def recorded(path: Path, steps: int = 40) -> tuple[Any, list[float], dict[float, Any]]:
    """A short episode in which the goal is reached, by hand: its recording, and the truth at each stamp."""
    cell = BulletCell(ARM, TASK, load_world(TASK.world))
    cell.reset(0)
    writer = EpisodeWriter(path, ARM, ARM.camera)
    recorder = LabelledRecorder(writer, cell, TASK)
    recorder.joint_state(cell.joint_state())
    truths, frames = {cell.now: cell.truth()}, []
    for step in range(steps):
        if step == 8:
            goal = cell.truth().points["goal"]
            cell.place("cube", goal[0] + 0.02, goal[1], 0.3)
        if (frame := cell.new_frame()) is not None:
            recorder.frame(frame)
            frames.append(frame.stamp)
        recorder.command(cell.now, np.asarray(cell.draw.start))
        cell.step(np.asarray(cell.draw.start))
        recorder.joint_state(cell.joint_state())
        truths[cell.now] = cell.truth()
    writer.close({})
    cell.close()
    return read_episode(path, ARM), frames, truths


def test_labels_are_the_truth_when_the_frame_was_taken_not_when_it_came(tmp_path: Path) -> None:
    episode, frames, truths = recorded(tmp_path / "episode")
    assert sorted(episode.labels) == ["cube", "cube_turn", "goal"]
    np.testing.assert_allclose(episode.frame_stamps, frames, atol=1e-9)
    for row, stamp in enumerate(frames):
        truth = truths[stamp]
        for name, point in truth.points.items():
            np.testing.assert_allclose(episode.labels[name].values[row], point, atol=1e-12)
        turn = turn_label(truth.yaw["cube"])
        np.testing.assert_allclose(episode.labels["cube_turn"].values[row], turn, atol=1e-12)
        assert episode.reward.values[row, 0] == pytest.approx(-truth.distance)
    moved = np.abs(np.diff(episode.labels["cube"].values, axis=0)).max()
    assert moved > 0.03, "the cube was put elsewhere"


def test_done_says_whether_success_is_held_now(tmp_path: Path) -> None:
    short = TASK.model_copy(update={"success_hold": 0.1})
    assert short.precise_distance is not None
    cell = BulletCell(ARM, short, load_world(TASK.world))
    cell.reset(0)
    writer = EpisodeWriter(tmp_path / "episode", ARM, ARM.camera)
    recorder = LabelledRecorder(writer, cell, short)
    recorder.joint_state(cell.joint_state())
    goal = cell.truth().points["goal"]
    near = 0.5 * (short.success_distance + short.precise_distance)  # a success, but no precise one
    cell.place("cube", goal[0] + near, goal[1], 0.0)
    for step in range(48):
        if step == 32:
            cell.place("cube", goal[0] + 2 * short.success_distance, goal[1], 0.0)
        if (frame := cell.new_frame()) is not None:
            recorder.frame(frame)
        recorder.command(cell.now, np.asarray(cell.draw.start))
        cell.step(np.asarray(cell.draw.start))
        recorder.joint_state(cell.joint_state())
    writer.close({})
    cell.close()
    done = read_episode(tmp_path / "episode", ARM).done
    held = (done.stamps >= 0.12) & (done.stamps <= 0.4)
    np.testing.assert_array_equal(done.values[:, 0].astype(bool), held)
