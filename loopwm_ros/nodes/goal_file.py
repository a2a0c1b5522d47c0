"""A picture in a file, a goal or a scene, with the joints at which it was taken in a YAML file beside it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import yaml

from loopwm_ros.config.outside import parse_yaml, read_bounded
from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.processing.images import MAX_IMAGE, SUFFIXES, decode_image
from loopwm_ros.types import JointState, Observation
from loopwm_ros.validation.files import write_bytes_atomically, write_text_atomically


def joints_file(image: Path) -> Path:
    """The YAML file that belongs to an image: `joints: {NAME: POSITION [rad], ...}`.

    Raises:
        ConfigError: the image's name does not end as that of a PNG or JPEG file.
    """
    if image.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"picture '{image}': expected a file name that ends in {', '.join(SUFFIXES)}")
    return image.with_suffix(".yaml")


def write_goal(image: Path, observation: Observation, joints: tuple[str, ...]) -> None:
    """Write `observation`, its joints named `joints`, for `read_goal`.

    Raises:
        ConfigError: it cannot be written there.
    """
    beside = joints_file(image)
    positions = dict(zip(joints, map(float, observation.joints.position), strict=True))
    _, data = cv2.imencode(image.suffix.lower(), cv2.cvtColor(observation.rgb, cv2.COLOR_RGB2BGR))
    try:
        write_bytes_atomically(image, data.tobytes())
        write_text_atomically(beside, yaml.safe_dump({"joints": positions}, sort_keys=False))
    except OSError as error:
        raise ConfigError(f"cannot write picture {image}: {error}") from error


def read_goal(image: Path, joints: tuple[str, ...]) -> Observation:
    """The picture, taken at rest, with positions of `joints` in that order.

    Raises:
        ConfigError: a file is missing or is not what it should be.
    """
    beside = joints_file(image)
    try:
        rgb = decode_image(read_bounded(image, MAX_IMAGE))
        content = parse_yaml(read_bounded(beside))
    except (OSError, SensorError, ValueError) as error:
        raise ConfigError(f"cannot read picture {image} with {beside.name}: {error}") from error
    named = content.get("joints") if isinstance(content, dict) else None
    if not isinstance(named, dict):
        raise ConfigError(
            f"{beside} lacks 'joints: {{NAME: POSITION, ...}}', those at which the image was taken"
        )
    if missing := [name for name in joints if name not in named]:
        raise ConfigError(f"{beside} lacks {', '.join(missing)}; it has {', '.join(map(str, named))}")
    try:
        position = np.array([float(named[name]) for name in joints])
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"{beside}: a joint position is no number: {error}") from error
    if not np.isfinite(position).all():
        raise ConfigError(f"{beside}: joint positions are {position.tolist()}; expected finite radians")
    return Observation(0.0, rgb, JointState(0.0, position, np.zeros_like(position)))
