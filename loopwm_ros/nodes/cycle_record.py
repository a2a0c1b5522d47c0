"""What the mpc node did: counted for diagnostics, and written line by line where a file is wanted."""

from __future__ import annotations

import json
import threading
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from loopwm_ros.config.task import TOOL
from loopwm_ros.control.receding_horizon import PlanReport
from loopwm_ros.nodes.json_lines import LineWriter
from loopwm_ros.types import F32
from loopwm_ros.validation.statistics import loops_used, spread

RECENT = 2000  # cycles that the percentiles in diagnostics look back on


class CycleRecord:
    """Counts cycles, plans and misses. Safe to use from the timer's and the planning thread.

    Three things are misses: a command published after its period, a period in which no plan was due in
    time (the last one was held), and a plan that arrived after its slot.
    """

    def __init__(
        self, points: dict[str, list[int]], moved: str, offsets: list[float], path: Path | None
    ) -> None:
        """Start counting.

        Args:
            points: columns of x, y, z in the model's read-outs, of the tool and what else has them.
            moved: the one of them that the task moves.
            offsets: times of the read-outs after a plan takes effect [s].
            path: file of JSON lines, None for none.
        """
        self._points, self._moved, self._offsets = points, moved, offsets
        self._lock = threading.Lock()
        self._writer = None if path is None else LineWriter(path)
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._loops = np.zeros(1, dtype=np.int64)
        self._last: PlanReport | None = None
        self.cycles = 0
        self.misses = 0

    def cycle(self, stamp: float, late: bool, held: bool, skipped: int) -> None:
        """A control period's command was published; `skipped` periods before it had none."""
        missed = int(late or held) + skipped
        with self._lock:
            self.cycles += 1 + skipped
            self.misses += missed
            if self._writer:
                self._writer.put({"cycle": stamp, "cycles": 1 + skipped, "missed": missed})

    def plan(self, report: PlanReport, milliseconds: float, late: bool) -> None:
        """A plan was made; `milliseconds` from its slot's start to its end."""
        with self._lock:
            self._last = report
            self._recent.append(milliseconds)
            self.misses += late
            if report.plan is not None:
                self._count_loops(report.plan.loops)
            if self._writer:
                self._writer.put(self._line(report, milliseconds, late))

    def values(self) -> dict[str, str]:
        """Diagnostics: totals since configure, percentiles over the recent cycles."""
        with self._lock:
            ms, loops, last = spread(list(self._recent)), loops_used(self._loops), self._last
            plan = last.plan if last else None
            return {
                "cycles": str(self.cycles),
                "deadline_misses": str(self.misses),
                "cycle_ms_p50": _number(ms.p50),
                "cycle_ms_p99": _number(ms.p99),
                "cycle_ms_max": _number(ms.max),
                "loops_mean": _number(loops.mean),
                "loops_histogram": json.dumps(loops.histogram),
                "candidates": str(plan.candidates) if plan else "",
                "refinements": str(plan.refinements) if plan else "",
                "delay_ms": _number(last.delay * 1e3 if last else None),
                "trace_problem": self._writer.problem if self._writer else "",
            }

    def flush(self) -> None:
        """Wait until all lines so far are in the file."""
        if self._writer:
            self._writer.flush()

    def close(self) -> None:
        """No more lines."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer:
            writer.close()

    def _line(self, report: PlanReport, milliseconds: float, late: bool) -> dict[str, Any]:
        """What the file says of a plan (docs/nodes.md)."""
        line: dict[str, Any] = {
            "plan": report.slot,
            "ms": milliseconds,
            "missed": int(late),
            "delay_ms": report.delay * 1e3,
            "goal": None if report.goal is None else [float(v) for v in report.goal],
        }
        if report.encoding is not None:
            reading = report.encoding.reading
            line["readings"] = {name: _rounded(reading[xyz]) for name, xyz in self._points.items()}
        if report.plan is not None:
            line |= {
                "candidates": report.plan.candidates,
                "refinements": report.plan.refinements,
                "loops": [int(v) for v in report.plan.loops],
                "offsets": self._offsets,
                "imagined": _rounded(report.plan.imagined[:, self._points[TOOL]]),
            }
            if self._moved != TOOL:
                line["imagined_moved"] = _rounded(report.plan.imagined[:, self._points[self._moved]])
        return line

    def _count_loops(self, loops: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        self._loops = np.pad(self._loops, (0, max(0, len(loops) - len(self._loops))))
        self._loops[: len(loops)] += loops


def _rounded(metres: F32) -> Any:  # noqa: ANN401  (nested lists)
    """To a tenth of a millimetre."""
    return np.asarray(metres, dtype=np.float64).round(4).tolist()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
