"""Puts a controller and a safety gate together: the one place, for the nodes and for lockstep alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from loopwm_ros.bundle import Bundle, check_fit
from loopwm_ros.config import ArmConfig, Settings, TaskConfig
from loopwm_ros.config.task import TOOL
from loopwm_ros.control.goal import GoalSettings, GoalTracker
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.mpc_controller import MpcController
from loopwm_ros.control.prediction_gap import GapMeter, GapSettings
from loopwm_ros.control.receding_horizon import PlanReport, RecedingHorizon
from loopwm_ros.control.safety_filter import SafetyFilter
from loopwm_ros.control.safety_gate import GateSettings, SafetyGate
from loopwm_ros.control.synchroniser import Synchroniser
from loopwm_ros.control.tool_motion import WORKSPACE_MARGIN, ToolMotion
from loopwm_ros.errors import ConfigError, MismatchError
from loopwm_ros.planning.objectives import ObjectiveFactory
from loopwm_ros.planning.search import make_planner
from loopwm_ros.planning.settings import PlannerKind, PlannerSettings
from loopwm_ros.processing.images import CALIBRATED, TRAINED
from loopwm_ros.processing.reprojection import Reprojection
from loopwm_ros.world_model.base import Clock
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.settings import WorldModelSettings

POLICY_HORIZON = 4  # actions that a policy decides on: those committed, and a whole number of read-outs


class MpcSettings(Settings):
    """Runtime choices of the model-predictive controller."""

    model: WorldModelSettings = WorldModelSettings()
    planner: PlannerSettings = PlannerSettings()
    goal: GoalSettings = GoalSettings()
    gap: GapSettings = GapSettings()


def planner_settings(task: TaskConfig, kind: PlannerKind, **chosen: int | str) -> PlannerSettings:
    """Settings that a task's planner has, those of `chosen` that are not 0 or empty first.

    Raises:
        ConfigError: the task's file has a setting that is none, or out of its range.
    """
    usual = {**task.planner, "horizon": POLICY_HORIZON} if kind == "policy" else task.planner
    merged = {**usual, "kind": kind, **{name: value for name, value in chosen.items() if value}}
    try:
        return PlannerSettings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"task '{task.name}', planner: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error


@dataclass(frozen=True)
class Mpc:
    """A controller ready to run: sessions open, buffers made."""

    bundle: Bundle
    model: OnnxWorldModel
    horizon: RecedingHorizon
    motion: ToolMotion
    synchroniser: Synchroniser
    camera_size: tuple[int, int]  # (width, height) of the pictures that it takes [px]

    def controller(
        self,
        on_plan: Callable[[PlanReport], None],
        budget: float | None = None,
        clock: Clock = time.perf_counter,
    ) -> MpcController:
        """The loop of the mpc node, without ROS; `clock` is the one that it was built with."""
        period = self.bundle.manifest.spec.model_period
        return MpcController(self.horizon, self.synchroniser, period, on_plan, budget, clock)


def build_mpc(
    bundle: Bundle,
    arm: ArmConfig,
    task: TaskConfig,
    kinematics: Kinematics,
    control_period: float,
    settings: MpcSettings,
    camera: tuple[int, int] | None = None,
    view: Reprojection | None = None,
    *,
    clock: Clock = time.perf_counter,
) -> Mpc:
    """Assemble the controller of one bundle on one arm.

    `control_period` [s]; `camera` is (width, height) [px] where known beforehand, else the synchroniser
    refuses frames of another size. `view` makes the bundle's pictures where another camera takes them.
    Deadlines are on `clock`.

    Raises:
        MismatchError: bundle, arm, task, camera or control period do not belong together.
        BundleError, ConfigError: a graph or a setting is not usable.
    """
    manifest = bundle.manifest
    check_fit(manifest, arm, camera, control_period)
    if missing := [name for name in task.quantities if name not in manifest.spec.quantities]:
        raise MismatchError(
            f"bundle '{manifest.name}' reads out {list(manifest.spec.quantities)}, "
            f"task '{task.name}' needs {missing} as well: take a bundle that was trained for this task"
        )
    if manifest.spec.action_dim != task.action_dim:
        raise MismatchError(
            f"bundle '{manifest.name}' acts with {manifest.spec.action_dim} components, "
            f"task '{task.name}' with {task.action_dim}: 2 with a plane, 3 without"
        )
    model = OnnxWorldModel(bundle, kinematics, settings.model, clock, view)
    size = (manifest.camera.width, manifest.camera.height) if view is None else view.size
    motion = build_motion(kinematics, arm, task, control_period)
    points = dict.fromkeys((TOOL, task.moved))
    horizon = RecedingHorizon(
        model,
        make_planner(settings.planner, model, clock, model.policy),
        ObjectiveFactory(task.objective, manifest.spec, arm.workspace, task.moved, task.others),
        GoalTracker(task, manifest.spec, arm.workspace, settings.goal),
        kinematics,
        motion,
        GapMeter(model, points, settings.gap, clock) if settings.gap.steps else None,
        clock,
        look=task.look,
    )
    synchroniser = Synchroniser(size, expected=TRAINED if view is None else CALIBRATED)
    return Mpc(bundle, model, horizon, motion, synchroniser, size)


def build_motion(
    kinematics: Kinematics, arm: ArmConfig, task: TaskConfig, control_period: float
) -> ToolMotion:
    """Tool motion of a task on an arm; `control_period` [s].

    Raises:
        ConfigError: the arm's workspace does not hold the task's plane.
    """
    height = None if task.plane is None else task.plane.height
    low, high = arm.workspace.low[2] + WORKSPACE_MARGIN, arm.workspace.high[2] - WORKSPACE_MARGIN
    if height is not None and not low <= height <= high:
        raise ConfigError(
            f"task '{task.name}' keeps the tool at {height:g} m; the workspace of arm '{arm.name}' allows "
            f"{low:g} to {high:g} m: change the task's plane.height or the arm's workspace"
        )
    return ToolMotion(kinematics, arm, control_period, task.max_tool_acceleration, height)


def build_gate(
    kinematics: Kinematics, arm: ArmConfig, servo_period: float, settings: GateSettings | None = None
) -> SafetyGate:
    """Safety gate of an arm; `servo_period` [s]."""
    return SafetyGate(kinematics, SafetyFilter(kinematics, arm, servo_period), settings)
