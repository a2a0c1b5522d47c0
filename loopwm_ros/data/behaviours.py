"""How the arm moves while data is collected: a mixture, so that the model sees more than success."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from loopwm_ros.config import ArmConfig, Box, TaskConfig
from loopwm_ros.control.assembly import build_motion
from loopwm_ros.control.baselines import RandomController, ScriptedController
from loopwm_ros.control.controller import Controller
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import choices
from loopwm_ros.types import F64

SHARES = {"random": 0.25, "reach": 0.4, "goals": 0.35}
NEAR = 0.12  # random goals near the ball are at most this far from it, each axis [m]
GOAL_PERIOD = 25  # mean control periods before another random goal
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
    ball: Callable[[], F64],
) -> Controller:
    """Controller of one episode, its speed, noise and aim drawn from `rng`.

    Args:
        name: random (smooth random tool velocities), reach (a noisy approach to the ball) or goals
            (one random point after another, half of them near the ball).
        rng: the episode's random stream, kept by the controller.
        kinematics: of the arm.
        arm: its workspace bounds the goals.
        task: its limits bound the motion, its goal offset is where a reach ends.
        control_period: [s].
        ball: the true ball centre (3,) [m].

    Raises:
        ConfigError: no such behaviour.
    """
    motion = build_motion(kinematics, arm, task, control_period)
    speed = task.max_tool_speed * float(rng.uniform(0.4, 1.0))
    if name == "random":
        return RandomController(kinematics, motion, speed, memory=float(rng.uniform(0.85, 0.98)))
    goal_offset = np.asarray(task.goal_offset)
    gain, noise = float(rng.uniform(1.5, 5.0)), float(rng.uniform(0.0, 0.4))
    if name == "reach":
        aim = goal_offset + rng.normal(scale=AIM_ERROR, size=3)
        return ScriptedController(kinematics, motion, lambda: ball() + aim, speed, gain, noise)
    if name != "goals":
        raise choices("behaviour", name, SHARES)
    goals = RandomGoals(rng, arm.workspace, lambda: ball() + goal_offset)
    return ScriptedController(kinematics, motion, goals, speed, gain, noise)


class RandomGoals:
    """A target that jumps at random times. Asked once per control period."""

    def __init__(self, rng: np.random.Generator, workspace: Box, attraction: Callable[[], F64]) -> None:
        """Half of the goals are near `attraction` (3,) [m], half anywhere in `workspace`."""
        self._rng, self._attraction = rng, attraction
        self._low, self._high = np.asarray(workspace.low), np.asarray(workspace.high)
        self._goal: F64 | None = None

    def __call__(self) -> F64:
        """The present goal (3,) [m]."""
        if self._goal is None or self._rng.random() < 1.0 / GOAL_PERIOD:
            self._goal = self._draw()
        return self._goal

    def _draw(self) -> F64:
        if self._rng.random() < 0.5:
            return self._rng.uniform(self._low, self._high)
        near = self._attraction() + self._rng.uniform(-NEAR, NEAR, size=3)
        return np.clip(near, self._low, self._high)
