"""The report's plots, as SVG that follows the reader's light or dark theme."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.lines import Line2D

from loopwm_ros.types import F64
from loopwm_ros.validation.drawing import ACTUAL, FAILED, IMAGINED, INK, drawing, svg
from loopwm_ros.validation.summary import Summary
from loopwm_ros.validation.trace import Trace

MOVING = 0.02  # plans are judged while the tool goes at least this far within their horizon [m]


def distance_plot(summary: Summary, traces: Sequence[Trace]) -> str:
    """The task's distance over time, one line an episode."""
    with drawing() as (figure, axes):
        for trace in traces:
            time = trace.distance.stamps - trace.start
            solved = trace.result.success
            colour, dash = (ACTUAL, "-") if solved else (FAILED, "--")
            axes.plot(time, trace.distance.values * 100, dash, color=colour, lw=1.6, alpha=0.85)
            if len(time):
                marker = "o" if solved else "X"
                axes.plot(time[-1], trace.distance.values[-1] * 100, marker, color=colour, ms=6)
        goal = summary.success_distance_m * 100
        axes.axhline(goal, color=INK, lw=1, ls=":")
        axes.text(1, goal, f"{goal:g} cm ", transform=axes.get_yaxis_transform(), ha="right", va="bottom")
        handles = [
            Line2D([], [], color=ACTUAL, marker="o", label="solved"),
            Line2D([], [], color=FAILED, marker="X", ls="--", label="not solved"),
        ]
        unsolved = any(not trace.result.success for trace in traces)
        axes.legend(handles=handles if unsolved else handles[:1], loc="upper right")
        axes.set(xlabel="time [s]", ylabel="distance to the goal [cm]", xlim=(0, None), ylim=(0, None))
        return svg(figure)


def cycle_plot(summary: Summary, traces: Sequence[Trace]) -> str:
    """Histogram of cycle times, with the deadline."""
    times = np.concatenate([np.empty(0), *(trace.cycle_ms.values for trace in traces)])
    with drawing() as (figure, axes):
        top = max([1.0, *times, summary.cycle_deadline_ms or 0.0]) * 1.05
        axes.hist(times, bins=40, range=(0, top), color=ACTUAL)
        if summary.cycle_deadline_ms is not None:
            axes.axvline(summary.cycle_deadline_ms, color=FAILED, lw=1.6, ls="--")
            axes.text(
                summary.cycle_deadline_ms, 0.98, "deadline ", color=FAILED, ha="right", va="top",
                transform=axes.get_xaxis_transform(),
            )  # fmt: skip
        axes.set(xlabel="cycle time [ms]", ylabel="cycles", xlim=(0, top))
        axes.grid(visible=False, axis="x")
        return svg(figure)


def loops_plot(summary: Summary) -> str:
    """Share of transitions that used each number of iterations of the recurrent block."""
    histogram = summary.loops.histogram
    with drawing() as (figure, axes):
        used = np.arange(1, max([1, *histogram]) + 1)
        shares = np.array([histogram.get(int(i), 0) for i in used]) / max(1, sum(histogram.values()))
        bars = axes.bar(used, shares * 100, color=IMAGINED, width=0.75)
        axes.bar_label(bars, [f"{share:.0%}" if share > 0 else "" for share in shares], padding=2)
        axes.set(xlabel="iterations of the recurrent block", ylabel="transitions [%]", xticks=used)
        axes.margins(y=0.12)
        axes.grid(visible=False, axis="x")
        return svg(figure)


def imagination_errors(traces: Sequence[Trace]) -> tuple[F64, F64, F64]:
    """Error of imagined tool positions against what then happened, while the tool moves.

    Returns:
        Seconds ahead (s,), errors of the plans [m] (plans, s), and of predicting that the tool stays
        where it was [m] (plans, s). NaN where an episode ended first.
    """
    plans = [(trace, plan) for trace in traces for plan in trace.imagined if len(plan.offsets)]
    if not plans:
        return np.empty(0), np.empty((0, 0)), np.empty((0, 0))
    offsets = max((plan.offsets for _, plan in plans), key=len)
    errors, still = np.full((2, len(plans), len(offsets)), np.nan)
    for row, (trace, plan) in enumerate(plans):
        actual = np.array([trace.tool.at(plan.stamp + offset) for offset in plan.offsets])
        errors[row, : len(actual)] = np.linalg.norm(plan.path - actual, axis=1)
        still[row, : len(actual)] = np.linalg.norm(trace.tool.at(plan.stamp) - actual, axis=1)
    both = np.isfinite(errors + still) & (np.nanmax(still, axis=1, initial=0.0) > MOVING)[:, None]
    errors[~both], still[~both] = np.nan, np.nan
    seen = both.any(axis=0)
    return offsets[seen], errors[:, seen], still[:, seen]


def imagination_plot(traces: Sequence[Trace]) -> str:
    """Error of the imagined tool position against the time looked ahead."""
    offsets, errors, still = imagination_errors(traces)
    with drawing() as (figure, axes):
        if len(offsets):
            low, middle, high = np.nanpercentile(errors * 100, [25, 50, 75], axis=0)
            axes.fill_between(offsets, low, high, color=IMAGINED, alpha=0.25, lw=0)
            axes.plot(offsets, middle, "o-", color=IMAGINED, lw=2, ms=4, label="imagined (median, quartiles)")
            moved = np.nanmedian(still * 100, axis=0)
            axes.plot(offsets, moved, ":", color=INK, lw=1.4, label="if nothing moved")
            axes.legend(loc="upper left")
        axes.set(xlabel="time ahead [s]", ylabel="tool position error [cm]")
        axes.set(xlim=(0, None), ylim=(0, 1.25 * axes.get_ylim()[1]))  # room for the legend
        return svg(figure)
