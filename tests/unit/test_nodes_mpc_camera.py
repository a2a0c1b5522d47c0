"""Which camera mpc looks through, by its calibration files, and what CameraInfo may say beside them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from loopwm_ros.calibration.camera_info import write_camera_info
from loopwm_ros.calibration.hand_eye_files import write_hand_eye
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.config.calibration import CameraModel, HandEye, Transform
from loopwm_ros.control.assembly import build_mpc
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError, MismatchError, SensorError
from loopwm_ros.messages import camera_model_from
from loopwm_ros.nodes.camera_check import CameraCheck
from loopwm_ros.nodes.mpc_camera import ActualCamera
from loopwm_ros.nodes.mpc_parameters import MpcParameters
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.processing.lens import lens_differences, pinhole
from loopwm_ros.processing.poses import transform
from loopwm_ros.types import CameraFrame, JointState, Observation
from tests.bundles import make_bundle

ARM, TASK = load_arm("panda"), load_task("reach")
OWN = ARM.camera
FINE = CameraModel(
    width=320, height=240, fx=330.0, fy=331.0, cx=161.0, cy=118.0, distortion=(-0.1, 0.02, 0.0, 0.0, 0.0)
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory):
    return make_bundle(tmp_path_factory.mktemp("models") / "reach", ARM, TASK)


def hand_eye(folder: Path, shift: float = 0.0, **changes: object) -> str:
    pose = camera_pose(OWN)
    pose[1, 3] += shift
    values = {
        "arm": ARM.name,
        "setup": "eye_to_hand",
        "parent": ARM.base_frame,
        "child": "camera",
        "camera": transform(pose),
        "board_parent": ARM.tool_frame,
        "board": Transform(translation=(0.0, 0.0, 0.0), rotation=(0.0, 0.0, 0.0, 1.0)),
        "translation_std": (1e-3,) * 3,
        "rotation_std": (1e-3,) * 3,
    }
    write_hand_eye(folder, HandEye.model_validate(values | changes))
    return str(folder)


def camera_info(folder: Path, camera: CameraModel) -> str:
    write_camera_info(folder / "camera.yaml", camera, "camera")
    return str(folder / "camera.yaml")


def actual(bundle, **files: str) -> ActualCamera:
    return ActualCamera(MpcParameters(**files), bundle.manifest, ARM, TASK)


def test_without_files_pictures_are_taken_as_they_come(bundle) -> None:
    camera = actual(bundle)
    assert camera.view is None
    assert camera.check is None


def test_another_lens_and_place_are_re_projected_and_the_model_sees_the_bundles_picture(
    bundle, tmp_path
) -> None:
    files = {"camera_info": camera_info(tmp_path, FINE), "hand_eye": hand_eye(tmp_path, 0.02)}
    camera = actual(bundle, **files)
    assert camera.view is not None
    assert camera.view.size == (320, 240)
    assert camera.view.gap.shift == pytest.approx(0.02)
    settings = MpcParameters().controller(TASK)
    parts = (bundle, ARM, TASK, Kinematics(ARM), 0.05, settings)
    mpc, plain = build_mpc(*parts, view=camera.view), build_mpc(*parts)
    assert mpc.camera_size == (320, 240)
    rgb = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    home = np.asarray(ARM.home)
    joints = JointState(0.0, home, np.zeros_like(home))
    seen = mpc.model.encode(Observation(0.0, rgb, joints))
    made = plain.model.encode(Observation(0.0, camera.view.apply(rgb), joints))
    np.testing.assert_array_equal(seen.reading, made.reading)
    with pytest.raises(SensorError, match="image is 160x120; calibrated was 320x240"):
        mpc.synchroniser.add_frame(CameraFrame(0.0, rgb[:120, :160]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shift": 0.5}, r"moved by 50.0 cm \(at most"),
        ({"arm": "ur5e"}, "is of arm 'ur5e'"),
        (
            {"setup": "eye_in_hand", "parent": ARM.tool_frame, "board_parent": ARM.base_frame},
            "camera on the hand; that of bundle .* is fixed",
        ),
    ],
    ids=["too far", "another arm", "on the hand"],
)
def test_a_calibration_that_does_not_fit_is_refused(bundle, tmp_path, changes, said) -> None:
    with pytest.raises(MismatchError, match=said):
        actual(bundle, hand_eye=hand_eye(tmp_path, **changes))


def test_a_calibration_through_another_lens_is_refused(bundle, tmp_path) -> None:
    lens = camera_info(tmp_path, FINE)
    assert actual(bundle, camera_info=lens, hand_eye=hand_eye(tmp_path, lens=FINE)).view is not None
    other = FINE.model_copy(update={"fx": 300.0})
    with pytest.raises(
        MismatchError, match=r"another camera than that of .*camera\.yaml: .*fx 300.0 against 330"
    ):
        actual(bundle, camera_info=lens, hand_eye=hand_eye(tmp_path, lens=other))
    with pytest.raises(MismatchError, match="than that of bundle 'kinematic': another size"):
        actual(bundle, hand_eye=hand_eye(tmp_path, lens=FINE))


def test_offsets_that_mpc_leaves_out_are_said_where_they_matter(bundle, tmp_path) -> None:
    first, second = ARM.joints[:2]
    small = {"time_offset": -0.005, "joint_offsets": {first: 0.002, second: -0.002}}
    assert actual(bundle, hand_eye=hand_eye(tmp_path, **small)).unused == ""
    assert actual(bundle, hand_eye=hand_eye(tmp_path)).unused == ""
    large = {"time_offset": -0.0062, "joint_offsets": {first: 0.001, second: -0.0031}}
    said = actual(bundle, hand_eye=hand_eye(tmp_path, **large)).unused
    assert "time_offset -6.2 ms (set it in the camera's driver)" in said
    assert f"joint_offsets {second} -3.1 mrad (set them in the arm's driver)" in said
    assert first not in said


def test_a_file_that_is_missing_is_named(bundle, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        actual(bundle, camera_info=str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        actual(bundle, hand_eye=str(tmp_path / "none.yaml"))


def message(camera: CameraModel, **changes: object) -> SimpleNamespace:
    values = {
        "width": camera.width,
        "height": camera.height,
        "distortion_model": camera.lens,
        "d": list(camera.distortion),
        "k": [camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0],
    }
    return SimpleNamespace(**(values | changes))


def test_camera_info_is_read_with_every_value_checked() -> None:
    assert camera_model_from(message(FINE)) == FINE
    assert camera_model_from(message(FINE, k=[0.0] * 9)) is None
    assert camera_model_from(message(pinhole(OWN), d=[], distortion_model="")) == pinhole(OWN)
    with pytest.raises(SensorError, match="8 coefficients; 'plumb_bob' has 5"):
        camera_model_from(message(FINE, d=[0.1] * 8))
    with pytest.raises(SensorError, match="1000000 coefficients; lenses have at most 14"):
        camera_model_from(message(FINE, d=np.zeros(1_000_000)))
    with pytest.raises(SensorError, match="is of no camera: fx"):
        camera_model_from(message(FINE, k=[float("nan")] * 9))
    with pytest.raises(SensorError, match="is of no camera: lens"):
        camera_model_from(message(FINE, d=[], distortion_model="magic"))


def test_a_driver_that_contradicts_the_file_is_named_with_the_differences() -> None:
    check = CameraCheck(FINE, "camera.yaml")
    assert check.trouble(message(FINE)) == ""
    assert check.trouble(message(FINE, k=[0.0] * 9)) == "", "a driver without a calibration says nothing"
    near = FINE.model_copy(update={"cx": FINE.cx + 0.5})
    assert check.trouble(message(near)) == ""
    other = FINE.model_copy(update={"fx": 300.0, "cy": 120.0})
    said = check.trouble(message(other))
    for part in (
        "/camera/camera_info",
        "camera.yaml",
        "fx 330.0 against 300.0",
        "cy 118.0 against 120.0",
        " px apart",
    ):
        assert part in said
    assert "another size; width 320 against 160" in check.trouble(message(pinhole(OWN)))
    assert "is of no camera" in check.trouble(message(FINE, k=[-1.0] * 9))
    assert check.trouble(message(FINE)) == ""


def test_lenses_are_compared_by_where_rays_are_seen() -> None:
    assert lens_differences(FINE, FINE)[0] < 1e-6
    shifted = FINE.model_copy(update={"cx": FINE.cx + 3.0})
    assert lens_differences(FINE, shifted)[0] == pytest.approx(3.0, abs=1e-6)
    wide = FINE.model_copy(update={"fx": FINE.fx * 1.1})
    apart, values = lens_differences(FINE, wide)
    assert apart > 10.0
    assert values == [f"fx {FINE.fx} against {wide.fx}"]


@pytest.mark.parametrize(
    ("lens", "focal", "distortion"),
    [("equidistant", 350.0, (0.02, -0.01, 2e-3, -5e-4)), ("plumb_bob", 380.0, (-0.4, 0.15, 0.0, 0.0, -0.02))],
)
def test_a_wide_lens_whose_corners_show_nothing_is_like_itself(
    lens: str, focal: float, distortion: tuple[float, ...]
) -> None:
    wide = CameraModel.model_validate(
        {"width": 1280, "height": 800, "fx": focal, "fy": focal, "cx": 640.0, "cy": 400.0}
        | {"lens": lens, "distortion": distortion}
    )
    assert lens_differences(wide, wide)[0] < 1e-3
    assert CameraCheck(wide, "camera.yaml").trouble(message(wide)) == ""
    longer = wide.model_copy(update={"fx": 1.05 * focal})
    assert 10.0 < lens_differences(wide, longer)[0] < 60.0
    assert "fx" in CameraCheck(wide, "camera.yaml").trouble(message(longer))
