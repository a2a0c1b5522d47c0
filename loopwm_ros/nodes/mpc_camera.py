"""The camera that mpc looks through, where calibration files say that it is not quite the bundle's."""

from __future__ import annotations

from pathlib import Path

from loopwm_ros.bundle import Manifest
from loopwm_ros.calibration.camera_info import read_camera_info
from loopwm_ros.calibration.drift import check_arm
from loopwm_ros.calibration.hand_eye_files import check_lens, read_hand_eye
from loopwm_ros.config import ArmConfig, TaskConfig, load_world
from loopwm_ros.config.calibration import HandEye
from loopwm_ros.errors import MismatchError
from loopwm_ros.nodes.camera_check import CameraCheck
from loopwm_ros.nodes.mpc_parameters import MpcParameters
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.processing.lens import pinhole
from loopwm_ros.processing.poses import matrix
from loopwm_ros.processing.reprojection import Reprojection, ReprojectionLimits

SMALL_TIME, SMALL_ANGLE = 5e-3, 2e-3  # [s], [rad], up to which an offset makes no difference


class ActualCamera:
    """Read once, when the node is configured.

    Attributes:
        view: makes the bundle's pictures from the camera's; None: they are taken as they come.
        check: what CameraInfo must agree with; None: it is not read.
        unused: what the hand-eye calibration found and mpc leaves out, in words; empty if nothing of weight.
    """

    def __init__(
        self, parameters: MpcParameters, manifest: Manifest, arm: ArmConfig, task: TaskConfig
    ) -> None:
        """Read the files.

        Raises:
            ConfigError: a file is not usable.
            MismatchError: the calibration is of another arm or another camera, the camera moves with the arm,
                or it is too far from the bundle's, with each figure.
        """
        self.view: Reprojection | None = None
        self.check: CameraCheck | None = None
        self.unused = ""
        model, source = pinhole(manifest.seen), f"bundle '{manifest.name}'"
        if parameters.camera_info:
            source = parameters.camera_info
            model = read_camera_info(Path(source))
            self.check = CameraCheck(model, source)
        if parameters.camera_info or parameters.hand_eye:
            pose = camera_pose(manifest.camera)
            if parameters.hand_eye:
                found = _calibrated(Path(parameters.hand_eye), manifest, arm)
                check_lens(found, parameters.hand_eye, model, source)
                pose, self.unused = matrix(found.camera), _unused(found, parameters.hand_eye)
            plane = load_world(task.world).table_high[2]
            self.view = Reprojection(manifest.seen, model, pose, plane)
            self.view.check(manifest.name, ReprojectionLimits())


def _calibrated(path: Path, manifest: Manifest, arm: ArmConfig) -> HandEye:
    """Of this arm and of a camera beside it."""
    found = read_hand_eye(path)
    check_arm(arm, found)
    if found.setup != "eye_to_hand":
        raise MismatchError(
            f"{path} is of a camera on the hand; that of bundle '{manifest.name}' is fixed at "
            f"{list(manifest.camera.position)} m in the base frame: calibrate a fixed camera (eye_to_hand)"
        )
    return found


def _unused(found: HandEye, path: str) -> str:
    """Offsets that are too large to leave out."""
    parts, late = [], found.time_offset or 0.0
    if abs(late) > SMALL_TIME:
        parts.append(f"time_offset {late * 1e3:+.1f} ms (set it in the camera's driver)")
    large = {name: angle for name, angle in found.joint_offsets.items() if abs(angle) > SMALL_ANGLE}
    if large:
        told = ", ".join(f"{name} {angle * 1e3:+.1f} mrad" for name, angle in large.items())
        parts.append(f"joint_offsets {told} (set them in the arm's driver)")
    return f"{path} has what mpc does not use: {', '.join(parts)}; then calibrate again" if parts else ""
