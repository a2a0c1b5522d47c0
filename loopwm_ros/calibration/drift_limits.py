"""When a camera that has moved warns and blocks, and how much must be seen for that."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from loopwm_ros.config import Settings

State = Literal["unknown", "ok", "warn", "block"]
FIX = "put the camera back, or calibrate again: loopwm calibrate hand-eye"


class DriftLimits(Settings):
    """Angles at the camera between where things are seen and where expected, so of any resolution."""

    warn_at: float = Field(0.4, ge=0.01, le=20.0, description="angle at the camera that warns [deg]")
    block_at: float = Field(1.0, ge=0.01, le=20.0, description="angle at the camera that blocks arming [deg]")
    release: float = Field(
        0.8, ge=0.1, le=1.0, description="share of a limit below which the angle must fall to be within again"
    )
    looks: int = Field(5, ge=1, le=100, description="newest looks whose median counts")
    evidence: int = Field(3, ge=1, le=100, description="looks needed before anything is said")

    @model_validator(mode="after")
    def _ordered(self) -> DriftLimits:
        if not self.warn_at < self.block_at:
            raise ValueError(f"warn_at, {self.warn_at:g}, must be below block_at, {self.block_at:g}")
        if self.evidence > self.looks:
            raise ValueError(f"evidence, {self.evidence}, must not exceed looks, {self.looks}")
        return self


@dataclass(frozen=True)
class Drift:
    """How far a camera seems to be from where it was calibrated."""

    pixels: float  # median over the looks of the distance between seen and expected [px]
    angle: float  # the same as an angle at the camera, which is held against the limits [deg]
    millimetres: float  # apparent motion of the camera ...
    degrees: float  # ... that explains it best, where all else is right
    state: State
    words: str


class Verdict:
    """Limits with hysteresis on the median angle of the newest looks."""

    def __init__(self, limits: DriftLimits) -> None:
        self._limits = limits
        self._angles: deque[float] = deque(maxlen=limits.looks)
        self.state: State = "unknown"

    def clear(self) -> None:
        """Forget all looks."""
        self._angles.clear()
        self.state = "unknown"

    def add(self, angle: float) -> State:
        """One more look [deg]."""
        self._angles.append(angle)
        limits = self._limits
        if len(self._angles) >= limits.evidence:
            angle = float(np.median(self._angles))
            block = limits.block_at * (limits.release if self.state == "block" else 1.0)
            warn = limits.warn_at * (limits.release if self.state in ("warn", "block") else 1.0)
            self.state = "block" if angle >= block else "warn" if angle >= warn else "ok"
        return self.state

    def words(self, what: str, drift: tuple[float, float, float, float]) -> str:
        """The state in words; `drift` is pixels, angle, millimetres and degrees of a `Drift`."""
        pixels, angle, millimetres, degrees = drift
        if self.state == "unknown":
            return f"{len(self._angles)} of {self._limits.evidence} looks that are needed"
        limit = self._limits.block_at if self.state == "block" else self._limits.warn_at
        told = f"{what} {pixels:.1f} px, {angle:.2f} degrees, from where expected (limit {limit:g} degrees)"
        if self.state == "ok":
            return told
        return f"{told}, as if the camera had moved by {millimetres:.0f} mm and {degrees:.1f} degrees; {FIX}"
