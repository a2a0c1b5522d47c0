"""The calibration node on a simulated camera's topics, and the arming that asks it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rcl_interfaces.msg import Log
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from benchmarks.calibration.rendering import Flaws, Studio
from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.camera_info import write_camera_info
from loopwm_ros.calibration.hand_eye_files import write_hand_eye
from loopwm_ros.config import CameraConfig, load_task, load_world
from loopwm_ros.errors import ConfigError, MismatchError
from loopwm_ros.nodes import heartbeats
from loopwm_ros.nodes.calibration import NAME, CalibrationNode
from loopwm_ros.nodes.qos import COMMAND, REPORT
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.nodes.safety import SafetyNode
from loopwm_ros.types import U8
from tests.ros.conftest import Bench
from tests.ros.eye import ARM, HOME, Eye
from tests.ros.test_arming import refusal
from tests.ros.test_safety import NAMED as SAFE
from tests.ros.test_safety import Arm
from tests.unit.test_calibration_drift import BOARD, CAMERA, Cell, nudge

OFTEN = {"look_period": 0.1, "evidence": 2, "looks": 3}


def board_picture(degrees: float = 0.0) -> U8:
    pose = Cell("eye_to_hand").board_seen(HOME, nudge(degrees, 0.0))
    grey = Studio(Board(BOARD), CAMERA).picture(pose, Flaws(noise=2.0), np.random.default_rng(0))
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, object]:
    """A calibration on disk, as parameters."""
    write_hand_eye(tmp_path, Cell("eye_to_hand").hand_eye())
    write_camera_info(tmp_path / "camera.yaml", CAMERA, "camera")
    (tmp_path / "board.yaml").write_text(yaml.safe_dump(BOARD.model_dump(mode="json")))
    return {
        "arm": ARM.name,
        "hand_eye": str(tmp_path / "hand_eye.yaml"),
        "camera_info": str(tmp_path / "camera.yaml"),
        "board": str(tmp_path / "board.yaml"),
    }


def looking(bench: Bench, **values: object) -> CalibrationNode:
    chosen = OFTEN | values
    return bench.add(CalibrationNode([Parameter(name, value=value) for name, value in chosen.items()]))


def test_a_camera_in_place_is_well_and_one_that_was_turned_blocks_until_it_is_back(bench, files) -> None:
    still, turned = board_picture(), board_picture(2.0)
    looking(bench, **files)
    eye = Eye(bench, still)
    bench.until(lambda: eye.values().get("state") == "ok")
    assert float(eye.values()["board.pixels"]) < 1.0
    eye.picture = turned
    bench.until(lambda: eye.state() == "block")
    bench.until(lambda: eye.values().get("state") == "block")
    assert float(eye.values()["board.turned_deg"]) == pytest.approx(2.0, abs=0.4)
    bench.until(lambda: "as if the camera had moved by" in eye.words())
    eye.picture = still
    bench.until(lambda: eye.state() == "ok")
    assert bench.call(Trigger, "/calibration/reset").success
    bench.until(lambda: eye.state() == "ok")


def test_a_camera_that_looks_past_the_board_is_not_well_for_long(bench, files) -> None:
    looking(bench, **files)
    eye = Eye(bench, board_picture())
    bench.until(lambda: eye.state() == "ok")
    eye.picture = np.full((CAMERA.height, CAMERA.width, 3), 90, dtype=np.uint8)
    bench.until(lambda: eye.state() == "unknown")
    bench.until(lambda: "the board should be in view and is not" in eye.words())
    eye.reports.clear()  # the newest may still be of the first looks, too few to be known by
    bench.until(lambda: eye.values().get("state") == "unknown")
    assert "board.pixels" not in eye.values()
    eye.picture = board_picture()
    bench.until(lambda: eye.state() == "ok")


def test_what_cannot_be_looked_at_is_said(bench, files) -> None:
    looking(bench, **files)
    eye = Eye(bench, np.full((CAMERA.height, CAMERA.width, 3), 90, dtype=np.uint8))
    bench.until(lambda: "no board is seen" in eye.words())
    assert eye.state() == "unknown"
    eye.speed = 1.0
    bench.until(lambda: "the arm moves (1.00 rad/s)" in eye.words())
    eye.picture = np.full((40, 40, 3), 90, dtype=np.uint8)
    bench.until(lambda: "40x40; calibrated was 480x360" in eye.words())


def test_a_driver_that_describes_another_camera_blocks(bench, files, tmp_path) -> None:
    looking(bench, **files, reference=str(tmp_path / "scene.png"))
    eye = Eye(bench, board_picture())
    bench.until(lambda: eye.state() == "ok")
    other = CameraConfig(
        width=480, height=360, rate=20, fx=400, fy=400, cx=240, cy=180, position=(1, 0, 1), look_at=(0, 0, 0)
    )
    eye.info.publish(message_factory().camera_info(1.0, other))
    bench.until(lambda: eye.state() == "block")
    assert "is of another camera than" in eye.words()
    assert "fx 430.0 against 400.0" in eye.words()
    answer = bench.call(Trigger, "/calibration/take_reference")
    assert not answer.success
    assert "is of another camera than" in answer.message
    assert not (tmp_path / "scene.png").exists()


class Scene:
    """The simulated cell as its camera shows it."""

    def __init__(self) -> None:
        self._cell = BulletCell(ARM, load_task("reach"), load_world("tabletop"))
        self._cell.reset(1)

    def picture(self, degrees: float = 0.0) -> U8:
        camera = ARM.camera
        reach = math.dist(camera.position, camera.look_at)
        x, y, z = camera.look_at
        aside = {"position": camera.position, "look_at": (x, y + reach * math.tan(math.radians(degrees)), z)}
        self._cell.turn_camera(camera.model_copy(update=aside))
        return self._cell._render()

    def close(self) -> None:
        self._cell.close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.close()


def test_without_a_board_the_scene_tells_once_its_reference_is_taken(bench, tmp_path, scene) -> None:
    reference = tmp_path / "scene.png"
    looking(bench, arm=ARM.name, reference=str(reference))
    eye = Eye(bench, scene.picture())
    bench.until(lambda: "call /calibration/take_reference" in eye.words())
    answer = bench.call(Trigger, "/calibration/take_reference")
    assert answer.success, answer.message
    assert reference.exists()
    bench.until(lambda: eye.state() == "ok")
    eye.picture = scene.picture(2.0)
    bench.until(lambda: eye.state() == "block")
    bench.until(lambda: abs(float(eye.values().get("scene.turned_deg", "0")) - 2.0) < 0.5)


def test_a_moved_view_is_no_reference_until_looks_are_reset(bench, tmp_path, scene) -> None:
    reference = tmp_path / "scene.png"
    looking(bench, arm=ARM.name, reference=str(reference))
    eye = Eye(bench, scene.picture())
    bench.until(lambda: bench.call(Trigger, "/calibration/take_reference").success)
    bench.until(lambda: eye.state() == "ok")
    kept, eye.picture = reference.read_bytes(), scene.picture(2.0)
    bench.until(lambda: eye.state() == "block")
    answer = bench.call(Trigger, "/calibration/take_reference")
    assert not answer.success
    assert "may be taken only if the camera was calibrated again since" in answer.message
    assert "call /calibration/reset first" in answer.message
    assert reference.read_bytes() == kept
    assert bench.call(Trigger, "/calibration/reset").success
    bench.until(lambda: eye.state() == "block")  # there is time to take it, though it is seen anew
    assert bench.call(Trigger, "/calibration/take_reference").success
    assert reference.read_bytes() != kept
    bench.until(lambda: eye.state() == "ok")
    eye.picture = scene.picture(4.0)
    bench.until(lambda: eye.state() == "block")
    assert not bench.call(Trigger, "/calibration/take_reference").success, "a reset is for one"


def test_a_look_that_fails_by_a_mistake_is_told_and_it_goes_on_looking(bench, files) -> None:
    node = looking(bench, **files)
    safety = bench.add(SafetyNode([SAFE, Parameter("need_calibration", value=True)]))
    Arm(bench)
    eye = Eye(bench, board_picture())
    bench.until(lambda: eye.state() == "ok")
    logs = bench.listen(Log, "/rosout", REPORT)
    bench.until(lambda: not refusal(bench))
    safety._gate.disarm()
    check = node._watch._checks["board"]
    board, check._board = check._board, None  # what it needs is not there
    bench.until(lambda: "a look failed: AttributeError" in refusal(bench))
    assert eye.state() == "unknown"
    bench.rest(1.0)
    check._board = board
    bench.until(lambda: eye.state() == "ok")
    said = [message.msg for message in logs if "a look failed" in message.msg and message.name == NAME]
    assert len(said) == 1
    assert "Traceback" in said[0]


def test_it_does_not_start_with_what_it_cannot_use(bench, files, tmp_path) -> None:
    with pytest.raises(ConfigError, match="which arm"):
        looking(bench)
    with pytest.raises(ConfigError, match="nothing to look at"):
        looking(bench, arm=ARM.name, hand_eye=files["hand_eye"])
    with pytest.raises(ConfigError, match="Set the parameter hand_eye"):
        looking(bench, arm=ARM.name, board=files["board"])
    with pytest.raises(MismatchError, match="of arm 'panda'"):
        looking(bench, **files | {"arm": "ur5e"})


class Speaker:
    """Says what a calibration node would."""

    def __init__(self, bench: Bench, state: str, words: str = "", arm: str = ARM.name) -> None:
        self.state, self.words, self.arm = state, words, arm
        self._beat = bench.node.create_publisher(DiagnosticStatus, heartbeats.CALIBRATION_TOPIC, COMMAND)
        self._timer = bench.node.create_timer(0.1, self._send)

    def _send(self) -> None:
        told = {heartbeats.ARM: self.arm, heartbeats.WORDS: self.words, heartbeats.INSTANCE: "one"}
        values = [KeyValue(key=key, value=value) for key, value in told.items()]
        self._beat.publish(DiagnosticStatus(name=NAME, message=self.state, values=values))

    def fall_silent(self) -> None:
        self._timer.cancel()


def test_arming_waits_for_a_camera_that_is_in_place(bench) -> None:
    node = bench.add(SafetyNode([SAFE, Parameter("need_calibration", value=True)]))
    Arm(bench)
    assert "calibration is silent on /calibration/state; start it" in refusal(bench)
    speaker = Speaker(bench, "unknown", "board: no board is seen")
    bench.until(lambda: "board: no board is seen" in refusal(bench))
    speaker.state, speaker.words = "block", "board: off by 9.0 px, 1.20 degrees"
    bench.until(lambda: "off by 9.0 px, 1.20 degrees" in refusal(bench))
    speaker.state, speaker.arm = "ok", "ur5e"
    bench.until(lambda: "looks at arm 'ur5e', not at 'panda'" in refusal(bench))
    speaker.arm, speaker.state = ARM.name, "warn"
    bench.until(lambda: not refusal(bench))
    speaker.state = "block"
    bench.rest(0.5)
    assert node._gate.state.value == "armed", "a drift does not stop a moving arm ..."
    node._gate.disarm()
    bench.until(
        lambda: "is not known to be where it was calibrated" in refusal(bench)
    )  # ... but its next arming
    speaker.state = "ok"
    bench.until(lambda: not refusal(bench))
    speaker.fall_silent()
    bench.until(lambda: "calibration is silent" in refusal(bench))


def test_without_need_calibration_nobody_is_asked(bench) -> None:
    bench.add(SafetyNode([SAFE]))
    Arm(bench)
    Speaker(bench, "block")
    bench.until(lambda: not refusal(bench))
