"""The simulator as a world model: copies that do not disturb each other, and futures that come true."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.simulator_model import SimulatorModel
from loopwm_ros.bullet.simulator_mpc import simulator_controller
from loopwm_ros.config import CostTerm, load_arm, load_task, load_world
from loopwm_ros.control.assembly import MpcSettings, build_gate
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.lockstep import Lockstep
from loopwm_ros.control.receding_horizon import PlanReport
from loopwm_ros.errors import ConfigError
from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.types import F64, JointState, Observation
from loopwm_ros.world_model.settings import WorldModelSettings

ARM = load_arm("panda_rod")
TASK = load_task("push").model_copy(
    update={"objective": (CostTerm(name="push", weight=1.0), CostTerm(name="smoothness", weight=0.005))}
)
WORLD = load_world(TASK.world)
JOINTS = JointState(0.0, np.zeros(7), np.zeros(7))
LOOK = Observation(0.0, np.zeros((1, 1, 3), np.uint8), JOINTS)  # not looked at: the cell is


@pytest.fixture
def cell() -> Iterator[BulletCell]:
    cell = BulletCell(ARM, TASK, WORLD)
    cell.reset(3)
    yield cell
    cell.close()


@pytest.fixture
def model(cell: BulletCell) -> Iterator[SimulatorModel]:
    model = SimulatorModel(cell, ARM, TASK, WORLD, 4, WorldModelSettings(readout_every=2))
    model.load()
    yield model
    model.close()


def beside(model: SimulatorModel, distance: float) -> tuple[np.ndarray, F64]:
    """True state, but with the tool `distance` off the cube in -x [m]; and the cube's place (2,)."""
    state = model.encode(LOOK).tokens.copy()
    cube = state[0, 3:5].astype(np.float64)
    state[0, :2] = cube - (distance, 0.0)
    return state, cube


def ahead(*speeds: float) -> np.ndarray:
    """One candidate each, along x for five transitions."""
    actions = np.zeros((len(speeds), 5, 2), dtype=np.float32)
    actions[:, :, 0] = np.asarray(speeds)[:, None]
    return actions


def test_reads_tool_cube_and_goal_as_they_truly_are(cell: BulletCell, model: SimulatorModel) -> None:
    truth, reading = cell.truth(), model.encode(LOOK).reading
    for name, point in {"tool": truth.tool, **truth.points}.items():
        np.testing.assert_allclose(reading[model.spec.columns(name)], point, atol=1e-6)


def test_a_rollout_reads_the_steps_that_settings_name(model: SimulatorModel) -> None:
    state, _ = beside(model, 0.1)
    rollout = model.rollout(state, ahead(0.2, 0.0), 0, None)
    assert rollout.steps == (2, 4, 5)
    tool = rollout.readouts[:, :, model.spec.columns("tool")]
    np.testing.assert_allclose(tool[0, :, 0] - state[0, 0], 0.2 * 0.025 * np.array([2, 4, 5]), atol=1e-6)
    np.testing.assert_allclose(tool[1], np.tile(state[0, :3], (3, 1)), atol=1e-6)


def test_only_what_is_touched_moves(model: SimulatorModel) -> None:
    state, cube = beside(model, 0.08)
    readouts = model.rollout(state, ahead(0.0, 0.8, -0.8, 0.8), 0, None).readouts
    moved = readouts[:, -1, model.spec.columns("cube")][:, :2] - cube
    assert np.linalg.norm(moved[[0, 2]], axis=1).max() < 1e-3
    assert (moved[[1, 3], 0] > 0.02).all()
    np.testing.assert_allclose(moved[1], moved[3], atol=1e-4)  # copies are alike


def test_a_rollout_leaves_nothing_behind(model: SimulatorModel) -> None:
    state, _ = beside(model, 0.06)
    first = model.rollout(state, ahead(0.8, 0.4, -0.4), 0, None).readouts
    model.rollout(state, ahead(-1.0, 1.0, 1.0, 1.0), 0, None)
    again = model.rollout(state, ahead(0.8, 0.4, -0.4), 0, None).readouts
    np.testing.assert_allclose(first, again, atol=2e-3)


def test_advancing_goes_where_a_rollout_goes(model: SimulatorModel) -> None:
    state, _ = beside(model, 0.06)
    advanced = model.advance(state, ahead(0.8)[0])
    cube = model.rollout(state, ahead(0.8), 0, None).readouts[0, -1, model.spec.columns("cube")]
    np.testing.assert_allclose(advanced[0, 3:6], cube, atol=2e-3)


@pytest.mark.parametrize(("arm", "task"), [("panda_rod", "reach"), ("panda", "push")])
def test_what_does_not_push_with_a_rod_is_refused(cell: BulletCell, arm: str, task: str) -> None:
    with pytest.raises(ConfigError, match=f"task '{task}' with arm '{arm}'"):
        SimulatorModel(cell, load_arm(arm), load_task(task), WORLD, 4, WorldModelSettings())


def test_it_brings_the_cube_nearer_to_the_goal(cell: BulletCell) -> None:
    kinematics = Kinematics(ARM)
    planner = PlannerSettings(horizon=8, candidates=24, refinements=1, knots=4, temperature=0.1)
    reports: list[PlanReport] = []
    settings = MpcSettings(planner=planner, model=WorldModelSettings(readout_every=4))
    controller = simulator_controller(cell, ARM, TASK, WORLD, kinematics, settings, reports.append)
    try:
        loop = Lockstep(cell, build_gate(kinematics, ARM, 1 / WORLD.servo_rate), controller, 4)
        loop.reset(3)
        before = cell.truth().distance
        for _ in range(round(3.0 * WORLD.servo_rate)):
            loop.step()
    finally:
        controller.close()
    assert cell.truth().distance < 0.6 * before
    assert len(reports) == 30
