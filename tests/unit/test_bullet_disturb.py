"""Disturbances: each does what its name says, at its time, once, and keeps the episode fair."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from loopwm_ros.bullet.cell import BulletCell, Truth
from loopwm_ros.bullet.disturb import DISTURBANCES, HIDDEN_FOR, MOVE, NUDGE, Disturbance
from loopwm_ros.config import CameraConfig, TaskConfig, load_arm, load_task, load_world
from loopwm_ros.config.task import DisturbanceName
from loopwm_ros.processing.camera import camera_pose

ARM, TASK = load_arm("panda_rod"), load_task("push")
REACH = load_task("reach")
WORLD = load_world(TASK.world)
AT = 0.05  # [s], four servo periods
SERVO = 1.0 / WORLD.servo_rate


@pytest.fixture(scope="module")
def cell() -> Iterator[BulletCell]:
    cell = BulletCell(ARM, TASK, WORLD)
    yield cell
    cell.close()


class Watched:
    """A cell that notes what is done to it, and when."""

    def __init__(self, cell: BulletCell, seed: int) -> None:
        cell.reset(seed)
        self.cell, self.done = cell, []

    @property
    def camera(self) -> CameraConfig:
        return self.cell.camera

    def truth(self) -> Truth:
        return self.cell.truth()

    def place(self, name: str, x: float, y: float, yaw: float) -> None:
        self.done.append(("place", name, self.cell.now))
        self.cell.place(name, x, y, yaw)

    def cover(self, name: str) -> None:
        self.done.append(("cover", name, self.cell.now))
        self.cell.cover(name)

    def uncover(self) -> None:
        self.done.append(("uncover", "", self.cell.now))
        self.cell.uncover()

    def turn_camera(self, camera: CameraConfig) -> None:
        self.done.append(("turn", "", self.cell.now))
        self.cell.turn_camera(camera)


def disturbed(cell: BulletCell, name: DisturbanceName, seed: int = 0, task: TaskConfig = TASK) -> Watched:
    """An episode with one disturbance at `AT`, seen until all is over."""
    watched = Watched(cell, seed)
    disturbance = Disturbance(name, AT, np.random.default_rng(seed))
    for _ in range(round((AT + HIDDEN_FOR) / SERVO) + 10):
        disturbance.update(watched, task, cell.now)  # type: ignore[arg-type]
        cell.step(None)
    return watched


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("object_moved", [("place", "cube", AT)]),
        ("goal_moved", [("place", "goal", AT)]),
        ("camera_nudged", [("turn", "", AT)]),
        ("object_hidden", [("cover", "cube", AT), ("uncover", "", AT + HIDDEN_FOR)]),
    ],
)
def test_each_happens_at_its_time_and_once(
    cell: BulletCell, name: DisturbanceName, expected: list[tuple[str, str, float]]
) -> None:
    done = disturbed(cell, name).done
    assert [each[:2] for each in done] == [each[:2] for each in expected]
    assert [each[2] for each in done] == pytest.approx([each[2] for each in expected], abs=SERVO)


def test_every_disturbance_is_tried_above() -> None:
    assert set(DISTURBANCES) == {"object_moved", "goal_moved", "camera_nudged", "object_hidden"}


@pytest.mark.parametrize("moved", ["cube", "goal"])
def test_things_are_moved_a_hand_s_reach_within_the_ranges_and_clear_of_the_rest(
    cell: BulletCell, moved: str
) -> None:
    name: DisturbanceName = "object_moved" if moved == "cube" else "goal_moved"
    changed = 0
    for seed in range(12):
        cell.reset(seed)
        before = cell.truth()
        Disturbance(name, 0.0, np.random.default_rng(seed)).update(cell, TASK, 0.0)
        after = cell.truth()
        way = float(np.linalg.norm((after.points[moved] - before.points[moved])[:2]))
        changed += way > 0
        assert way == pytest.approx(0.0, abs=1e-9) or MOVE[0] - 1e-9 <= way <= MOVE[1] + 1e-9
        ranges, (x, y) = TASK.objects[moved], after.points[moved][:2]
        assert ranges.x[0] <= x <= ranges.x[1]
        assert ranges.y[0] <= y <= ranges.y[1]
        others = [after.tool, *(point for key, point in after.points.items() if key != moved)]
        assert min(float(np.linalg.norm((p - after.points[moved])[:2])) for p in others) >= TASK.clearance
        assert after.yaw[moved] == pytest.approx(before.yaw[moved])
        other = "goal" if moved == "cube" else "cube"
        assert np.array_equal(after.points[other], before.points[other])
    assert changed >= 10


def test_without_room_nothing_is_moved(cell: BulletCell) -> None:
    cell.reset(0)
    before = cell.truth()
    cramped = TASK.model_copy(update={"clearance": 2.0})
    Disturbance("object_moved", 0.0, np.random.default_rng(0)).update(cell, cramped, 0.0)
    assert np.allclose(cell.truth().points["cube"], before.points["cube"], atol=1e-9)


def test_the_camera_looks_two_degrees_past_from_the_same_place(cell: BulletCell) -> None:
    directions = []
    for seed in range(5):
        cell.reset(0)
        before = cell.camera
        Disturbance("camera_nudged", 0.0, np.random.default_rng(seed)).update(cell, TASK, 0.0)
        after = cell.camera
        old, new = (camera_pose(camera)[:3, 2] for camera in (before, after))
        assert math.acos(float(old @ new)) == pytest.approx(NUDGE, rel=1e-6)
        assert math.degrees(NUDGE) == pytest.approx(2.0)
        assert after.model_copy(update={"look_at": before.look_at}) == before
        directions.append(new - old)
    assert np.ptp(directions, axis=0).max() > 0.02, "not always the same way"


def test_where_the_tool_is_what_moves_its_goal_is_disturbed() -> None:
    cell = BulletCell(load_arm("panda"), REACH, WORLD)
    cell.reset(0)
    before = cell.truth()
    Disturbance("object_moved", 0.0, np.random.default_rng(0)).update(cell, REACH, 0.0)
    way = np.linalg.norm(cell.truth().points["ball"] - before.points["ball"])
    cell.close()
    assert MOVE[0] - 1e-9 <= way <= MOVE[1] + 1e-9


def test_the_same_stream_disturbs_the_same_way(cell: BulletCell) -> None:
    def place() -> np.ndarray:
        cell.reset(1)
        Disturbance("object_moved", 0.0, np.random.default_rng(3)).update(cell, TASK, 0.0)
        return cell.truth().points["cube"]

    assert np.array_equal(place(), place())
