"""Turns tool velocities into joint trajectories that keep to limits, with a stop tail."""

from __future__ import annotations

import numpy as np

from loopwm_ros.config import ArmConfig
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.trajectory import with_stop_tail
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, JointTrajectory

WORKSPACE_MARGIN = 0.01  # kept from the safety filter's own box [m]
PLANE_GAIN = 4.0  # speed back to the plane, per distance from it [1/s]
PLANE_SPEED = 0.1  # at most [m/s]
JOINT_SHARE = 0.8  # of the joints' acceleration limits that a plan uses
NEAR_PLANE = 0.02  # at the start: from higher up the tool would come down on what lies below it [m]


class ToolMotion:
    """Follows tool velocities, one per control period, from a joint reference."""

    def __init__(
        self,
        kinematics: Kinematics,
        arm: ArmConfig,
        period: float,
        max_acceleration: float,
        height: float | None = None,
    ) -> None:
        """`period` is the control period [s], `max_acceleration` bounds the tool [m/s^2].

        With a `height` [m] the tool goes to that height and stays there, whatever the velocities say.
        """
        self.period = period
        self._kinematics = kinematics
        self._low = np.asarray(arm.workspace.low) + WORKSPACE_MARGIN
        self._high = np.asarray(arm.workspace.high) - WORKSPACE_MARGIN
        self._height = height
        self._change = max_acceleration * period
        self._joint_change = JOINT_SHARE * kinematics.acceleration_limit * period

    def check_start(self, position: F64) -> None:
        """Refuse to start from joints (n,) [rad] whose tool is not in the plane, where there is one.

        Raises:
            SensorError: saying where the tool is, and where it should be.
        """
        if self._height is None:
            return
        z = float(self._kinematics.tool_position(position)[2])
        if not abs(z - self._height) <= NEAR_PLANE:
            raise SensorError(
                f"the tool is at a height of {z:.3f} m; the task keeps it at {self._height:g} m: bring it "
                f"there first, to {NEAR_PLANE * 100:g} cm, clear of what lies on the table"
            )

    def trajectory(self, stamp: float, position: F64, velocity: F64, tool_velocities: F64) -> JointTrajectory:
        """Joint trajectory that starts at `stamp` [s].

        It continues a joint reference `position`, `velocity`, (n,) [rad], [rad/s], with one wanted tool
        velocity for each control period, `tool_velocities` (m, 3) [m/s].
        """
        dt = self.period
        speed = self._tool_velocity(position, velocity)
        positions, velocities = [np.asarray(position, dtype=float)], [np.asarray(velocity, dtype=float)]
        for tool_velocity in tool_velocities:
            tool = self._kinematics.tool_position(positions[-1])
            wanted = self._in_plane(tool_velocity, tool)
            ahead = tool + 0.5 * speed * dt
            hardest = self._change / dt
            down, up = (
                _border_speed(ahead - self._low, hardest, dt),
                _border_speed(self._high - ahead, hardest, dt),
            )
            change = np.clip(np.clip(wanted, -down, up) - speed, -self._change, self._change)
            mean = speed + 0.5 * change
            speed = speed + change
            there, _ = self._kinematics.step(positions[-1], mean, dt)
            _, asked = self._kinematics.step(there, speed, dt)
            knot_velocity = self._within_range(positions[-1], velocities[-1], asked)
            gain = knot_velocity - velocities[-1]
            excess = float(np.max(np.abs(gain) / self._joint_change))
            if excess > 1.0:
                knot_velocity = velocities[-1] + gain / excess
            # One acceleration between two knots: with positions of differential IK, cubics would need more.
            following = positions[-1] + 0.5 * (velocities[-1] + knot_velocity) * dt
            if not np.array_equal(knot_velocity, asked):
                speed = self._tool_velocity(following, knot_velocity)
            positions.append(following)
            velocities.append(knot_velocity)
        offsets = np.asarray(dt * np.arange(len(positions)), dtype=np.float64)
        return with_stop_tail(
            stamp,
            offsets,
            np.asarray(positions),
            np.asarray(velocities),
            self._kinematics.acceleration_limit,
            dt,
        )

    def _in_plane(self, velocity: F64, tool: F64) -> F64:
        """The velocity (3,) [m/s] with a z that brings the tool (3,) [m] to the height that was asked for."""
        if self._height is None:
            return velocity
        climb = np.clip(PLANE_GAIN * (self._height - tool[2]), -PLANE_SPEED, PLANE_SPEED)
        return np.array([velocity[0], velocity[1], climb])

    def _within_range(self, position: F64, velocity: F64, following: F64) -> F64:
        """Velocities (n,) [rad/s] at the next point, from which a stop ends within the joints' ranges."""
        k, dt = self._kinematics, self.period
        ahead, hardest = position + 0.5 * velocity * dt, self._joint_change / dt
        down, up = _border_speed(ahead - k.lower, hardest, dt), _border_speed(k.upper - ahead, hardest, dt)
        return np.clip(following, -down, up)

    def _tool_velocity(self, position: F64, velocity: F64) -> F64:
        """Tool velocity (3,) [m/s] of a joint velocity, by a finite difference over one period."""
        ahead = self._kinematics.tool_position(position + velocity * self.period)
        return (ahead - self._kinematics.tool_position(position)) / self.period


def _border_speed(room: F64, acceleration: F64 | float, period: float) -> F64:
    """Highest speeds (m,) after this `period` [s] from which stops at `acceleration` fit into `room` (m,)."""
    half = 0.5 * period
    return np.asarray(
        acceleration * (np.sqrt(half * half + 2.0 * np.maximum(room, 0.0) / acceleration) - half)
    )
