"""The drift check on rendered boards: a camera nudged by a known amount, noise, other light, other arms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks.calibration.rendering import Flaws, Studio
from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.drift import DriftCheck
from loopwm_ros.calibration.drift_limits import Drift, DriftLimits, Looks
from loopwm_ros.config import load_arm
from loopwm_ros.config.calibration import BoardSettings, CameraModel, HandEye
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import MismatchError, SensorError
from loopwm_ros.processing.poses import inverse, matrix, posed, transform
from loopwm_ros.types import F64, U8

ARM = load_arm("panda")
KINEMATICS = Kinematics(ARM)
CAMERA = CameraModel(
    width=480, height=360, fx=430.0, fy=431.0, cx=238.0, cy=181.0, distortion=(-0.2, 0.05, 1e-3, -5e-4, 0.0)
)
BOARD = BoardSettings(columns=6, rows=5, square=0.04, marker=0.03, dictionary="DICT_4X4_50")
SHOWN = posed(Rotation.from_euler("xyz", (0.25, -0.3, 0.1)).as_matrix(), np.array([-0.12, -0.1, 0.6]))
STILL = np.eye(4)


@dataclass(frozen=True)
class Cell:
    """An arm with a board and a camera, one of them on its tool."""

    setup: str

    def hand_eye(self, **changes: object) -> HandEye:
        tool = KINEMATICS.mount(KINEMATICS.home)[0]
        eye = posed(Rotation.from_euler("xyz", (-1.9, 0.1, 1.5)).as_matrix(), np.array([1.2, 0.1, 0.6]))
        on_hand = self.setup == "eye_in_hand"
        camera = posed(np.eye(3), np.array([0.05, 0.0, 0.04])) if on_hand else eye
        place = tool @ camera if on_hand else camera
        board = place @ SHOWN if on_hand else inverse(tool) @ place @ SHOWN
        frames = (ARM.tool_frame, ARM.base_frame)
        parent, other = frames if on_hand else frames[::-1]
        values = {
            "arm": ARM.name,
            "setup": self.setup,
            "parent": parent,
            "child": "camera",
            "camera": transform(camera),
            "board_parent": other,
            "board": transform(board),
            "translation_std": (1e-3,) * 3,
            "rotation_std": (1e-3,) * 3,
        }
        return HandEye.model_validate(values | changes)

    def board_seen(self, joints: F64, nudge: F64) -> F64:
        """Pose of the board in the optical frame of a camera that is at `nudge` in the calibrated one."""
        found, tool = self.hand_eye(), KINEMATICS.mount(joints)[0]
        camera, board = matrix(found.camera), matrix(found.board)
        ideal = (
            inverse(tool @ camera) @ board if self.setup == "eye_in_hand" else inverse(camera) @ tool @ board
        )
        return inverse(nudge) @ ideal


STUDIO = Studio(Board(BOARD), CAMERA)


def joints(index: int) -> F64:
    return KINEMATICS.home + np.random.default_rng(index).uniform(-0.04, 0.04, len(ARM.joints))


def picture(cell: Cell, index: int, nudge: F64 = STILL, flaws: Flaws | None = None) -> U8:
    pose = cell.board_seen(joints(index), nudge)
    return STUDIO.picture(pose, flaws or Flaws(noise=3.0), np.random.default_rng(index))


def check(cell: Cell, **changes: object) -> DriftCheck:
    return DriftCheck(ARM, CAMERA, cell.hand_eye(**changes), BOARD, DriftLimits())


def nudge(degrees: float, millimetres: float) -> F64:
    turn = Rotation.from_rotvec(math.radians(degrees) * np.array([0.6, 0.8, 0.0]))
    return posed(turn.as_matrix(), millimetres * 1e-3 * np.array([0.8, 0.0, 0.6]))


@pytest.mark.parametrize("setup", ["eye_to_hand", "eye_in_hand"])
def test_a_camera_that_stays_is_well_under_noise_blur_and_other_light(setup: str) -> None:
    cell, flaws = Cell(setup), (Flaws(noise=8.0), Flaws(blur=1.0, noise=4.0), Flaws(light=0.4, noise=4.0))
    looking = check(cell)
    found = [looking.look(picture(cell, k, flaws=flaws[k % 3]), joints(k)) for k in range(6)]
    assert [drift.state for drift in found] == ["unknown"] * 2 + ["ok"] * 4
    assert found[-1].pixels < 0.5
    assert found[-1].angle < 0.06
    assert found[-1].millimetres < 2.0
    assert found[-1].degrees < 0.15


@pytest.mark.parametrize("setup", ["eye_to_hand", "eye_in_hand"])
@pytest.mark.parametrize(
    ("degrees", "millimetres", "state"),
    [(2.0, 0.0, "block"), (0.6, 0.0, "warn"), (0.0, 20.0, "block"), (0.0, 6.0, "warn"), (3.0, 30.0, "block")],
)
def test_a_nudge_is_seen_and_measured(setup: str, degrees: float, millimetres: float, state: str) -> None:
    cell, looking, moved = Cell(setup), check(Cell(setup)), nudge(degrees, millimetres)
    for index in range(5):
        drift = looking.look(picture(cell, index, moved), joints(index))
    assert drift.state == state
    assert drift.degrees == pytest.approx(degrees, abs=0.3)
    assert drift.millimetres == pytest.approx(millimetres, abs=3.0)
    assert "as if the camera had moved by" in drift.words
    assert "calibrate again" in drift.words


def test_one_bad_look_says_nothing_and_a_camera_put_back_is_well_again() -> None:
    cell, looking, off = Cell("eye_to_hand"), check(Cell("eye_to_hand")), nudge(2.0, 0.0)
    moved = [False, False, False, True, False, True, True, True, *[False] * 3]
    states = [
        looking.look(picture(cell, k, off if away else STILL), joints(k)).state
        for k, away in enumerate(moved)
    ]
    assert states[:6] == ["unknown", "unknown", "ok", "ok", "ok", "ok"]
    assert states[6:9] == ["block"] * 3
    assert states[-1] == "ok"
    looking.clear()
    assert looking.look(picture(cell, 0), joints(0)).state == "unknown"


BARE = np.full((CAMERA.height, CAMERA.width, 3), 90, dtype=np.uint8)


def in_vain(looking: DriftCheck, at: F64) -> Drift | None:
    """A look at a picture without a board; None: nothing was learned."""
    try:
        return looking.look(BARE, at)
    except SensorError:
        return None


@pytest.mark.parametrize("setup", ["eye_to_hand", "eye_in_hand"])
def test_a_board_that_should_be_in_view_and_stays_away_makes_the_camera_unknown(setup: str) -> None:
    cell, looking = Cell(setup), check(Cell(setup))
    for index in range(5):
        assert looking.look(picture(cell, index), joints(index)).state == ("ok" if index > 1 else "unknown")
    assert [in_vain(looking, joints(k)) for k in range(4)] == [None] * 4, "an arm may pass before it"
    found = in_vain(looking, joints(4))
    assert found is not None
    assert found.state == "unknown"
    assert "the board should be in view and is not: is it covered, or has the camera moved?" in found.words
    states = [looking.look(picture(cell, k), joints(k)).state for k in range(3)]
    assert states == ["unknown", "unknown", "ok"], "what was seen before counts no more"
    assert in_vain(looking, joints(0)) is None, "it is counted anew"


def test_a_board_that_need_not_be_in_view_is_not_missed() -> None:
    cell, looking = Cell("eye_to_hand"), check(Cell("eye_to_hand"))
    for index in range(3):
        looking.look(picture(cell, index), joints(index))
    turned = KINEMATICS.home + 1.2 * np.eye(len(ARM.joints))[0]  # the arm holds the board beside the picture
    assert [in_vain(looking, turned) for _ in range(10)] == [None] * 10
    assert looking.look(picture(cell, 0), joints(0)).state == "ok"


def test_what_blocked_goes_on_to_block_without_a_board() -> None:
    cell, looking, off = Cell("eye_to_hand"), check(Cell("eye_to_hand")), nudge(3.0, 0.0)
    for index in range(5):
        drift = looking.look(picture(cell, index, off), joints(index))
    assert drift.state == "block"
    assert [in_vain(looking, joints(0)) for _ in range(8)] == [None] * 8
    assert looking.look(picture(cell, 0), joints(0)).state == "block"


def test_limits_have_hysteresis() -> None:
    looks = Looks(DriftLimits(warn_at=0.5, block_at=1.0, release=0.8, looks=1, evidence=1))
    angles = [0.45, 0.55, 0.45, 0.39, 1.05, 0.85, 0.75, 0.45, 0.1]
    assert [looks.add(1.0, a, 0.0, 0.0, "it moved").state for a in angles] == [
        "ok", "warn", "warn", "ok", "block", "block", "warn", "warn", "ok",
    ]  # fmt: skip


def test_joint_offsets_of_the_calibration_are_used() -> None:
    cell, name = Cell("eye_to_hand"), ARM.joints[3]
    offset = {name: 0.02}
    measured = joints(1) - 0.02 * np.eye(len(ARM.joints))[3]
    looking = check(cell, joint_offsets=offset)
    looking.look(picture(cell, 1), measured)
    assert looking.look(picture(cell, 1), measured).pixels < 0.5
    assert check(cell).look(picture(cell, 1), measured).pixels > 2.0


def test_what_cannot_be_used_is_refused_and_changes_nothing() -> None:
    looking = check(Cell("eye_to_hand"))
    with pytest.raises(SensorError, match="no board is seen"):
        looking.look(np.full((360, 480, 3), 90, dtype=np.uint8), joints(0))
    with pytest.raises(SensorError, match="480x300; calibrated was 480x360"):
        looking.look(np.zeros((300, 480, 3), dtype=np.uint8), joints(0))
    with pytest.raises(MismatchError, match="of arm 'ur5e', eye_to_hand"):
        check(Cell("eye_to_hand"), arm="ur5e")
    with pytest.raises(MismatchError, match="would have 'panda_link0' and 'panda_grasptarget'"):
        check(Cell("eye_to_hand"), board_parent="hand")
    with pytest.raises(ValueError, match="must be below block_at"):
        DriftLimits(warn_at=2.0)
