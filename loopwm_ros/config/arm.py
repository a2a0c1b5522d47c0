"""An arm's file: what moves, how far and how fast, which tool it holds, what its camera sees."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from loopwm_ros.config.base import Box, Positive, Settings, Vec3

ROD_TIP = "rod_tip"  # frame at the end of a rod
JERK_TIME = 0.02  # [s]
ControllerKind = Literal["forward_position", "forward_velocity", "joint_trajectory"]
MAX_SIDE = 4096  # of the camera's image [px]; a file must not make the renderer take all memory
MAX_JOINTS = 64


class Topics(Settings):
    """ROS names the arm's controllers use."""

    joint_states: str = "/joint_states"
    command: str = "/forward_position_controller/commands"
    velocity: str = "/forward_velocity_controller/commands"
    reference: str = "/safety/reference"  # positions that belong to the velocities
    trajectory: str = "/joint_trajectory_controller/joint_trajectory"


class CameraConfig(Settings):
    """A pinhole camera without distortion, fixed in the base frame."""

    width: int = Field(gt=0, le=MAX_SIDE)
    height: int = Field(gt=0, le=MAX_SIDE)
    rate: Positive = Field(description="[Hz]")
    fx: Positive
    fy: Positive
    cx: Positive
    cy: Positive
    position: Vec3 = Field(description="optical centre in the base frame [m]")
    look_at: Vec3 = Field(description="point on the optical axis, base frame [m]")
    frame: str = "camera_optical_frame"
    latency: float = Field(0.0, ge=0, description="capture to arrival [s]")


class Singularity(Settings):
    """Where the arm slows down, by the smallest singular value of the tool's Jacobian (6, n), m and rad."""

    slow: float = Field(0.05, ge=0, description="full speed above it")
    least: float = Field(0.01, ge=0, description="lowest speed from it on")
    share: float = Field(0.1, gt=0, le=1, description="that lowest speed, as a share of the limits")

    @model_validator(mode="after")
    def _ordered(self) -> Singularity:
        if self.least > self.slow:
            raise ValueError(f"least, {self.least:g}, must not exceed slow, {self.slow:g}")
        return self

    def share_at(self, value: float) -> float:
        """Share of the speed limits at a smallest singular value."""
        if value >= self.slow:
            return 1.0
        depth = max(0.0, value - self.least) / (self.slow - self.least) if self.slow > self.least else 0.0
        return self.share + (1.0 - self.share) * depth


class RodConfig(Settings):
    """A straight rod fixed on the tool frame, along its z axis; its tip is then the tool point."""

    length: Positive = Field(description="[m]")
    radius: Positive = Field(description="[m]")


class ArmConfig(Settings):
    """One robot arm: where its URDF is, which joints move, and how far and fast they may."""

    name: str
    urdf: str = Field(description="path, or package://PYTHON_PACKAGE/relative/path")
    joints: tuple[str, ...] = Field(
        min_length=1, max_length=MAX_JOINTS, description="controlled joints, in command order"
    )
    locked_joints: dict[str, float] = Field(default={}, description="other movable joints, held here")
    base_frame: str
    tool_frame: str
    rod: RodConfig | None = Field(None, description="what the arm holds")
    home: tuple[float, ...] = Field(description="start configuration [rad]")
    velocity_scale: float = Field(0.5, gt=0, le=1, description="share of the URDF's velocity limits")
    acceleration: tuple[Positive, ...] = Field(description="limit per joint [rad/s^2]")
    jerk: tuple[Positive, ...] = Field(
        (), description="limit per joint [rad/s^3]; default: the acceleration limit is reached in JERK_TIME"
    )
    position_margin: float = Field(0.05, ge=0, description="kept from the URDF's limits [rad]")
    tool_speed: Positive = Field(0.5, description="limit of the tool point's speed [m/s]")
    workspace: Box = Field(description="where the tool point may be, base frame [m]")
    keep_out: dict[str, Box] = Field(
        default={}, description="boxes that no part of the arm may enter, by name, base frame [m]"
    )
    clearance: float = Field(
        0.01, ge=0, description="kept from keep_out boxes, and between parts of the arm [m]"
    )
    singularity: Singularity = Singularity()
    controller: ControllerKind = "forward_position"
    topics: Topics = Topics()
    camera: CameraConfig

    @property
    def tool_point(self) -> str:
        """The frame whose origin is the tool position: the rod's tip where there is a rod."""
        return self.tool_frame if self.rod is None else ROD_TIP

    @property
    def position_topic(self) -> str:
        """Where position references are, unless they are trajectories."""
        return self.topics.reference if self.controller == "forward_velocity" else self.topics.command

    @property
    def command_topic(self) -> str:
        """Where the arm's controller listens."""
        names = {
            "forward_position": self.topics.command,
            "forward_velocity": self.topics.velocity,
            "joint_trajectory": self.topics.trajectory,
        }
        return names[self.controller]

    @model_validator(mode="after")
    def _lengths(self) -> ArmConfig:
        for key in ("home", "acceleration", *(("jerk",) if self.jerk else ())):
            if len(getattr(self, key)) != len(self.joints):
                raise ValueError(f"{key} has {len(getattr(self, key))} values for {len(self.joints)} joints")
        return self
