"""URDFs and meshes are found where ROS, Python and plain folders keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopwm_ros.config import share_dir
from loopwm_ros.config.resources import find_resource
from loopwm_ros.errors import ConfigError


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return path


def test_a_path_is_relative_to_the_file_that_names_it_or_to_the_working_folder(tmp_path, monkeypatch) -> None:
    urdf, mesh = put(tmp_path / "robot" / "arm.urdf"), put(tmp_path / "robot" / "meshes" / "link.stl")
    assert find_resource("meshes/link.stl", urdf) == mesh
    assert find_resource(f"file://{mesh}", urdf) == mesh
    assert find_resource(str(mesh)) == mesh
    monkeypatch.chdir(tmp_path)
    assert find_resource("robot/meshes/link.stl").resolve() == mesh


def test_a_ros_package_of_a_sourced_workspace(tmp_path, monkeypatch) -> None:
    mesh = put(tmp_path / "install" / "share" / "some_description" / "meshes" / "link.stl")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'other'}:{tmp_path / 'install'}")
    assert find_resource("package://some_description/meshes/link.stl") == mesh


def test_a_package_that_was_never_built(tmp_path) -> None:
    root = tmp_path / "some_description"
    urdf, mesh = put(root / "urdf" / "arm.urdf"), put(root / "meshes" / "link.stl")
    beside = put(tmp_path / "some_description" / "urdf" / "parts" / "meshes" / "link.stl")
    assert find_resource("package://some_description/meshes/link.stl", urdf) == mesh
    assert find_resource("package://parts/meshes/link.stl", urdf) == beside


def test_our_own_data_and_python_packages() -> None:
    ours = find_resource("package://loopwm_ros/sim/defaults.yaml")
    assert ours == share_dir() / "sim" / "defaults.yaml"
    assert find_resource("package://pybullet_data/plane.urdf").name == "plane.urdf"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("package://no_such_package/arm.urdf", "'no_such_package', which is not installed"),
        ("package://no-such.package/arm.urdf", "not installed"),
        ("package://pybullet_data/no_such.urdf", "not found in .*pybullet_data"),
        ("no_such.urdf", "no_such.urdf not found"),
    ],
)
def test_what_is_missing_is_named(uri: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_resource(uri)
