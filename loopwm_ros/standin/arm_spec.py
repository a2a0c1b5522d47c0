"""The arm of an arm file as a MuJoCo specification, from the same URDF."""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import mujoco

from loopwm_ros.bullet.urdf import simulation_urdf
from loopwm_ros.config import ArmConfig
from loopwm_ros.errors import ConfigError
from loopwm_ros.standin.settings import StandinSettings

COMPILER = {"strippath": "false", "fusestatic": "false", "discardvisual": "true", "balanceinertia": "true"}
MESHES = (".obj", ".stl")
ARM, SURROUNDINGS = 1, 2  # collision groups
PRIORITY = 1  # the arm's friction counts where it touches something


def arm_spec(arm: ArmConfig, settings: StandinSettings) -> mujoco.MjSpec:
    """Links, joints, collision shapes and a motor for each joint; the root stands in the base frame.

    The arm meets its surroundings and not itself. Gravity is compensated, for the URDF's masses.

    Raises:
        ConfigError: MuJoCo cannot load the URDF or one of its meshes.
    """
    spec = _loaded(arm)
    for body in spec.bodies[1:]:  # the first is the world
        body.gravcomp = 1.0
    for geom in spec.geoms:
        geom.contype, geom.conaffinity, geom.priority = ARM, SURROUNDINGS, PRIORITY
    for name in (*arm.joints, *arm.locked_joints):
        joint = spec.joint(name)
        effort = joint.actfrcrange  # the URDF's
        joint.armature += settings.rotor_inertia
        joint.frictionloss += settings.joint_friction * effort[1]
        spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcerange=effort)
    return spec


def _loaded(arm: ArmConfig) -> mujoco.MjSpec:
    with tempfile.TemporaryDirectory() as folder:
        root = ET.parse(simulation_urdf(arm, Path(folder))).getroot()  # noqa: S314 - written by us
    for mesh in root.iter("mesh"):
        path = Path(mesh.get("filename", ""))
        if path.suffix.lower() not in MESHES:
            raise ConfigError(
                f"{arm.urdf}: MuJoCo reads no {path.suffix or 'such'} mesh ({path}); "
                f"give the collision mesh as {' or '.join(MESHES)}"
            )
    extension = ET.SubElement(root, "mujoco")
    ET.SubElement(extension, "compiler", COMPILER)
    try:
        spec = mujoco.MjSpec.from_string(ET.tostring(root, encoding="unicode"))
        spec.copy().compile()
    except ValueError as error:
        raise ConfigError(f"{arm.urdf}: MuJoCo cannot load it: {' '.join(str(error).split())}") from error
    return spec
