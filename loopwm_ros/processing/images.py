"""Image pre-processing, the only copy: training and robot both call `prepare_image`."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from loopwm_ros.errors import SensorError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.types import F32, U8

RGB: int | None = getattr(cv2, "IMREAD_COLOR_RGB", None)  # saves a pass; since OpenCV 4.11
MAX_PIXELS = 2**25  # 33 megapixels, 100 MB as RGB; more than any camera of an arm has
TRAINED, CALIBRATED = "the bundle was trained for", "calibrated was"  # where a picture's size comes from
SUFFIXES = (".png", ".jpg", ".jpeg")  # of files that `decode_image` reads
MAX_IMAGE = 2**26  # of a compressed image's file [bytes]


def shrink_image(rgb: U8, width: int, height: int) -> U8:
    """Resize (h, w, 3) to (height, width, 3), still uint8 (the form kept in the dataset cache)."""
    if rgb.shape[:2] == (height, width):
        return rgb
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def check_picture_size(rgb: U8, size: tuple[int, int], expected: str) -> None:
    """Refuse a camera's picture that is not of `size` (width, height) [px]; `expected`: whose that is.

    Raises:
        SensorError: naming both sizes.
    """
    found = rgb.shape[1], rgb.shape[0]
    if found != size:
        raise SensorError(f"camera image is {found[0]}x{found[1]}; {expected} {size[0]}x{size[1]}")


def normalise_image(spec: ModelSpec, rgb: U8) -> F32:
    """(..., height, width, 3) uint8 at the model's size to (..., 3, height, width) float32."""
    scaled = (rgb.astype(np.float32) / 255.0 - spec.image_mean) / spec.image_std
    return np.ascontiguousarray(np.moveaxis(scaled, -1, -3), dtype=np.float32)


def prepare_image(spec: ModelSpec, rgb: U8) -> F32:
    """Camera image (height, width, 3) uint8 to the encoder's input (3, height, width)."""
    return normalise_image(spec, shrink_image(rgb, spec.image_width, spec.image_height))


def decode_image(data: bytes | memoryview) -> U8:
    """JPEG or PNG bytes to RGB (height, width, 3).

    Raises:
        SensorError: the bytes are no image, or one of more than MAX_PIXELS.
    """
    check_image_size(data)
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR if RGB is None else RGB)
    except cv2.error:
        image = None
    if image is None:
        raise _no_image(data)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if RGB is None else image, dtype=np.uint8)


def check_image_size(data: bytes | memoryview) -> None:
    """Look at the header of a JPEG or PNG: a few bytes can unpack to gigabytes.

    Raises:
        SensorError: the bytes are no image, or one of more than MAX_PIXELS.
    """
    try:
        with Image.open(BytesIO(data), formats=("JPEG", "PNG")) as header:
            pixels = header.width * header.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        pixels = MAX_PIXELS + 1
    except Exception as error:  # it raises whatever its parts do, struct.error and SyntaxError among them
        raise _no_image(data) from error
    if pixels > MAX_PIXELS:
        raise SensorError(
            f"compressed image of {len(data)} bytes has more than {MAX_PIXELS} pixels; expected a camera's"
        )


def _no_image(data: bytes | memoryview) -> SensorError:
    return SensorError(f"compressed image of {len(data)} bytes cannot be decoded; expected JPEG or PNG")


def encode_image(rgb: U8, quality: int = 92) -> bytes:
    """RGB (height, width, 3) to JPEG bytes."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise SensorError(f"cannot encode an image of shape {rgb.shape}")
    return bytes(data)
