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
    path = share_dir() / "sim/tasks/reach.yaml"
    randomisation = yaml.safe_load(path.read_text())["randomisation"] | {"ball_x": limits}
    with pytest.raises(ConfigError, match=r"randomisation.ball_x: .* must not exceed 0.4"):
        load_settings(changed(path, tmp_path / "task.yaml", randomisation=randomisation), TaskConfig)


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
