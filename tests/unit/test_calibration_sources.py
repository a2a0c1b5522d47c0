"""Pictures from folders and recordings, with the joints where the arm stood still."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from loopwm_ros.calibration.pictures import write_picture
from loopwm_ros.calibration.sources import JOINTS, folder_pictures, read_recordings, standing
from loopwm_ros.calibration.standstill import one_of_each, still_joints
from loopwm_ros.config import load_arm
from loopwm_ros.data import topics
from loopwm_ros.data.writer import EpisodeWriter
from loopwm_ros.errors import BagError, CalibrationError, ConfigError
from loopwm_ros.types import F64, CameraFrame, JointState

ARM = load_arm("panda")
IMAGE = np.full((12, 16, 3), 90, dtype=np.uint8)


def folder(tmp_path: Path, joints: object) -> Path:
    for name in ("b.png", "a.PNG"):
        write_picture(tmp_path / name, IMAGE)
    (tmp_path / "notes.txt").write_text("no picture")
    if joints is not None:
        (tmp_path / JOINTS).write_text(yaml.safe_dump(joints))
    return tmp_path


def test_a_folder_is_read_by_name(tmp_path: Path) -> None:
    found = folder_pictures(folder(tmp_path, None))
    assert [picture.source for picture in found] == ["a.PNG", "b.png"]
    assert np.array_equal(found[1].read(), IMAGE)
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(CalibrationError, match=r"b\.png: .*cannot be decoded"):
        found[1].read()


def test_joints_are_put_into_the_arms_order(tmp_path: Path) -> None:
    backwards = {"joints": list(ARM.joints[::-1]), "positions": {"b.png": [7, 6, 5, 4, 3, 2, 1]}}
    found = folder_pictures(folder(tmp_path, backwards), ARM)
    assert found[0].joints is None
    assert found[1].joints is not None
    assert found[1].joints.tolist() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("joints", "error", "words"),
    [
        (None, ConfigError, "joints.yaml"),
        ({"joints": ["a"], "positions": {}}, CalibrationError, "arm 'panda' has panda_joint1"),
        (
            {"joints": list(ARM.joints), "positions": {"b.png": [1.0]}},
            CalibrationError,
            "b.png has another",
        ),
    ],
)
def test_joints_that_do_not_fit_are_refused(tmp_path: Path, joints: object, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        folder_pictures(folder(tmp_path, joints), ARM)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"no pictures.*\.png"):
        folder_pictures(tmp_path)
    with pytest.raises(CalibrationError, match="no folder"):
        folder_pictures(tmp_path / "other")


def place(time: float) -> F64:
    """One second of rest at each of three poses, half a second of motion between them."""
    share = np.interp(time, [0, 1, 1.5, 2.5, 3, 4], [0, 0, 1, 1, 2, 2])
    return np.asarray(ARM.home) + 0.2 * share


def recording(path: Path, rate: float = 100.0) -> Path:
    rng = np.random.default_rng(0)
    writer = EpisodeWriter(path, ARM, ARM.camera)
    for tick in range(int(4 * rate)):
        time = 100.0 + tick / rate
        position = place(time - 100.0) + rng.normal(0.0, 3e-4, 7)
        writer.joint_state(JointState(time, position, np.zeros(7)))
        if tick % 10 == 0:
            writer.frame(CameraFrame(time, IMAGE))
    writer.close({})
    return path


def test_one_picture_is_taken_of_each_standstill(tmp_path: Path) -> None:
    (found,) = read_recordings(recording(tmp_path / "bag"), topics.IMAGE, ARM)
    assert len(found.pictures) == 40
    taken = standing(found)
    assert len(taken) == 3
    for number, picture in enumerate(taken):
        assert picture.joints is not None
        assert np.abs(picture.joints - np.asarray(ARM.home) - 0.2 * number).max() < 2e-4, "the mean of many"
        assert picture.read().shape == IMAGE.shape
    assert len({picture.source for picture in found.pictures}) == 40


def test_pictures_in_motion_have_interpolated_joints(tmp_path: Path) -> None:
    (found,) = read_recordings(recording(tmp_path / "bag"), topics.IMAGE, ARM)
    picture = found.pictures[12]  # 1.2 s after the start
    assert picture.joints is not None
    assert np.abs(picture.joints - place(1.2)).max() < 2e-3


def test_a_recording_that_lacks_a_topic_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path / "bag")
    with pytest.raises(BagError, match="no messages on /other"):
        read_recordings(path, "/other")
    topic = ARM.topics.model_copy(update={"joint_states": "/elsewhere"})
    with pytest.raises(BagError, match="/elsewhere"):
        read_recordings(path, topics.IMAGE, ARM.model_copy(update={"topics": topic}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BagError, match="no recordings"):
        read_recordings(tmp_path / "empty", topics.IMAGE)


def test_an_arm_is_not_known_to_stand_still_before_its_joints_say_so() -> None:
    stamps = np.arange(0.0, 1.0, 0.01)
    still = np.zeros((100, 2))
    assert still_joints(0.5, stamps, still) is not None
    assert still_joints(0.9, stamps, still) is None, "what comes after is unknown"
    assert still_joints(0.1, stamps, still) is None
    silent = (stamps < 0.55) | (stamps > 0.7)
    assert still_joints(0.5, stamps[silent], still[silent]) is None
    creeping = still + 0.02 * stamps[:, None]
    assert still_joints(0.5, stamps, creeping) is None


def test_the_middle_of_each_standstill_is_taken() -> None:
    rest = np.zeros(2)
    assert one_of_each([None, rest, rest, rest, None, None, rest, None]) == [2, 6]
    assert one_of_each([rest, rest, rest, rest + 0.1, rest + 0.1001, rest + 0.1]) == [1, 4], "a slow camera"
    assert one_of_each([]) == []
