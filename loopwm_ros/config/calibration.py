"""What a calibration leaves behind: a lens, where the camera is, and the board that it was seen by."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from loopwm_ros.config.arm import MAX_SIDE
from loopwm_ros.config.base import Positive, Settings, Vec3

Lens = Literal["plumb_bob", "rational_polynomial", "equidistant"]
COEFFICIENTS: dict[Lens, int] = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}
Setup = Literal["eye_to_hand", "eye_in_hand"]
Quaternion = tuple[float, float, float, float]
MAX_SQUARES = 100  # of a board's side
UNIT = 1e-3  # that a quaternion's length may be off; people round


class CameraModel(Settings):
    """A camera with its lens; names and order of the coefficients are those of sensor_msgs/CameraInfo."""

    width: int = Field(gt=0, le=MAX_SIDE, description="[px]")
    height: int = Field(gt=0, le=MAX_SIDE, description="[px]")
    fx: Positive
    fy: Positive
    cx: float
    cy: float
    lens: Lens = Field("plumb_bob", description="equidistant: a fisheye")
    distortion: tuple[float, ...] = Field((0.0,) * 5, description="plumb_bob: k1 k2 p1 p2 k3")

    @model_validator(mode="after")
    def _count(self) -> CameraModel:
        if len(self.distortion) != COEFFICIENTS[self.lens]:
            raise ValueError(
                f"distortion has {len(self.distortion)} values, '{self.lens}' has {COEFFICIENTS[self.lens]}"
            )
        return self


class Transform(Settings):
    """Pose of a child frame in its parent, as in geometry_msgs/Transform."""

    translation: Vec3 = Field(description="[m]")
    rotation: Quaternion = Field(description="x y z w, of length 1")

    @model_validator(mode="after")
    def _unit(self) -> Transform:
        if abs((length := math.hypot(*self.rotation)) - 1.0) > UNIT:
            raise ValueError(f"rotation has length {length:g}; a quaternion (x y z w) of length 1 is needed")
        return self


class BoardSettings(Settings):
    """A flat board. Origin: its upper left corner; x to the right, y down, z away from the viewer."""

    kind: Literal["charuco", "checkerboard"] = "charuco"
    columns: int = Field(8, gt=2, le=MAX_SQUARES, description="squares along x")
    rows: int = Field(6, gt=2, le=MAX_SQUARES, description="squares along y")
    square: Positive = Field(0.03, description="side of a square, as measured on the print [m]")
    marker: Positive = Field(0.022, description="side of a marker [m]; ChArUco only")
    dictionary: str = Field("DICT_5X5_100", description="of the markers, as OpenCV names it")

    @model_validator(mode="after")
    def _fits(self) -> BoardSettings:
        if self.kind == "charuco" and self.marker >= self.square:
            raise ValueError(f"marker, {self.marker:g} m, must be smaller than square, {self.square:g} m")
        if self.kind == "checkerboard" and (self.columns + self.rows) % 2 == 0:
            raise ValueError(
                f"a checkerboard of {self.columns} x {self.rows} squares looks the same upside down; one of "
                f"columns and rows must be odd and one even, such as {self.columns + 1} x {self.rows}"
            )
        return self


class HandEye(Settings):
    """Where a camera is: fixed beside the arm (`eye_to_hand`) or on its tool frame (`eye_in_hand`)."""

    arm: str
    setup: Setup
    parent: str = Field(description="base frame, or tool frame where the camera is on the hand")
    child: str = Field(description="the camera's optical frame (REP-103)")
    camera: Transform = Field(description="of the optical frame in the parent")
    board_parent: str = Field(description="the other of the two frames, which holds the board")
    board: Transform = Field(description="of the board in its parent")
    translation_std: Vec3 = Field(description="1-sigma, along the parent's axes [m]")
    rotation_std: Vec3 = Field(description="1-sigma, about the parent's axes [rad]")
    joint_offsets: dict[str, float] = Field(
        default={}, description="to add to measured positions, where estimated [rad]"
    )
    time_offset: float | None = Field(
        None, description="to add to the camera's stamps for the joints' clock, where estimated [s]"
    )
    lens: CameraModel | None = Field(None, description="that the pictures were read with, where known")
