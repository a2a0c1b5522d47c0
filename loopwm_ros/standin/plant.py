"""Arm, table and objects of one episode in MuJoCo: what is moved by commands, and where everything is."""

from __future__ import annotations

import mujoco
import numpy as np

from loopwm_ros.bullet.randomise import Draw, Thing
from loopwm_ros.config import ArmConfig
from loopwm_ros.standin.drive import Drive
from loopwm_ros.standin.settings import StandinSettings
from loopwm_ros.standin.surroundings import TABLE, about_z, body_name
from loopwm_ros.types import F64


class Plant:
    """The true state. Positions are in the base frame [m], joints in the order of the arm file [rad]."""

    def __init__(self, arm: ArmConfig, model: mujoco.MjModel, draw: Draw, settings: StandinSettings) -> None:
        """All is where `draw` says, at rest."""
        self._model, self._data = model, mujoco.MjData(model)
        self._solid = tuple(name for name, thing in draw.things.items() if thing.config.shape != "mark")
        start = {**dict(zip(arm.joints, draw.start, strict=True)), **arm.locked_joints}
        for name, value in start.items():
            self._data.joint(name).qpos[0] = value
        joints = [model.joint(name) for name in arm.joints]
        self._position = np.array([joint.qposadr[0] for joint in joints])
        self._velocity = np.array([joint.dofadr[0] for joint in joints])
        self._table = model.body(TABLE).id
        root = model.body_rootid[model.jnt_bodyid[joints[0].id]]
        self._links = (model.body_rootid == root) & (model.body_weldid > 0)
        mujoco.mj_forward(model, self._data)
        self._drive = Drive(model, self._data, start, settings)

    def command(self, reference: F64) -> None:
        """Joint positions (n,) that the servos go to."""
        self._drive.command(reference)

    def step(self) -> None:
        """One step of physics."""
        self._drive.update()
        mujoco.mj_step(self._model, self._data)

    def joints(self) -> tuple[F64, F64]:
        """Positions and velocities [rad/s] of the controlled joints, (n,) each."""
        return self._data.qpos[self._position].copy(), self._data.qvel[self._velocity].copy()

    def point(self, link: str) -> F64:
        """Origin of a link, (3,)."""
        mujoco.mj_kinematics(self._model, self._data)  # a step ends with places of its beginning
        return np.array(self._data.body(link).xpos)

    def things(self) -> dict[str, tuple[F64, F64]]:
        """Centre (3,) and quaternion (4,), w first, of each object that is no mark."""
        mujoco.mj_kinematics(self._model, self._data)
        bodies = {name: self._data.body(body_name(name)) for name in self._solid}
        return {name: (np.array(body.xpos), np.array(body.xquat)) for name, body in bodies.items()}

    def forces(self) -> tuple[float, float]:
        """Sums of normal forces on the arm's moving links in the last step [N]: of objects, of the table."""
        model, data = self._model, self._data
        sums, force = {True: 0.0, False: 0.0}, np.zeros(6)
        for index, contact in enumerate(data.contact):
            bodies = model.geom_bodyid[contact.geom]
            ours = self._links[bodies]
            if ours.any() and not ours.all():
                mujoco.mj_contactForce(model, data, index, force)
                sums[bool(bodies[~ours][0] == self._table)] += float(force[0])
        return sums[False], sums[True]

    def put(self, name: str, thing: Thing) -> None:
        """The object is where `thing` says, at rest; a mark has no body here."""
        if name not in self._solid:
            return
        body = self._model.body(body_name(name))
        turn = about_z(thing.yaw)
        if body.jntnum[0]:
            joint = self._data.joint(body_name(name))
            joint.qpos[:], joint.qvel[:] = (*thing.position, *turn), 0.0
        else:
            body.pos[:], body.quat[:] = thing.position, turn
