"""The same planner and objective on the simulator itself: what learning and seeing cost, by comparison."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.simulator_model import SimulatorModel
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.control.assembly import MpcSettings, build_motion
from loopwm_ros.control.goal import GoalTracker
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.receding_horizon import EARLY, PlanReport, RecedingHorizon
from loopwm_ros.planning.objectives import ObjectiveFactory
from loopwm_ros.planning.search import make_planner
from loopwm_ros.types import F64, CameraFrame, JointState, JointTrajectory, Observation

UNSEEN = np.zeros((1, 1, 3), dtype=np.uint8)


class SimulatorMpc:
    """Implements `Controller`: a receding horizon told the truth at the start of each slot."""

    def __init__(
        self, model: SimulatorModel, horizon: RecedingHorizon, on_plan: Callable[[PlanReport], None]
    ) -> None:
        """`on_plan` receives each planning cycle's report."""
        self._model, self._horizon, self._on_plan = model, horizon, on_plan
        self._joints: JointState
        self._slot = 0.0

    def reset(self, seed: int, now: float, joints: JointState) -> None:
        """Begin the cell's present episode at rest at the measured joints."""
        self._model.load()
        self._horizon.start(now, joints.position, seed)
        self._joints, self._slot = joints, now

    def observe_joints(self, joints: JointState) -> None:
        """A measured joint state."""
        self._joints = joints

    def observe_frame(self, frame: CameraFrame) -> None:
        """Not used: the truth is known."""

    def observe_command(self, stamp: float, position: F64) -> None:
        """A joint reference (n,) that was really sent."""
        self._horizon.add_command(stamp, position)

    def tick(self, now: float) -> JointTrajectory:
        """The trajectory due at `now`; plans first where a new slot begins."""
        due = self._horizon.command(now)
        if now >= self._slot - EARLY:
            observation = Observation(now, UNSEEN, self._joints)
            self._on_plan(self._horizon.plan(observation, self._slot, None))
            self._slot += self._model.spec.model_period
        return due.trajectory

    def close(self) -> None:
        """Free the physics clients."""
        self._model.close()


def simulator_controller(
    cell: BulletCell,
    arm: ArmConfig,
    task: TaskConfig,
    world: WorldConfig,
    kinematics: Kinematics,
    settings: MpcSettings,
    on_plan: Callable[[PlanReport], None],
) -> SimulatorMpc:
    """Assemble it as a learned model's controller is; to be closed by the caller.

    Raises:
        ConfigError: the task pushes nothing, or the arm has no rod.
    """
    model = SimulatorModel(cell, arm, task, world, settings.planner.candidates, settings.model)
    horizon = RecedingHorizon(
        model,
        make_planner(settings.planner, model),
        ObjectiveFactory(task.objective, model.spec, arm.workspace, task.moved, task.others),
        GoalTracker(task, model.spec, arm.workspace, settings.goal),
        kinematics,
        build_motion(kinematics, arm, task, 1.0 / world.control_rate),
    )
    return SimulatorMpc(model, horizon, on_plan)
