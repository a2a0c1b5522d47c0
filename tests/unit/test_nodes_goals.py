"""Goals between who gives them and the planning thread, and goal images in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.nodes.goal_file import read_goal, write_goal
from loopwm_ros.nodes.goal_inbox import GoalInbox
from loopwm_ros.types import JointState, Observation

JOINTS = ("shoulder", "elbow")
PLACE = np.array([0.5, 0.1, 0.0])


def observation(shape: tuple[int, int] = (12, 16)) -> Observation:
    rgb = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    return Observation(7.0, rgb, JointState(7.0, np.array([0.25, -1.5]), np.array([0.1, 0.0])))


class Horizon:
    """Takes every position, and no image."""

    def __init__(self) -> None:
        self.goals: list[np.ndarray] = []

    def give_goal(self, position: np.ndarray) -> None:
        self.goals.append(position)

    def show_goal(self, _: Observation) -> None:
        raise SensorError("nothing in it")


def test_the_newest_goal_is_taken_once_and_every_giver_is_answered() -> None:
    inbox, horizon = GoalInbox("position", "publish it"), Horizon()
    answers: list[str] = []
    inbox.take(horizon)
    assert inbox.trouble(active=False) == "no goal: publish it"
    inbox.put(PLACE, "/topic", answers.append)
    inbox.put(PLACE * 2, "/topic", answers.append)
    inbox.take(horizon)
    inbox.take(horizon)
    np.testing.assert_array_equal(horizon.goals, [PLACE * 2])
    assert answers == ["another goal came at the same time", ""]
    assert inbox.trouble(active=True) == ""


def test_a_refusal_is_told_until_a_goal_is_taken() -> None:
    inbox, horizon = GoalInbox("image", "call"), Horizon()
    answers: list[str] = []
    inbox.put(observation(), "/image", answers.append)
    inbox.take(horizon)
    assert answers == ["nothing in it"]
    assert inbox.trouble(active=False) == "no goal: /image: nothing in it"
    inbox.put(PLACE, "/topic")
    inbox.take(horizon)
    assert inbox.trouble(active=False) == ""
    inbox.refuse("/image", "too small")
    assert inbox.trouble(active=False) == "goal refused: /image: too small"


def test_a_goal_to_be_seen_is_missed_only_while_planning() -> None:
    inbox = GoalInbox("seen", "'ball' is not seen")
    assert inbox.trouble(active=False) == ""
    assert inbox.trouble(active=True) == "no goal: 'ball' is not seen"
    inbox.planned(PLACE)
    assert inbox.trouble(active=True) == ""
    assert inbox.values() == {"goal_source": "seen", "goal": "0.500 0.100 0.000"}
    inbox.planned(PLACE, "at x 0.500 m, beside it")
    assert inbox.trouble(active=True) == "no goal: it is seen at x 0.500 m, beside it"
    assert inbox.trouble(active=False) == ""


@pytest.mark.parametrize("name", ["goal.png", "goal.JPG"])
def test_a_goal_image_comes_back_from_its_file(tmp_path: Path, name: str) -> None:
    file, taken = tmp_path / "new" / name, observation()
    write_goal(file, taken, JOINTS)
    read = read_goal(file, JOINTS[::-1])
    assert read.joints.position.tolist() == [-1.5, 0.25], "by name"
    assert not read.joints.velocity.any()
    if name.endswith("png"):
        np.testing.assert_array_equal(read.rgb, taken.rgb)
    assert read.rgb.shape == taken.rgb.shape


def test_a_goal_takes_the_place_of_the_old_one_at_once(tmp_path: Path) -> None:
    names = ("goal.png", "goal.yaml")
    write_goal(tmp_path / names[0], observation(), JOINTS)
    before = [(tmp_path / name).read_bytes() for name in names]
    for name in names:
        (tmp_path / f"old {name}").hardlink_to(tmp_path / name)
    other = observation()
    still = np.zeros(len(JOINTS))
    write_goal(tmp_path / names[0], Observation(0.0, 255 - other.rgb, JointState(0.0, still, still)), JOINTS)
    assert [(tmp_path / f"old {name}").read_bytes() for name in names] == before, "not written over"
    assert read_goal(tmp_path / names[0], JOINTS).joints.position.tolist() == still.tolist()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: (d / "goal.yaml").unlink(), "cannot read picture"),
        (lambda d: (d / "goal.png").write_bytes(b"no image"), "cannot be decoded"),
        (lambda d: (d / "goal.yaml").write_text("joints: [1, 2]"), "lacks 'joints: {NAME: POSITION"),
        (lambda d: (d / "goal.yaml").write_text("joints: {elbow: 1.0}"), "lacks shoulder; it has elbow"),
        (lambda d: (d / "goal.yaml").write_text("joints: {elbow: x, shoulder: 1}"), "no number"),
        (lambda d: (d / "goal.yaml").write_text("joints: {elbow: .nan, shoulder: 1}"), "finite radians"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, change, said) -> None:
    write_goal(tmp_path / "goal.png", observation(), JOINTS)
    change(tmp_path)
    with pytest.raises(ConfigError, match=said):
        read_goal(tmp_path / "goal.png", JOINTS)


def test_a_goal_image_is_a_png_or_jpeg_file_that_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.png"):
        write_goal(tmp_path / "goal.tiff", observation(), JOINTS)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write picture"):
        write_goal(tmp_path / "file" / "goal.png", observation(), JOINTS)
    write_goal(tmp_path / "goal.png", observation(), JOINTS)
    assert yaml.safe_load((tmp_path / "goal.yaml").read_text()) == {
        "joints": {"shoulder": 0.25, "elbow": -1.5}
    }
