"""What a run achieved, as one JSON file with the same fields for every mode and controller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from loopwm_ros.config.world import Engine
from loopwm_ros.control.goal import GoalSource
from loopwm_ros.types import Plan
from loopwm_ros.validation.files import write_text_atomically
from loopwm_ros.validation.stage import settling
from loopwm_ros.validation.statistics import (
    Counts,
    LoopsUsed,
    Record,
    Spread,
    counts,
    loops_used,
    median,
    spread,
    wilson,
)

Mode = Literal["lockstep", "realtime"]
World = Literal["nominal", "randomised"]
Count = Annotated[int, Field(ge=0)]
NOWHERE = 10.0  # stands for a position that is no number [m]
AT_ONCE = 0.05  # later than this is not at once [s]


class EpisodeResult(Record):
    """One episode. Distances are the task's own [m]; counts as in `Summary`; times from the start [s]."""

    index: Count
    seed: int
    success: bool
    time_to_success_s: float | None = None
    final_distance_m: float
    min_distance_m: float
    cycles: Count = 0
    plans: Count = 0
    deadline_misses: Count = 0
    precise_time_s: float | None = Field(
        None, description="None: not precise, or the task does not ask for it"
    )
    disturbance: str | None = Field(None, description="what happened in mid-episode")
    disturbed_at_s: float | None = None
    why: str | None = Field(None, description="what went wrong, of a failure or a precise distance missed")

    @model_validator(mode="after")
    def _time_of_success(self) -> EpisodeResult:
        if self.success != (self.time_to_success_s is not None):
            raise ValueError("time_to_success_s must be given for a success, and only then")
        if self.precise_time_s is not None and not self.success:
            raise ValueError("precise_time_s must be given for a success only")
        return self


class PlannerFacts(Record):
    """What the planner was asked for; what it had time for is in `Summary`."""

    kind: str
    horizon: int  # actions
    candidates: int
    refinements: int
    proposal: str = "none"  # what it starts from besides its last plan


class RunFacts(Record):
    """What was run, and what it was measured against."""

    task: str
    arm: str
    controller: str
    mode: Mode
    seed: int
    bundle_sha256: str | None = None  # None: the controller needs no model
    loops_requested: str = "auto"
    precision: str = "float32"  # asked for, of the model's products
    blank_camera: bool = False
    world: World = "randomised"
    goal: GoalSource = "seen"
    disturb: str = "none"
    planner: PlannerFacts | None = None  # None: no planner, or not noted
    workers: int = 1  # episodes at once
    engine: Engine = "bullet"  # of the physics
    validation_sha256: str | None = None  # of the validation that let the arm be armed; None: armed without
    success_distance_m: float
    precise_distance_m: float | None = None  # None: the task does not ask for it
    success_hold_s: float
    time_limit_s: float
    cycle_deadline_ms: float | None = None  # None: nothing has to be in time (lockstep)
    versions: dict[str, str] = Field(default_factory=dict)


class Recovery(Record):
    """How often episodes with one kind of disturbance ended well after it."""

    kind: str
    episodes: Count
    success: Count
    wilson95: tuple[float, float] | None
    precise: Count | None = None
    median_recovery_s: float | None = Field(description="from the disturbance to the end of the hold")
    at_once: Count = Field(0, description="of the successes: held from the first moment that counts on")


class Summary(RunFacts):
    """A whole run. Every field means the same in both modes; what was not measured is None."""

    success: Count = Field(description="episodes that succeeded")
    episodes: Count
    success_rate: float | None
    wilson95: tuple[float, float] | None = Field(description="95 % interval of the success rate")
    median_time_to_success_s: float | None = Field(description="over the episodes that succeeded")
    precise: Count | None = Field(None, description="episodes that held the precise distance, too")
    precise_rate: float | None = None
    precise_wilson95: tuple[float, float] | None = None
    median_precise_time_s: float | None = None
    recoveries: tuple[Recovery, ...] = Field((), description="by kind of disturbance")
    cycle_ms: Spread = Field(description="of each planning cycle: from its slot's start to its plan's end")
    deadline_misses: Count = Field(
        description="commands late or without a plan in time, and plans that ended after their slot"
    )
    cycles: Count = Field(description="control periods: one command each")
    plans: Count = Field(description="planning cycles: one plan each, for one model transition")
    real_time_factor: float | None = Field(
        description="simulated over wall time while episodes ran; None in lockstep, which keeps no pace"
    )
    loops: LoopsUsed
    delay_ms: Spread = Field(description="from an observation's capture to its plan's effect")
    candidates: Counts
    refinements: Counts
    per_episode: tuple[EpisodeResult, ...]


