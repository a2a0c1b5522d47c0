"""How far what the model imagines is from what comes, in hindsight: under the actions really executed.

In each slot the latent state of some model periods ago is rolled open-loop through what the arm has done
since. Nothing here changes the planner's state or its random numbers.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from loopwm_ros.config import Settings
from loopwm_ros.config.task import TOOL
from loopwm_ros.control.motion_history import MotionHistory, Planned
from loopwm_ros.processing.states import spans
from loopwm_ros.types import F32, F64, Encoding, PointPaths
from loopwm_ros.world_model.base import Clock, Predictor
from loopwm_ros.world_model.cost import Estimate

SHARE = 0.2  # of the time until the deadline that hindsight may take from the search
ROUNDING = 1e-3  # of a model period: stamps' last bits


class GapSettings(Settings):
    """How far back hindsight goes, and which readings it believes."""

    steps: int = Field(10, ge=0, le=30, description="model periods rolled again in each slot; 0: none")
    max_std: float = Field(
        0.02, gt=0, description="the encoder's own 1-sigma above which a reading is not compared [m]"
    )


@dataclass(frozen=True)
class Gap:
    """Distance between imagined and actual position of one point."""

    name: str  # "tool", or an object
    step: int  # model periods ahead, from 1
    metres: float  # infinite where the model imagined no number


@dataclass(frozen=True)
class Hindsight:
    """A prediction under the actions really executed, and how far it is from what came."""

    prediction: PointPaths  # a point each model period after the state that it starts from
    gaps: tuple[Gap, ...]


def compare(prediction: PointPaths, tools: F64, readings: Iterable[PointPaths]) -> tuple[Gap, ...]:
    """Gaps at every step: of the tool by measured joints, of objects by readings near the steps.

    `tools` (steps, 3) [m] are measured at the prediction's times; each of `readings` is of one moment. One
    between two steps is compared with the path between them, and counts for the nearer one.
    """
    offsets, found = prediction.offsets, []
    if TOOL in prediction.points:
        errors = prediction.points[TOOL] - tools
        found = [_gap(TOOL, step, error) for step, error in enumerate(errors, start=1)]
    near = (0.5 + ROUNDING) * offsets[0]
    for reading in readings:
        after = reading.stamp - prediction.stamp
        if offsets[0] - near <= after <= offsets[-1] + near:
            step = int(np.argmin(np.abs(offsets - after))) + 1
            for name in prediction.points.keys() & reading.points.keys() - {TOOL}:
                imagined = _along(offsets, prediction.points[name], after)
                found.append(_gap(name, step, imagined - reading.points[name][0]))
    return tuple(found)


def _along(offsets: F64, path: F64, after: float) -> F64:
    """The point (3,) at `after` [s], linear between and beyond the points (m, 3) at `offsets` (m,) [s]."""
    if len(path) == 1:
        return np.asarray(path[0])
    before = min(max(int(np.searchsorted(offsets, after)) - 1, 0), len(path) - 2)
    share = (after - offsets[before]) / (offsets[before + 1] - offsets[before])
    return np.asarray(path[before] + share * (path[before + 1] - path[before]))


def _gap(name: str, step: int, error: F64) -> Gap:
    metres = float(np.linalg.norm(error))
    return Gap(name, step, metres if math.isfinite(metres) else math.inf)


class GapMeter:
    """Keeps the states of the last observations; looks back from the newest one where time allows."""

    def __init__(
        self,
        model: Predictor,
        points: Iterable[str],
        settings: GapSettings,
        clock: Clock = time.perf_counter,
    ) -> None:
        """Compare these `points`; `clock` is the one of deadlines.

        Raises:
            MismatchError: the model does not read them out.
        """
        self._model, self._settings, self._clock = model, settings, clock
        self._columns = {name: model.spec.columns(name) for name in points}
        self._period = model.spec.model_period
        self._states: deque[tuple[float, F32]] = deque(maxlen=settings.steps + 1)
        self._readings: deque[PointPaths] = deque(maxlen=settings.steps + 1)
        self._fresh = False
        self._cost = Estimate()  # of one transition [s]

    def clear(self) -> None:
        """Forget all states; what they cost stays known."""
        self._states.clear()
        self._readings.clear()
        self._fresh = False

    def observe(self, stamp: float, state: F32, encoding: Encoding) -> PointPaths:
        """Keep the state (tokens, width) after the observation at `stamp` [s]; returns what is sure in it."""
        sure = {
            name: np.asarray(encoding.reading[xyz][None], dtype=np.float64)
            for name, xyz in self._columns.items()
            if float(np.max(encoding.std[xyz])) <= self._settings.max_std
        }
        self._states.append((stamp, state))
        self._readings.append(PointPaths(stamp, np.zeros(1), sure))
        self._fresh = True
        return self._readings[-1]

    def search_deadline(self, deadline: float | None) -> float | None:
        """When the search must end, so that hindsight fits before `deadline`; the search comes first."""
        if deadline is None:
            return None
        seconds, left = self._seconds(), deadline - self._clock()
        if seconds > SHARE * left:
            self._cost.relax()  # a figure from a bad moment is tried again some time
            return deadline
        return deadline - seconds

    def measure(
        self, motion: MotionHistory, now: float, planned: Planned, deadline: float | None
    ) -> Hindsight | None:
        """Look back from the newest observation at `now` [s]; None without one, without past, or time."""
        fresh, self._fresh = self._fresh, False
        start = self._start(*motion.known) if fresh else None
        if start is None or (deadline is not None and self._clock() + self._seconds() > deadline):
            return None
        stamp, state, steps = start
        times = np.asarray(stamp + self._period * np.arange(steps + 1), dtype=np.float64)
        actions = motion.actions(times, now, planned)
        began = self._clock()
        readouts = self._model.predict(state, actions).astype(np.float64)
        self._cost.add((self._clock() - began) / self._transitions(steps))
        paths = {name: readouts[:, xyz] for name, xyz in self._columns.items()}
        prediction = PointPaths(stamp, times[1:] - stamp, paths)
        return Hindsight(prediction, compare(prediction, motion.measured_tools(times[1:]), self._readings))

    def _seconds(self) -> float:
        return self._cost.high * self._transitions(min(self._settings.steps, len(self._states)))

    def _transitions(self, steps: int) -> int:
        return len(spans(self._model.spec, steps))

    def _start(self, known: float, until: float) -> tuple[float, F32, int] | None:
        """Stamp and state to start from, and how many model periods until the newest observation."""
        newest, slack = self._states[-1][0], ROUNDING * self._period
        earliest = max(known, newest - (self._settings.steps + 0.5) * self._period) - slack
        for stamp, state in self._states:
            if stamp >= earliest:
                ahead = (min(newest + 0.5 * self._period, until) - stamp + slack) / self._period
                steps = min(self._settings.steps, int(ahead))
                return (stamp, state, steps) if steps >= 1 else None
        return None
