"""What one episode looked like over time: enough for its pictures, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from loopwm_ros.types import F64
from loopwm_ros.validation.measured_motion import Extremes, FaultScore
from loopwm_ros.validation.summary import EpisodeResult

ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class Series:
    """Samples over time; `values` has one row per stamp."""

    stamps: F64  # [s], (m,), increasing
    values: F64  # (m,) or (m, 3)

    def at(self, stamp: float) -> F64:
        """Linear interpolation, () or (3,); NaN outside of the recorded time."""
        if not len(self.stamps):
            return np.full(self.values.shape[1:], np.nan)
        columns = self.values.reshape(len(self.stamps), -1).T
        row = [np.interp(stamp, self.stamps, column, left=np.nan, right=np.nan) for column in columns]
        return np.asarray(row).reshape(self.values.shape[1:])

    def held(self, stamp: float) -> F64:
        """Linear interpolation, with the first and last sample held outside of the recorded time."""
        return self.at(float(np.clip(stamp, self.stamps[0], self.stamps[-1])))

    def nearest(self, stamp: float) -> F64:
        """The sample closest in time; there must be one."""
        return np.asarray(self.values[np.abs(self.stamps - stamp).argmin()])


@dataclass(frozen=True)
class Frame:
    """A compressed camera image, stamped at capture."""

    stamp: float
    jpeg: bytes


@dataclass(frozen=True)
class Imagined:
    """A plan as the model imagined it; positions in the base frame [m]."""

    stamp: float  # when the plan's first action takes effect [s]
    offsets: F64  # time of each point after `stamp` [s], (steps,)
    path: F64  # tool, (steps, 3)
    goal: F64 | None  # where the goal is taken to be, (3,)
    moved: F64 | None = None  # what is moved, where that is not the tool, (steps, 3)


@dataclass(frozen=True)
class Trace:
    """One finished episode. Stamps share one clock, the one of the observations."""

    result: EpisodeResult
    start: float  # first stamp [s]
    frames: tuple[Frame, ...]
    tool: Series  # base frame [m], (m, 3)
    distance: Series  # the task's distance [m], (m,)
    imagined: tuple[Imagined, ...]
    cycle_ms: Series  # (m,)
    loops: Series  # mean iterations per transition of each cycle, (m,)
    misses: F64  # stamps [s], (m,)
    points: dict[str, Series] = field(
        default_factory=dict
    )  # where objects truly were, base frame [m], (m, 3)
    readings: dict[str, Series] = field(default_factory=dict)  # where the encoder saw them, (m, 3)
    held_back: dict[str, float] = field(default_factory=dict)  # safety gate's reasons, how long each held [s]

    def plan_at(self, stamp: float) -> Imagined | None:
        """The plan in effect at a time."""
        return next((plan for plan in reversed(self.imagined) if plan.stamp <= stamp), None)


@dataclass(frozen=True)
class EpisodeRun:
    """One finished episode."""

    result: EpisodeResult
    trace: Trace
    motion: Extremes | None = None  # None: nobody watched, as in real time
    fault: FaultScore | None = None


@dataclass(frozen=True)
class Progress:
    """An episode that is still running, as far as it went."""

    episode: int  # its index
    distance: float | None  # newest, the task's own [m]
    cycle_ms: F64  # of its planning cycles, (m,)
    loops: F64  # mean iterations per transition of each, (m,); NaN where no model was used
    deadline_misses: int


@dataclass
class Thinned(Generic[ItemT]):
    """Keeps every n-th item, with n doubled each time `capacity` is reached: even cover, bounded size."""

    capacity: int
    items: list[ItemT] = field(default_factory=list)
    every: int = 1
    seen: int = 0

    def add(self, item: ItemT) -> None:
        """Offer the next item."""
        if self.seen % self.every == 0:
            self.items.append(item)
        self.seen += 1
        if len(self.items) > self.capacity:
            self.items = self.items[::2]
            self.every *= 2


class TraceRecorder:
    """Gathers one episode from whoever runs it: the lockstep loop, or the supervisor of the nodes."""

    def __init__(self, model_period: float, max_frames: int = 120, max_samples: int = 2000) -> None:
        """`model_period`: seconds between two imagined steps."""
        self._model_period = model_period
        self._frames: Thinned[Frame] = Thinned(max_frames)
        self._imagined: Thinned[Imagined] = Thinned(max_samples)
        self._tool: Thinned[tuple[float, F64]] = Thinned(max_samples)
        self._distance: Thinned[tuple[float, float]] = Thinned(max_samples)
        self._cycles: Thinned[tuple[float, float, float]] = Thinned(max_samples)
        self._misses: Thinned[float] = Thinned(max_samples)
        self._points: dict[str, Thinned[tuple[float, F64]]] = {}
        self._readings: dict[str, Thinned[tuple[float, F64]]] = {}
        self._held_back: dict[str, float] = {}
        self._max_samples = max_samples

    def frame(self, stamp: float, jpeg: bytes) -> None:
        """A camera image was captured."""
        self._frames.add(Frame(stamp, jpeg))

    def tool(self, stamp: float, xyz: ArrayLike) -> None:
        """The tool was here, (3,), base frame [m]."""
        self._tool.add((stamp, np.array(xyz, dtype=np.float64)))

    def distance(self, stamp: float, distance: float) -> None:
        """The task's distance was this [m]."""
        self._distance.add((stamp, distance))

    def point(self, name: str, stamp: float, xyz: ArrayLike) -> None:
        """An object truly was here, (3,), base frame [m]."""
        samples = self._points.setdefault(name, Thinned(self._max_samples))
        samples.add((stamp, np.array(xyz, dtype=np.float64)))

    def reading(self, name: str, stamp: float, xyz: ArrayLike) -> None:
        """The encoder saw a point here, (3,), base frame [m], in the image captured at `stamp`."""
        samples = self._readings.setdefault(name, Thinned(self._max_samples))
        samples.add((stamp, np.array(xyz, dtype=np.float64)))

    def held_back(self, reason: str, seconds: float) -> None:
        """The safety gate had a reason not to follow the plan, for this long more."""
        self._held_back[reason] = self._held_back.get(reason, 0.0) + seconds

    def imagined(
        self,
        stamp: float,
        path: ArrayLike,
        goal: ArrayLike | None,
        offsets: ArrayLike | None = None,
        moved: ArrayLike | None = None,
    ) -> None:
        """A plan that takes effect at `stamp`: tool path (steps, 3) and goal (3,), base frame [m].

        `offsets` (steps,) [s] are needed only where not every step was read out. `moved` is the path
        (steps, 3) of what the task moves, where that is not the tool.
        """
        points = np.array(path, dtype=np.float64).reshape(-1, 3)
        every_step = self._model_period * np.arange(1, len(points) + 1)
        times = np.array(every_step if offsets is None else offsets, dtype=np.float64)
        where = None if goal is None else np.array(goal, dtype=np.float64)
        thing = None if moved is None else np.array(moved, dtype=np.float64).reshape(-1, 3)
        self._imagined.add(Imagined(stamp, times, points, where, thing))

    def cycle(self, stamp: float, milliseconds: float, loops_mean: float) -> None:
        """A planning cycle ended; `loops_mean` may be NaN where no model is used."""
        self._cycles.add((stamp, milliseconds, loops_mean))

    def miss(self, stamp: float) -> None:
        """A deadline was missed."""
        self._misses.add(stamp)

    def progress(self, episode: int, distance: float | None, deadline_misses: int = 0) -> Progress:
        """The episode so far."""
        cycles = self._cycle_rows()
        return Progress(episode, distance, cycles[:, 1], cycles[:, 2], deadline_misses)

    def finish(self, result: EpisodeResult) -> Trace:
        """The episode as a whole; stamps in order whatever order they came in."""
        cycles = self._cycle_rows()
        tool = _series(self._tool.items, (0, 3))
        distance = _series(self._distance.items, (0,))
        frames = tuple(sorted(self._frames.items, key=lambda frame: frame.stamp))
        starts = [*tool.stamps[:1], *distance.stamps[:1], *(frame.stamp for frame in frames[:1])]
        return Trace(
            result=result,
            start=float(min(starts, default=0.0)),
            frames=frames,
            tool=tool,
            distance=distance,
            imagined=tuple(sorted(self._imagined.items, key=lambda plan: plan.stamp)),
            cycle_ms=Series(cycles[:, 0], cycles[:, 1]),
            loops=Series(cycles[:, 0], cycles[:, 2]),
            misses=np.array(sorted(self._misses.items), dtype=np.float64),
            points={name: _series(kept.items, (0, 3)) for name, kept in self._points.items()},
            readings={name: _series(kept.items, (0, 3)) for name, kept in self._readings.items()},
            held_back=dict(self._held_back),
        )

    def _cycle_rows(self) -> F64:
        return np.array(sorted(self._cycles.items), dtype=np.float64).reshape(-1, 3)


def _series(items: list[tuple[float, F64]] | list[tuple[float, float]], empty: tuple[int, ...]) -> Series:
    ordered = sorted(items, key=lambda item: item[0])
    stamps = np.array([stamp for stamp, _ in ordered], dtype=np.float64)
    values = np.array([value for _, value in ordered], dtype=np.float64) if ordered else np.empty(empty)
    return Series(stamps, values)
