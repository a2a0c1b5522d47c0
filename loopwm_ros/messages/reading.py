"""Reading messages, with every value checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from loopwm_ros.config.calibration import COEFFICIENTS, CameraModel
from loopwm_ros.errors import SensorError
from loopwm_ros.processing.images import decode_image
from loopwm_ros.types import F64, CameraFrame, JointState, JointTrajectory, PointPaths

Message = Any  # rclpy and rosbags share no base class

CHANNELS = {"rgb8": 3, "bgr8": 3, "mono8": 1}
MAX_COEFFICIENTS = 14  # of any lens in OpenCV


def stamp_seconds(stamp: Message) -> float:
    """Seconds of a Time or Duration."""
    return float(stamp.sec) + float(stamp.nanosec) * 1e-9


def _finite(values: F64, what: str) -> F64:
    if not np.isfinite(values).all():
        raise SensorError(f"{what} holds NaN or infinity ({values.tolist()}); expected finite numbers")
    return values


def _columns(names: Sequence[str], joints: Sequence[str], what: str) -> list[int]:
    """Index in `names` of each of `joints`."""
    index = {name: i for i, name in enumerate(names)}
    if missing := [name for name in joints if name not in index]:
        raise SensorError(f"{what} lacks {', '.join(missing)}; it has {', '.join(names) or 'no joints'}")
    return [index[name] for name in joints]


def joint_state_from(message: Message, joints: tuple[str, ...]) -> JointState:
    """Joints by name, in the order of `joints`. A message without velocities gives zeros.

    Raises:
        SensorError: a joint is missing, lengths differ, or a value is NaN or infinite.
    """
    columns = _columns(message.name, joints, "joint state")
    count = len(message.name)
    if len(message.position) != count or len(message.velocity) not in (0, count):
        raise SensorError(
            f"joint state has {count} names, {len(message.position)} positions and {len(message.velocity)} "
            "velocities; expected equal numbers (or no velocities)"
        )
    position = np.asarray(message.position, dtype=np.float64)[columns]
    moving = len(message.velocity) > 0
    velocity = np.asarray(message.velocity, dtype=np.float64)[columns] if moving else np.zeros(len(joints))
    return JointState(
        stamp_seconds(message.header.stamp),
        _finite(position, "joint state position"),
        _finite(velocity, "joint state velocity"),
    )


def frame_from_compressed(message: Message) -> CameraFrame:
    """JPEG or PNG image.

    Raises:
        SensorError: the data are no image.
    """
    return CameraFrame(stamp_seconds(message.header.stamp), decode_image(memoryview(message.data)))


def frame_from_raw(message: Message) -> CameraFrame:
    """Uncompressed image of encoding rgb8, bgr8 or mono8.

    Raises:
        SensorError: another encoding, or the data do not fit the stated size.
    """
    channels = CHANNELS.get(message.encoding)
    if channels is None:
        raise SensorError(f"image encoding '{message.encoding}' is unknown; expected {', '.join(CHANNELS)}")
    height, width, step = int(message.height), int(message.width), int(message.step)
    if min(height, width) < 1 or step < width * channels or len(message.data) != height * step:
        raise SensorError(
            f"{width}x{height} {message.encoding} image has step {step} and {len(message.data)} bytes; "
            f"expected a step of at least {width * channels} and height x step bytes"
        )
    rows = np.frombuffer(message.data, dtype=np.uint8).reshape(height, step)[:, : width * channels]
    pixels = rows.reshape(height, width, channels)
    if message.encoding == "bgr8":
        pixels = pixels[:, :, ::-1]
    rgb = np.ascontiguousarray(np.broadcast_to(pixels, (height, width, 3)))
    return CameraFrame(stamp_seconds(message.header.stamp), rgb)


def trajectory_from(
    message: Message, joints: tuple[str, ...], *, positions_only: bool = False
) -> JointTrajectory:
    """Trajectory with positions and velocities, its joints in the order of `joints`.

    With `positions_only` velocities may be left out, as trajectory controllers allow: they become the
    differences of positions, and zero at the end.

    Raises:
        SensorError: a joint is missing, it has no points, lengths differ, times do not increase, or a
            value is NaN or infinite.
    """
    columns = _columns(message.joint_names, joints, "trajectory")
    if not message.points:
        raise SensorError("trajectory has no points; expected at least one")
    count = len(message.joint_names)
    filled = positions_only and not any(len(point.velocities) for point in message.points)
    for i, point in enumerate(message.points):
        if len(point.positions) != count or (len(point.velocities) != count and not filled):
            raise SensorError(
                f"trajectory point {i} has {len(point.positions)} positions and {len(point.velocities)} "
                f"velocities for {count} joints"
            )
    offsets = np.array([stamp_seconds(point.time_from_start) for point in message.points])
    if offsets[0] < 0 or np.any(np.diff(offsets) <= 0):
        raise SensorError(f"trajectory times must increase from 0, got {offsets.tolist()}")
    positions = np.array([point.positions for point in message.points], dtype=np.float64)[:, columns]
    if filled:
        velocities = _differences(offsets, positions)
    else:
        velocities = np.array([point.velocities for point in message.points], dtype=np.float64)[:, columns]
    return JointTrajectory(
        stamp_seconds(message.header.stamp),
        offsets,
        _finite(positions, "trajectory positions"),
        _finite(velocities, "trajectory velocities"),
    )


def _differences(offsets: F64, positions: F64) -> F64:
    """Velocities (m, n) through `positions` (m, n) at `offsets` (m,) [s], ending at rest."""
    if len(offsets) == 1:
        return np.zeros_like(positions)
    velocities = np.gradient(positions, offsets, axis=0)
    velocities[-1] = 0.0
    return np.asarray(velocities)


def paths_from(message: Message) -> PointPaths:
    """Named points over time of a MultiDOFJointTrajectory; their orientations are not looked at.

    Raises:
        SensorError: lengths differ, times do not increase from 0, or a position is NaN or infinite.
    """
    names = list(message.joint_names)
    counts = {len(point.transforms) for point in message.points}
    if counts - {len(names)} or len(set(names)) != len(names):
        raise SensorError(f"paths of points {names} have {sorted(counts)} transforms; expected one a point")
    offsets = np.array([stamp_seconds(point.time_from_start) for point in message.points])
    if np.any(np.diff(offsets, prepend=-1.0) <= 0) or np.any(offsets < 0):
        raise SensorError(f"times of points must increase from 0, got {offsets.tolist()}")
    positions = np.array(
        [
            [(t.translation.x, t.translation.y, t.translation.z) for t in point.transforms]
            for point in message.points
        ],
        dtype=np.float64,
    ).reshape(len(offsets), len(names), 3)
    _finite(positions, "paths of points")
    paths = {name: positions[:, column] for column, name in enumerate(names)}
    return PointPaths(stamp_seconds(message.header.stamp), offsets, paths)


def positions_from(message: Message, count: int) -> F64:
    """Joint position references (count,) of a Float64MultiArray.

    Raises:
        SensorError: another number of values, or NaN or infinity.
    """
    if len(message.data) != count:
        raise SensorError(f"command has {len(message.data)} values; expected {count}, one per joint")
    return _finite(np.array(message.data, dtype=np.float64), "command")


def camera_model_from(message: Message) -> CameraModel | None:
    """The camera that a CameraInfo describes; None where the driver says that it is not calibrated (K is 0).

    Raises:
        SensorError: a value is missing, out of range, or of a lens that is not known.
    """
    matrix = [float(value) for value in message.k]
    if not any(matrix):
        return None
    if len(message.d) > MAX_COEFFICIENTS:
        raise SensorError(
            f"camera info has {len(message.d)} coefficients; lenses have at most {MAX_COEFFICIENTS}"
        )
    lens, distortion = message.distortion_model or "plumb_bob", [float(value) for value in message.d]
    wanted = {str(name): count for name, count in COEFFICIENTS.items()}.get(lens, 0)
    if any(distortion[wanted:]):
        raise SensorError(f"camera info has {len(distortion)} coefficients; '{lens}' has {wanted}")
    try:
        return CameraModel(
            width=message.width,
            height=message.height,
            fx=matrix[0],
            fy=matrix[4],
            cx=matrix[2],
            cy=matrix[5],
            lens=lens,
            distortion=tuple((distortion + [0.0] * wanted)[:wanted]),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise SensorError(
            f"camera info is of no camera: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error
