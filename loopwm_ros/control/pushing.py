"""Pushes an object to a goal with a tool in a plane, told where both truly are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loopwm_ros.config import Settings
from loopwm_ros.control.baselines import ToolVelocityController
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.tool_motion import ToolMotion
from loopwm_ros.types import F64, JointState

Places = Callable[[], tuple[F64, F64]]  # object and goal, base frame [m], (3,) each


class PushSettings(Settings):
    """How to push. Distances [m] are from the object's centre, speeds [m/s]."""

    speed: float = 0.2
    standoff: float = 0.075  # of the way around the object
    cone: float = 0.35  # off the line to the goal at most, as a share of the standoff, to push
    lateral_gain: float = 4.0  # [1/s]
    slowing: float = 2.0  # speed per distance left [1/s]
    done: float = 0.008  # near enough to stop
    noise: float = 0.0  # share of the speed


class PushingController(ToolVelocityController):
    """Goes around the object until it is between tool and goal, then pushes along the line to the goal."""

    def __init__(
        self, kinematics: Kinematics, motion: ToolMotion, places: Places, settings: PushSettings | None = None
    ) -> None:
        super().__init__(kinematics, motion)
        self._places, self._settings = places, settings or PushSettings()
        self._disturbance = np.zeros(2)

    def reset(self, seed: int, now: float, joints: JointState) -> None:
        """Begin an episode with a fresh random stream."""
        super().reset(seed, now, joints)
        self._disturbance = np.zeros(2)

    def velocity(self, tool: F64) -> F64:
        """Tool velocity (3,) [m/s], in the plane."""
        settings = self._settings
        thing, goal = self._places()
        self._disturbance = 0.9 * self._disturbance + 0.44 * self._rng.normal(size=2)
        planar = self._planar(tool[:2], thing[:2], goal[:2])
        planar += settings.noise * settings.speed * self._disturbance
        return np.array([*planar, 0.0])

    def _planar(self, tool: F64, thing: F64, goal: F64) -> F64:
        settings = self._settings
        left = float(np.linalg.norm(goal - thing))
        if left < settings.done:
            return np.zeros(2)
        ahead = (goal - thing) / left
        aside = np.array([-ahead[1], ahead[0]])
        along, across = float((tool - thing) @ ahead), float((tool - thing) @ aside)
        if along < 0 and abs(across) < settings.cone * settings.standoff:
            speed = min(settings.speed, 0.03 + settings.slowing * left)
            return np.asarray(speed * ahead - settings.lateral_gain * across * aside)
        return self._around(tool - thing, ahead)

    def _around(self, offset: F64, ahead: F64) -> F64:
        """Along the circle of the standoff to the point behind the object."""
        settings = self._settings
        radius = max(1e-6, float(np.linalg.norm(offset)))
        outward = offset / radius
        turn = np.arctan2(-ahead[1], -ahead[0]) - np.arctan2(offset[1], offset[0])
        turn = float(np.arctan2(np.sin(turn), np.cos(turn)))
        tangent = np.array([-outward[1], outward[0]])
        if radius > 1.5 * settings.standoff or abs(turn) < 0.3:
            wanted = 4.0 * (-settings.standoff * ahead - offset)
            if (radius > settings.standoff and abs(turn) < np.pi / 2) or abs(turn) < 0.3:
                return _capped(wanted, settings.speed)
        step = min(1.0, abs(turn) / 0.5) * np.sign(turn) * tangent
        return _capped(settings.speed * step + 4.0 * (settings.standoff - radius) * outward, settings.speed)


def _capped(velocity: F64, speed: float) -> F64:
    """The velocity, no faster than `speed`."""
    return np.asarray(velocity * min(1.0, speed / max(1e-9, float(np.linalg.norm(velocity)))))
