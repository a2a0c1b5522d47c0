"""What became of each fault: the file from which docs/faults.md is made."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from loopwm_ros.config import Settings
from loopwm_ros.config.base import validated
from loopwm_ros.config.outside import parse_json, read_bounded


class Shares(Settings):
    """The worst of commands and measured joints, each as a share of its limit; 1 is at the limit."""

    velocity: float
    acceleration: float
    jerk: float
    measured_velocity: float
    beyond_range: float = Field(description="of the joints, commanded [rad]")
    outside: float = Field(description="tool outside the workspace, commanded [m]")


class FaultRow(Settings):
    """One fault."""

    name: str
    done: str = Field(description="what was done")
    said: str = Field(description="state and reason, as in diagnostics")
    brake_ms: float | None = Field(description="from the fault to the first braking command; None: none")
    rest_ms: float | None = Field(description="from the fault to rest; None: the arm went on")
    promised_ms: float | None = Field(description="rest at the latest; None: nothing is promised")
    within_limits: bool
    shares: Shares
    recovery: str
    recovered: bool


class FaultTable(Settings):
    """All faults, and where they were measured."""

    machine: str
    load: float = Field(description="mean number of runnable processes for each core, at the start")
    arm: str
    bundle_sha256: str
    rows: tuple[FaultRow, ...]


def read_faults(path: Path) -> FaultTable:
    """The table in a file.

    Raises:
        ConfigError: it is not one.
    """
    return validated(parse_json(read_bounded(path)), path, FaultTable)
