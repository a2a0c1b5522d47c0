"""What is around the arm in one episode, and what of it is not as the simulation has it."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from loopwm_ros.bullet.randomise import Draw, Thing
from loopwm_ros.config import WorldConfig
from loopwm_ros.standin.arm_spec import ARM, SURROUNDINGS
from loopwm_ros.standin.settings import StandinSettings
from loopwm_ros.types import F64

ARM_FRICTION = 0.5  # of the arm's surfaces, times the drawn friction: what PyBullet has
ROLLING = 5e-4  # friction of a ball that rolls [m]
ROLLS, TURNS = 6, 4  # dimensions of a contact's friction: rolling too, or only turning on the spot
TABLE = "cell/table"


def body_name(thing: str) -> str:
    """Of an object; no link of an arm is called so."""
    return f"cell/{thing}"


def about_z(yaw: float) -> tuple[float, float, float, float]:
    """Quaternion, w first."""
    return math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)


def cell_model(
    arm: mujoco.MjSpec, world: WorldConfig, draw: Draw, settings: StandinSettings, rng: np.random.Generator
) -> mujoco.MjModel:
    """The arm of a specification with table and objects; `rng` draws friction and masses off those drawn."""
    whole = arm.copy()
    option = whole.option
    option.timestep = 1.0 / world.physics_rate
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10.0  # friction as hard as the normal force: nothing creeps
    friction = draw.friction * _share(rng, settings.friction_share)
    for geom in whole.geoms:
        geom.friction[0] = ARM_FRICTION * friction
    _add_table(whole, world, friction)
    for name, thing in draw.things.items():
        if thing.config.shape != "mark":
            _add_thing(whole, body_name(name), thing, friction)
    for geom in whole.geoms:
        geom.solref[0] = settings.contact_time
    model = whole.compile()
    _weigh(model, rng, settings.mass_share)
    return model


def _add_table(spec: mujoco.MjSpec, world: WorldConfig, friction: float) -> None:
    low, high = np.asarray(world.table_low), np.asarray(world.table_high)
    body = spec.worldbody.add_body(name=TABLE, pos=(low + high) / 2)
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(high - low) / 2, **_surface(friction))


def _add_thing(spec: mujoco.MjSpec, name: str, thing: Thing, friction: float) -> None:
    body = spec.worldbody.add_body(name=name, pos=thing.position, quat=about_z(thing.yaw))
    if thing.mass > 0:
        body.add_freejoint(name=name)
    kind, size, dimensions = mujoco.mjtGeom.mjGEOM_BOX, [thing.size / 2] * 3, TURNS
    if thing.config.shape == "sphere":
        kind, size, dimensions = mujoco.mjtGeom.mjGEOM_SPHERE, [thing.size, 0.0, 0.0], ROLLS
    body.add_geom(type=kind, size=size, condim=dimensions, mass=thing.mass, **_surface(friction))


def _surface(friction: float) -> dict[str, int | list[float]]:
    """Of table and objects, which meet all. Between two of them friction is a product, as in PyBullet."""
    return {
        "contype": SURROUNDINGS,
        "conaffinity": SURROUNDINGS | ARM,
        "friction": [friction**2, ROLLING, ROLLING],
    }


def _weigh(model: mujoco.MjModel, rng: np.random.Generator, share: float) -> None:
    """Masses as they are; gravity stays compensated for those that the specification has."""
    scale: F64 = 1.0 + share * rng.uniform(-1.0, 1.0, model.nbody)
    model.body_mass[:] *= scale
    model.body_inertia[:] *= scale[:, None]
    model.body_gravcomp[:] /= scale
    mujoco.mj_setConst(model, mujoco.MjData(model))


def _share(rng: np.random.Generator, share: float) -> float:
    return 1.0 + share * float(rng.uniform(-1.0, 1.0))
