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
    """How far a camera seems to be from where it was calibrated; NaN where that is unknown."""

    pixels: float  # median over the looks of the distance between seen and expected [px]
    angle: float  # the same as an angle at the camera, which is held against the limits [deg]
    millimetres: float  # apparent motion of the camera ...
    degrees: float  # ... that explains it best, where all else is right
    state: State
    words: str


class Looks:
    """The newest looks: their medians, held against limits with hysteresis."""

    def __init__(self, limits: DriftLimits) -> None:
        self._limits = limits
        self._looks: deque[tuple[float, float]] = deque(maxlen=limits.looks)  # pixels and angle of each
        self.state: State = "unknown"

    def clear(self) -> None:
        """Forget all looks."""
        self._looks.clear()
        self.state = "unknown"

    def add(self, pixels: float, angle: float, millimetres: float, degrees: float, what: str) -> Drift:
        """One more look; `millimetres` and `degrees` as in `Drift`, and `what` says in words."""
        self._looks.append((pixels, angle))
        pixels, angle = np.median(np.asarray(self._looks), axis=0).tolist()
        self._judge(angle)
        return Drift(pixels, angle, millimetres, degrees, self.state, self._words(pixels, angle, what))

    def _judge(self, angle: float) -> None:
        limits = self._limits
        if len(self._looks) >= limits.evidence:
            block = limits.block_at * (limits.release if self.state == "block" else 1.0)
            warn = limits.warn_at * (limits.release if self.state in ("warn", "block") else 1.0)
            self.state = "block" if angle >= block else "warn" if angle >= warn else "ok"

    def _words(self, pixels: float, angle: float, what: str) -> str:
        if self.state == "unknown":
            return f"{len(self._looks)} of {self._limits.evidence} looks that are needed"
        limit = self._limits.block_at if self.state == "block" else self._limits.warn_at
        told = f"off by {pixels:.1f} px, {angle:.2f} degrees (limit {limit:g} degrees)"
        return told if self.state == "ok" else f"{told}: {what}; {FIX}"
