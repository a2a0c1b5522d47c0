"""Pictures as files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from loopwm_ros.config.outside import read_bounded
from loopwm_ros.errors import CalibrationError, SensorError
from loopwm_ros.processing.images import MAX_IMAGE, decode_image
from loopwm_ros.types import U8
from loopwm_ros.validation.files import write_bytes_atomically


def read_picture(path: Path) -> U8:
    """RGB (height, width, 3) of a PNG or JPEG file.

    Raises:
        CalibrationError: it is missing, too large or no picture.
    """
    try:
        return decode_image(read_bounded(path, MAX_IMAGE))
    except OSError as error:
        raise CalibrationError(f"cannot read {path}: {error.strerror}") from error
    except SensorError as error:
        raise CalibrationError(f"{path}: {error}") from error


def write_picture(path: Path, image: U8) -> Path:
    """Write (height, width) or (height, width, 3) RGB as PNG, whole or not at all."""
    return write_bytes_atomically(path, png(image))


def png(image: U8) -> bytes:
    """(height, width) or (height, width, 3) RGB as PNG."""
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return np.asarray(cv2.imencode(".png", stored)[1]).tobytes()
