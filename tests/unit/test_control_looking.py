"""An arm that does not see its goal goes aside, slowly, and no further than it is told."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
from loops import ARM, BALL, KINEMATICS, Loop, SeeingModel
from pydantic import ValidationError

from loopwm_ros.bundle import load_bundle
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.config.files import share_dir
from loopwm_ros.config.task import LookConfig
from loopwm_ros.control.goal import GoalSettings, GoalTracker
from loopwm_ros.control.looking import Looking
from loopwm_ros.control.tool_motion import WORKSPACE_MARGIN
from loopwm_ros.validation.lockstep_episode import LockstepRunner
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.summary import Measurements

STEP = 0.05
UNSEEN = 0.5  # the encoder's 1-sigma [m], far above what counts as seen


def walked(looking: Looking, tool: np.ndarray, seconds: float, now: float = 0.0) -> np.ndarray:
    path = [tool.astype(float)]
    for tick in range(round(seconds / STEP)):
        path.append(path[-1] + STEP * looking.velocity(now + tick * STEP, path[-1]))
    return np.array(path)


def test_the_nearest_point_comes_first_then_the_others_then_it_stays() -> None:
    looking = Looking(LookConfig(points=((0.4, 0.2), (0.4, -0.2)), after=1.0, speed=0.1))
    path = walked(looking, np.array([0.5, -0.1, 0.03]), 12.0)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1) / STEP
    assert steps[:20].max() == 0.0, "it waits first"
    assert steps.max() <= 0.1 + 1e-9
    assert np.ptp(path[:, 2]) == 0.0, "the height is kept"
    near = [
        int(np.argmin(np.linalg.norm(path[:, :2] - point, axis=1))) for point in ((0.4, -0.2), (0.4, 0.2))
    ]
    assert near[0] < near[1]
    assert np.linalg.norm(path[near[0], :2] - (0.4, -0.2)) < 0.011
    assert np.linalg.norm(path[-1, :2] - (0.4, 0.2)) < 0.011
    assert steps[-20:].max() == 0.0, "each point once"


def test_looking_begins_anew_after_a_goal_was_there() -> None:
    looking = Looking(LookConfig(points=((0.4, 0.2),), after=1.0))
    there = walked(looking, np.array([0.4, 0.0, 0.03]), 8.0)[-1]
    looking.clear()
    path = walked(looking, there + np.array([0.0, -0.1, 0.0]), 6.0, now=20.0)
    assert np.array_equal(path[0], path[20])
    assert np.linalg.norm(path[-1, :2] - (0.4, 0.2)) < 0.011


def test_without_settings_it_holds() -> None:
    assert np.ptp(walked(Looking(None), np.array([0.4, 0.1, 0.3]), 3.0), axis=0).max() == 0.0


def looking_loop(std: float) -> Loop:
    tool = KINEMATICS.tool_position(KINEMATICS.home)
    aside = float(tool[0]), float(tool[1]) + 0.15
    return Loop(SeeingModel(std), look=LookConfig(points=(aside,), after=0.5, speed=0.1))


def test_the_arm_goes_aside_until_it_sees_the_goal_and_then_there() -> None:
    loop = looking_loop(UNSEEN)
    start = KINEMATICS.tool_position(loop.position)
    for slot in range(15):
        loop.slot(0.1 * slot)
    moved = KINEMATICS.tool_position(loop.position) - start
    assert 0.05 < moved[1] < 0.12
    assert abs(moved[[0, 2]]).max() < 0.01
    assert loop.report.plan is None
    loop.model.std = 0.001
    for slot in range(15, 60):
        loop.slot(0.1 * slot)
    assert loop.report.plan is not None
    assert loop.distance() < 0.02


def test_nothing_is_looked_for_while_nobody_commands_the_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = looking_loop(UNSEEN)
    monkeypatch.setattr(loop.horizon, "add_command", lambda *_: None)
    for slot in range(20):
        loop.slot(0.1 * slot)
    assert np.allclose(loop.due.trajectory.positions[0], loop.due.trajectory.positions[-1], atol=1e-6)
    assert np.allclose(loop.position, KINEMATICS.home, atol=1e-6)


@pytest.mark.parametrize("given", [BALL, None])
def test_nothing_is_looked_for_that_is_to_be_given(given: np.ndarray | None) -> None:
    settings = GoalSettings(source="position")
    tracker = GoalTracker(load_task("reach"), SeeingModel().spec, ARM.workspace, settings)
    tracker.give(given)
    assert not tracker.missing


def test_it_holds_where_a_task_says_nothing() -> None:
    still = Loop(SeeingModel(UNSEEN))
    for slot in range(20):
        still.slot(0.1 * slot)
    assert np.allclose(still.position, KINEMATICS.home)


def test_points_of_the_task_files_can_be_reached() -> None:
    task, arm = load_task("clutter"), load_arm("panda_rod")
    assert task.look is not None
    low, high = np.asarray(arm.workspace.low)[:2], np.asarray(arm.workspace.high)[:2]
    for point in task.look.points:
        assert (np.asarray(point) > low + WORKSPACE_MARGIN).all()
        assert (np.asarray(point) < high - WORKSPACE_MARGIN).all()
    with pytest.raises(ValidationError, match="points"):
        LookConfig(points=())


def test_a_task_s_look_reaches_the_arm_that_sees_nothing() -> None:
    task, arm = load_task("clutter"), load_arm("panda_rod")
    assert task.look is not None
    request = RunRequest(
        arm=arm,
        task=task.model_copy(update={"time_limit": 12.0}),
        world=load_world(task.world),
        controller="mpc",
        episodes=1,
        seed=0,
        bundle=load_bundle(share_dir() / "models" / "panda_rod_clutter"),
        blank_camera=True,
    )
    with closing(LockstepRunner(request, lambda _: None)) as runner:
        tool = runner.episode(0, Measurements()).trace.tool
    for point in task.look.points:
        assert np.linalg.norm(tool.values[:, :2] - point, axis=1).min() < 0.02
    assert np.linalg.norm(np.diff(tool.values, axis=0), axis=1).max() < 0.02, "slowly"
