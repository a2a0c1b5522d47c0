"""Settings: every shipped file validates, every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from loopwm_ros.config import (
    ArmConfig,
    TaskConfig,
    WorldConfig,
    load_arm,
    load_settings,
    load_task,
    load_world,
    share_dir,
)
from loopwm_ros.errors import ConfigError

REACH, PUSH = (share_dir() / "sim" / "tasks" / f"{name}.yaml" for name in ("reach", "push"))


def changed(path: Path, target: Path, **changes: object) -> Path:
    values = yaml.safe_load(path.read_text())
    target.write_text(yaml.safe_dump(values | changes))
    return target


def test_shipped_files_validate() -> None:
    for path in (share_dir() / "sim" / "arms").glob("*.yaml"):
        load_arm(path.stem)
    for path in (share_dir() / "sim" / "tasks").glob("*.yaml"):
        load_world(load_task(path.stem).world)


def test_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match=r"no arm 'pandaa'; valid: .*panda"):
        load_arm("pandaa")


def test_unknown_key_is_named(tmp_path: Path) -> None:
    path = changed(share_dir() / "sim/arms/panda.yaml", tmp_path / "arm.yaml", velocity_scael=0.5)
    with pytest.raises(ConfigError, match="velocity_scael"):
        load_settings(path, ArmConfig)


def test_lengths_must_agree(tmp_path: Path) -> None:
    path = changed(share_dir() / "sim/arms/panda.yaml", tmp_path / "arm.yaml", home=[0.0, 0.0])
    with pytest.raises(ConfigError, match="home has 2 values for 7 joints"):
        load_settings(path, ArmConfig)


def test_rates_must_divide(tmp_path: Path) -> None:
    path = changed(share_dir() / "sim/worlds/tabletop.yaml", tmp_path / "world.yaml", control_rate=30.0)
    with pytest.raises(ConfigError, match="servo_rate must be a multiple of control_rate"):
        load_settings(path, WorldConfig)


@pytest.mark.parametrize("limits", [[0.6, 0.4], [float("nan"), 0.4]])
def test_ranges_are_ordered(tmp_path: Path, limits: list[float]) -> None:
    objects = yaml.safe_load(REACH.read_text())["objects"]
    objects["ball"]["x"] = limits
    with pytest.raises(ConfigError, match=r"objects.ball.x(: .* must not exceed 0.4|.0: .* finite number)"):
        load_settings(changed(REACH, tmp_path / "task.yaml", objects=objects), TaskConfig)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"goal": "cup"}, "goal 'cup' is no object; valid: cube, goal"),
        ({"goal": "tool"}, "goal 'tool' is no object"),
        ({"moved": "goal"}, "moved is 'goal'; valid: tool, or an object other than the goal"),
        ({"moved": "cup"}, "moved is 'cup'; valid: tool, or an object other than the goal"),
        ({"objects": {}}, "objects: .*at least 1"),
        ({"moved": "goal", "goal": "cube"}, "moved is 'goal', which stays where it is: a mark"),
        (
            {"quantities": ["tool_x", "tool_y", "tool_z", "cube_x", "cube_y", "cube_z"]},
            "quantities lack goal_x",
        ),
        ({"precise_distance": 0.05}, "precise_distance 0.05 must be below success_distance 0.05"),
        ({"clearance": -0.01}, "clearance: .*greater than or equal to 0"),
        ({"plane": {"height": 0.03, "x": [0.5, 0.4], "y": [0.0, 0.0]}}, "plane.x: .*must not exceed 0.4"),
    ],
)
def test_a_task_whose_names_do_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(changed(PUSH, tmp_path / "task.yaml", **changes), TaskConfig)


def test_no_object_may_have_the_tool_s_name(tmp_path: Path) -> None:
    objects = yaml.safe_load(PUSH.read_text())["objects"]
    objects["tool"] = objects["cube"]
    with pytest.raises(ConfigError, match="no object may be named 'tool'"):
        load_settings(changed(PUSH, tmp_path / "task.yaml", objects=objects), TaskConfig)


def test_actions_in_a_plane_have_two_components() -> None:
    assert load_task("push").action_dim == 2
    assert load_task("reach").action_dim == 3


@pytest.mark.parametrize("name", ["push", "reach"])
def test_a_nominal_task_draws_places_and_starts_alone(name: str) -> None:
    task = load_task(name)
    nominal = task.nominal()
    assert nominal.model_copy(update={"objects": {}, "randomisation": None}) == task.model_copy(
        update={"objects": {}, "randomisation": None}
    )
    assert nominal.randomisation.start_joint_offset == task.randomisation.start_joint_offset
    for key, (low, high) in task.randomisation:
        if key != "start_joint_offset":
            assert getattr(nominal.randomisation, key) == pytest.approx([(low + high) / 2] * 2), key
    for thing, fixed in zip(task.objects.values(), nominal.objects.values(), strict=True):
        assert (fixed.shape, fixed.x, fixed.y, fixed.yaw) == (thing.shape, thing.x, thing.y, thing.yaw)
        for key in ("size", "hue", "mass"):
            assert getattr(fixed, key) == pytest.approx([sum(getattr(thing, key)) / 2] * 2), key


def test_a_file_says_only_what_differs_from_the_one_it_extends(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: panda\nname: mine\nvelocity_scale: 0.3\n")
    mine, panda = load_arm(str(tmp_path / "mine.yaml")), load_arm("panda")
    assert (mine.name, mine.velocity_scale) == ("mine", 0.3)
    assert mine == panda.model_copy(update={"name": "mine", "velocity_scale": 0.3})


def test_what_a_file_says_replaces_the_whole_key(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: panda\ncamera: {width: 320}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml is not a valid ArmConfig:\n  camera.height"):
        load_arm(str(tmp_path / "mine.yaml"))


def test_a_path_that_is_extended_is_relative_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("base", "mine", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "base/arm.yaml").write_text("extends: panda\nname: base\nposition_margin: 0.2\n")
    (tmp_path / "mine/arm.yaml").write_text("extends: ../base/arm.yaml\nname: mine\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    arm = load_arm("../mine/arm.yaml")
    assert (arm.name, arm.position_margin) == ("mine", 0.2)
    assert arm.joints == load_arm("panda").joints


@pytest.mark.parametrize("other", ["b.yaml", "a.yaml"])
def test_files_that_extend_each_other_are_refused(tmp_path: Path, other: str) -> None:
    (tmp_path / "a.yaml").write_text(f"extends: {other}\n")
    (tmp_path / "b.yaml").write_text("extends: ./a.yaml\n")
    with pytest.raises(ConfigError, match=r"a\.yaml extends itself"):
        load_arm(str(tmp_path / "a.yaml"))


def test_an_extended_name_that_is_none_of_ours_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: pandaa\n")
    with pytest.raises(ConfigError, match=r"no arm 'pandaa'; valid: .*panda"):
        load_arm(str(tmp_path / "a.yaml"))


@pytest.mark.parametrize(("text", "message"), [("a: [1", "not valid YAML"), ("[]", "ArmConfig")])
def test_broken_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "arm.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings(path, ArmConfig)
    assert str(path) in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_arm(str(tmp_path / "nowhere.yaml"))
