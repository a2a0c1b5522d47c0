"""A camera in the YAML that ROS's `camera_calibration_parsers` reads, and the drivers with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import yaml
from pydantic import ConfigDict, Field, model_validator

from loopwm_ros.config.arm import MAX_SIDE
from loopwm_ros.config.base import Settings, read_yaml, validated
from loopwm_ros.config.calibration import COEFFICIENTS, CameraModel, Lens
from loopwm_ros.errors import ConfigError
from loopwm_ros.processing.lens import camera_matrix
from loopwm_ros.types import F64
from loopwm_ros.validation.files import write_text_atomically

_Side = Annotated[int, Field(gt=0, le=MAX_SIDE)]


class _Lenient(Settings):
    """As the parser of ROS, which overlooks keys that it does not know."""

    model_config = ConfigDict(extra="ignore")


class _Matrix(_Lenient):
    rows: int
    cols: int
    data: tuple[float, ...] = Field(max_length=16)

    @model_validator(mode="after")
    def _count(self) -> _Matrix:
        if self.rows * self.cols != len(self.data):
            raise ValueError(f"{self.rows} rows and {self.cols} cols, but {len(self.data)} values")
        return self


class _File(_Lenient):
    """What describes the raw picture; the file's other matrices are for a rectified one."""

    image_width: _Side
    image_height: _Side
    camera_matrix: _Matrix
    distortion_model: Lens = "plumb_bob"  # as ROS takes it where it is missing
    distortion_coefficients: _Matrix

    @model_validator(mode="after")
    def _shapes(self) -> _File:
        K = self.camera_matrix.data
        if (self.camera_matrix.rows, self.camera_matrix.cols) != (3, 3):
            raise ValueError("camera_matrix must have 3 rows and 3 cols")
        if any(K[k] != 0.0 for k in (1, 3, 6, 7)) or K[8] != 1.0:
            raise ValueError("camera_matrix must read [fx, 0, cx, 0, fy, cy, 0, 0, 1], as CameraInfo's")
        if not (K[0] > 0 and K[4] > 0):
            raise ValueError(
                f"camera_matrix has focal lengths {K[0]:g} and {K[4]:g}: the camera is not calibrated"
            )
        count, known = len(self.distortion_coefficients.data), COEFFICIENTS[self.distortion_model]
        if count > known and any(self.distortion_coefficients.data[known:]):
            raise ValueError(
                f"distortion_coefficients has {count} values, '{self.distortion_model}' has {known}"
            )
        return self


def read_camera_info(path: Path) -> CameraModel:
    """The camera of a file that ROS's tools or `write_camera_info` wrote.

    Coefficients that the file leaves out are zero; zeros beyond those of the lens are dropped.

    Raises:
        ConfigError: it cannot be read, or a value does not fit, naming it.
    """
    raw = read_yaml(path)
    found = validated(raw, path, _File)
    count = COEFFICIENTS[found.distortion_model]
    distortion = (*found.distortion_coefficients.data, *(0.0,) * count)[:count]
    K = found.camera_matrix.data
    values = {
        "width": found.image_width,
        "height": found.image_height,
        "fx": K[0],
        "fy": K[4],
        "cx": K[2],
        "cy": K[5],
        "lens": found.distortion_model,
        "distortion": distortion,
    }
    return validated(values, path, CameraModel)


def write_camera_info(path: Path, camera: CameraModel, name: str) -> None:
    """Write the file of the camera of that name, as a driver's `camera_info_url` wants it.

    The projection is that of a rectified picture without black borders, as ROS's `camera_calibration` has it.

    Raises:
        ConfigError: it cannot be written.
    """
    projection = np.column_stack([_rectified(camera), np.zeros(3)])
    content = {
        "image_width": camera.width,
        "image_height": camera.height,
        "camera_name": name,
        "camera_matrix": _matrix(camera_matrix(camera)),
        "distortion_model": camera.lens,
        "distortion_coefficients": _matrix(np.array([camera.distortion])),
        "rectification_matrix": _matrix(np.eye(3)),
        "projection_matrix": _matrix(projection),
    }
    try:
        write_text_atomically(path, yaml.safe_dump(content, sort_keys=False, default_flow_style=None))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def _rectified(camera: CameraModel) -> F64:
    K, D, size = camera_matrix(camera), np.array(camera.distortion), (camera.width, camera.height)
    if camera.lens == "equidistant":
        found = cv2.fisheye.estimateNewCameraMatrixForUndistortRectify(K, D, size, np.eye(3), balance=0.0)
    else:
        found, _ = cv2.getOptimalNewCameraMatrix(K, D, size, 0.0)
    return np.asarray(found, dtype=np.float64)


def _matrix(values: F64) -> dict[str, Any]:
    return {"rows": values.shape[0], "cols": values.shape[1], "data": values.ravel().tolist()}
