"""URDFs and meshes from anybody: refused with one error before a parser in C++ sees what it cannot bear."""

from __future__ import annotations

import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.bullet.urdf import simulation_urdf
from loopwm_ros.config import load_arm
from loopwm_ros.config.resources import find_resource
from loopwm_ros.config.urdf import MAX_DEPTH, MAX_LINKS, read_urdf, urdf_text
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError
from loopwm_ros.processing.meshes import check_mesh
from tests.mutation import damaged_bytes, fuzz, png

INERTIA = '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>'
LIMIT = '<limit lower="-1" upper="1" effort="1" velocity="1"/>'


def link(name: str, more: str = "") -> str:
    return f'<link name="{name}">{INERTIA}{more}</link>'


def joint(name: str, parent: str, child: str, more: str = LIMIT, kind: str = "revolute") -> str:
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
        f'<axis xyz="0 0 1"/>{more}</joint>'
    )


def chain(links: int) -> str:
    joints = (joint(f"j{i}", f"l{i}", f"l{i + 1}") for i in range(links - 1))
    return "".join([*(link(f"l{i}") for i in range(links)), *joints])


def moving(more: str) -> str:
    """Two links and a joint with `more` in it."""
    return TWO + joint("j", "a", "b", more)


TWO = link("a") + link("b")
MANY = " ".join(f"a{i}=''" for i in range(10_000))
THREE = TWO + link("c")
DOCTYPE = "<!DOCTYPE x [<!ENTITY a {}>{}]><robot name='r'>{}</robot>"
ENTITIES = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
NASTY = {
    "empty": ("", "no element"),
    "no XML": ("hello", "syntax error"),
    "not text": ("\0", "token"),
    "another root": ("<sdf/>", "expected 'robot'"),
    "no robot's name": ("<robot/>", "has no name"),
    "no links": ("<robot name='r'/>", "0 links"),
    "two roots": (TWO, "form no tree"),
    "a circle": (TWO + joint("i", "a", "b") + joint("j", "b", "a"), "form no tree"),
    "a circle apart": (link("r") + TWO + joint("i", "a", "b") + joint("j", "b", "a"), "form no tree"),
    "its own child": (link("a") + joint("i", "a", "a"), "form no tree"),
    "two parents": (TWO + link("c") + joint("i", "a", "c") + joint("j", "b", "c"), "child of more than one"),
    "two links of a name": (link("a") + link("a"), "more than one link 'a'"),
    "two joints of a name": (THREE + joint("j", "a", "b") + joint("j", "b", "c"), "more than one joint"),
    "no name": ("<link/>", "a link has no name"),
    "no such parent": (link("a") + joint("j", "x", "a"), "parent 'x', which is no link"),
    "no such child": (link("a") + joint("j", "a", "x"), "child 'x', which is no link"),
    "no ends": (TWO + '<joint name="j" type="fixed"/>', "parent '', which is no link"),
    "another type": (TWO + joint("j", "a", "b", kind="banana"), "has type 'banana'"),
    "no limit": (TWO + joint("j", "a", "b", ""), "has no limit"),
    "a limit of NaN": (moving(LIMIT.replace("-1", "nan")), "lower 'nan'"),
    "an infinite origin": (moving(f'{LIMIT}<origin xyz="0 0 inf"/>'), "xyz '0 0 inf'"),
    "two numbers": (moving(f'{LIMIT}<origin xyz="0 0"/>'), "expected 3 finite"),
    "words": (moving(f'{LIMIT}<origin rpy="a b c"/>'), "could not convert"),
    "mimics itself": (moving(f'{LIMIT}<mimic joint="j"/>'), "mimics 'j'"),
    "mimics nobody": (moving(f'{LIMIT}<mimic joint="x"/>'), "mimics 'x'"),
    "a long chain": (chain(1000), "expected 1 to"),
    "deep": (link("a") + "<x>" * 50_000 + "</x>" * 50_000, "nested over"),
    "wide": (link("a") + "<x/>" * 50_000, "more than"),
    "many attributes": (f"<link {MANY} name='a'/>", "attributes"),
    "a long name": (link("a" * 100_000), "characters"),
    "an entity": (DOCTYPE.format('"b"', "", link("a", "&a;")), "declares entities"),
    "billion laughs": (DOCTYPE.format('"aaa"', ENTITIES, link("a", "&h;")), "declares"),
    "another file": (DOCTYPE.format('SYSTEM "file:///etc/passwd"', "", link("a", "&a;")), "declares"),
    "another encoding": ('<?xml version="1.0" encoding="rot13"?><robot/>', "encoding"),
}  # fmt: skip


