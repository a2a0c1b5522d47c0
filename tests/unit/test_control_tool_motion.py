"""Tool velocities become joint trajectories that keep to limits and end at rest."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import load_arm, load_task
from loopwm_ros.control.assembly import build_motion
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.tool_motion import JOINT_SHARE, PLANE_SPEED, ToolMotion
from loopwm_ros.control.trajectory import sample, sample_motion
from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.types import JointTrajectory

ARM = load_arm("panda")
KINEMATICS = Kinematics(ARM)
PERIOD, ACCELERATION = 0.05, 2.0
MOTION = ToolMotion(KINEMATICS, ARM, PERIOD, ACCELERATION)
STILL = np.zeros(7)


def from_home(*velocities: tuple[float, float, float]) -> JointTrajectory:
    return MOTION.trajectory(3.0, KINEMATICS.home, STILL, np.array(velocities))


def tools(trajectory: JointTrajectory) -> np.ndarray:
    return np.stack([KINEMATICS.tool_position(q) for q in trajectory.positions])


def test_it_starts_where_it_is_told_to() -> None:
    start, speed = KINEMATICS.home + 0.05, np.linspace(-0.1, 0.1, 7)
    trajectory = MOTION.trajectory(7.5, start, speed, np.zeros((2, 3)))
    assert trajectory.stamp == 7.5
    assert trajectory.offsets[0] == 0.0
    assert np.allclose(trajectory.positions[0], start)
    assert np.allclose(trajectory.velocities[0], speed)


def test_a_steady_velocity_is_reached_within_the_acceleration_and_then_kept() -> None:
    trajectory = from_home(*[(0.0, 0.2, 0.0)] * 8)
    steps = np.diff(tools(trajectory)[:9], axis=0) / PERIOD
    assert np.allclose(steps[0], [0.0, 0.05, 0.0], atol=5e-3)  # mean of 0 and 0.1 m/s
    assert np.allclose(steps[4:], [0.0, 0.2, 0.0], atol=5e-3)
    changes = np.abs(np.diff(np.vstack([np.zeros(3), steps]), axis=0))
    assert changes.max() <= ACCELERATION * PERIOD + 5e-3


def test_every_plan_ends_at_rest_within_the_joint_limits() -> None:
    trajectory = from_home(*[(0.25, -0.25, 0.25)] * 6)
    assert np.allclose(trajectory.velocities[-1], 0.0)
    assert trajectory.offsets[-1] > 6 * PERIOD
    assert np.all(np.diff(trajectory.offsets) > 0)
    assert np.all(np.abs(trajectory.velocities) <= KINEMATICS.velocity_limit + 1e-9)
    tail = np.diff(trajectory.velocities[6:], axis=0) / np.diff(trajectory.offsets[6:])[:, None]
    assert np.all(np.abs(tail) <= KINEMATICS.acceleration_limit + 1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_between_its_points_too_a_plan_needs_no_more_than_its_share_of_the_joints_acceleration(seed) -> None:
    rng = np.random.default_rng(seed)
    start = KINEMATICS.home + rng.uniform(-0.2, 0.2, 7)
    trajectory = MOTION.trajectory(0.0, start, STILL, rng.uniform(-0.25, 0.25, (6, 3)))
    limit = JOINT_SHARE * KINEMATICS.acceleration_limit + 1e-6
    for time in np.arange(0.0, 6 * PERIOD, PERIOD / 10):
        assert np.all(np.abs(sample_motion(trajectory, time).acceleration) <= limit)


@pytest.mark.parametrize("seed", range(8))
def test_a_plan_stays_within_the_joints_ranges(seed) -> None:
    rng = np.random.default_rng(seed)
    start, joint = KINEMATICS.home.copy(), int(rng.integers(7))
    start[joint] = rng.choice([KINEMATICS.lower[joint] + 0.02, KINEMATICS.upper[joint] - 0.02])
    trajectory = MOTION.trajectory(0.0, start, STILL, rng.uniform(-0.25, 0.25, (8, 3)))
    assert np.all(trajectory.positions >= KINEMATICS.lower - 2e-3)
    assert np.all(trajectory.positions <= KINEMATICS.upper + 2e-3)


@pytest.mark.parametrize("direction", [(0, 0, -1), (1, 0, 0), (0, 1, 0), (0, -1, 0)])
def test_it_stops_before_the_workspace_ends(direction: tuple[int, int, int]) -> None:
    trajectory = from_home(*[tuple(0.25 * d for d in direction)] * 80)
    times = np.arange(3.0, 3.0 + trajectory.offsets[-1], PERIOD / 4)
    reached = np.stack([KINEMATICS.tool_position(sample(trajectory, t)[0]) for t in times])
    assert np.all(reached >= np.asarray(ARM.workspace.low))
    assert np.all(reached <= np.asarray(ARM.workspace.high))
    assert np.linalg.norm(reached[-1] - reached[0]) > 0.1


def test_plans_that_follow_each_other_join_without_a_step() -> None:
    first = from_home(*[(0.1, 0.1, 0.0)] * 6)
    at = 3.0 + 2 * PERIOD
    second = MOTION.trajectory(at, *sample(first, at), np.tile([0.1, 0.1, 0.0], (6, 1)))
    for later in (at, at + 0.03, at + 0.1):
        assert np.allclose(sample(first, later)[0], sample(second, later)[0], atol=2e-3)


@pytest.mark.parametrize("above", [-0.05, 0.0, 0.05])
def test_with_a_height_the_tool_goes_there_and_stays_whatever_is_asked(above: float) -> None:
    height = float(KINEMATICS.tool_position(KINEMATICS.home)[2]) - above
    motion = ToolMotion(KINEMATICS, ARM, PERIOD, ACCELERATION, height)
    asked = np.tile([0.04, -0.04, 0.25], (60, 1))
    moved = tools(motion.trajectory(3.0, KINEMATICS.home, STILL, asked))[:61]
    assert np.allclose(moved[40:, 2], height, atol=2e-3)
    climbed = np.abs(np.diff(moved[:, 2])) / PERIOD
    assert climbed.max() <= PLANE_SPEED + 5e-3
    steady = np.diff(moved[5:20, :2], axis=0) / PERIOD
    assert np.allclose(steady, [0.04, -0.04], atol=5e-3), "in the plane it does as it is told"


def test_a_task_with_a_plane_moves_in_it() -> None:
    rod, push = load_arm("panda_rod"), load_task("push")
    assert push.plane is not None
    kinematics = Kinematics(rod)
    start = kinematics.reach(kinematics.home, np.array([0.45, 0.0, push.plane.height]))
    motion = build_motion(kinematics, rod, push, PERIOD)
    trajectory = motion.trajectory(0.0, start, STILL, np.tile([0.1, 0.2, -0.25], (12, 1)))
    moved = np.stack([kinematics.tool_position(q) for q in trajectory.positions])
    assert np.allclose(moved[:, 2], push.plane.height, atol=1e-3)
    assert moved[-1, 1] > 0.1


def test_a_task_with_a_plane_starts_in_it_and_does_not_come_down_from_above() -> None:
    rod, push = load_arm("panda_rod"), load_task("push")
    kinematics = Kinematics(rod)
    motion = build_motion(kinematics, rod, push, PERIOD)
    near = kinematics.reach(kinematics.home, np.array([0.45, 0.0, 0.045]))
    motion.check_start(near)
    above = kinematics.reach(near, np.array([0.45, 0.0, 0.09]))
    for position in (above, np.full_like(near, np.nan)):
        with pytest.raises(SensorError, match=r"the task keeps it at 0.03 m: bring it there first, to 2 cm"):
            motion.check_start(position)
    build_motion(Kinematics(ARM), ARM, load_task("reach"), PERIOD).check_start(above)


def test_a_plane_outside_the_workspace_is_refused() -> None:
    rod, push = load_arm("panda_rod"), load_task("push")
    assert push.plane is not None
    low = push.model_copy(update={"plane": push.plane.model_copy(update={"height": 0.02})})
    with pytest.raises(ConfigError, match=r"keeps the tool at 0.02 m; .*'panda_rod' allows 0.025 to 0.49 m"):
        build_motion(Kinematics(rod), rod, low, PERIOD)


def test_rest_stays_at_rest() -> None:
    trajectory = from_home((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert np.allclose(tools(trajectory), tools(trajectory)[0], atol=1e-4)
