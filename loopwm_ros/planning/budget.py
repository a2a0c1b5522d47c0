"""The time budget: what fits before the deadline, at measured cost.

Shed in this order, each fully before the next, because that is what hurts the plan least: loops per
transition, candidates, refinements. The last resort, always free, is the warm start as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.world_model.base import Clock
from loopwm_ros.world_model.cost import Estimate

MORE_CAUTION = 1.25  # after a rollout that was cut short ...
LESS_CAUTION = 0.97  # ... and of what it exceeds 1 by, after one that was not
MOST_CAUTION = 3.0
RolloutSeconds = Callable[[int, int, int], float]  # (candidates, horizon, loops) -> [s]


@dataclass(frozen=True)
class Allocation:
    """What the remaining time is spent on."""

    refinements: int
    candidates: int
    loops: int  # cap per transition; 0: the model's own


def ladder(settings: PlannerSettings, refinements: int) -> list[Allocation]:
    """Allocations from the dearest to the cheapest, each with one thing less than the one before."""
    fewer_loops = sorted(set(settings.fewer_loops), reverse=True)
    fewer_candidates = sorted({c for c in settings.fewer_candidates if c < settings.candidates}, reverse=True)
    rungs = [Allocation(refinements, settings.candidates, 0)]
    rungs += [replace(rungs[-1], loops=loops) for loops in fewer_loops]
    rungs += [replace(rungs[-1], candidates=candidates) for candidates in fewer_candidates]
    rungs += [replace(rungs[-1], refinements=r) for r in range(refinements - 1, 0, -1)]
    return rungs


class TimeBudget:
    """Decides, before each refinement, what to spend the time until the deadline on."""

    def __init__(self, settings: PlannerSettings, rollout_seconds: RolloutSeconds, clock: Clock) -> None:
        self._settings = settings
        self._rollout_seconds = rollout_seconds
        self._clock = clock
        self._overhead = Estimate()  # of a refinement outside its rollout [s]
        self._proposal = Estimate()  # of asking the policy [s]
        self._slowdown = Estimate(mean=1.0)  # measured over expected time of a rollout
        self._caution = 1.0  # time asked for over time expected: more after rollouts that were cut short
        self._trust = 1.0  # in the estimates; wanes while they let nothing be measured

    def allocate(self, deadline: float | None, refinements: int) -> Allocation | None:
        """What fits until `deadline` of at most `refinements`; None: not even the cheapest does."""
        if deadline is None:
            return Allocation(refinements, self._settings.candidates, 0)
        left = deadline - self._settings.margin - self._clock()
        rungs = ladder(self._settings, refinements)
        fitting = next((rung for rung in rungs if self.seconds(rung) * self._caution <= left), None)
        return fitting or self._probe(rungs[-1], left)

    def seconds(self, allocation: Allocation) -> float:
        """Expected cost of all its refinements, on the cautious side [s]."""
        rollout = self._rollout_seconds(allocation.candidates, self._settings.horizon, allocation.loops)
        return allocation.refinements * (rollout * max(1.0, self._slowdown.high) + self._overhead.high)

    def allows_proposal(self, deadline: float | None) -> bool:
        """Whether a proposal leaves time for one refinement, the cheapest at least."""
        if deadline is None:
            return True
        left = deadline - self._settings.margin - self._clock()
        cheapest = ladder(self._settings, 1)[-1]
        if self._proposal.high + self.seconds(cheapest) <= left:
            return True
        self._proposal.relax()
        return False

    def proposed(self, seconds: float) -> None:
        """Learn from one proposal what it costs."""
        self._proposal.add(seconds)

    def rollout_deadline(self, deadline: float | None) -> float | None:
        """When a rollout must return, so that its result can still be used [s]."""
        if deadline is None:
            return None
        return deadline - self._settings.margin - self._overhead.high * self._trust

    def _probe(self, cheapest: Allocation, left: float) -> Allocation | None:
        """Refuse, but not for ever: estimates from a bad moment are tried again, the cheapest way."""
        if left <= 0:
            return None
        fits = self.seconds(cheapest) * self._trust <= left
        self._trust *= 0.9  # also where it fits: what follows from the estimates may still cut it short
        return cheapest if fits else None

    def measured(self, allocation: Allocation, rollout: float, total: float) -> None:
        """Learn from one refinement: seconds of its rollout, and of the whole."""
        expected = self._rollout_seconds(allocation.candidates, self._settings.horizon, allocation.loops)
        if expected > 0 and math.isfinite(expected):
            self._slowdown.add(rollout / expected)
        self._overhead.add(total - rollout)
        self._caution = 1.0 + (self._caution - 1.0) * LESS_CAUTION
        self._trust = 1.0

    def cut_short(self) -> None:
        """Learn from a rollout that the deadline ended: what only just fits is not tried soon again."""
        self._caution = min(self._caution * MORE_CAUTION, MOST_CAUTION)
