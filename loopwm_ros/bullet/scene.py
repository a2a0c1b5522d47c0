"""Loads arm, table and ball into a PyBullet client."""

from __future__ import annotations

import colorsys
import copy
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybullet

from loopwm_ros.bullet.randomise import Draw
from loopwm_ros.config import ArmConfig, WorldConfig
from loopwm_ros.control.kinematics import resolve_urdf

ROLLING_FRICTION = 2e-3
BALL_DAMPING = 0.2
POSITION_GAIN = 0.35  # share of the error removed per physics step
VELOCITY_GAIN = 1.0


@dataclass(frozen=True)
class Scene:
    """PyBullet ids of one loaded scene."""

    arm: int
    joints: tuple[int, ...]
    tool: int
    ball: int
    forces: tuple[float, ...]  # effort limits of the controlled joints [N m]


def fast_urdf(urdf: Path, folder: Path) -> Path:
    """Copy of a URDF that shows its collision meshes: twelve times faster to render on a CPU."""
    tree = ET.parse(urdf)  # noqa: S314 - expat from 2.4.1 on bounds entity expansion
    for link in tree.getroot().findall("link"):
        for visual in link.findall("visual"):
            link.remove(visual)
        for collision in link.findall("collision"):
            visual = ET.SubElement(link, "visual")
            visual.extend(copy.deepcopy(child) for child in collision)
    for mesh in tree.getroot().iter("mesh"):
        name = mesh.get("filename", "").removeprefix("package://")
        mesh.set("filename", str((urdf.parent / name).resolve()))
    target = folder / urdf.name
    tree.write(target)
    return target


def load_scene(client: int, arm: ArmConfig, world: WorldConfig, draw: Draw) -> Scene:
    """Empty the client and load one episode's scene."""
    pybullet.resetSimulation(physicsClientId=client)
    pybullet.setGravity(0, 0, -9.81, physicsClientId=client)
    pybullet.setTimeStep(1.0 / world.physics_rate, physicsClientId=client)
    with tempfile.TemporaryDirectory() as folder:
        path = fast_urdf(resolve_urdf(arm.urdf), Path(folder))
        body = pybullet.loadURDF(str(path), useFixedBase=True, physicsClientId=client)
    _table(client, world, draw)
    ball = _ball(client, draw)
    return _arm_ids(client, arm, body, ball, draw)


def _table(client: int, world: WorldConfig, draw: Draw) -> None:
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


def _ball(client: int, draw: Draw) -> int:
    colour = [*colorsys.hsv_to_rgb(draw.ball_hue % 1.0, 0.9, 0.9), 1]
    ball = pybullet.createMultiBody(
        draw.ball_mass,
        pybullet.createCollisionShape(pybullet.GEOM_SPHERE, radius=draw.ball_radius, physicsClientId=client),
        pybullet.createVisualShape(
            pybullet.GEOM_SPHERE, radius=draw.ball_radius, rgbaColor=colour, physicsClientId=client
        ),
        list(draw.ball),
        physicsClientId=client,
    )
    pybullet.changeDynamics(
        ball,
        -1,
        lateralFriction=draw.friction,
        rollingFriction=ROLLING_FRICTION,
        spinningFriction=ROLLING_FRICTION,
        linearDamping=BALL_DAMPING,
        angularDamping=BALL_DAMPING,
        physicsClientId=client,
    )
    return int(ball)


def _arm_ids(client: int, arm: ArmConfig, body: int, ball: int, draw: Draw) -> Scene:
    joints: dict[str, int] = {}
    links: dict[str, int] = {}
    effort: dict[str, float] = {}
    for index in range(pybullet.getNumJoints(body, physicsClientId=client)):
        info = pybullet.getJointInfo(body, index, physicsClientId=client)
        name = info[1].decode()
        joints[name], effort[name], links[info[12].decode()] = index, float(info[10]), index
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
        tool=links[arm.tool_frame],
        ball=ball,
        forces=tuple(effort[name] for name in arm.joints),
    )
