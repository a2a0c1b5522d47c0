"""Validated settings: arm, world and task files (YAML), and where to find them.

Every model is frozen and refuses unknown keys, so a typo is an error that names the key.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from loopwm_ros.errors import ConfigError

Vec3 = tuple[float, float, float]


def _ordered_range(values: tuple[float, float]) -> tuple[float, float]:
    if not values[0] <= values[1]:
        raise ValueError(f"{values[0]} must not exceed {values[1]}")
    return values


Range = Annotated[tuple[float, float], AfterValidator(_ordered_range)]
Positive = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """Base of all settings: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


SettingsT = TypeVar("SettingsT", bound=Settings)


class Box(Settings):
    """Axis-aligned box in the arm's base frame [m]."""

    low: Vec3
    high: Vec3

    @model_validator(mode="after")
    def _ordered(self) -> Box:
        if any(a >= b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(f"low {self.low} must be below high {self.high} on every axis")
        return self


class Topics(Settings):
    """ROS names the arm's controllers use."""

    joint_states: str = "/joint_states"
    command: str = "/forward_position_controller/commands"
    trajectory: str = "/joint_trajectory_controller/joint_trajectory"


class ArmConfig(Settings):
    """One robot arm: where its URDF is, which joints move, and how far and fast they may."""

    name: str
    urdf: str = Field(description="path, or package://PYTHON_PACKAGE/relative/path")
    joints: tuple[str, ...] = Field(min_length=1, description="controlled joints, in command order")
    locked_joints: dict[str, float] = Field(default={}, description="other movable joints, held here")
    base_frame: str
    tool_frame: str
    home: tuple[float, ...] = Field(description="start configuration [rad]")
    velocity_scale: float = Field(0.5, gt=0, le=1, description="share of the URDF's velocity limits")
    acceleration: tuple[Positive, ...] = Field(description="limit per joint [rad/s^2]")
    position_margin: float = Field(0.05, ge=0, description="kept from the URDF's limits [rad]")
    workspace: Box = Field(description="where the tool frame may be, base frame [m]")
    controller: Literal["forward_position", "joint_trajectory"] = "forward_position"
    topics: Topics = Topics()

    @model_validator(mode="after")
    def _lengths(self) -> ArmConfig:
        for key in ("home", "acceleration"):
            if len(getattr(self, key)) != len(self.joints):
                raise ValueError(f"{key} has {len(getattr(self, key))} values for {len(self.joints)} joints")
        return self


class CameraConfig(Settings):
    """A pinhole camera without distortion, fixed in the base frame."""

    width: int = Field(gt=0)
    height: int = Field(gt=0)
    rate: Positive = Field(description="[Hz]")
    fx: Positive
    fy: Positive
    cx: Positive
    cy: Positive
    position: Vec3 = Field(description="optical centre in the base frame [m]")
    look_at: Vec3 = Field(description="point on the optical axis, base frame [m]")
    frame: str = "camera_optical_frame"
    latency: float = Field(0.0, ge=0, description="capture to arrival [s]")


class WorldConfig(Settings):
    """A simulated cell: rates, table, camera."""

    physics_rate: Positive = Field(240.0, description="[Hz]")
    servo_rate: Positive = Field(80.0, description="joint states and safety filter [Hz]")
    control_rate: Positive = Field(20.0, description="commands from the controller [Hz]")
    table_low: Vec3
    table_high: Vec3
    camera: CameraConfig

    @model_validator(mode="after")
    def _rates(self) -> WorldConfig:
        for fast, slow in (
            ("physics_rate", "servo_rate"),
            ("servo_rate", "control_rate"),
        ):
            ratio = getattr(self, fast) / getattr(self, slow)
            if abs(ratio - round(ratio)) > 1e-9:
                raise ValueError(f"{fast} must be a multiple of {slow}")
        return self


class Randomisation(Settings):
    """Uniform ranges, drawn once per episode. A range of equal ends switches one off."""

    ball_x: Range
    ball_y: Range
    ball_radius: Range = Field(description="[m]")
    ball_hue: Range = Field(description="HSV hue, 0 to 1; may exceed 1 to wrap")
    ball_mass: Range = Field(description="[kg]")
    friction: Range = Field(description="lateral friction of ball and table")
    start_joint_offset: Range = Field(description="added to each home joint [rad]")
    light: Range = Field(description="ambient share of the light")
    light_x: Range = Field(description="direction towards the light, base frame; any length")
    light_y: Range
    light_z: Range
    table_value: Range = Field(description="table brightness, 0 to 1")
    camera_shift: Range = Field(description="added to each camera coordinate [m]")
    camera_turn: Range = Field(description="added to each look-at coordinate [m]")
    camera_latency: Range = Field(description="added to the camera's latency [s]")


class CostTerm(Settings):
    """One weighted term of the objective; `name` selects it, `options` are its own."""

    name: str
    weight: float = Field(ge=0)
    options: dict[str, float] = {}


class TaskConfig(Settings):
    """A task: what is randomised, what success means, what the planner minimises."""

    name: str
    world: str = Field(description="name of a file in sim/worlds")
    quantities: tuple[str, ...] = Field(description="read-outs of the model, e.g. tool_x")
    goal: str = Field("ball", description="prefix of the quantities x, y, z that the tool is brought to")
    goal_offset: Vec3 = Field(description="where to bring the tool, from the goal's reading [m]")
    success_distance: Positive = Field(description="tool to the ball's surface [m]")
    success_hold: Positive = Field(description="[s]")
    time_limit: Positive = Field(description="[s]")
    max_tool_speed: Positive = Field(description="an action of 1.0 [m/s]")
    max_tool_acceleration: Positive = Field(2.0, description="[m/s^2]")
    randomisation: Randomisation
    objective: tuple[CostTerm, ...]


def load_settings(path: Path, kind: type[SettingsT]) -> SettingsT:
    """Read and validate one YAML file.

    Raises:
        ConfigError: missing file, bad YAML, or a value that does not validate.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
        raise ConfigError(f"{path} is not a valid {kind.__name__}:\n" + "\n".join(lines)) from error


def share_dir() -> Path:
    """Folder holding `sim/`, `config/`, `models/`: a checkout, a pip install or a colcon install.

    Raises:
        ConfigError: none of these holds our data.
    """
    here = Path(__file__).resolve().parent
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    shares = [Path(p) / "share" / "loopwm_ros" for p in (*prefixes, sys.prefix) if p]
    shares += [p / "share" / "loopwm_ros" for p in here.parents]
    for candidate in (here.parent, *shares):
        if (candidate / "sim" / "arms").is_dir():
            return candidate
    raise ConfigError("cannot find loopwm_ros' data files; install the package with pip or colcon")


def _named(folder: str, name: str, kind: type[SettingsT]) -> SettingsT:
    """Settings by short name (a file of ours) or by path (a file of the user's)."""
    if name.endswith((".yaml", ".yml")):
        return load_settings(Path(name), kind)
    root = share_dir() / "sim" / folder
    path = root / f"{name}.yaml"
    if not path.is_file():
        valid = sorted(p.stem for p in root.glob("*.yaml"))
        raise ConfigError(f"no {folder[:-1]} '{name}'; valid: {', '.join(valid)}, or a path to a .yaml file")
    return load_settings(path, kind)


def load_arm(name: str) -> ArmConfig:
    """Arm by name or path."""
    return _named("arms", name, ArmConfig)


def load_task(name: str) -> TaskConfig:
    """Task by name or path."""
    return _named("tasks", name, TaskConfig)


def load_world(name: str) -> WorldConfig:
    """World by name or path."""
    return _named("worlds", name, WorldConfig)
