"""Arm, table and objects of one episode in MuJoCo."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from loopwm_ros.bullet.randomise import Draw, Thing
from loopwm_ros.config import ArmConfig, WorldConfig
from loopwm_ros.standin.arm_spec import SURROUNDINGS
from loopwm_ros.standin.drive import Drive
from loopwm_ros.standin.settings import StandinSettings
from loopwm_ros.types import F64

ARM_FRICTION = 0.5  # of the arm's surfaces, times the drawn friction, as PyBullet has it
ROLLING = 5e-4  # friction of a ball that rolls [m]
TABLE = "table"


class Plant:
    """What is moved by the commands; where everything is."""

    def __init__(
        self,
        arm: ArmConfig,
        spec: mujoco.MjSpec,
        world: WorldConfig,
        draw: Draw,
        settings: StandinSettings,
        rng: np.random.Generator,
    ) -> None:
        """`spec` is the arm's alone; `rng` draws what differs from `draw`."""
        self._settings = settings
        friction = draw.friction * _share(rng, settings.friction_share)
        self._model = _cell(spec, world, draw, friction, settings)
        _weigh(self._model, rng, settings.mass_share)
        self._data = mujoco.MjData(self._model)
        self._solid = tuple(name for name, thing in draw.things.items() if thing.config.shape != "mark")
        start = {**dict(zip(arm.joints, draw.start, strict=True)), **arm.locked_joints}
        self._wear(tuple(start))
        for name, value in start.items():
            self._data.joint(name).qpos[0] = value
        joints = [self._model.joint(name) for name in arm.joints]
        self._position = np.array([joint.qposadr[0] for joint in joints])
        self._velocity = np.array([joint.dofadr[0] for joint in joints])
        mujoco.mj_forward(self._model, self._data)
        self._drive = Drive(self._model, self._data, start, settings)

    def command(self, reference: F64) -> None:
        """Joint positions (n,) [rad] that the servos go to."""
        self._drive.command(reference)

    def step(self) -> None:
        """One step of physics."""
        self._drive.update()
        mujoco.mj_step(self._model, self._data)

    def joints(self) -> tuple[F64, F64]:
        """True positions [rad] and velocities [rad/s] of the controlled joints, (n,) each."""
        return self._data.qpos[self._position].copy(), self._data.qvel[self._velocity].copy()

    def point(self, body: str) -> F64:
        """Origin of a link or an object after the last step, base frame, (3,) [m]."""
        mujoco.mj_kinematics(self._model, self._data)
        return np.array(self._data.body(body).xpos)

    def things(self) -> dict[str, tuple[F64, F64]]:
        """Centre (3,) [m] and quaternion (4,) w first, of each object that is no mark."""
        mujoco.mj_kinematics(self._model, self._data)
        bodies = {name: self._data.body(name) for name in self._solid}
        return {name: (np.array(body.xpos), np.array(body.xquat)) for name, body in bodies.items()}

    def put(self, thing: Thing, name: str) -> None:
        """The object is elsewhere, at rest; a mark has no body here."""
        if name not in self._solid:
            return
        body = self._model.body(name)
        if not body.jntnum[0]:
            self._model.body_pos[body.id], self._model.body_quat[body.id] = (
                thing.position,
                _about_z(thing.yaw),
            )
            return
        joint = self._data.joint(name)
        joint.qpos[:] = *thing.position, *_about_z(thing.yaw)
        joint.qvel[:] = 0.0

    def _wear(self, names: tuple[str, ...]) -> None:
        """What turns with each joint, and rubs in it."""
        model = self._model
        for name in names:
            joint = model.joint(name)
            effort = model.actuator(name).forcerange[1]
            model.dof_armature[joint.dofadr[0]] += self._settings.rotor_inertia
            model.dof_frictionloss[joint.dofadr[0]] += self._settings.joint_friction * effort
        mujoco.mj_setConst(model, self._data)


def _cell(
    spec: mujoco.MjSpec, world: WorldConfig, draw: Draw, friction: float, settings: StandinSettings
) -> mujoco.MjModel:
    """Table and objects around the arm. A surface's friction is chosen so that each pair has PyBullet's."""
    whole = spec.copy()
    option = whole.option
    option.timestep = 1.0 / world.physics_rate
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10.0  # friction as hard as the normal force: nothing creeps
    for geom in whole.geoms:
        geom.friction[0] = ARM_FRICTION * friction
    low, high = np.asarray(world.table_low), np.asarray(world.table_high)
    table = whole.worldbody.add_body(name=TABLE, pos=(low + high) / 2)
    table.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(high - low) / 2)
    for name, thing in draw.things.items():
        if thing.config.shape != "mark":
            _add_thing(whole, name, thing)
    for body in (TABLE, *(name for name, thing in draw.things.items() if thing.config.shape != "mark")):
        geom = whole.body(body).geoms[0]
        geom.contype, geom.conaffinity = SURROUNDINGS, SURROUNDINGS | 1
        geom.friction[:] = friction**2, ROLLING, ROLLING
    for geom in whole.geoms:
        geom.solref[0] = settings.contact_time
    return whole.compile()


def _add_thing(spec: mujoco.MjSpec, name: str, thing: Thing) -> None:
    body = spec.worldbody.add_body(name=name, pos=thing.position, quat=_about_z(thing.yaw))
    if thing.mass > 0:
        body.add_freejoint(name=name)
    if thing.config.shape == "sphere":
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[thing.size, 0, 0], mass=thing.mass, condim=6)
    else:
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[thing.size / 2] * 3, mass=thing.mass, condim=4)


def _weigh(model: mujoco.MjModel, rng: np.random.Generator, share: float) -> None:
    """Masses as they are; gravity stays compensated for those that the specification has."""
    for body in range(1, model.nbody):
        scale = _share(rng, share)
        model.body_mass[body] *= scale
        model.body_inertia[body] *= scale
        model.body_gravcomp[body] /= scale


def _share(rng: np.random.Generator, share: float) -> float:
    return float(rng.uniform(1.0 - share, 1.0 + share))


def _about_z(yaw: float) -> tuple[float, float, float, float]:
    """Quaternion, w first."""
    return math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)
