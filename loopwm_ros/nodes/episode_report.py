"""One real-time episode's result and trace, from what the nodes wrote down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from loopwm_ros.nodes import diagnostics
from loopwm_ros.validation.summary import EpisodeResult, Measurements
from loopwm_ros.validation.trace import EpisodeRun, Frame, Progress, TraceRecorder

Line = dict[str, Any]


class EpisodeReport:
    """Gathers the lines of the simulation's score file and of the mpc node's trace file."""

    def __init__(self, model_period: float, measured: Measurements) -> None:
        """`model_period` [s]; `measured` collects over all episodes."""
        self._trace = TraceRecorder(model_period)
        self._period, self._measured = model_period, measured
        self._cycles = self._plans = self._misses = 0
        self._times: list[tuple[float, float]] = []  # first and newest: simulation's and wall clock [s]
        self.outcome: Line | None = None  # the score file's last line
        self._distance: float | None = None  # newest, the task's own [m]

    def score(self, line: Line, wall: float) -> None:
        """A line of the score file, read at `wall` [s, any steady clock]."""
        if "success" in line:
            self.outcome = line
            return
        self._distance = line["distance"]
        self._times[1:] = [(line["stamp"], wall)]
        self._trace.distance(line["stamp"], line["distance"])
        self._trace.tool(line["stamp"], np.asarray(line["tool"]))
        for name, xyz in line["points"].items():
            self._trace.point(name, line["stamp"], xyz)

    def mpc(self, line: Line) -> None:
        """A line of the trace file: a control period or a plan."""
        stamp = line["cycle"] if "cycle" in line else line["plan"]
        self._misses += line["missed"]
        if line["missed"]:
            self._trace.miss(stamp)
        if "cycle" in line:
            self._cycles += line["cycles"]
        else:
            self._plan(line)

    def _plan(self, line: Line) -> None:
        self._plans += 1
        measured, loops = self._measured, np.asarray(line.get("loops", []), dtype=np.int64)
        measured.add_cycle(line["ms"])
        measured.delay_ms.append(line["delay_ms"])
        measured.add_loops(loops)
        if "imagined" in line:
            measured.candidates.append(line["candidates"])
            measured.refinements.append(line["refinements"])
            offsets = np.asarray(line["offsets"][: len(line["imagined"])])
            goal = None if line["goal"] is None else np.asarray(line["goal"])
            moved = line.get("imagined_moved")
            self._trace.imagined(line["plan"] + self._period, line["imagined"], goal, offsets, moved)
        captured = line["plan"] + self._period - line["delay_ms"] * 1e-3
        for name, xyz in line.get("readings", {}).items():
            self._trace.reading(name, captured, xyz)
        mean = float(loops @ np.arange(len(loops)) / loops.sum()) if loops.sum() else float("nan")
        self._trace.cycle(line["plan"], line["ms"], mean)

    def held_back(self, reasons: Sequence[str]) -> None:
        """Why the safety node did not follow the plan: an entry for each reason in each of its heartbeats."""
        for reason in reasons:
            self._trace.held_back(reason, diagnostics.PERIOD)

    def progress(self, index: int) -> Progress:
        """Episode `index` so far."""
        return self._trace.progress(index, self._distance, self._misses)

    def finish(self, frames: list[Frame]) -> EpisodeRun:
        """The episode as a whole, with those of the frames that the camera took meanwhile."""
        outcome = self.outcome
        assert outcome is not None
        for frame in frames:
            if self._times and frame.stamp >= self._times[0][0]:
                self._trace.frame(frame.stamp, frame.jpeg)
        if self._times:
            (simulated, wall), (simulated_end, wall_end) = self._times[0], self._times[-1]
            self._measured.add_time(simulated_end - simulated, wall_end - wall)
        result = EpisodeResult(
            index=outcome["episode"],
            seed=outcome["seed"],
            success=outcome["success"],
            time_to_success_s=outcome["time"] if outcome["success"] else None,
            final_distance_m=outcome["final_distance"],
            min_distance_m=outcome["min_distance"],
            cycles=self._cycles,
            plans=self._plans,
            deadline_misses=self._misses,
            precise_time_s=outcome["precise_time"],
            disturbance=outcome.get("disturbance"),
            disturbed_at_s=outcome.get("disturbed_at"),
        )
        return EpisodeRun(result, self._trace.finish(result))
