"""What each stage of a rollout costs, measured while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from loopwm_ros.world_model.base import Clock

Stage = Literal["prelude", "block", "coda", "step", "heads"]


@dataclass
class Estimate:
    """Running mean and mean deviation of a positive quantity, as for retransmission timeouts (RFC 6298).

    A sample counts at most `outlier` times the mean, so that one preemption does not dominate. One that is as
    much below it says that the mean is of a bad moment, as the first time on a cold machine, and starts anew.
    """

    mean: float = 0.0
    deviation: float = 0.0
    outlier: float = 4.0

    def add(self, sample: float) -> None:
        """Take one sample in."""
        if self.mean == 0.0 or sample * self.outlier < self.mean:
            self.mean, self.deviation = sample, sample / 2
            return
        error = min(sample, self.outlier * self.mean) - self.mean
        self.mean += error / 8
        self.deviation += (abs(error) - self.deviation) / 4

    def relax(self) -> None:
        """Believe a tenth less, so that a figure from a bad moment is tried again some time."""
        self.mean *= 0.9
        self.deviation *= 0.9

    @property
    def high(self) -> float:
        """A value seldom exceeded: mean plus two mean deviations."""
        return self.mean + 2 * self.deviation


@dataclass
class RowCost:
    """Seconds of a batch as `overhead + rows * slope`."""

    overhead: float | None = None
    slope: Estimate = field(default_factory=Estimate)

    def add(self, rows: int, seconds: float) -> None:
        """Single rows measure the overhead (the fastest counts), larger batches the slope."""
        if rows == 1:
            self.overhead = seconds if self.overhead is None else min(seconds, self.overhead)
        elif rows >= 8:
            self.slope.add(max(seconds - (self.overhead or 0.0), 0.0) / rows)

    def seconds(self, rows: int) -> float:
        """Cautious cost of a batch."""
        return (self.overhead or 0.0) + rows * self.slope.high


class StageCosts:
    """A stopwatch over the stages of a rollout, and the costs that it has measured."""

    def __init__(
        self,
        clock: Clock,
        iteration: tuple[Stage, ...] = ("block",),
        outside: tuple[Stage, ...] = ("prelude", "coda"),
    ) -> None:
        """What is called in each iteration, and once for each transition `outside` of them."""
        self._clock, self._iteration, self._outside = clock, iteration, outside
        self._lap = 0.0
        self._costs = {stage: RowCost() for stage in get_args(Stage)}

    def start(self) -> float:
        """Begin timing; returns now."""
        self._lap = self._clock()
        return self._lap

    def now(self) -> float:
        """The time by the stopwatch's clock."""
        return self._clock()

    def lap(self, stage: Stage, rows: int) -> float:
        """Book the time since the last lap on a stage; returns now."""
        now = self._clock()
        self._costs[stage].add(rows, now - self._lap)
        self._lap = now
        return now

    def stage(self, stage: Stage, rows: int) -> float:
        """Cost of one call [s]."""
        return self._costs[stage].seconds(rows)

    def iteration(self, rows: int) -> float:
        """Cost of one iteration, with what its exit test calls [s]."""
        return sum(self.stage(stage, rows) for stage in self._iteration)

    def ending(self, rows: int) -> float:
        """What a transition still takes after its last iteration [s]."""
        return self.stage("coda", rows) if "coda" in self._outside else 0.0

    def rollout(self, rows: int, transitions: int, loops: float, readouts: int) -> float:
        """Cost of `transitions` with `loops` iterations each, and `readouts` calls of the heads [s]."""
        outside = sum(self.stage(stage, rows) for stage in self._outside)
        transition = outside + loops * self.iteration(rows)
        return transitions * transition + readouts * self.stage("heads", rows)

    def fitting_loops(self, rows: int, transitions: int, readouts: int, seconds: float, cap: int) -> int:
        """Most iterations per transition, up to `cap`, that fit into `seconds`; 0 if not even one does."""
        spare = seconds - self.rollout(rows, transitions, 0, readouts)
        once = transitions * self.iteration(rows)
        if spare < once:
            self._relax()
            return 0
        return cap if spare >= cap * once else int(spare / once)

    def _relax(self) -> None:
        for cost in self._costs.values():
            cost.slope.relax()
