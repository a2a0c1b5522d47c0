"""An arm's file: what moves, how far and how fast, which tool it holds, what its camera sees."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from loopwm_ros.config.base import Box, Positive, Settings, Vec3

ROD_TIP = "rod_tip"  # frame at the end of a rod
MAX_SIDE = 4096  # of the camera's image [px]; a file must not make the renderer take all memory
MAX_JOINTS = 64


class Topics(Settings):
    """ROS names the arm's controllers use."""

    joint_states: str = "/joint_states"
    command: str = "/forward_position_controller/commands"
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
    position_margin: float = Field(0.05, ge=0, description="kept from the URDF's limits [rad]")
    workspace: Box = Field(description="where the tool point may be, base frame [m]")
    controller: Literal["forward_position", "joint_trajectory"] = "forward_position"
    topics: Topics = Topics()
    camera: CameraConfig

    @property
    def tool_point(self) -> str:
        """The frame whose origin is the tool position: the rod's tip where there is a rod."""
        return self.tool_frame if self.rod is None else ROD_TIP

    @model_validator(mode="after")
    def _lengths(self) -> ArmConfig:
        for key in ("home", "acceleration"):
            if len(getattr(self, key)) != len(self.joints):
                raise ValueError(f"{key} has {len(getattr(self, key))} values for {len(self.joints)} joints")
        return self
