"""Files of a hand-eye calibration are read back as they were; others' are read, and nonsense is an error."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from loopwm_ros.calibration.easy_hand_eye import read_easy_hand_eye
from loopwm_ros.calibration.hand_eye_files import check_lens, read_hand_eye, write_hand_eye
from loopwm_ros.config.calibration import HandEye, Transform
from loopwm_ros.errors import CalibrationError, ConfigError, MismatchError
from tests.calibrations import SMALL

RESULT = HandEye(
    arm="panda",
    setup="eye_to_hand",
    parent="panda_link0",
    child="camera_optical_frame",
    camera=Transform(translation=(1.25, -1e-5, 0.75), rotation=(0.6, 0.0, -0.8, 0.0)),
    board_parent="panda_grasptarget",
    board=Transform(translation=(0.0, 0.1, 0.2), rotation=(0.0, 0.0, 0.0, 1.0)),
    translation_std=(1e-4, 2e-4, 3e-4),
    rotation_std=(1e-5, 2e-5, 3e-5),
    joint_offsets={"panda_joint2": 0.004},
    time_offset=-0.0125,
    lens=SMALL,
)
IN_HAND = RESULT.model_copy(
    update={"setup": "eye_in_hand", "parent": RESULT.board_parent, "board_parent": RESULT.parent}
)
THEIRS = """\
parameters:
  name: lab_eih
  calibration_type: eye_in_hand
  robot_base_frame: base
  robot_effector_frame: flange
  tracking_base_frame: optical
  tracking_marker_frame: marker
  freehand_robot_movement: true
  move_group_namespace: /
  move_group: manipulator
transform:
  translation: {x: 0.25, y: -0.5, z: 1}
  rotation: {x: 0.0, y: 0.0, z: 0.6, w: 0.8}