@dataclass
class Measurements:
    """Collects what a controller reports while it runs; `loops[i]` counts transitions of `i` iterations."""

    cycle_ms: list[float] = field(default_factory=list)
    searched_ms: list[float] = field(default_factory=list)  # of those, until the plan was found
    delay_ms: list[float] = field(default_factory=list)
    candidates: list[int] = field(default_factory=list)
    refinements: list[int] = field(default_factory=list)
    loops: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    gaps: dict[str, dict[int, list[float]]] = field(default_factory=dict)  # by point and step ahead [m]
    gate_periods: int = 0  # servo periods of the safety gate ...
    altered_periods: int = 0  # ... in which it did not just let the plan pass ...
    altered: Counter[str] = field(default_factory=Counter)  # ... by reason
    thing_forces: list[float] = field(default_factory=list)  # of the periods with contact [N]
    table_forces: list[float] = field(default_factory=list)
    simulated: float = 0.0  # [s] that passed in simulation ...
    wall: float = 0.0  # ... and meanwhile on the wall clock, in real time only

    @property
    def real_time_factor(self) -> float | None:
        """Simulated over wall time; None where no wall time was measured."""
        return self.simulated / self.wall if self.wall > 0 else None

    def add_cycle(self, milliseconds: float) -> None:
        """One planning cycle took this long, from its slot's start to its plan's end."""
        self.cycle_ms.append(milliseconds)

    def add_search(self, milliseconds: float) -> None:
        """It took this long until the plan was found."""
        self.searched_ms.append(milliseconds)

    def add_time(self, simulated: float, wall: float) -> None:
        """An episode lasted this long in simulation and on the wall clock [s]."""
        self.simulated += simulated
        self.wall += wall

    def add_plan(self, plan: Plan, delay_ms: float) -> None:
        """One plan was made from an observation this much older than the plan's effect."""
        self.candidates.append(plan.candidates)
        self.refinements.append(plan.refinements)
        self.delay_ms.append(delay_ms)
        self.add_loops(plan.loops)

    def add_gate(self, reasons: Sequence[str]) -> None:
        """One servo period of the safety gate, with the reasons why it did not just let the plan pass."""
        self.gate_periods += 1
        self.altered_periods += bool(reasons)
        self.altered.update(reasons)

    def add_contact(self, things: float, table: float) -> None:
        """Contact forces in one servo period [N]."""
        self.thing_forces += [things] * (things > 0)
        self.table_forces += [table] * (table > 0)

    def add_gap(self, name: str, step: int, metres: float) -> None:
        """Reality was this far from what had been imagined `step` model periods ahead."""
        self.gaps.setdefault(name, {}).setdefault(step, []).append(min(metres, NOWHERE))

    def merge(self, other: Measurements) -> None:
        """Add what was measured elsewhere."""
        self.cycle_ms += other.cycle_ms
        self.searched_ms += other.searched_ms
        self.delay_ms += other.delay_ms
        self.candidates += other.candidates
        self.refinements += other.refinements
        self.gate_periods += other.gate_periods
        self.altered_periods += other.altered_periods
        self.altered.update(other.altered)
        self.thing_forces += other.thing_forces
        self.table_forces += other.table_forces
        for name, steps in other.gaps.items():
            for step, values in steps.items():
                self.gaps.setdefault(name, {}).setdefault(step, []).extend(values)
        self.add_loops(other.loops)
        self.add_time(other.simulated, other.wall)

    def add_loops(self, histogram: NDArray[np.int64]) -> None:
        """Add a histogram of iterations, of any length."""
        size = max(len(self.loops), len(histogram))
        self.loops = np.pad(self.loops, (0, size - len(self.loops)))
        self.loops[: len(histogram)] += histogram


def summarise(facts: RunFacts, episodes: Sequence[EpisodeResult], measured: Measurements) -> Summary:
    """Everything that a run's JSON says."""
    times = [e.time_to_success_s for e in episodes if e.time_to_success_s is not None]
    return Summary(
        **facts.model_dump(),
        success=len(times),
        episodes=len(episodes),
        success_rate=len(times) / len(episodes) if episodes else None,
        wilson95=wilson(len(times), len(episodes)),
        median_time_to_success_s=median(times),
        **_precise(facts, episodes),
        recoveries=recoveries(facts, episodes),
        cycle_ms=spread(measured.cycle_ms),
        deadline_misses=sum(e.deadline_misses for e in episodes),
        cycles=sum(e.cycles for e in episodes),
        plans=sum(e.plans for e in episodes),
        real_time_factor=measured.real_time_factor,
        loops=loops_used(measured.loops),
        delay_ms=spread(measured.delay_ms),
        candidates=counts(measured.candidates),
        refinements=counts(measured.refinements),
        per_episode=tuple(episodes),
    )


def _precise(facts: RunFacts, episodes: Sequence[EpisodeResult]) -> dict[str, Any]:
    """The fields on the precise distance, where the task has one."""
    if facts.precise_distance_m is None:
        return {}
    times = [e.precise_time_s for e in episodes if e.precise_time_s is not None]
    return {
        "precise": len(times),
        "precise_rate": len(times) / len(episodes) if episodes else None,
        "precise_wilson95": wilson(len(times), len(episodes)),
        "median_precise_time_s": median(times),
    }


def recoveries(facts: RunFacts, episodes: Sequence[EpisodeResult]) -> tuple[Recovery, ...]:
    """Episodes counted by what happened in them, in alphabetical order."""
    made = []
    for kind in sorted({e.disturbance for e in episodes if e.disturbance is not None}):
        those = [e for e in episodes if e.disturbance == kind]
        times = [
            e.time_to_success_s - e.disturbed_at_s
            for e in those
            if e.time_to_success_s is not None and e.disturbed_at_s is not None
        ]
        precise = sum(e.precise_time_s is not None for e in those)
        success = sum(e.success for e in those)
        made.append(
            Recovery(
                kind=kind,
                episodes=len(those),
                success=success,
                wilson95=wilson(success, len(those)),
                precise=None if facts.precise_distance_m is None else precise,
                median_recovery_s=median(times),
                at_once=sum(time <= settling(kind) + facts.success_hold_s + AT_ONCE for time in times),
            )
        )
    return tuple(made)


def write_summary(path: Path, summary: Summary) -> Path:
    """Write the summary as JSON, whole or not at all."""
    return write_text_atomically(path, summary.model_dump_json(indent=2) + "\n")


def read_summary(path: Path) -> Summary:
    """Read what `write_summary` wrote."""
    return Summary.model_validate_json(path.read_text(encoding="utf-8"))
