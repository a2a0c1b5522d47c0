"""Does the camera's driver describe the camera that was calibrated?"""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo

from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.data import topics
from loopwm_ros.errors import SensorError
from loopwm_ros.messages import camera_model_from
from loopwm_ros.processing.lens import contradiction


class CameraCheck:
    """Holds CameraInfo against the calibration's file; messages that repeat cost nothing."""

    def __init__(self, camera: CameraModel, file: str) -> None:
        """`file` is named in what is said."""
        self._camera, self._file = camera, file
        self._last: CameraModel | None = None
        self._said = ""

    def trouble(self, message: CameraInfo) -> str:
        """What contradicts the calibration; empty where nothing does, or the driver has none."""
        try:
            told = camera_model_from(message)
        except SensorError as error:
            return f"{topics.CAMERA_INFO}: {error}"
        if told is None:
            return ""
        if told != self._last:
            self._last, self._said = told, self._compare(told)
        return self._said

    def _compare(self, told: CameraModel) -> str:
        if not (said := contradiction(self._camera, told)):
            return ""
        return (
            f"{topics.CAMERA_INFO} is of another camera than {self._file}: {said}. "
            "Give the driver this file (camera_info_url), or our nodes that of the driver's camera"
        )
