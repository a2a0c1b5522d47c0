"""From a session's samples to files, a verdict and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from loopwm_ros.calibration.arm_pages import hand_eye_page, time_page
from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.camera_info import write_camera_info
from loopwm_ros.calibration.collecting import detection_of, view_of
from loopwm_ros.calibration.coverage import coverage, placement
from loopwm_ros.calibration.hand_eye import calibrate_hand_eye
from loopwm_ros.calibration.hand_eye_files import write_hand_eye
from loopwm_ros.calibration.hand_eye_model import board_in_camera
from loopwm_ros.calibration.hand_eye_model import offsets as joint_corrections
from loopwm_ros.calibration.intrinsics import calibrate_intrinsics
from loopwm_ros.calibration.lens_page import lens_page
from loopwm_ros.calibration.report import Page, write_page
from loopwm_ros.calibration.residuals import seen_less_expected
from loopwm_ros.calibration.samples import Sample
from loopwm_ros.calibration.session import Session
from loopwm_ros.calibration.shots import Step
from loopwm_ros.calibration.time_offset import TimeOffset, estimate_time_offset
from loopwm_ros.calibration.verdict import FOCAL, Verdict, judge_hand_eye, judge_intrinsics, judge_time
from loopwm_ros.config import ArmConfig
from loopwm_ros.config.calibration import CameraModel, HandEye
from loopwm_ros.config.outside import read_bounded
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.data.series import Series
from loopwm_ros.errors import CalibrationError
from loopwm_ros.types import F64
from loopwm_ros.validation.files import write_text_atomically
from loopwm_ros.validation.statistics import Record

RESULT, PAGE, CAMERA_INFO = "result.json", "report.html", "camera_info.yaml"
SCAN = np.linspace(-0.1, 0.1, 41)  # [s] on both sides of the time offset found
SCANNED = 60  # pictures, at most


class Result(Record):
    """What `loopwm calibrate show` tells of a finished session."""

    step: Step
    verdict: Verdict
    values: dict[str, str]
    files: tuple[str, ...]


def finish_intrinsics(session: Session, name: str) -> Result:
    """Calibrate the lens of camera `name`; writes camera_info.yaml.

    Raises:
        LoopWMError: the samples do not suffice, or there is no room.
    """
    assert session.settings.lens is not None
    board = Board(session.settings.board)
    views = [view_of(board, shot) for shot in session.shots]
    found = calibrate_intrinsics(views, session.settings.lens)
    seen = [view.detection for view in views]
    size = (found.camera.width, found.camera.height)
    covered = coverage([placement(board, each, size) for each in seen], seen, size)
    verdict = judge_intrinsics(found, covered)
    write_camera_info(session.folder / CAMERA_INFO, found.camera, name)
    camera = found.camera
    values = {
        "focal length": f"{camera.fx:.3f} {camera.fy:.3f} px",
        "optical centre": f"{camera.cx:.3f} {camera.cy:.3f} px",
        "distortion": " ".join(f"{value:.5f}" for value in camera.distortion),
        "reprojection RMS": f"{found.rms:.3f} px",
    }
    page = lens_page(session, name, views, found, covered, verdict)
    return _written(session, "intrinsics", verdict, values, [session.folder / CAMERA_INFO], page)


def finish_hand_eye(
    session: Session, arm: ArmConfig, camera: CameraModel, joint_offsets: bool, focal_std: float
) -> Result:
    """Find where the camera is; writes hand_eye.yaml and files for other ROS tools.

    `focal_std`: 1-sigma of the focal length, as a share of it; 0 where it is not known.

    Raises:
        LoopWMError: the samples do not suffice, or there is no room.
    """
    assert session.settings.setup is not None
    samples = samples_of(session)
    found = calibrate_hand_eye(arm, camera, samples, session.settings.setup, joint_offsets, focal_std)
    verdict = judge_hand_eye(found)
    kinematics, result = Kinematics(arm), found.result
    tools = np.stack([kinematics.mount(sample.joints)[0][:3, 3] for sample in samples])
    files = write_hand_eye(session.folder, result)
    values = {
        f"{result.child} in {result.parent}": " ".join(f"{value:.4f}" for value in result.camera.translation)
        + " m, "
        + " ".join(f"{value:.4f}" for value in result.camera.rotation)
        + " (x y z w)",
        "1-sigma": f"{1e3 * max(result.translation_std):.2f} mm, "
        f"{np.rad2deg(max(result.rotation_std)):.3f} degrees",
        "reprojection RMS": f"{found.rms:.3f} px",
    }
    values |= {
        f"offset of {name}": f"{np.rad2deg(v):.3f} degrees" for name, v in result.joint_offsets.items()
    }
    return _written(
        session, "hand_eye", verdict, values, files, hand_eye_page(session, found, tools, verdict)
    )


def finish_time(
    session: Session, arm: ArmConfig, camera: CameraModel, hand_eye: HandEye, joints: Series
) -> Result:
    """Find the camera's clock against the joints'; writes hand_eye.yaml again, with the offset.

    Raises:
        LoopWMError: the samples do not suffice, or there is no room.
    """
    track = samples_of(session)
    found = estimate_time_offset(arm, camera, hand_eye, track, joints.stamps, joints.values)
    verdict = judge_time(found)
    files = write_hand_eye(session.folder, hand_eye.model_copy(update={"time_offset": found.offset}))
    values = {
        "time offset": f"{1e3 * found.offset:.2f} ms, added to the camera's stamps",
        "1-sigma": f"{1e3 * found.std:.2f} ms",
        "reprojection RMS": f"{found.rms:.2f} px",
    }
    scan = _scan(arm, camera, hand_eye, track, joints, found)
    return _written(
        session, "time", verdict, values, files, time_page(session, hand_eye, found, scan, verdict)
    )


def samples_of(session: Session) -> list[Sample]:
    """A session's samples, of which each has joints.

    Raises:
        CalibrationError: one is damaged.
    """
    board = Board(session.settings.board)
    return [
        Sample(shot.name, detection_of(board, shot), np.array(shot.joints), shot.stamp)
        for shot in session.shots
    ]


def focal_std_beside(camera_info: Path) -> float:
    """1-sigma of the focal length, as a share, where a finished session of ours left the file; else 0."""
    if not (camera_info.parent / RESULT).is_file():
        return 0.0
    found = read_result(camera_info.parent)
    known = [each.value for each in found.verdict.findings if each.what == FOCAL]
    return known[0] / 100.0 if found.step == "intrinsics" and known else 0.0


def read_result(folder: Path) -> Result:
    """What a session's last `finish` found.

    Raises:
        CalibrationError: it was not finished, or the file is damaged.
    """
    path = folder / RESULT
    try:
        return Result.model_validate_json(read_bounded(path))
    except OSError as error:
        raise CalibrationError(
            f"{folder} holds no finished calibration: {error.strerror}; run the step's command to its end"
        ) from error
    except ValidationError as error:
        raise CalibrationError(
            f"{path} is damaged: {error.errors()[0]['msg']}; finish the step again"
        ) from error


def _written(
    session: Session, step: Step, verdict: Verdict, values: dict[str, str], files: Sequence[Path], page: Page
) -> Result:
    paths = [*files, write_page(session.folder / PAGE, page)]
    result = Result(step=step, verdict=verdict, values=values, files=tuple(path.name for path in paths))
    try:
        write_text_atomically(session.folder / RESULT, result.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise CalibrationError(
            f"cannot write {session.folder / RESULT}: {error.strerror}; make room, and finish again"
        ) from error
    return result


def _scan(
    arm: ArmConfig,
    camera: CameraModel,
    hand_eye: HandEye,
    track: Sequence[Sample],
    joints: Series,
    found: TimeOffset,
) -> tuple[F64, F64]:
    """Offsets (m,) [s], and the RMS [px] that each would leave."""
    kinematics = Kinematics(arm)
    shown = track[:: len(track) // SCANNED + 1]
    offsets = found.offset + SCAN
    corrections = joint_corrections(arm, hand_eye)
    squares = np.zeros(len(offsets))
    for row, offset in enumerate(offsets):
        positions = joints.at(np.array([sample.stamp for sample in shown]) + offset) + corrections
        parts = [
            seen_less_expected(camera, board_in_camera(kinematics, hand_eye, position), sample.detection)
            for position, sample in zip(positions, shown, strict=True)
        ]
        squares[row] = np.nanmean(np.sum(np.concatenate(parts) ** 2, axis=1))
    return offsets, np.sqrt(squares)
