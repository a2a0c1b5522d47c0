"""Loads arm, table and objects into a PyBullet client."""

from __future__ import annotations

import colorsys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybullet

from loopwm_ros.bullet.randomise import MARK_THICKNESS, Draw, Thing
from loopwm_ros.bullet.urdf import simulation_urdf
from loopwm_ros.config import ArmConfig, WorldConfig
from loopwm_ros.types import F64

ROLLING_FRICTION = 2e-3
DAMPING = 0.2
POSITION_GAIN = 0.35  # share of the error removed per physics step
VELOCITY_GAIN = 1.0
SOFT_DAMPING = 20.0  # of an object that is soft [N s/m]
SATURATION = {"sphere": 0.9, "box": 0.9, "mark": 0.75}
BRIGHTNESS = {"sphere": 0.9, "box": 0.9, "mark": 0.65}
COVER_SHARE, COVER_RADIUS, COVER_COLOUR = 0.2, 0.07, (0.8, 0.62, 0.5, 1.0)  # a hand


@dataclass(frozen=True)
class Scene:
    """PyBullet ids of one loaded scene."""

    arm: int
    joints: tuple[int, ...]
    tool: int
    things: dict[str, int]
    forces: tuple[float, ...]  # effort limits of the controlled joints [N m]
    speeds: tuple[float, ...]  # velocity limits of these joints, which a real drive keeps to, too [rad/s]
    table: int
    moving: frozenset[int]  # links of the arm that move


def load_scene(client: int, arm: ArmConfig, world: WorldConfig, draw: Draw) -> Scene:
    """Empty the client and load one episode's scene."""
    pybullet.resetSimulation(physicsClientId=client)
    pybullet.setGravity(0, 0, -9.81, physicsClientId=client)
    pybullet.setTimeStep(1.0 / world.physics_rate, physicsClientId=client)
    with tempfile.TemporaryDirectory() as folder:
        path = simulation_urdf(arm, Path(folder))
        body = pybullet.loadURDF(str(path), useFixedBase=True, physicsClientId=client)
    table = _table(client, world, draw)
    things = {name: load_thing(client, thing, draw.friction) for name, thing in draw.things.items()}
    return _arm_ids(client, arm, body, table, things, draw)


def load_thing(client: int, thing: Thing, friction: float) -> int:
    """Put one object on the table; `friction` is its lateral friction."""
    shape, size = thing.config.shape, thing.size
    brightness, saturation = BRIGHTNESS[shape], SATURATION[shape]
    colour = [*colorsys.hsv_to_rgb(thing.hue % 1.0, saturation, brightness), 1]
    if shape == "sphere":
        kind = pybullet.GEOM_SPHERE
        geometry: dict[str, float | list[float]] = {"radius": size}
    else:
        height = size if shape == "box" else MARK_THICKNESS
        kind = pybullet.GEOM_BOX
        geometry = {"halfExtents": [size / 2, size / 2, height / 2]}
    solid = shape != "mark"
    body = pybullet.createMultiBody(
        thing.mass,
        pybullet.createCollisionShape(kind, physicsClientId=client, **geometry) if solid else -1,
        pybullet.createVisualShape(kind, rgbaColor=colour, physicsClientId=client, **geometry),
        list(thing.position),
        pybullet.getQuaternionFromEuler([0.0, 0.0, thing.yaw]),
        physicsClientId=client,
    )
    rolling = ROLLING_FRICTION if shape == "sphere" else 0.0
    pybullet.changeDynamics(
        body,
        -1,
        lateralFriction=friction,
        rollingFriction=rolling,
        spinningFriction=rolling,
        linearDamping=DAMPING,
        angularDamping=DAMPING,
        physicsClientId=client,
    )
    if thing.config.stiffness:
        pybullet.changeDynamics(
            body,
            -1,
            contactStiffness=thing.config.stiffness,
            contactDamping=SOFT_DAMPING,
            physicsClientId=client,
        )
    return int(body)


def load_cover(client: int) -> int:
    """A ball that nothing can touch, to hold in front of something; it hangs in the air."""
    shape = pybullet.createVisualShape(
        pybullet.GEOM_SPHERE, radius=COVER_RADIUS, rgbaColor=COVER_COLOUR, physicsClientId=client
    )
    return int(pybullet.createMultiBody(0, -1, shape, physicsClientId=client))


def hold_cover(client: int, cover: int, point: F64, camera: F64) -> None:
    """Bring it onto the line from `point` to `camera`, both (3,) [m]."""
    position = point + COVER_SHARE * (camera - point)
    pybullet.resetBasePositionAndOrientation(cover, position.tolist(), [0, 0, 0, 1], physicsClientId=client)


def _table(client: int, world: WorldConfig, draw: Draw) -> int:
    low, high = np.asarray(world.table_low), np.asarray(world.table_high)
    half = ((high - low) / 2).tolist()
    value = draw.table_value
    table = pybullet.createMultiBody(
        0,
        pybullet.createCollisionShape(pybullet.GEOM_BOX, halfExtents=half, physicsClientId=client),
        pybullet.createVisualShape(
            pybullet.GEOM_BOX,
            halfExtents=half,
            rgbaColor=[value, 0.92 * value, 0.82 * value, 1],
            physicsClientId=client,
        ),
        ((low + high) / 2).tolist(),
        physicsClientId=client,
    )
    pybullet.changeDynamics(table, -1, lateralFriction=draw.friction, physicsClientId=client)
    return int(table)


def _arm_ids(client: int, arm: ArmConfig, body: int, table: int, things: dict[str, int], draw: Draw) -> Scene:
    joints: dict[str, int] = {}
    links: dict[str, int] = {}
    effort: dict[str, float] = {}
    speed: dict[str, float] = {}
    moving: set[int] = set()
    for index in range(pybullet.getNumJoints(body, physicsClientId=client)):
        info = pybullet.getJointInfo(body, index, physicsClientId=client)
        name = info[1].decode()
        joints[name], links[info[12].decode()] = index, index
        effort[name], speed[name] = float(info[10]), float(info[11])
        if info[2] != pybullet.JOINT_FIXED or info[16] in moving:  # a link's parent comes before it
            moving.add(index)
    for name, value in zip(arm.joints, draw.start, strict=True):
        pybullet.resetJointState(body, joints[name], value, physicsClientId=client)
    for name, value in arm.locked_joints.items():
        pybullet.resetJointState(body, joints[name], value, physicsClientId=client)
        pybullet.setJointMotorControl2(
            body, joints[name], pybullet.POSITION_CONTROL, value, force=effort[name], physicsClientId=client
        )
    return Scene(
        arm=body,
        joints=tuple(joints[name] for name in arm.joints),
        tool=links[arm.tool_point],
        things=things,
        forces=tuple(effort[name] for name in arm.joints),
        speeds=tuple(speed[name] for name in arm.joints),
        table=table,
        moving=frozenset(moving),
    )