"""


@pytest.mark.parametrize("result", [RESULT, IN_HAND])
def test_ours_is_read_back(tmp_path: Path, result: HandEye) -> None:
    paths = write_hand_eye(tmp_path / "new" / "folder", result)
    assert [path.name for path in paths] == ["hand_eye.yaml", "hand_eye.launch.py", "panda.calib"]
    assert sorted(p.name for p in paths[0].parent.iterdir()) == sorted(p.name for p in paths)
    assert read_hand_eye(paths[0]) == read_hand_eye(paths[0].parent) == result


def test_files_that_do_not_name_their_lens_are_read(tmp_path: Path) -> None:
    path = tmp_path / "hand_eye.yaml"
    path.write_text(yaml.safe_dump(RESULT.model_dump(mode="json", exclude={"lens"})))
    found = read_hand_eye(path)
    assert found == RESULT.model_copy(update={"lens": None})
    check_lens(found, "hand_eye.yaml", SMALL.model_copy(update={"width": 800}), "camera.yaml")


def test_a_place_found_through_another_camera_is_refused_with_both_figures() -> None:
    near = SMALL.model_copy(update={"fx": SMALL.fx + 1.0})
    check_lens(RESULT, "hand_eye.yaml", near, "camera.yaml")  # calibrated anew
    zoomed = SMALL.model_copy(update={"fx": 450.0, "fy": 450.0})
    with pytest.raises(
        MismatchError, match=r"^hand_eye.yaml was made with another camera than that of"
    ) as one:
        check_lens(RESULT, "hand_eye.yaml", zoomed, "camera.yaml")
    for part in (
        "camera.yaml",
        " px apart (at most 2.0)",
        "fx 390.0 against 450.0",
        "fy 389.0 against 450.0",
    ):
        assert part in str(one.value)
    assert "loopwm calibrate hand-eye" in str(one.value)
    with pytest.raises(MismatchError, match="another size; width 400 against 800"):
        check_lens(RESULT, "a", SMALL.model_copy(update={"width": 800}), "b")


@pytest.mark.parametrize("result", [RESULT, IN_HAND])
def test_easy_handeye2_finds_what_it_needs(tmp_path: Path, result: HandEye) -> None:
    path = write_hand_eye(tmp_path, result)[2]
    raw = yaml.safe_load(path.read_text())
    kind = {"eye_to_hand": "eye_on_base", "eye_in_hand": "eye_in_hand"}[result.setup]
    assert raw["parameters"] == {
        "name": "panda",
        "calibration_type": kind,
        "robot_base_frame": "panda_link0",
        "robot_effector_frame": "panda_grasptarget",
        "tracking_base_frame": "camera_optical_frame",
        "tracking_marker_frame": "board",
        "freehand_robot_movement": True,
        "move_group_namespace": "/",
        "move_group": "manipulator",
    }
    assert raw["transform"] == {
        "translation": {"x": 1.25, "y": -1e-5, "z": 0.75},
        "rotation": {"x": 0.6, "y": 0.0, "z": -0.8, "w": 0.0},
    }
    back = read_easy_hand_eye(path)
    assert (back.setup, back.parent, back.child) == (result.setup, result.parent, result.child)
    assert back.camera == result.camera


def test_a_file_of_easy_handeye2(tmp_path: Path) -> None:
    path = tmp_path / "lab.calib"
    path.write_text(THEIRS)
    found = read_easy_hand_eye(path)
    assert (found.setup, found.parent, found.child) == ("eye_in_hand", "flange", "optical")
    assert found.camera.translation == (0.25, -0.5, 1.0)
    assert found.camera.rotation == (0.0, 0.0, 0.6, 0.8)
    with pytest.raises(ConfigError, match="neither board nor uncertainty"):
        read_hand_eye(path)
    path.write_text(THEIRS.replace("eye_in_hand", "eye_on_head"))
    with pytest.raises(ConfigError, match="calibration_type"):
        read_easy_hand_eye(path)


def test_the_launch_file_loads_under_the_launch_engine_where_there_is_one(tmp_path: Path) -> None:
    path = write_hand_eye(tmp_path, RESULT)[1]
    compile(path.read_text(), str(path), "exec")
    if importlib.util.find_spec("launch_ros") is None:
        return
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    assert len(get_launch_description_from_python_launch_file(str(path)).entities) == 1


def test_the_launch_file_publishes_the_transform(tmp_path: Path, monkeypatch) -> None:
    named = RESULT.model_copy(update={"child": 'cam\'era "x"/{y}'})
    path = write_hand_eye(tmp_path, named)[1]
    launch, ros = ModuleType("launch"), ModuleType("launch_ros.actions")
    launch.LaunchDescription, ros.Node = list, SimpleNamespace
    monkeypatch.setitem(sys.modules, "launch", launch)
    monkeypatch.setitem(sys.modules, "launch_ros", ModuleType("launch_ros"))
    monkeypatch.setitem(sys.modules, "launch_ros.actions", ros)
    (node,) = runpy.run_path(str(path))["generate_launch_description"]()
    assert (node.package, node.executable) == ("tf2_ros", "static_transform_publisher")
    given = dict(zip(node.arguments[::2], node.arguments[1::2], strict=True))
    assert given["--frame-id"] == "panda_link0"
    assert given["--child-frame-id"] == 'cam\'era "x"/{y}'
    keys = ("--x", "--y", "--z", "--qx", "--qy", "--qz", "--qw")
    assert tuple(float(given[key]) for key in keys) == (*RESULT.camera.translation, *RESULT.camera.rotation)
    assert node.name.isidentifier()


def test_what_cannot_be_written_or_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CalibrationError, match=r"cannot write to .*name another folder"):
        write_hand_eye(tmp_path / "file", RESULT)
    with pytest.raises(ConfigError, match="cannot read"):
        read_hand_eye(tmp_path / "none.yaml")
    text = yaml.safe_dump(RESULT.model_dump(mode="json")).replace("- -0.8", "- -0.7")
    (tmp_path / "short.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"camera: .*rotation has length 0\.92"):
        read_hand_eye(tmp_path / "short.yaml")
