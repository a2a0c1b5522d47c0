"""Messages of both libraries: rclpy (with its field checks on) and rosbags."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from loopwm_ros.config import CameraConfig
from loopwm_ros.errors import SensorError
from loopwm_ros.messages import (
    MESSAGE_TYPES,
    MessageFactory,
    array_sequence,
    frame_from_compressed,
    frame_from_raw,
    joint_state_from,
    numpy_sequence,
    paths_from,
    positions_from,
    stamp_seconds,
    trajectory_from,
)
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import JointState, JointTrajectory, PointPaths

JOINTS = ("a", "b", "c")
STORE = get_typestore(Stores.ROS2_JAZZY)


def checked_type(name: str) -> Callable[..., Any]:
    """A message class of rclpy that refuses wrong field types, as ROS_PYTHON_CHECK_FIELDS=1 makes it."""
    package, _, kind = name.split("/")
    return functools.partial(getattr(importlib.import_module(f"{package}.msg"), kind), check_fields=True)


def rclpy_round_trip(message: Any) -> Any:
    serialization = importlib.import_module("rclpy.serialization")
    return serialization.deserialize_message(serialization.serialize_message(message), type(message))


def rosbags_round_trip(message: Any) -> Any:
    kind = message.__msgtype__
    return STORE.deserialize_cdr(STORE.serialize_cdr(message, kind), kind)


@pytest.fixture(params=["rclpy", "rosbags"])
def library(request: pytest.FixtureRequest) -> tuple[MessageFactory, Callable[[Any], Any]]:
    if request.param == "rosbags":
        return MessageFactory(STORE.types, numpy_sequence), rosbags_round_trip
    return MessageFactory(
        {name: checked_type(name) for name in MESSAGE_TYPES}, array_sequence
    ), rclpy_round_trip


@pytest.fixture
def camera() -> CameraConfig:
    return CameraConfig(
        width=8, height=6, rate=20, fx=9, fy=8, cx=4, cy=3, position=(1, 0, 1), look_at=(0, 0, 0)
    )


def smooth_image(height: int = 24, width: int = 32) -> np.ndarray:
    ramp = np.linspace(0, 255, width)[None, :, None] * np.array([1.0, 0.5, 0.2])
    return np.broadcast_to(ramp, (height, width, 3)).astype(np.uint8)


def test_joint_state_survives_the_wire(library) -> None:
    factory, wire = library
    sent = JointState(12.25, np.array([0.1, -0.2, 0.3]), np.array([1.0, 2.0, 3.0]))
    got = joint_state_from(wire(factory.joint_state(sent, JOINTS)), ("c", "a"))
    assert got.stamp == 12.25
    np.testing.assert_array_equal(got.position, [0.3, 0.1])
    np.testing.assert_array_equal(got.velocity, [3.0, 1.0])


def test_images_survive_the_wire(library) -> None:
    factory, wire = library
    rgb = smooth_image()
    raw = frame_from_raw(wire(factory.raw_image(3.5, rgb, "camera")))
    np.testing.assert_array_equal(raw.rgb, rgb)
    jpeg = frame_from_compressed(wire(factory.compressed_image(3.5, encode_image(rgb), "camera")))
    assert jpeg.stamp == raw.stamp == 3.5
    assert np.abs(jpeg.rgb.astype(int) - rgb).max() < 12


def test_camera_info_describes_the_pinhole(library, camera) -> None:
    factory, wire = library
    info = wire(factory.camera_info(1.0, camera))
    assert (info.width, info.height, info.distortion_model) == (8, 6, "plumb_bob")
    np.testing.assert_array_equal(info.k, [9, 0, 4, 0, 8, 3, 0, 0, 1])
    np.testing.assert_array_equal(info.p, [9, 0, 4, 0, 0, 8, 3, 0, 0, 0, 1, 0])
    np.testing.assert_array_equal(info.r, np.eye(3).ravel())
    np.testing.assert_array_equal(info.d, np.zeros(5))
    assert info.header.frame_id == camera.frame


def test_trajectory_survives_the_wire(library) -> None:
    factory, wire = library
    positions, velocities = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    sent = JointTrajectory(7.05, np.array([0.0, 0.05]), positions, velocities)
    got = trajectory_from(wire(factory.trajectory(sent, JOINTS)), ("b", "c", "a"))
    assert got.stamp == pytest.approx(7.05, abs=1e-9)
    np.testing.assert_allclose(got.offsets, [0.0, 0.05], atol=1e-9)
    np.testing.assert_array_equal(got.positions, positions[:, [1, 2, 0]])
    np.testing.assert_array_equal(got.velocities, velocities)


def test_paths_of_points_survive_the_wire(library) -> None:
    make, round_trip = library
    path = np.arange(6.0).reshape(2, 3)
    sent = PointPaths(7.25, np.array([0.1, 0.2]), {"tool": path, "cube": path + 0.5})
    message = round_trip(make.paths(sent, "base"))
    read = paths_from(message)
    assert message.header.frame_id == "base"
    assert read.stamp == 7.25
    np.testing.assert_allclose(read.offsets, sent.offsets)
    assert list(read.points) == ["tool", "cube"]
    np.testing.assert_array_equal(read.points["cube"], path + 0.5)
    nothing = paths_from(round_trip(make.paths(PointPaths(7.25, np.zeros(1), {}), "base")))
    assert (nothing.stamp, nothing.points) == (7.25, {})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda m: m.joint_names.append("ball"), "expected one a point"),
        (lambda m: m.points.reverse(), "increase from 0"),
        (lambda m: setattr(m.points[0].transforms[0].translation, "y", np.nan), "NaN"),
    ],
)
def test_bad_paths_of_points_are_refused(change: Callable[[Any], Any], match: str) -> None:
    make = MessageFactory({name: checked_type(name) for name in MESSAGE_TYPES}, array_sequence)
    message = make.paths(PointPaths(0.0, np.array([0.1, 0.2]), {"tool": np.zeros((2, 3))}), "base")
    change(message)
    with pytest.raises(SensorError, match=match):
        paths_from(message)


def test_scalars_survive_the_wire(library) -> None:
    factory, wire = library
    np.testing.assert_array_equal(positions_from(wire(factory.command(np.array([1.5, 2.5]))), 2), [1.5, 2.5])
    point = wire(factory.point(1.0, np.array([1, 2, 3], dtype=np.float32), "base")).point
    assert (point.x, point.y, point.z) == (1.0, 2.0, 3.0)
    assert wire(factory.float64(np.float32(0.5))).data == 0.5
    assert wire(factory.boolean(np.bool_(True))).data is True
    assert stamp_seconds(wire(factory.clock(1.999999999)).clock) == pytest.approx(1.999999999, abs=1e-12)


def test_field_checks_are_on() -> None:
    with pytest.raises(AssertionError):
        checked_type("geometry_msgs/msg/Point")(x=1)


def test_factory_names_missing_types() -> None:
    with pytest.raises(KeyError, match="sensor_msgs/msg/JointState"):
        MessageFactory({}, array_sequence)


def joint_message(names=JOINTS, position=(0.0, 0.0, 0.0), velocity=()) -> SimpleNamespace:
    header = SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=0))
    return SimpleNamespace(header=header, name=list(names), position=list(position), velocity=list(velocity))


def test_absent_velocities_are_zero() -> None:
    np.testing.assert_array_equal(joint_state_from(joint_message(), JOINTS).velocity, np.zeros(3))


@pytest.mark.parametrize(
    ("message", "match"),
    [
        (joint_message(names=("a", "b", "x")), "lacks c; it has a, b, x"),
        (joint_message(position=(0.0, float("nan"), 0.0)), "position holds NaN"),
        (joint_message(velocity=(0.0, 0.0, float("inf"))), "velocity holds NaN or infinity"),
        (joint_message(position=(0.0, 0.0)), "3 names, 2 positions"),
        (joint_message(velocity=(0.0,)), "1 velocities"),
    ],
)
def test_bad_joint_states_are_refused(message, match: str) -> None:
    with pytest.raises(SensorError, match=match):
        joint_state_from(message, JOINTS)


def test_nan_of_an_unused_joint_does_not_matter() -> None:
    message = joint_message(position=(0.0, 0.0, float("nan")))
    assert joint_state_from(message, ("a", "b")).position.shape == (2,)


def image_message(encoding: str, data: bytes, step: int, height: int = 1, width: int = 2) -> SimpleNamespace:
    header = SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0))
    return SimpleNamespace(header=header, height=height, width=width, encoding=encoding, step=step, data=data)


@pytest.mark.parametrize(
    ("message", "pixels"),
    [
        (image_message("bgr8", bytes([1, 2, 3, 4, 5, 6]), 6), [[3, 2, 1], [6, 5, 4]]),
        (image_message("mono8", bytes([7, 9]), 2), [[7, 7, 7], [9, 9, 9]]),
        (image_message("rgb8", bytes([1, 2, 3, 4, 5, 6, 0, 0]), 8), [[1, 2, 3], [4, 5, 6]]),
    ],
)
def test_raw_encodings(message, pixels: list[list[int]]) -> None:
    np.testing.assert_array_equal(frame_from_raw(message).rgb, [pixels])


def test_raw_rgb_is_not_copied() -> None:
    data = np.arange(12, dtype=np.uint8)
    frame = frame_from_raw(image_message("rgb8", data, 6, height=2))
    assert np.shares_memory(frame.rgb, data)


@pytest.mark.parametrize(
    "message",
    [
        image_message("16UC1", bytes(4), 4),
        image_message("rgb8", bytes(5), 6),
        image_message("rgb8", bytes(4), 4),
        image_message("rgb8", b"", 0, height=0),
    ],
)
def test_bad_raw_images_are_refused(message) -> None:
    with pytest.raises(SensorError, match="expected"):
        frame_from_raw(message)


def test_undecodable_jpeg_is_refused() -> None:
    message = SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0)), data=b"no image"
    )
    with pytest.raises(SensorError, match="expected JPEG or PNG"):
        frame_from_compressed(message)


def trajectory_message(offsets=(0.0, 0.1), value: float = 0.0, velocities: int = 3) -> SimpleNamespace:
    points = [
        SimpleNamespace(
            positions=[value] * 3,
            velocities=[0.0] * velocities,
            time_from_start=SimpleNamespace(sec=0, nanosec=round(t * 1e9)),
        )
        for t in offsets
    ]
    header = SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0))
    return SimpleNamespace(header=header, joint_names=list(JOINTS), points=points)


@pytest.mark.parametrize(
    ("message", "joints", "match"),
    [
        (trajectory_message(offsets=(0.1, 0.1)), JOINTS, "must increase"),
        (trajectory_message(offsets=()), JOINTS, "no points"),
        (trajectory_message(value=float("nan")), JOINTS, "NaN"),
        (trajectory_message(velocities=0), JOINTS, "0 velocities for 3 joints"),
        (trajectory_message(), ("a", "z"), "lacks z"),
    ],
)
def test_bad_trajectories_are_refused(message, joints: tuple[str, ...], match: str) -> None:
    with pytest.raises(SensorError, match=match):
        trajectory_from(message, joints)


def test_positions_alone_are_enough_for_a_trajectory_controller() -> None:
    message = trajectory_message(offsets=(0.0, 0.1, 0.3), velocities=0)
    for point, value in zip(message.points, (0.0, 0.2, 0.6), strict=True):
        point.positions = [value, 0.0, -value]
    got = trajectory_from(message, ("c", "b", "a"), positions_only=True)
    np.testing.assert_allclose(got.velocities[:2], [[-2.0, 0.0, 2.0]] * 2)
    np.testing.assert_array_equal(got.velocities[2], np.zeros(3))
    one = trajectory_from(trajectory_message(offsets=(0.3,), velocities=0), JOINTS, positions_only=True)
    np.testing.assert_array_equal(one.velocities, np.zeros((1, 3)))


@pytest.mark.parametrize("velocities", [(0, 3), (2, 2)])
def test_a_trajectory_controller_refuses_velocities_for_a_part(velocities: tuple[int, int]) -> None:
    message = trajectory_message()
    for point, count in zip(message.points, velocities, strict=True):
        point.velocities = [0.0] * count
    with pytest.raises(SensorError, match="velocities for 3 joints"):
        trajectory_from(message, JOINTS, positions_only=True)


@pytest.mark.parametrize(("values", "match"), [([0.0], "1 values; expected 2"), ([0.0, np.inf], "infinity")])
def test_bad_commands_are_refused(values: list[float], match: str) -> None:
    with pytest.raises(SensorError, match=match):
        positions_from(SimpleNamespace(data=values), 2)
