"""Plots of the validation report, as SVG that follows the reader's light or dark theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from loopwm_ros.validation.certificate import GapLimit, PartResult
from loopwm_ros.validation.drawing import ACTUAL, FAILED, IMAGINED, INK, MOVED, drawing, svg
from loopwm_ros.validation.measured_motion import FaultScore
from loopwm_ros.validation.suite import RequiredShare

COLOURS = (IMAGINED, MOVED, ACTUAL)  # of points, as they come


def success_plot(parts: Sequence[PartResult], required: Mapping[str, RequiredShare]) -> str:
    """Success rate of each part with its 95 % interval, and what is required of it."""
    shown = [part for part in reversed(parts) if part.wilson95 is not None]
    with drawing(max(1.0, 0.1 * len(shown))) as (figure, axes):
        figure.subplots_adjust(left=0.32)
        for row, part in enumerate(shown):
            low, high = part.wilson95 or (0.0, 1.0)
            rate = part.success_rate or 0.0
            axes.plot(
                [low * 100, high * 100], [row, row], color=ACTUAL, lw=5, alpha=0.3, solid_capstyle="round"
            )
            axes.plot(rate * 100, row, "o", color=ACTUAL, ms=7)
            if (share := required.get(part.name)) is not None:
                at = share.at_least * 100
                axes.plot([at, at], [row - 0.32, row + 0.32], color=FAILED, lw=2)
        axes.plot([], [], "o", color=ACTUAL, label="measured, 95 % interval")
        axes.plot([], [], color=FAILED, lw=2, label="required")
        axes.set(xlabel="episodes solved [%]", xlim=(0, 102), ylim=(-0.6, len(shown) + 0.4))
        axes.set_yticks(range(len(shown)), [part.name.replace("_", " ") for part in shown])
        axes.legend(loc="upper left", ncols=2, borderaxespad=0.0, handlelength=1.2)
        axes.grid(visible=False, axis="y")
        return svg(figure)


def gap_plot(gaps: Sequence[GapLimit], allowed: Mapping[str, Mapping[int, float]]) -> str:
    """Gap between imagined and actual future against the time looked ahead, and its limits."""
    with drawing() as (figure, axes):
        for colour, name in zip(COLOURS, dict.fromkeys(gap.name for gap in gaps), strict=False):
            of_it = [gap for gap in gaps if gap.name == name]
            ahead = [gap.offset_s for gap in of_it]
            axes.plot(ahead, [gap.p99 * 100 for gap in of_it], "o-", color=colour, ms=4, label=f"{name}, p99")
            axes.plot(
                ahead, [gap.p50 * 100 for gap in of_it], "-", color=colour, lw=1, label=f"{name}, median"
            )
            axes.plot(ahead, [gap.limit * 100 for gap in of_it], ":", color=colour, lw=1.6)
            period = of_it[0].offset_s / of_it[0].step
            steps = allowed.get(name, {})
            axes.plot(
                [step * period for step in steps],
                [limit * 100 for limit in steps.values()],
                "v",
                color=colour,
            )
        axes.plot([], [], ":", color=INK, label="the monitor's limit")
        axes.plot([], [], "v", color=INK, label="p99 allowed")
        axes.set(xlabel="time ahead [s]", ylabel="gap [cm]", xlim=(0, None))
        axes.set(ylim=(0, 1.35 * axes.get_ylim()[1]))  # room for the legend
        axes.legend(loc="upper left", ncols=2, fontsize=9)
        return svg(figure)


def force_plot(forces: Mapping[str, Sequence[float]]) -> str:
    """Share of the servo periods with contact in which a force was at most this large."""
    with drawing() as (figure, axes):
        for colour, (name, values) in zip((ACTUAL, IMAGINED), forces.items(), strict=False):
            if not values:
                continue
            ordered = np.sort(values)
            axes.plot(ordered, np.linspace(0, 100, len(ordered)), color=colour, lw=2, label=f"on {name}")
        axes.set(xlabel="contact force [N]", ylabel="periods with contact [%]", xlim=(0, None), ylim=(0, 102))
        axes.legend(loc="lower right")
        return svg(figure)


def intervention_plot(shares: Mapping[str, float]) -> str:
    """Share of servo periods in which the safety gate altered the command, by reason."""
    names = list(shares)[::-1]
    with drawing() as (figure, axes):
        figure.subplots_adjust(left=0.36, right=0.9)
        bars = axes.barh(range(len(names)), [shares[name] * 100 for name in names], color=ACTUAL, height=0.6)
        axes.bar_label(bars, [f"{shares[name] * 100:.1f} %" for name in names], padding=4)
        axes.set_yticks(range(len(names)), [name if len(name) < 28 else f"{name[:26]}…" for name in names])
        axes.set(xlabel="servo periods [%]", ylim=(min(-0.6, len(names) - 4.6), len(names) - 0.4))
        axes.margins(x=0.1)
        axes.grid(visible=False, axis="y")
        return svg(figure)


def stop_plot(scores: Sequence[FaultScore], promised: float) -> str:
    """Time from a fault to rest, one dot an episode, against what is promised."""
    names = list(dict.fromkeys(score.name for score in reversed(scores)))
    with drawing() as (figure, axes):
        figure.subplots_adjust(left=0.3)
        for score in scores:
            row = names.index(score.name)
            if score.stopped_after_s is None:
                axes.plot(promised * 1.08, row, "X", color=FAILED, ms=8)
            else:
                axes.plot(score.stopped_after_s, row, "o", color=ACTUAL, ms=6, alpha=0.6)
        axes.axvline(promised, color=FAILED, lw=1.6, ls="--")
        axes.text(
            promised, 0.98, "promised ", color=FAILED, ha="right", va="top",
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
        axes.set(
            xlabel="from the fault to rest [s]", xlim=(0, promised * 1.15), ylim=(-0.6, len(names) - 0.1)
        )
        axes.grid(visible=False, axis="y")
        return svg(figure)
