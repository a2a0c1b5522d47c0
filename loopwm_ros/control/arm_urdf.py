"""What an arm can hit things with: its URDF's collision shapes, and the rod that it holds."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from loopwm_ros.config.arm import ROD_TIP, ArmConfig, RodConfig
from loopwm_ros.config.resources import find_resource
from loopwm_ros.config.urdf import read_urdf
from loopwm_ros.processing.meshes import check_mesh

ROD = "rod"
ROD_MASS = 0.05  # [kg]
ROD_INERTIA = 1e-4  # about each axis [kg m^2]
TIP_MASS, TIP_INERTIA = 1e-3, 1e-6  # without these a simulator takes 1 kg
ROD_COLOUR = "0.12 0.16 0.55 1"


def collision_urdf(arm: ArmConfig) -> ET.Element:
    """The robot element of the arm's URDF without what is only seen, its meshes checked and found.

    Meshes have absolute paths; the rod that the arm holds is fixed on the tool frame.

    Raises:
        ConfigError: the URDF or one of its meshes is missing or not valid.
    """
    urdf = find_resource(arm.urdf)
    root = read_urdf(urdf)
    for link in root.findall("link"):
        for visual in link.findall("visual"):
            link.remove(visual)
    for mesh in root.iter("mesh"):
        file = find_resource(mesh.get("filename", ""), urdf).resolve()
        check_mesh(file)
        mesh.set("filename", str(file))
    if arm.rod is not None:
        _add_rod(root, arm.tool_frame, arm.rod)
    return root


def append(parent: ET.Element, xml: str) -> None:
    """Add a child, given as our own XML."""
    parent.append(ET.fromstring(xml))  # noqa: S314 - our own text


def inertial(origin: str, mass: float, inertia: float) -> str:
    """XML of a body's mass [kg] and inertia about each axis [kg m^2]; `origin` is XML, too."""
    diagonal = " ".join(f'{axis}="{inertia}"' for axis in ("ixx", "iyy", "izz"))
    off = " ".join(f'{axis}="0"' for axis in ("ixy", "ixz", "iyz"))
    return f'<inertial>{origin}<mass value="{mass}"/><inertia {diagonal} {off}/></inertial>'


def _add_rod(root: ET.Element, mount: str, rod: RodConfig) -> None:
    """Fix a cylinder on the link `mount`, along its z axis, and a frame at its tip."""
    half = f'<origin xyz="0 0 {rod.length / 2}"/>'
    shape = f'{half}<geometry><cylinder radius="{rod.radius}" length="{rod.length}"/></geometry>'
    colour = f'<material name="{ROD}"><color rgba="{ROD_COLOUR}"/></material>'
    _add_link(root, ROD, f"{inertial(half, ROD_MASS, ROD_INERTIA)}<visual>{shape}{colour}</visual>"
              f"<collision>{shape}</collision>")  # fmt: skip
    _add_link(root, ROD_TIP, inertial("", TIP_MASS, TIP_INERTIA))
    for child, parent, along in ((ROD, mount, 0.0), (ROD_TIP, ROD, rod.length)):
        append(
            root,
            f'<joint name="{child}_joint" type="fixed"><parent link="{parent}"/><child link="{child}"/>'
            f'<origin xyz="0 0 {along}"/></joint>',
        )


def _add_link(root: ET.Element, name: str, contents: str) -> None:
    append(root, f'<link name="{name}">{contents}</link>')
