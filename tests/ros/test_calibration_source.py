"""Live pictures: what comes on the camera's topic, with joints where the arm stood still."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from rclpy.node import Node
from rich.console import Console
from sensor_msgs.msg import CompressedImage, Image
from sensor_msgs.msg import JointState as JointStateMessage

from benchmarks.calibration import shoot
from benchmarks.calibration.rendering import Studio
from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.collecting import Collector
from loopwm_ros.calibration.lookers import LensLooker
from loopwm_ros.calibration.session import Session
from loopwm_ros.calibration.shots import SessionSettings
from loopwm_ros.calibration.sources import Picture
from loopwm_ros.cli.calibrate_run import Guide
from loopwm_ros.config import load_arm
from loopwm_ros.config.calibration import BoardSettings, CameraModel
from loopwm_ros.data import topics
from loopwm_ros.errors import CalibrationError
from loopwm_ros.nodes.calibration_source import LiveSource
from loopwm_ros.nodes.qos import SENSOR_SOURCE
from loopwm_ros.types import F64

ARM = load_arm("panda")
PATIENCE = 60.0  # [s]


class Driver:
    """Publishes as drivers do."""

    def __init__(self) -> None:
        self.node = Node("driver")
        self.raw = self.node.create_publisher(Image, topics.IMAGE, SENSOR_SOURCE)
        self.packed = self.node.create_publisher(CompressedImage, topics.COMPRESSED, SENSOR_SOURCE)
        self.joints = self.node.create_publisher(JointStateMessage, ARM.topics.joint_states, SENSOR_SOURCE)

    def show(self, stamp: float, grey: np.ndarray) -> None:
        message = Image(height=grey.shape[0], width=grey.shape[1], encoding="mono8", step=grey.shape[1])
        message.header.stamp.sec, message.header.stamp.nanosec = int(stamp), int(stamp % 1 * 1e9)
        message.data = grey.tobytes()
        self.raw.publish(message)

    def say(self, stamp: float, position: F64) -> None:
        message = JointStateMessage(name=list(ARM.joints), position=[float(value) for value in position])
        message.header.stamp.sec, message.header.stamp.nanosec = int(stamp), int(stamp % 1 * 1e9)
        self.joints.publish(message)


@pytest.fixture
def live(graph: dict[str, str], request: pytest.FixtureRequest) -> Iterator[tuple[LiveSource, Driver]]:
    with closing(LiveSource(topics.IMAGE, request.param)) as source:
        driver = Driver()
        try:
            yield source, driver
        finally:
            driver.node.destroy_node()


def awaited(source: LiveSource, send: Callable[[int], None]) -> Picture:
    """The first picture after `send(i)` was called again and again."""
    end = time.monotonic() + PATIENCE
    count = 0
    while (picture := source.newest()) is None:
        assert time.monotonic() < end, source.trouble
        send(count)
        count += 1
        time.sleep(0.01)
    return picture


@pytest.mark.parametrize("live", [None], indirect=True)
def test_a_picture_is_handed_out_once(live: tuple[LiveSource, Driver]) -> None:
    source, driver = live
    assert "no picture on /camera/image_raw yet" in source.trouble
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    picture = awaited(source, lambda _: driver.show(5.25, grey))
    assert picture.stamp == pytest.approx(5.25)
    assert picture.read().shape == (6, 8, 3)
    assert source.trouble == ""


@pytest.mark.parametrize("live", [ARM], indirect=True)
def test_joints_are_known_only_where_the_arm_stood_still(live: tuple[LiveSource, Driver]) -> None:
    source, driver = live
    grey = np.zeros((6, 8), dtype=np.uint8)
    home, ticks = np.array(ARM.home), itertools.count()

    def step(_: int) -> None:  # at rest for 4 s, then moving
        tick = next(ticks)
        stamp = 10.0 + 0.02 * tick
        driver.say(stamp, home + 0.2 * max(0.0, stamp - 14.0))
        if tick % 10 == 0:
            driver.show(stamp, grey)

    seen: list[Picture] = []
    while not seen or seen[-1].stamp < 15.0:
        seen.append(awaited(source, step))
    rested = [picture for picture in seen if 11.0 < picture.stamp < 13.5]
    assert any(picture.joints is not None for picture in rested)
    assert all(np.allclose(picture.joints, home) for picture in rested if picture.joints is not None)
    assert all(picture.joints is None for picture in seen if picture.stamp > 14.0)


@pytest.mark.parametrize("live", [ARM], indirect=True)
def test_joints_of_a_fast_arm_are_kept_while_a_picture_is_looked_at(live: tuple[LiveSource, Driver]) -> None:
    source, driver = live
    home, ticks = np.array(ARM.home), itertools.count()

    def step(_: int) -> None:  # a quarter of a second at 1 kHz between two looks
        for tick in itertools.islice(ticks, 250):
            driver.say(10.0 + 1e-3 * tick, home)
            time.sleep(2e-4)
        driver.show(10.0 + 1e-3 * tick, np.zeros((6, 8), dtype=np.uint8))

    seen = [awaited(source, step) for _ in range(6)]
    assert any(picture.joints is not None for picture in seen[2:])


@pytest.mark.parametrize("live", [None], indirect=True)
def test_without_a_terminal_it_takes_what_is_of_use(live: tuple[LiveSource, Driver], tmp_path: Path) -> None:
    source, driver = live
    board = BoardSettings()
    settings = SessionSettings(step="intrinsics", board=board, lens="plumb_bob")
    camera = CameraModel(width=640, height=480, fx=610.0, fy=610.0, cx=320.0, cy=240.0)
    shots = shoot.good(Studio(Board(board), camera), Board(board), camera, np.random.default_rng(0))
    images = [next(shots).image for _ in range(2)]

    class Shown:
        """The live source; each call sends a picture first."""

        trouble = ""

        def newest(self) -> Picture | None:
            driver.show(time.time(), images[int(time.time() * 2) % 2])
            return source.newest()

    with closing(Session(tmp_path, settings)) as session:
        collector = Collector(session, LensLooker(Board(board)))
        guide = Guide(collector, Shown(), Console(force_terminal=False), "lens", seconds=10.0)
        with pytest.raises(CalibrationError, match=r"not enough was seen in 10 s \(take 8 more views"):
            guide.run()
        assert len(session.shots) == 2, "each once"
        assert not session.refusals, "automatic refusals are not noted"
    assert cv2.imread(str(tmp_path / "latest.png")) is not None
