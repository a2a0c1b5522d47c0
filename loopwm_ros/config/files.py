"""Finds arm, task and world files, ours by name and the user's by path."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from loopwm_ros.config.arm import ArmConfig
from loopwm_ros.config.base import SettingsT, read_yaml, validated
from loopwm_ros.config.outside import beside, is_file
from loopwm_ros.config.task import TaskConfig
from loopwm_ros.config.world import WorldConfig
from loopwm_ros.errors import ConfigError

EXTENDS = "extends"  # key of a file that takes what it does not say from another one


def share_dir() -> Path:
    """Folder holding `sim/`, `config/`, `models/`: a checkout, a pip install or a colcon install.

    Raises:
        ConfigError: none of these holds our data.
    """
    here = Path(__file__).resolve().parents[1]
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    shares = [Path(p) / "share" / "loopwm_ros" for p in (*prefixes, sys.prefix) if p]
    shares += [p / "share" / "loopwm_ros" for p in here.parents]
    for candidate in (here.parent, *shares):
        if (candidate / "sim" / "arms").is_dir():
            return candidate
    raise ConfigError("cannot find loopwm_ros' data files; install the package with pip or colcon")


def _located(folder: str, name: str) -> Path:
    """File of a short name (ours) or of a path (the user's)."""
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    root = share_dir() / "sim" / folder
    path = root / f"{name}.yaml"
    if Path(name).name != name or not is_file(path):
        valid = sorted(p.stem for p in root.glob("*.yaml"))
        raise ConfigError(f"no {folder[:-1]} '{name}'; valid: {', '.join(valid)}, or a path to a .yaml file")
    return path


def _merged(folder: str, name: str, seen: tuple[Path, ...] = ()) -> Any:  # noqa: ANN401
    """Contents of a file on top of those of the one it extends; a path there is relative to the file."""
    path = _located(folder, name).resolve()
    if path in seen:
        raise ConfigError(f"{path} extends itself")
    raw = read_yaml(path)
    if not isinstance(raw, dict) or EXTENDS not in raw:
        return raw
    below = _merged(folder, _base(path, str(raw.pop(EXTENDS))), (*seen, path))
    return {**below, **raw} if isinstance(below, dict) else raw


def _base(path: Path, other: str) -> str:
    """What `path` extends: ours by name, or a file near it."""
    if not other.endswith((".yaml", ".yml")):
        return other
    try:
        return str(beside(path, other))
    except ValueError as error:
        raise ConfigError(f"{path} extends a file that it may not read: {error}") from error


def load_named(folder: str, name: str, kind: type[SettingsT]) -> SettingsT:
    """Settings by short name, of a file in sim/`folder`, or by path.

    Raises:
        ConfigError: there is no such file, or it does not validate.
    """
    return validated(_merged(folder, name), _located(folder, name), kind)


def usual_arm(task: str) -> str:
    """Name of the arm that does a task where none is named.

    Raises:
        ConfigError: no arm is named for the task.
    """
    arms: dict[str, str] = read_yaml(share_dir() / "sim" / "defaults.yaml")["arm"]
    if (name := arms.get(task)) is None:
        raise ConfigError(f"name the arm for task '{task}'; the usual one is known for {', '.join(arms)}")
    return name


def load_arm(name: str) -> ArmConfig:
    """Arm by name or path."""
    return load_named("arms", name, ArmConfig)


def load_task(name: str) -> TaskConfig:
    """Task by name or path."""
    return load_named("tasks", name, TaskConfig)


def load_world(name: str) -> WorldConfig:
    """World by name or path."""
    return load_named("worlds", name, WorldConfig)
