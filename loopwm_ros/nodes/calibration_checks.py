"""What the calibration node looks at, from its parameters."""

from __future__ import annotations

from pathlib import Path

from loopwm_ros.calibration.camera_info import read_camera_info
from loopwm_ros.calibration.drift import DriftCheck, check_arm
from loopwm_ros.calibration.drift_limits import Drift, DriftLimits
from loopwm_ros.calibration.drift_watch import DriftWatch, Looker
from loopwm_ros.calibration.hand_eye_files import check_lens, read_hand_eye
from loopwm_ros.calibration.scene_drift import SceneCheck
from loopwm_ros.config import load_arm, load_settings
from loopwm_ros.config.calibration import BoardSettings, HandEye
from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.nodes.calibration_parameters import CalibrationParameters
from loopwm_ros.nodes.camera_check import CameraCheck
from loopwm_ros.nodes.goal_file import joints_file, read_goal, write_goal
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.processing.lens import pinhole
from loopwm_ros.processing.poses import matrix
from loopwm_ros.types import F64, U8, Observation

BOARD, SCENE = "board", "scene"


class Calibrated:
    """A camera with its files, and the checks on it.

    Attributes:
        watch: holds the checks.
        info: what CameraInfo must agree with; None: it is not read.
    """

    def __init__(self, settings: CalibrationParameters) -> None:
        """Read all files.

        Raises:
            LoopWMError: a file is missing or not usable, or they do not belong together.
        """
        settings.check()
        self.arm = load_arm(settings.arm)
        self._limits = DriftLimits(**settings.model_dump(include=set(DriftLimits.model_fields)))
        self.camera, self.info = pinhole(self.arm.camera), None
        source = f"arm '{self.arm.name}'"
        if settings.camera_info:
            source = settings.camera_info
            self.camera = read_camera_info(Path(source))
            self.info = CameraCheck(self.camera, source)
        self._hand_eye = _hand_eye(settings)
        if self._hand_eye is not None:
            check_arm(self.arm, self._hand_eye)
            check_lens(self._hand_eye, settings.hand_eye, self.camera, source)
        self._file = Path(settings.reference) if settings.reference else None
        self.watch = DriftWatch(self._checks(settings), settings.memory)

    @property
    def time_offset(self) -> float:
        """To add to the camera's stamps [s]."""
        return (self._hand_eye and self._hand_eye.time_offset) or 0.0

    def _checks(self, settings: CalibrationParameters) -> dict[str, Looker]:
        checks: dict[str, Looker] = {}
        if settings.board and self._hand_eye is not None:
            board = load_settings(Path(settings.board), BoardSettings)
            checks[BOARD] = DriftCheck(self.arm, self.camera, self._hand_eye, board, self._limits)
        if self._file is not None:
            joints_file(self._file)  # a picture's name
            there = self._file.exists()
            checks[SCENE] = (
                self._scene(read_goal(self._file, self.arm.joints)) if there else _Missing(self._file)
            )
        return checks

    def take_reference(self, observation: Observation) -> str:
        """Keep this picture as that of the scene, and compare with it from now on; returns the file's name.

        Raises:
            ConfigError: no file is named for it, it cannot be written, or shows too little.
            SensorError: it has another size than the calibrated camera's pictures.
        """
        if self._file is None:
            raise ConfigError("the parameter reference names no file for it")
        check = self._scene(observation)
        write_goal(self._file, observation, self.arm.joints)
        self.watch.replace(SCENE, check)
        return str(self._file)

    def _scene(self, reference: Observation) -> SceneCheck:
        pose = camera_pose(self.arm.camera)
        if self._hand_eye is not None:
            if self._hand_eye.setup != "eye_to_hand":
                raise ConfigError("a reference is of use for a fixed camera only; this one is on the hand")
            pose = matrix(self._hand_eye.camera)
        return SceneCheck(self.arm, self.camera, pose, reference, self._limits)


class _Missing:
    """A reference that has not been taken."""

    def __init__(self, file: Path) -> None:
        self._why = (
            f"there is no reference at {file}: call /calibration/take_reference right after calibrating"
        )

    def look(self, image: U8, joints: F64) -> Drift:  # noqa: ARG002
        """Always refuse."""
        raise SensorError(self._why)

    def clear(self) -> None:
        """There is nothing to forget."""


def _hand_eye(settings: CalibrationParameters) -> HandEye | None:
    return read_hand_eye(Path(settings.hand_eye)) if settings.hand_eye else None
