"""The simulated cell: deterministic, seeded, and what it shows is where it says."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.randomise import draw_world
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError
from loopwm_ros.processing.camera import project
from loopwm_ros.types import CameraFrame

ARM, TASK = load_arm("panda"), load_task("reach")
WORLD = load_world(TASK.world)


@pytest.fixture
def cell() -> Iterator[BulletCell]:
    cell = BulletCell(ARM, TASK, WORLD)
    yield cell
    cell.close()


def run(cell: BulletCell, seed: int, steps: int) -> tuple[np.ndarray, list[CameraFrame]]:
    cell.reset(seed)
    frames, states = [], []
    command = cell.joint_state().position
    for i in range(steps):
        command = command + 0.004 * np.sin(i / 5.0)
        cell.step(command)
        states.append(cell.joint_state().position)
        if (frame := cell.new_frame()) is not None:
            frames.append(frame)
    return np.asarray(states), frames


def test_same_seed_same_episode_after_any_other(cell: BulletCell) -> None:
    first, frames = run(cell, 5, 60)
    run(cell, 9, 30)
    again, frames_again = run(cell, 5, 60)
    assert np.array_equal(first, again)
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(frames, frames_again, strict=True))


def test_camera_rate_stamps_and_latency(cell: BulletCell) -> None:
    cell.reset(2)
    arrivals, stamps = [], []
    for _ in range(160):
        cell.step(None)
        if (frame := cell.new_frame()) is not None:
            arrivals.append(cell.now)
            stamps.append(frame.stamp)
    assert np.allclose(np.diff(stamps), 1.0 / WORLD.camera.rate)
    late = np.asarray(arrivals) - np.asarray(stamps)
    latency = cell.draw.camera.latency
    assert np.all(late >= latency - 1e-9)
    assert np.all(late <= latency + 1.0 / WORLD.servo_rate + 1e-9)


def test_ball_is_seen_where_the_camera_model_projects_it(cell: BulletCell) -> None:
    for seed in range(5):
        cell.reset(seed)
        for _ in range(8):
            cell.step(None)
        frame = cell.new_frame()
        assert frame is not None
        hsv = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2HSV)
        rows, columns = np.nonzero(hsv[..., 1] > 150)
        expected = project(cell.draw.camera, cell.truth().ball[None])[0]
        assert np.allclose([columns.mean(), rows.mean()], expected, atol=1.2)


def test_tool_agrees_with_the_kinematics(cell: BulletCell) -> None:
    cell.reset(3)
    kinematics = Kinematics(ARM)
    assert np.allclose(kinematics.tool_position(cell.joint_state().position), cell.truth().tool, atol=1e-4)


def test_starts_are_unsolved_and_draws_stay_in_their_ranges(cell: BulletCell) -> None:
    ranges = TASK.randomisation
    rng = np.random.default_rng(0)
    for _ in range(200):
        draw = draw_world(rng, ARM, TASK, WORLD)
        assert ranges.ball_x[0] <= draw.ball[0] <= ranges.ball_x[1]
        assert ranges.ball_y[0] <= draw.ball[1] <= ranges.ball_y[1]
        assert draw.ball[2] == pytest.approx(WORLD.table_high[2] + draw.ball_radius)
        assert draw.camera.latency >= WORLD.camera.latency
    for seed in range(20):
        cell.reset(seed)
        assert cell.truth().distance > TASK.success_distance


def test_undisturbed_ball_stays(cell: BulletCell) -> None:
    cell.reset(1)
    before = cell.truth().ball
    for _ in range(240):
        cell.step(None)
    assert np.allclose(cell.truth().ball, before, atol=2e-3)


def test_a_task_that_is_always_solved_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopwm_ros.bullet.cell.MAX_DRAWS", 3)
    with pytest.raises(ConfigError, match="3 starts in a row were solved already"):
        BulletCell(ARM, TASK.model_copy(update={"success_distance": 5.0}), WORLD)
