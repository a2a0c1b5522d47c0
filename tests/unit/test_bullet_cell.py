"""The simulated cell: deterministic, seeded, and what it shows is where it says."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import pybullet
import pytest

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError
from loopwm_ros.processing.camera import camera_pose, project
from loopwm_ros.types import CameraFrame

ARM, TASK = load_arm("panda"), load_task("reach")
WORLD = load_world(TASK.world)
ROD_ARM, PUSH = load_arm("panda_rod"), load_task("push")
GREEN, RED = 60.0, 0.0  # hue of OpenCV, of 180


@pytest.fixture(scope="module")
def cell() -> Iterator[BulletCell]:
    cell = BulletCell(ARM, TASK, WORLD)
    yield cell
    cell.close()


@pytest.fixture(scope="module")
def push() -> Iterator[BulletCell]:
    cell = BulletCell(ROD_ARM, PUSH, WORLD)
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


def picture(cell: BulletCell) -> np.ndarray:
    """RGB of the next frame that is captured."""
    now, frame = cell.now, None
    while frame is None or frame.stamp <= now:
        cell.step(None)
        frame = cell.new_frame() or frame
    return frame.rgb


def coloured(rgb: np.ndarray, hue: float) -> np.ndarray:
    """Mask (height, width) of vivid pixels of about this hue."""
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV).astype(float)
    off = (hsv[..., 0] - hue + 90.0) % 180.0 - 90.0
    return (hsv[..., 1] > 120) & (np.abs(off) < 15.0)


def centre(mask: np.ndarray) -> np.ndarray:
    """Mean pixel (x, y)."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()])


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
    assert np.allclose(np.diff(stamps), 1.0 / ARM.camera.rate)
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
        expected = project(cell.draw.camera, cell.truth().points["ball"][None])[0]
        assert np.allclose([columns.mean(), rows.mean()], expected, atol=1.2)


def test_tool_agrees_with_the_kinematics(cell: BulletCell) -> None:
    cell.reset(3)
    kinematics = Kinematics(ARM)
    assert np.allclose(kinematics.tool_position(cell.joint_state().position), cell.truth().tool, atol=1e-4)


def test_starts_are_unsolved(cell: BulletCell, push: BulletCell) -> None:
    for each, task, seeds in ((cell, TASK, 20), (push, PUSH, 8)):
        for seed in range(seeds):
            each.reset(seed)
            assert each.truth().distance > task.success_distance


def test_undisturbed_ball_stays(cell: BulletCell) -> None:
    cell.reset(1)
    before = cell.truth().points["ball"]
    for _ in range(240):
        cell.step(None)
    assert np.allclose(cell.truth().points["ball"], before, atol=2e-3)


def test_the_distance_is_that_to_the_ball_s_surface_or_between_centres_on_the_table(
    cell: BulletCell, push: BulletCell
) -> None:
    cell.reset(0)
    truth, radius = cell.truth(), cell.draw.things["ball"].size
    gap = np.linalg.norm(truth.tool - truth.points["ball"]) - radius
    assert truth.distance == pytest.approx(gap)
    push.reset(0)
    truth = push.truth()
    apart = (truth.points["cube"] - truth.points["goal"])[:2]
    assert truth.distance == pytest.approx(np.hypot(*apart))


def test_a_task_that_is_always_solved_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopwm_ros.bullet.cell.MAX_DRAWS", 3)
    with pytest.raises(ConfigError, match="3 starts in a row were solved already"):
        BulletCell(ARM, TASK.model_copy(update={"success_distance": 5.0}), WORLD)


def test_a_task_without_room_for_its_clearance_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopwm_ros.bullet.cell.MAX_DRAWS", 3)
    with pytest.raises(ConfigError, match="widen its ranges, or lower success_distance or clearance"):
        BulletCell(ROD_ARM, PUSH.model_copy(update={"clearance": 2.0}), WORLD)


