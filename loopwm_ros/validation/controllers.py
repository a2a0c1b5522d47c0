"""What may drive the arm in lockstep, by name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.scripted import scripted_controller
from loopwm_ros.bullet.simulator_mpc import simulator_controller
from loopwm_ros.control.assembly import build_motion, build_mpc
from loopwm_ros.control.baselines import RandomController, ToolVelocityController
from loopwm_ros.control.controller import Controller
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.receding_horizon import PlanReport
from loopwm_ros.control.tool_motion import ToolMotion
from loopwm_ros.errors import ConfigError, choices
from loopwm_ros.validation.request import CLOCKS, RunRequest


@dataclass(frozen=True)
class Parts:
    """What controllers are made of."""

    request: RunRequest
    kinematics: Kinematics
    cell: BulletCell  # for those that know the truth
    on_plan: Callable[[PlanReport], None]  # for those that plan
    closing: ExitStack  # for what has to be closed after the run

    @property
    def control_period(self) -> float:
        """[s]."""
        return 1.0 / self.request.world.control_rate

    @property
    def motion(self) -> ToolMotion:
        """Tool motion of the task on the arm."""
        return build_motion(self.kinematics, self.request.arm, self.request.task, self.control_period)


def _zero(parts: Parts) -> Controller:
    return ToolVelocityController(parts.kinematics, parts.motion)


def _random(parts: Parts) -> Controller:
    return RandomController(parts.kinematics, parts.motion, parts.request.task.max_tool_speed)


def _scripted(parts: Parts) -> Controller:
    return scripted_controller(parts.kinematics, parts.motion, parts.request.task, parts.cell)


def _mpc(parts: Parts) -> Controller:
    request = parts.request
    if request.bundle is None:
        raise ConfigError(f"controller '{request.controller}' needs a bundle; give --bundle DIRECTORY")
    camera = request.arm.camera.width, request.arm.camera.height
    clock = CLOCKS[request.clock]
    mpc = build_mpc(
        request.bundle,
        request.arm,
        request.task,
        parts.kinematics,
        parts.control_period,
        request.controller_settings,
        camera,
        clock=clock,
    )
    return mpc.controller(parts.on_plan, request.plan_budget, clock)


def _simulator(parts: Parts) -> Controller:
    request = parts.request
    controller = simulator_controller(
        parts.cell,
        request.arm,
        request.task,
        request.world,
        parts.kinematics,
        request.settings,
        parts.on_plan,
    )
    parts.closing.callback(controller.close)
    return controller


CONTROLLERS: dict[str, Callable[[Parts], Controller]] = {
    "mpc": _mpc,
    "policy": _mpc,  # its planner is the policy
    "zero": _zero,
    "random": _random,
    "scripted": _scripted,
    "simulator": _simulator,
}


def make_controller(parts: Parts) -> Controller:
    """The controller that a request names.

    Raises:
        LoopWMError: there is none of this name, or its parts do not belong together.
    """
    name = parts.request.controller
    if name not in CONTROLLERS:
        raise choices("controller", name, CONTROLLERS)
    return CONTROLLERS[name](parts)
