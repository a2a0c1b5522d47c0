"""A world's file: what the simulated cell is apart from arm and task."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from loopwm_ros.config.base import Positive, Settings, Vec3

Engine = Literal["bullet", "mujoco"]  # of the physics: what models learn in, or the stand-in for an arm


class WorldConfig(Settings):
    """A simulated cell: rates and table."""

    physics_rate: Positive = Field(240.0, le=100_000, description="[Hz]")
    servo_rate: Positive = Field(80.0, description="joint states and safety filter [Hz]")
    control_rate: Positive = Field(20.0, description="commands from the controller [Hz]")
    servo_lag: float = Field(
        0.0, ge=0.0, le=0.5, description="by which the joints are behind their commands at constant speed [s]"
    )
    table_low: Vec3
    table_high: Vec3

    @model_validator(mode="after")
    def _rates(self) -> WorldConfig:
        for fast, slow in (
            ("physics_rate", "servo_rate"),
            ("servo_rate", "control_rate"),
        ):
            ratio = getattr(self, fast) / getattr(self, slow)
            if not (math.isfinite(ratio) and abs(ratio - round(ratio)) <= 1e-9):
                raise ValueError(f"{fast} must be a multiple of {slow}")
        return self
