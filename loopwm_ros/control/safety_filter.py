"""The last limits before the arm: position, velocity, acceleration and workspace, joint by joint.

The filter tracks a reference and alters it only as far as a limit demands. It needs no model of the
controller: its own last output is the state it brakes from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loopwm_ros.config import Box
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.types import F64

TOLERANCE = 1e-3  # changes below it are not reported [rad]
AT_REST = 1e-6  # [rad/s]
INWARD = 1e-6  # a tool outside the workspace must come nearer by this each period [m]


@dataclass(frozen=True)
class Filtered:
    """One output of the filter."""

    position: F64  # [rad], (n,)
    velocity: F64  # [rad/s], (n,)
    altered: tuple[str, ...]  # limits that changed the reference, e.g. ("velocity",)


def stopping_time(velocity: F64, acceleration: F64) -> float:
    """Time to bring all joints to rest together [s]."""
    return float(np.max(np.abs(velocity) / acceleration))


class SafetyFilter:
    """Tracks joint references within limits, one servo period at a time."""

    def __init__(self, kinematics: Kinematics, workspace: Box, period: float) -> None:
        """`workspace` bounds the tool frame in the base frame [m]; `period` is the servo period [s]."""
        self._kinematics = kinematics
        self._low, self._high = np.asarray(workspace.low), np.asarray(workspace.high)
        self._period = period
        self._position: F64 = kinematics.home.copy()
        self._velocity: F64 = np.zeros_like(self._position)

    @property
    def position(self) -> F64:
        """The last output [rad], (n,)."""
        return self._position

    @property
    def velocity(self) -> F64:
        """Velocity of the last output [rad/s], (n,)."""
        return self._velocity

    @property
    def moving(self) -> bool:
        """Is the output still changing?"""
        return bool(np.any(np.abs(self._velocity) > AT_REST))

    def reset(self, position: F64) -> None:
        """Start at rest from measured joints (n,) [rad]."""
        self._position = np.array(position, dtype=float)
        self._velocity = np.zeros_like(self._position)

    def step(self, reference: F64 | None, feedforward: F64 | None = None) -> Filtered:
        """Next output towards `reference` (n,) [rad]; None brakes to rest at the acceleration limit.

        `feedforward` (n,) is the reference's own velocity [rad/s], zero where not given.
        """
        if reference is None:
            return self._commit(self._limit(self._brake(), []), [])
        altered: list[str] = []
        velocity = self._limit(self._approach(reference, feedforward, altered), altered)
        if not self._stays_in_workspace(velocity):
            altered.append("workspace")
            velocity = self._limit(self._brake(), [])
        return self._commit(velocity, altered)

    def _approach(self, reference: F64, feedforward: F64 | None, altered: list[str]) -> F64:
        """Velocity (n,) that reaches the reference without overshooting it at the acceleration limit."""
        exact = (reference - self._position) / self._period
        base = np.zeros_like(exact) if feedforward is None else feedforward
        catch_up = exact - base
        cap = self._braking_speed(np.abs(catch_up) * self._period)
        velocity = base + np.clip(catch_up, -cap, cap)
        self._note(velocity, exact, "acceleration", altered)
        return velocity

    def _limit(self, wanted: F64, altered: list[str]) -> F64:
        """Velocity (n,) within position, velocity and acceleration limits, nearest to `wanted`."""
        k, dt = self._kinematics, self._period
        amax = k.acceleration_limit
        velocity = np.clip(wanted, -k.velocity_limit, k.velocity_limit)
        self._note(velocity, wanted, "velocity", altered)
        room_up, room_down = k.upper - self._position, self._position - k.lower
        braked = np.clip(velocity, -self._braking_speed(room_down), self._braking_speed(room_up))
        self._note(braked, velocity, "position", altered)
        smooth = np.clip(braked, self._velocity - amax * dt, self._velocity + amax * dt)
        self._note(smooth, braked, "acceleration", altered)
        return smooth

    def _braking_speed(self, room: F64) -> F64:
        """Highest speed (n,) from which a stop at the acceleration limit fits into `room` (n,) [rad].

        In discrete time: v*dt for this period, then v^2 / (2a), must not exceed the room.
        """
        a, dt = self._kinematics.acceleration_limit, self._period
        return np.asarray(a * (np.sqrt(dt * dt + 2.0 * np.maximum(room, 0.0) / a) - dt))

    def _stays_in_workspace(self, velocity: F64) -> bool:
        """Does the stop from `velocity` end with the tool inside the box, or at least nearer to it?"""
        a, dt = self._kinematics.acceleration_limit, self._period
        stop = self._position + velocity * dt + 0.5 * velocity * stopping_time(velocity, a)
        return self._outside(stop) <= max(0.0, self._outside(self._position) - INWARD)

    def _outside(self, position: F64) -> float:
        """How far the tool is outside the workspace box [m]; 0 inside."""
        tool = self._kinematics.tool_position(position)
        return float(np.max(np.maximum(np.maximum(self._low - tool, tool - self._high), 0.0)))

    def _brake(self) -> F64:
        """Velocity (n,) one period further into a straight-line stop."""
        left = stopping_time(self._velocity, self._kinematics.acceleration_limit)
        return (
            np.asarray(self._velocity * max(0.0, 1.0 - self._period / left)) if left > 0 else self._velocity
        )

    def _commit(self, velocity: F64, altered: list[str]) -> Filtered:
        self._velocity = velocity
        self._position = self._position + velocity * self._period
        return Filtered(self._position.copy(), velocity.copy(), tuple(dict.fromkeys(altered)))

    def _note(self, after: F64, before: F64, name: str, altered: list[str]) -> None:
        if np.max(np.abs(after - before)) * self._period > TOLERANCE:
            altered.append(name)
