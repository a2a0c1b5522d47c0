"""The URDF for the simulator: same arm, meshes found, and the rod where the kinematics have it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pinocchio as pin
import pybullet
import pytest

from loopwm_ros.bullet.urdf import simulation_urdf
from loopwm_ros.config import ArmConfig, RodConfig, load_arm, share_dir
from loopwm_ros.config.resources import find_resource
from loopwm_ros.control.arm_urdf import ROD_MASS
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError

ARMS = sorted(path.stem for path in (share_dir() / "sim/arms").glob("*.yaml"))
GRAMS = 0.005  # what the frames may weigh in all, beside the rod [kg]


@pytest.fixture
def client() -> Iterator[int]:
    client = pybullet.connect(pybullet.DIRECT)
    yield client
    pybullet.disconnect(client)


def mass(urdf: Path) -> float:
    return sum(float(each.attrib["value"]) for each in ET.parse(urdf).iter("mass"))


def load(client: int, arm: ArmConfig, folder: Path) -> tuple[int, dict[str, int], dict[str, int]]:
    """Body, and its joints and links by name."""
    path = simulation_urdf(arm, folder)
    body = pybullet.loadURDF(str(path), useFixedBase=True, physicsClientId=client)
    infos = [
        pybullet.getJointInfo(body, i, physicsClientId=client)
        for i in range(pybullet.getNumJoints(body, physicsClientId=client))
    ]
    return body, {i[1].decode(): i[0] for i in infos}, {i[12].decode(): i[0] for i in infos}


@pytest.mark.parametrize("rod", [None, RodConfig(length=0.2, radius=0.01)], ids=["bare", "rod"])
@pytest.mark.parametrize("name", ARMS)
def test_the_simulated_tool_point_is_the_kinematics_one(
    client: int, tmp_path: Path, name: str, rod: RodConfig | None
) -> None:
    arm = load_arm(name).model_copy(update={"rod": rod})
    kinematics = Kinematics(arm)
    body, joints, links = load(client, arm, tmp_path)
    rng = np.random.default_rng(0)
    for _ in range(5):
        q = rng.uniform(np.maximum(kinematics.lower, -3.0), np.minimum(kinematics.upper, 3.0))
        for joint, value in (*zip(arm.joints, q, strict=True), *arm.locked_joints.items()):
            pybullet.resetJointState(body, joints[joint], value, physicsClientId=client)
        state = pybullet.getLinkState(
            body, links[arm.tool_point], computeForwardKinematics=1, physicsClientId=client
        )
        assert np.allclose(state[4], kinematics.tool_position(q), atol=1e-5)
        turn = np.reshape(pybullet.getMatrixFromQuaternion(state[5]), (3, 3))
        assert np.allclose(turn, kinematics.tool_pose(q)[:3, :3], atol=1e-4)


def test_the_tip_is_a_rod_s_length_from_the_tool_frame_along_its_axis() -> None:
    arm = load_arm("panda_rod")
    assert arm.rod is not None
    tip, bare = Kinematics(arm), Kinematics(arm.model_copy(update={"rod": None}))
    pose = bare.tool_pose(bare.home)
    assert np.allclose(tip.tool_position(tip.home), pose[:3, 3] + arm.rod.length * pose[:3, 2])
    assert np.allclose(tip.tool_pose(tip.home)[:3, :3], pose[:3, :3])


@pytest.mark.parametrize("name", ARMS)
def test_hardly_any_mass_is_added(client: int, tmp_path: Path, name: str) -> None:
    arm = load_arm(name)
    source = find_resource(arm.urdf)
    model = pin.buildModelFromUrdf(str(source))
    root = model.inertias[0].mass  # of what is fixed to the world
    body, _, links = load(client, arm, tmp_path)
    moving = sum(pybullet.getDynamicsInfo(body, i, physicsClientId=client)[0] for i in links.values())
    base = pybullet.getDynamicsInfo(body, -1, physicsClientId=client)[0]
    added = mass(tmp_path / source.name) - mass(source)
    rod = 0.0 if arm.rod is None else ROD_MASS
    assert rod <= added <= rod + GRAMS
    total = sum(inertia.mass for inertia in model.inertias)
    assert moving + base <= total + rod + GRAMS
    assert moving >= total - root - 1e-6


def test_the_rod_is_solid_and_as_wide_as_it_says(client: int, tmp_path: Path) -> None:
    arm = load_arm("panda_rod")
    assert arm.rod is not None
    body, joints, links = load(client, arm, tmp_path)
    for joint, value in zip(arm.joints, arm.home, strict=True):
        pybullet.resetJointState(body, joints[joint], value, physicsClientId=client)
    pybullet.performCollisionDetection(physicsClientId=client)
    tip = np.array(pybullet.getLinkState(body, links["rod_tip"], 0, 1, physicsClientId=client)[4])
    half_way = tip + np.array([0.0, 0.0, arm.rod.length / 2])
    side = np.array([0.5, 0.0, 0.0])
    ((hit, link, _, where, _),) = pybullet.rayTest(
        (half_way + side).tolist(), (half_way - side).tolist(), physicsClientId=client
    )
    assert (hit, link) == (body, links["rod"])
    assert where[0] - half_way[0] == pytest.approx(arm.rod.radius, abs=1.5e-3)


def test_what_is_shown_is_what_is_hit_and_every_mesh_is_found(tmp_path: Path) -> None:
    for name in ARMS:
        root = ET.parse(simulation_urdf(load_arm(name), tmp_path)).getroot()
        for link in root.findall("link"):
            if link.get("name") != "rod":
                shown, hit = ([ET.tostring(g) for g in link.iterfind(f"{k}/geometry")]
                              for k in ("visual", "collision"))  # fmt: skip
                assert shown == hit
        meshes = [Path(mesh.attrib["filename"]) for mesh in root.iter("mesh")]
        assert all(mesh.is_absolute() and mesh.is_file() for mesh in meshes), name


def test_a_missing_mesh_is_named(tmp_path: Path) -> None:
    source = tmp_path / "arm.urdf"
    source.write_text(
        '<robot name="a"><link name="l"><collision><geometry><mesh filename="hook.stl"/></geometry>'
        "</collision></link></robot>"
    )
    arm = load_arm("panda").model_copy(update={"urdf": str(source)})
    with pytest.raises(ConfigError, match=r"hook\.stl not found"):
        simulation_urdf(arm, tmp_path)
