"""One plan a slot, each in effect one slot later; input goes to the synchroniser and the history."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import load_arm, load_task
from loopwm_ros.control.assembly import build_gate, build_motion
from loopwm_ros.control.goal import GoalTracker
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.lockstep import Lockstep
from loopwm_ros.control.mpc_controller import MpcController
from loopwm_ros.control.receding_horizon import PlanReport, RecedingHorizon
from loopwm_ros.control.synchroniser import Synchroniser
from loopwm_ros.errors import SensorError
from loopwm_ros.planning.objectives import ObjectiveFactory
from loopwm_ros.planning.search import make_planner
from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.types import CameraFrame, Encoding, JointState, Observation
from tests.arms import SERVO, ExactArm
from tests.fakes import KinematicModel, make_spec

ARM, TASK = load_arm("panda"), load_task("reach")
KINEMATICS = Kinematics(ARM)
SIZE = (8, 6)
MODEL_PERIOD = 0.1
BALL = (0.5, 0.1, 0.1)


class Seeing(KinematicModel):
    """The tool is where the joints say, the ball at BALL."""

    def encode(self, observation: Observation) -> Encoding:
        tool = KINEMATICS.tool_position(observation.joints.position)
        reading = np.asarray([*tool, *BALL], dtype=np.float32)
        return Encoding(self.at(tuple(tool), BALL), reading, np.full(6, 0.001, dtype=np.float32))


class Rig:
    def __init__(self, budget: float | None = None, seconds_per_loop: float = 0.0) -> None:
        model = Seeing(make_spec(max_tool_speed=TASK.max_tool_speed), seconds_per_loop=seconds_per_loop)
        self.horizon = RecedingHorizon(
            model,
            make_planner(PlannerSettings(candidates=32, fewer_loops=()), model, model.clock),
            ObjectiveFactory(TASK.objective, model.spec, ARM.workspace),
            GoalTracker(TASK, model.spec, ARM.workspace),
            KINEMATICS,
            build_motion(KINEMATICS, ARM, TASK, 0.05),
            clock=model.clock,
        )
        self.reports: list[PlanReport] = []
        self.controller = MpcController(
            self.horizon, Synchroniser(SIZE), MODEL_PERIOD, self.reports.append, budget, model.clock
        )
        self.arm = ExactArm(KINEMATICS.home, SIZE)
        self.loop = Lockstep(self.arm, build_gate(KINEMATICS, ARM, SERVO), self.controller, 4)

    def run(self, seconds: float, seed: int = 0) -> np.ndarray:
        self.reports.clear()
        self.loop.reset(seed)
        for _ in range(round(seconds / SERVO)):
            self.loop.step()
        return self.arm.position


def test_one_plan_a_slot_of_the_newest_frame() -> None:
    rig = Rig()
    rig.run(1.0)
    assert [r.slot for r in rig.reports] == pytest.approx(np.arange(10) * MODEL_PERIOD)
    assert [r.delay for r in rig.reports] == pytest.approx([MODEL_PERIOD] * 10)  # frames come at once here
    assert rig.reports[0].plan is None  # one reading is not enough for a goal
    assert all(r.plan is not None for r in rig.reports[2:])


def test_a_budget_ends_each_search_on_its_clock() -> None:
    plain, short = Rig(), Rig(budget=0.01, seconds_per_loop=1e-5)
    plain.run(1.0)
    short.run(1.0)
    candidates = [{r.plan.candidates for r in rig.reports if r.plan} for rig in (plain, short)]
    assert candidates == [{32}, {16}]
    assert all(0 < r.searched <= 0.01 for r in short.reports if r.plan)


def test_slots_do_not_drift_over_a_long_episode() -> None:
    rig = Rig()
    rig.run(10.0)
    assert len(rig.reports) == 100
    assert rig.reports[-1].slot == pytest.approx(9.9, abs=1e-9)


def test_the_arm_arrives() -> None:
    rig = Rig()
    tool = KINEMATICS.tool_position(rig.run(4.0))
    assert np.linalg.norm(tool - BALL - np.asarray(TASK.goal_offset)) < 0.015


def test_episodes_depend_on_their_seed_alone() -> None:
    rig, fresh = Rig(), Rig()
    rig.run(0.7, seed=1)
    other = rig.run(1.0, seed=2)
    assert np.array_equal(other, fresh.run(1.0, seed=2))
    assert not np.array_equal(other, fresh.run(1.0, seed=1))


def test_without_frames_it_holds_and_does_not_plan() -> None:
    rig = Rig()
    rig.controller.reset(0, 0.0, JointState(0.0, KINEMATICS.home, np.zeros(7)))
    for tick in range(6):
        due = rig.controller.tick(0.05 * tick)
        assert np.allclose(due.positions, KINEMATICS.home)
    assert rig.reports == []


def test_bad_input_is_refused() -> None:
    rig = Rig()
    with pytest.raises(SensorError, match="16x6"):
        rig.controller.observe_frame(CameraFrame(0.0, np.zeros((6, 16, 3), dtype=np.uint8)))
    with pytest.raises(SensorError, match="NaN"):
        rig.controller.observe_joints(JointState(0.0, np.full(7, np.nan), np.zeros(7)))