def test_a_hidden_mark_is_not_seen_but_known_and_changes_nothing_else(push: BulletCell) -> None:
    push.reset(4)
    shown, truth = picture(push), push.truth()
    push.reset(4, hidden=["goal"])
    hidden, unseen = picture(push), push.truth()
    assert coloured(shown, GREEN).sum() > 20
    assert coloured(hidden, GREEN).sum() == 0
    assert np.array_equal(truth.points["goal"], unseen.points["goal"])
    assert truth.yaw["goal"] == unseen.yaw["goal"]
    assert np.array_equal(truth.points["cube"], unseen.points["cube"])
    assert truth.distance == unseen.distance
    around = cv2.dilate(coloured(shown, GREEN).astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert np.array_equal(shown[~around], hidden[~around])


@pytest.mark.parametrize("name", ["cube", "goal"])
def test_what_is_placed_is_there_at_rest_and_seen_there(push: BulletCell, name: str) -> None:
    push.reset(6)
    pybullet.resetBaseVelocity(push._scene.things["cube"], [0.5, 0.0, 0.0], physicsClientId=push.client)
    push.place("cube", 0.58, 0.2, 0.0)
    push.place("goal", 0.4, -0.2, 0.0)
    target = 0.5, -0.1, 0.4
    push.place(name, *target)
    rgb, truth = picture(push), push.truth()
    assert np.allclose(truth.points[name][:2], target[:2], atol=1e-3)
    assert truth.yaw[name] == pytest.approx(target[2], abs=1e-2)
    apart = (truth.points["cube"] - truth.points["goal"])[:2]
    assert truth.distance == pytest.approx(np.hypot(*apart))
    seen = centre(coloured(rgb, RED if name == "cube" else GREEN))
    assert np.allclose(seen, project(push.camera, truth.points[name][None])[0], atol=3.0)


def test_a_covered_object_is_hidden_until_it_is_uncovered(push: BulletCell) -> None:
    for seed in range(4):
        push.reset(seed)
        before = coloured(picture(push), RED).sum()
        at = push.truth().points["cube"]
        push.cover("cube")
        assert before > 30
        assert coloured(picture(push), RED).sum() == 0, f"seed {seed}"
        assert np.allclose(push.truth().points["cube"], at, atol=1e-3), "it touches nothing"
        push.uncover()
        assert abs(int(coloured(picture(push), RED).sum()) - int(before)) <= 3


def test_a_cover_goes_where_the_object_goes(push: BulletCell) -> None:
    push.reset(2)
    (x, y, _), yaw = push.truth().points["cube"], push.truth().yaw["cube"]
    push.cover("cube")
    for step in range(1, 20):
        push.place("cube", x, y + (0.01 if y < 0 else -0.01) * step, yaw)
        push.step(None)
        assert coloured(picture(push), RED).sum() == 0, f"{step} cm on"
    push.uncover()
    push.uncover()
    assert coloured(picture(push), RED).sum() > 30
    push.cover("cube")
    push.reset(2)
    assert coloured(picture(push), RED).sum() > 30, "a new episode begins without it"


def test_a_turned_camera_sees_the_same_from_the_next_frame_on(push: BulletCell) -> None:
    push.reset(1)
    before, camera = picture(push), push.camera
    target = np.asarray(camera.look_at) + np.array([0.0, 0.04, 0.0])
    turned = camera.model_copy(update={"look_at": tuple(target.tolist())})
    push.turn_camera(turned)
    after, cube = picture(push), push.truth().points["cube"][None]
    shift = centre(coloured(after, RED)) - centre(coloured(before, RED))
    assert np.allclose(shift, (project(turned, cube) - project(camera, cube))[0], atol=1.0)
    angle = math.acos(float(camera_pose(camera)[:3, 2] @ camera_pose(turned)[:3, 2]))
    assert np.linalg.norm(shift) == pytest.approx(camera.fx * angle, rel=0.35)
    push.reset(1)
    assert push.camera == push.draw.camera, "the next episode has its own"


def tumble(push: BulletCell, observed: tuple[int, ...]) -> np.ndarray:
    """Poses and speeds of a cube that tumbles over the table; a goal image is made before some steps."""
    push.reset(3)
    cube = push._scene.things["cube"]
    pybullet.resetBaseVelocity(cube, [-0.4, 0.3, 0.8], [3.0, 2.0, 6.0], physicsClientId=push.client)
    rows = []
    for step in range(60):
        if step in observed:
            push.goal_observation()
        push.step(None)
        pose = pybullet.getBasePositionAndOrientation(cube, physicsClientId=push.client)
        speed = pybullet.getBaseVelocity(cube, physicsClientId=push.client)
        joints = push.joint_state()
        rows.append(np.concatenate([*pose, *speed, joints.position, joints.velocity]))
    return np.asarray(rows)


def test_a_goal_image_leaves_the_episode_as_it_was(push: BulletCell) -> None:
    undisturbed = tumble(push, ())
    assert np.abs(undisturbed[:, 3:5]).max() > 0.1, "it turns over"
    assert np.array_equal(tumble(push, (0, 2, 3, 10, 20, 25, 40)), undisturbed)


@pytest.mark.parametrize("hidden", [(), ("goal",)])
def test_a_goal_image_shows_the_cube_where_the_goal_is(push: BulletCell, hidden: tuple[str, ...]) -> None:
    push.reset(2, hidden=hidden)
    truth = push.truth()
    observation = push.goal_observation()
    at_goal = [*truth.points["goal"][:2], truth.points["cube"][2]]
    expected = project(push.camera, np.array([at_goal]))[0]
    assert np.allclose(centre(coloured(observation.rgb, RED)), expected, atol=2.0)
    assert observation.stamp == push.now
    assert np.array_equal(observation.joints.position, push.joint_state().position)
    assert np.array_equal(push.truth().points["cube"], truth.points["cube"])
