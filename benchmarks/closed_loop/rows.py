"""What is kept of an episode."""

from __future__ import annotations

import os

from pydantic import Field

from loopwm_ros.validation.statistics import Record
from loopwm_ros.validation.summary import EpisodeResult, Measurements

DIGITS = 3  # of milliseconds


class Machine(Record):
    """Where episodes ran: their planning times compare with no other machine's."""

    cpu: str
    python: str
    onnxruntime: str


class EpisodeRow(Record):
    """One episode that one model drove in one regime."""

    regime: str
    model: str
    conditions_sha256: str = Field(description="of all that it depends on besides its seed")
    result: EpisodeResult
    planning_ms: tuple[float, ...] = Field(description="of each plan, on the clock of its budget")
    candidates: tuple[int, ...] = Field(description="of each plan")
    refinements: tuple[int, ...] = Field(description="finished, of each plan; 0: the last plan, moved on")
    loops: dict[int, int] = Field(description="imagined transitions by iterations")
    load: float = Field(description="of the machine, over the last minute: processes that want a core")
    git_revision: str

    @property
    def precise(self) -> bool:
        """Was the precise distance held?"""
        return self.result.precise_time_s is not None

    def line(self) -> str:
        """In short."""
        result = self.result
        time = "failed" if result.time_to_success_s is None else f"{result.time_to_success_s:.1f} s"
        searched = [c for c, r in zip(self.candidates, self.refinements, strict=True) if r]
        mean = sum(searched) / max(1, len(searched))
        return f"{self.regime}; {self.model}; {result.index}: {time}, {mean:.0f} candidates a plan"


def row(
    regime: str, model: str, conditions: str, result: EpisodeResult, measured: Measurements, revision: str
) -> EpisodeRow:
    """What is kept of what was measured in an episode."""
    return EpisodeRow(
        regime=regime,
        model=model,
        conditions_sha256=conditions,
        result=result,
        planning_ms=tuple(round(time, DIGITS) for time in measured.searched_ms),
        candidates=tuple(measured.candidates),
        refinements=tuple(measured.refinements),
        loops={count: int(seen) for count, seen in enumerate(measured.loops) if seen},
        load=round(os.getloadavg()[0], 2),
        git_revision=revision,
    )