def put(path: Path, text: str) -> Path:
    """Write a file; links get a robot round them."""
    path.write_text(f"<robot name='r'>{text}</robot>" if text.startswith("<link") else text)
    return path


@pytest.mark.parametrize(("text", "said"), NASTY.values(), ids=NASTY)
def test_what_is_no_robot_is_refused_by_all_that_read_it(tmp_path: Path, text: str, said: str) -> None:
    path = put(tmp_path / "arm.urdf", text)
    arm = load_arm("panda").model_copy(update={"urdf": str(path)})
    for use in (lambda: read_urdf(path), lambda: Kinematics(arm), lambda: simulation_urdf(arm, tmp_path)):
        with pytest.raises(ConfigError, match="is not a valid URDF") as caught:
            use()
        assert said in str(caught.value)
        assert len(str(caught.value)) < 20_000


LOAD = """
import sys, pinocchio, pybullet
pybullet.connect(pybullet.DIRECT)
for path in sys.argv[1:]:
    print(path, flush=True)
    try:
        pinocchio.buildModelFromXML(open(path).read())
    except ValueError:
        pass
    try:
        pybullet.loadURDF(path)
        pybullet.stepSimulation()
        pybullet.getCameraImage(8, 8, renderer=pybullet.ER_TINY_RENDERER)
    except pybullet.error:
        pass
    pybullet.resetSimulation()
"""


