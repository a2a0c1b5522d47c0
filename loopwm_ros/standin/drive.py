"""The arm's joint servos: computed torque towards a smoothed reference, within the joints' efforts."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from loopwm_ros.standin.settings import StandinSettings
from loopwm_ros.types import F64


class Drive:
    """Servos of all joints of the arm, the locked ones included.

    `torque = M(q) (w^2 (r - q) - 2 z w dq/dt)`, with `w` and `z` from the settings and `r` the reference
    behind a first-order low-pass. Where that is more than one joint can give, all give less: a joint at its
    limit alone would send the others astray. Gravity is compensated apart from it, nothing else is: dry
    friction and forces from outside leave an error.
    """

    def __init__(
        self, model: mujoco.MjModel, data: mujoco.MjData, start: dict[str, float], settings: StandinSettings
    ) -> None:
        """`start`: where each joint is and stays, by name; first those that are commanded, in their order."""
        self._model, self._data = model, data
        joints = [model.joint(name) for name in start]
        self._position = np.array([joint.qposadr[0] for joint in joints])
        self._velocity = np.array([joint.dofadr[0] for joint in joints])
        self._servos = np.array([model.actuator(name).id for name in start])
        self._effort: F64 = model.actuator_forcerange[self._servos, 1]
        self._target: F64 = np.array(list(start.values()))
        self._reference = self._target.copy()
        rate = 2.0 * math.pi * settings.servo_frequency
        self._stiffness, self._damping = rate**2, 2.0 * settings.servo_damping * rate
        self._share = 1.0 - math.exp(-model.opt.timestep / settings.servo_smoothing)
        self._inertia: F64 = np.zeros((model.nv, model.nv))

    def command(self, reference: F64) -> None:
        """Where the first (n,) joints shall go [rad]."""
        self._target[: len(reference)] = reference

    def update(self) -> None:
        """Set the torques of the next step of physics."""
        data = self._data
        self._reference += self._share * (self._target - self._reference)
        error = self._reference - data.qpos[self._position]
        wanted = self._stiffness * error - self._damping * data.qvel[self._velocity]
        mujoco.mj_fullM(self._model, data, self._inertia)
        torque = self._inertia[np.ix_(self._velocity, self._velocity)] @ wanted
        data.ctrl[self._servos] = torque / max(1.0, float(np.max(np.abs(torque) / self._effort)))
