"""A receding horizon with an arm that does exactly as it is told, for tests."""

from __future__ import annotations

import numpy as np

from loopwm_ros.config import load_arm, load_task
from loopwm_ros.config.task import LookConfig
from loopwm_ros.control.assembly import build_motion
from loopwm_ros.control.goal import GoalTracker
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.prediction_gap import GapMeter
from loopwm_ros.control.receding_horizon import RecedingHorizon
from loopwm_ros.control.trajectory import sample
from loopwm_ros.planning.objectives import ObjectiveFactory
from loopwm_ros.planning.search import make_planner
from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.types import F32, Encoding, JointState, Observation
from tests.fakes import FakeClock, KinematicModel, make_spec

ARM, TASK = load_arm("panda"), load_task("reach")
KINEMATICS = Kinematics(ARM)
BALL = np.array([0.55, 0.15, 0.03])
PERIOD, MODEL_PERIOD = 0.05, 0.1


class SeeingModel(KinematicModel):
    """The tool is where the joints say, the ball at BALL; remembers what it was asked to imagine."""

    def __init__(self, std: float = 0.002) -> None:
        super().__init__(make_spec(max_tool_speed=TASK.max_tool_speed), FakeClock())
        self.std = std
        self.bridged: list[F32] = []

    def encode(self, observation: Observation) -> Encoding:
        tool = KINEMATICS.tool_position(observation.joints.position)
        reading = np.concatenate([tool, BALL]).astype(np.float32)
        return Encoding(self.at(tuple(tool), tuple(BALL)), reading, np.full(6, self.std, np.float32))

    def advance(self, state: F32, actions: F32) -> F32:
        self.bridged.append(actions)
        return super().advance(state, actions)


class Loop:
    """An arm that follows its reference exactly, seen `latency` late."""

    def __init__(
        self,
        model: SeeingModel,
        latency: float = 0.03,
        gap: GapMeter | None = None,
        period: float = PERIOD,
        look: LookConfig | None = None,
    ) -> None:
        self.model, self.latency, self.period = model, latency, period
        self.horizon = RecedingHorizon(
            model,
            make_planner(PlannerSettings(), model, model.clock),
            ObjectiveFactory(TASK.objective, model.spec, ARM.workspace),
            GoalTracker(TASK, model.spec, ARM.workspace),
            KINEMATICS,
            build_motion(KINEMATICS, ARM, TASK, period),
            gap,
            look=look,
        )
        self.horizon.start(0.0, KINEMATICS.home)
        self.positions = {0.0: KINEMATICS.home.copy()}
        self.position = KINEMATICS.home.copy()

    def slot(self, start: float, plan: bool = True) -> None:
        """One model period: plan at its start, follow what is due in each control period."""
        if plan:
            stamp = max(0.0, start - self.latency)
            seen = self.positions[min(self.positions, key=lambda t: abs(t - stamp))]
            joints = JointState(stamp, seen, np.zeros(7))
            self.report = self.horizon.plan(
                Observation(stamp, np.zeros((6, 8, 3), np.uint8), joints), start, None
            )
        for tick in range(round(MODEL_PERIOD / self.period)):
            self.due = self.horizon.command(start + tick * self.period)
            for servo in range(4):
                at = start + tick * self.period + (servo + 1) * self.period / 4
                self.position = sample(self.due.trajectory, at)[0]
                self.positions[at] = self.position
                self.horizon.add_command(at, self.position)
                self.horizon.add_joints(JointState(at, self.position, np.zeros(7)))

    def distance(self) -> float:
        target = BALL + np.asarray(TASK.goal_offset)
        return float(np.linalg.norm(KINEMATICS.tool_position(self.position) - target))
