"""How the arm moves while data is collected: a mixture, so that the model sees more than success."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import ArmConfig, TaskConfig
from loopwm_ros.control.assembly import build_motion
from loopwm_ros.control.baselines import RandomController, ScriptedController
from loopwm_ros.control.controller import Controller
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.pushing import PushingController, PushSettings
from loopwm_ros.errors import choices
from loopwm_ros.types import F64

REACHING = {"random": 0.25, "reach": 0.4, "goals": 0.35}  # shares where the tool is brought to the goal
PUSHING = {"random": 0.15, "push": 0.3, "pushes": 0.55}  # where an object is
NEAR = 0.12  # random goals near the ball are at most this far from it, each axis [m]
GOAL_PERIOD = 25  # mean control periods before another random goal
PUSH_PERIOD = 30  # the same for an object, which takes longer to bring there
AIM_ERROR = 0.015  # standard deviation of a reach's aim, each axis [m]


def draw_behaviour(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    """One behaviour's name, by its share."""
    weights = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def build_behaviour(
    name: str,
    rng: np.random.Generator,
    kinematics: Kinematics,
    arm: ArmConfig,
    task: TaskConfig,
    control_period: float,
    cell: BulletCell,
) -> Controller:
    """Controller of one episode, its speed, noise and aim drawn from `rng`.

    Args:
        name: random (smooth random tool velocities); reach (a noisy approach to the goal), goals (one
            random point after another, half of them near the goal); push (a noisy push of the object to the
            goal), pushes (to one random point after another).
        rng: the episode's random stream, kept by the controller.
        kinematics: of the arm.
        arm: its workspace bounds the goals.
        task: its limits bound the motion, its goal offset is where a reach ends.
        control_period: [s].
        cell: asked for the truth.

    Raises:
        ConfigError: no such behaviour.
    """
    motion = build_motion(kinematics, arm, task, control_period)
    speed = task.max_tool_speed * float(rng.uniform(0.4, 1.0))
    if name == "random":
        return RandomController(kinematics, motion, speed, memory=float(rng.uniform(0.85, 0.98)))
    offset = np.asarray(task.goal_offset)

    def goal() -> F64:
        return cell.truth().points[task.goal]

    if name in ("reach", "goals"):
        gain, noise = float(rng.uniform(1.5, 5.0)), float(rng.uniform(0.0, 0.4))
        if name == "reach":
            aim = offset + rng.normal(scale=AIM_ERROR, size=3)
            return ScriptedController(kinematics, motion, lambda: goal() + aim, speed, gain, noise)
        low, high = np.asarray(arm.workspace.low), np.asarray(arm.workspace.high)
        goals = RandomGoals(rng, low, high, lambda: goal() + offset, GOAL_PERIOD)
        return ScriptedController(kinematics, motion, goals, speed, gain, noise)
    if name not in ("push", "pushes"):
        raise choices("behaviour", name, REACHING | PUSHING)
    settings = PushSettings(
        speed=speed,
        standoff=float(rng.uniform(0.06, 0.1)),
        cone=float(rng.uniform(0.2, 0.6)),
        noise=float(rng.choice([0.0, 0.1, 0.25, 0.5])),
    )
    target: Callable[[], F64] = lambda: goal() + offset  # noqa: E731
    if name == "pushes":
        ranges = task.objects[task.moved]
        low, high = (np.array([ranges.x[i], ranges.y[i], 0.0]) for i in (0, 1))
        target = RandomGoals(rng, low, high, lambda: cell.truth().points[task.moved], PUSH_PERIOD)
    return PushingController(
        kinematics, motion, lambda: (cell.truth().points[task.moved], target()), settings
    )


class RandomGoals:
    """A target that jumps at random times. Asked once per control period."""

    def __init__(
        self, rng: np.random.Generator, low: F64, high: F64, attraction: Callable[[], F64], period: int
    ) -> None:
        """Half of the goals are near `attraction` (3,) [m], half anywhere from `low` to `high`.

        Another one comes after `period` calls, on average.
        """
        self._rng, self._attraction, self._chance = rng, attraction, 1.0 / period
        self._low, self._high = low, high
        self._goal: F64 | None = None

    def __call__(self) -> F64:
        """The present goal (3,) [m]."""
        if self._goal is None or self._rng.random() < self._chance:
            self._goal = self._draw()
        return self._goal

    def _draw(self) -> F64:
        if self._rng.random() < 0.5:
            return self._rng.uniform(self._low, self._high)
        near = self._attraction() + self._rng.uniform(-NEAR, NEAR, size=3)
        return np.clip(near, self._low, self._high)
