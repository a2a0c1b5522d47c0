"""The page of faults, from docs/results/faults.json."""

from __future__ import annotations

from pathlib import Path

from markdown_table import table

from loopwm_ros.validation.fault_rows import FaultRow, FaultTable, read_faults

NAME = "faults"
COLUMNS = (
    "fault",
    "what was done",
    "what was said",
    "to braking [ms]",
    "to rest [ms]",
    "promised [ms]",
    "within limits",
    "recovery",
)


def faults(path: Path) -> str:
    """The whole page."""
    found = read_faults(path)
    return "\n".join([*_head(found), *table(COLUMNS, map(_cells, found.rows)), "", *_worst(found)]) + "\n"


def _head(found: FaultTable) -> list[str]:
    return [
        "# Faults",
        "",
        "Written by `make docs` from `docs/results/faults.json`, which `python -m benchmarks.faults`",
        "measures; `tests/ros/test_faults.py` puts the same faults into the same cell.",
        "",
        f"Real nodes, each a process: the stand-in arm ({found.arm}), `mpc` with the shipped bundle",
        f"{found.bundle_sha256[:8]} and light settings, `safety`. The tool swings to and fro.",
        f"Machine: {found.machine}; load at the start {found.load:g} for each core.",
        "",
        "Times are from the first thing that is wrong; of a second mpc, from when its heartbeats are heard,",
        "and its publisher may have been seen before; of a flood, from when the peer begins to send as fast",
        "as it can, to readers that have all found it. To braking: until the first command with which",
        "`safety` brakes; where the last plan's own stop ends the motion there may be none. To",
        "rest: until all joints are told to move slower than 0.001 rad/s, for as long as the fault lasts; a",
        "dash: the arm went on, or went on again. Promised: rest at the latest, from the nodes' settings;",
        "discovery comes on top, and nothing is promised where the processor is taken away. Within limits:",
        "position, velocity, acceleration, jerk and",
        "workspace in every command from one swing to the next, and the measured velocity.",
        "",
    ]


def _cells(row: FaultRow) -> tuple[str, ...]:
    return (
        row.name.replace("_", " "),
        row.done,
        row.said,
        _number(row.brake_ms),
        _number(row.rest_ms),
        _number(row.promised_ms),
        "yes" if row.within_limits else "NO",
        row.recovery if row.recovered else "NONE",
    )


def _worst(found: FaultTable) -> list[str]:
    """The worst share of each limit over all faults."""
    names = ("velocity", "acceleration", "jerk", "measured_velocity")
    worst = {name: max(getattr(row.shares, name) for row in found.rows) for name in names}
    shares = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in worst.items())
    return [f"The worst of all, as a share of its limit: {shares}."]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