def load_all(paths: list[Path]) -> None:
    """Both parsers survive all of them, in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, paths)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-300:]}\n{done.stderr[-300:]}"


def accepted(text: bytes, folder: Path, number: int) -> Path | None:
    path = folder / f"{number}.urdf"
    path.write_bytes(text)
    try:
        path.write_text(urdf_text(read_urdf(path)))
    except ConfigError:
        return None
    return path


@pytest.mark.parametrize("name", ["ur5e", "xarm6"])
def test_what_is_let_through_crashes_no_parser(tmp_path: Path, name: str) -> None:
    text = find_resource(load_arm(name).urdf).read_bytes()
    kept: list[Path] = []

    @fuzz(80)
    @given(st.one_of(damaged_bytes(text), damaged_elements(text)))
    def collect(made: bytes) -> None:
        path = accepted(made, tmp_path, len(kept))
        if path is not None:
            kept.append(path)

    collect()
    assert len(kept) > 5
    load_all(kept)


@st.composite
def damaged_elements(draw: st.DrawFn, text: bytes) -> bytes:
    """A URDF with elements and attributes exchanged."""
    root = ET.fromstring(text)
    for _ in range(draw(st.integers(1, 3))):
        elements = list(root.iter())
        pick = st.integers(0, len(elements) - 1).map(elements.__getitem__)
        one, other = draw(pick), draw(pick)
        what = draw(st.sampled_from(["attribute", "value", "tag", "children"]))
        if what == "attribute" and one.attrib:
            del one.attrib[draw(st.sampled_from(sorted(one.attrib)))]
        elif what == "value" and one.attrib:
            nasty = ["", "0", "-1", "1e300", "-1e300", "1e-300", "0 0 0", "%n", *other.attrib.values()]
            one.set(draw(st.sampled_from(sorted(one.attrib))), draw(st.sampled_from(nasty)))
        elif what == "tag":
            one.tag = other.tag
        elif what == "children":
            one[:] = list(other) if one not in set(other.iter()) else []
    return ET.tostring(root)


def test_the_largest_robot_that_is_let_through_is_loaded(tmp_path: Path) -> None:
    deep = link("x", "<a>" * (MAX_DEPTH - 3) + "</a>" * (MAX_DEPTH - 3))
    paths = [
        put(tmp_path / f"{i}.urdf", f"<robot name='r'>{text}</robot>")
        for i, text in enumerate((chain(MAX_LINKS), deep))
    ]
    for path in paths:
        read_urdf(path)
    load_all(paths)


def stl(*corners: float, count: int = 1, more: bytes = b"") -> bytes:
    triangle = struct.pack("<12fH", 0, 0, 1, *(corners or (0, 0, 0, 1, 0, 0, 0, 1, 0)), 0)
    return bytes(80) + struct.pack("<I", count) + triangle + more


NAN = float("nan")
OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvn 0 0 1\n"
MESHES = {
    "a.stl": (stl(count=2**31), "bytes for 2147483648 triangles"),
    "b.stl": (b"", "0 bytes"),
    "c.stl": (stl(more=b"x"), "bytes for 1 triangles"),
    "d.stl": (stl(*[NAN] * 9), "not finite"),
    "e.stl": (stl(*[1e30] * 9), "beyond"),
    "f.stl": (b"solid x\nfacet normal 0 0 1\nouter loop\nvertex nan 0 0\n", "not finite"),
    "a.obj": (OBJ + "f 1 2 99999999", "corner 99999999"),
    "b.obj": (OBJ + "f 1 2 -4", "corner -4"),
    "c.obj": (OBJ + "f 1/2 2/1 3/1", "1 of 'vt'"),
    "d.obj": (OBJ + "f 1//9 2//1 3//1", "1 of 'vn'"),
    "e.obj": (OBJ + "f 0 1 2", "corner 0"),
    "f.obj": (OBJ + "v nan 0 0", "not finite"),
    "g.obj": (OBJ + "f a b c", "invalid literal"),
    "h.obj": ("mtllib ../../secret.mtl\n" + OBJ, "outside of its folder"),
    "i.obj": ("mtllib /etc/passwd\n" + OBJ, "outside of its folder"),
    "j.obj": ("mtllib up.mtl\n" + OBJ, "outside of its folder: /dev/zero"),
    "k.obj": ("mtllib huge.mtl\n" + OBJ, "pixels"),
    "a.dae": ("<COLLADA/>", "convert it"),
    "passwd": ("root:x:0:0", "convert it"),
}


@pytest.mark.parametrize("name", MESHES)
def test_meshes_that_lie_are_refused(tmp_path: Path, name: str) -> None:
    data, said = MESHES[name]
    (tmp_path / "up.mtl").write_text("newmtl a\nmap_Kd /dev/zero\n")
    (tmp_path / "huge.mtl").write_text("newmtl a\nmap_Kd -s 1 1 1 huge.png\n")
    (tmp_path / "huge.png").write_bytes(png(60_000, 60_000))
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(ConfigError, match="mesh") as caught:
        check_mesh(tmp_path / name)
    assert said in str(caught.value)


def test_a_mesh_that_never_ends_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "zero.stl").symlink_to("/dev/zero")
    with (tmp_path / "huge.stl").open("wb") as stream:
        stream.truncate(2**40)
    for name in ("zero.stl", "huge.stl"):
        with pytest.raises(ConfigError, match="cannot read mesh"):
            check_mesh(tmp_path / name)


@pytest.mark.parametrize(
    ("kind", "data"), [("obj", (OBJ + "f 1/1/1 2/1/1 3/1/1\nf 1 2 3\n").encode() * 3), ("stl", stl())]
)
def test_meshes_that_are_let_through_crash_nothing(tmp_path: Path, kind: str, data: bytes) -> None:
    kept: list[Path] = []

    @fuzz(80)
    @given(damaged_bytes(data))
    def collect(made: bytes) -> None:
        mesh = tmp_path / f"{len(kept)}.{kind}"
        mesh.write_bytes(made)
        try:
            check_mesh(mesh)
        except ConfigError:
            return
        shape = f'<geometry><mesh filename="{mesh}"/></geometry>'
        robot = link("a", f"<visual>{shape}</visual><collision>{shape}</collision>")
        kept.append(put(tmp_path / f"{len(kept)}.{kind}.urdf", f"<robot name='r'>{robot}</robot>"))

    collect()
    assert kept
    load_all(kept)


def uris(outside: Path) -> Iterator[str]:
    yield from (
        "/etc/passwd",
        "file:///etc/passwd",
        "../../secret.stl",
        f"meshes/../../../{outside.name}",
        str(outside),
    )
    yield from (
        "package://../secret.stl",
        "package://robot/../../secret.stl",
        "package:///etc/passwd",
        "package://",
    )
    yield from (
        "package://__main__/x.stl",
        "package://sys/x.stl",
        "package://os/../x.stl",
        "a\0b.stl",
        "a" * 5000,
    )


def test_a_urdf_names_files_of_its_description_and_of_packages_only(tmp_path: Path) -> None:
    outside = tmp_path / "secret.stl"
    outside.write_bytes(stl())
    urdf = tmp_path / "ws" / "robot" / "urdf" / "arm.urdf"
    mesh = tmp_path / "ws" / "robot" / "meshes" / "a.stl"
    for path in (urdf, mesh):
        path.parent.mkdir(parents=True)
        path.write_bytes(stl())
    assert (
        find_resource("../meshes/a.stl", urdf) == find_resource("package://robot/meshes/a.stl", urdf) == mesh
    )
    for uri in uris(outside):
        with pytest.raises(ConfigError):
            find_resource(uri, urdf)
    (mesh.parents[1] / "package.xml").write_text("<package/>")
    assert find_resource(str(mesh), urdf) == mesh
