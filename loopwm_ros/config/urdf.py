"""Reads a URDF that may come from anybody, and lets nothing through that the C++ parsers stumble over.

PyBullet's parser dereferences null pointers on trees with two roots, two parents or two joints of one name,
and urdfdom's recursion overflows the stack on a chain of thousands of links. So both get what was checked
here, written anew, and never the file itself.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from loopwm_ros.config.outside import read_bounded
from loopwm_ros.errors import ConfigError

MAX_URDF = 8 * 2**20  # of the file [bytes]; a description of a whole mobile manipulator has 0.3 MB
MAX_LINKS = 256  # parsers recurse along a chain of links; an arm with a hand has 30
MAX_ELEMENTS = 20_000
MAX_DEPTH = 32  # of nested elements; URDF needs 6
MAX_ATTRIBUTES = 32  # of one element: tinyxml compares each with each
MAX_VALUE = 4096  # of an attribute [characters]
JOINT_TYPES = ("revolute", "continuous", "prismatic", "fixed", "floating", "planar")
NUMBERS = {  # how many each attribute holds
    "origin": {"xyz": 3, "rpy": 3},
    "axis": {"xyz": 3},
    "limit": dict.fromkeys(("lower", "upper", "effort", "velocity"), 1),
    "mimic": {"multiplier": 1, "offset": 1},
    "dynamics": {"damping": 1, "friction": 1},
    "mass": {"value": 1},
    "inertia": dict.fromkeys(("ixx", "ixy", "ixz", "iyy", "iyz", "izz"), 1),
    "box": {"size": 3},
    "sphere": {"radius": 1},
    "cylinder": {"radius": 1, "length": 1},
    "mesh": {"scale": 3},
    "color": {"rgba": 4},
}


def read_urdf(path: Path) -> ET.Element:
    """The robot element of a URDF, with numbers where they belong and links that form one tree.

    Raises:
        ConfigError: the file cannot be read, or is not a valid URDF; the message says what is wrong.
    """
    try:
        root: ET.Element = fromstring(read_bounded(path, MAX_URDF), forbid_dtd=True)
        _check_size(root)
        _check_tree(root)
        for part in (*root.findall("link"), *root.findall("joint")):
            for element in part.iter():
                _check_numbers(element, part.get("name", ""))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except DefusedXmlException as error:
        raise ConfigError(f"{path} is not a valid URDF: it declares entities or a document type") from error
    except (ET.ParseError, ValueError, LookupError) as error:
        raise ConfigError(f"{path} is not a valid URDF: {error}") from error
    return root


def urdf_text(root: ET.Element) -> str:
    """XML of what was read."""
    return ET.tostring(root, encoding="unicode")


def _check_size(root: ET.Element) -> None:
    count = 0
    level = [root]
    for _ in range(MAX_DEPTH):
        count += len(level)
        level = [child for element in level for child in element]
    if level or count > MAX_ELEMENTS:
        raise ValueError(f"it has more than {MAX_ELEMENTS} elements, or some nested over {MAX_DEPTH} deep")
    for element in root.iter():
        if len(element.attrib) > MAX_ATTRIBUTES or any(len(v) > MAX_VALUE for v in element.attrib.values()):
            raise ValueError(
                f"an element has more than {MAX_ATTRIBUTES} attributes, or one of over {MAX_VALUE} characters"
            )


def _names(root: ET.Element, kind: str) -> list[str]:
    names = [element.get("name", "") for element in root.findall(kind)]
    if "" in names:
        raise ValueError(f"a {kind} has no name")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"there is more than one {kind} '{twice[0]}'")
    return names


def _check_tree(root: ET.Element) -> None:
    """One root, from which each link is reached along one way."""
    if root.tag != "robot":
        raise ValueError(f"its first element is '{root.tag}'; expected 'robot'")
    if not root.get("name"):
        raise ValueError("the robot has no name")
    links, joints = _names(root, "link"), _names(root, "joint")
    if not 0 < len(links) <= MAX_LINKS:
        raise ValueError(f"it has {len(links)} links; expected 1 to {MAX_LINKS}")
    children: dict[str, list[str]] = {link: [] for link in links}
    for joint in root.findall("joint"):
        parent, child = _ends(joint, links)
        children[parent].append(child)
        _check_kind(joint, joints)
    below = Counter(child for each in children.values() for child in each)
    if twice := [link for link, count in below.items() if count > 1]:
        raise ValueError(f"link '{twice[0]}' is the child of more than one joint")
    roots = [link for link in links if link not in below]
    if len(roots) != 1 or set(_reached(roots[0], children)) != set(links):
        raise ValueError(f"its links form no tree; those without a parent: {', '.join(roots) or 'none'}")


def _ends(joint: ET.Element, links: list[str]) -> tuple[str, str]:
    ends = []
    for kind in ("parent", "child"):
        found = joint.find(kind)
        name = "" if found is None else found.get("link", "")
        if name not in links:
            raise ValueError(f"joint '{joint.get('name')}' has {kind} '{name}', which is no link")
        ends.append(name)
    return ends[0], ends[1]


def _check_kind(joint: ET.Element, joints: list[str]) -> None:
    name, kind = joint.get("name"), joint.get("type", "")
    if kind not in JOINT_TYPES:
        raise ValueError(f"joint '{name}' has type '{kind}'; expected one of {', '.join(JOINT_TYPES)}")
    if kind in ("revolute", "prismatic") and joint.find("limit") is None:
        raise ValueError(f"joint '{name}' is {kind} and has no limit")
    mimic = joint.find("mimic")
    if mimic is not None and mimic.get("joint") not in {*joints} - {name}:
        raise ValueError(f"joint '{name}' mimics '{mimic.get('joint')}', which is no other joint")


def _reached(start: str, children: dict[str, list[str]]) -> Iterator[str]:
    """Links below `start`, itself included; ends only because none is the child of two joints."""
    waiting = [start]
    while waiting:
        link = waiting.pop()
        yield link
        waiting += children[link]


def _check_numbers(element: ET.Element, where: str) -> None:
    for name, count in NUMBERS.get(element.tag, {}).items():
        text = element.get(name)
        if text is None:
            continue
        values = [float(word) for word in text.split()]
        if len(values) != count or not all(map(math.isfinite, values)):
            raise ValueError(
                f"{element.tag} of '{where}' has {name} '{text}'; expected {count} finite numbers"
            )
