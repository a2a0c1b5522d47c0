"""Plots of an evaluation, as SVG that follows the reader's light or dark theme."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loopwm_ros.training.evaluation.intervals import Interval
from loopwm_ros.training.evaluation.phases import PHASES
from loopwm_ros.training.evaluation.results import Curve, Exit, Group, Looping
from loopwm_ros.validation.drawing import ACTUAL, FAILED, IMAGINED, INK, MOVED, drawing, svg

COLOURS = (ACTUAL, IMAGINED, "#009e73", MOVED, FAILED, "#8a6fd1", "#7f7f7f")
DASHES = ("-", "--", ":", "-.")
Look = tuple[str, str]  # colour and dash


def horizon_plot(curves: Mapping[str, Curve], period: float, what: str, factor: float) -> str:
    """A measure against the time ahead, a line a model, with its 95 % interval; `factor` gives its unit."""
    with drawing() as (figure, axes):
        for (label, curve), look in zip(curves.items(), styles(), strict=False):
            banded(axes, [k * period for k in curve], list(curve.values()), factor, label, look)
        axes.set(xlabel="time ahead [s]", ylabel=what, xscale="log", ylim=(0, None))
        ticks = sorted({k * period for curve in curves.values() for k in curve})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        axes.minorticks_off()
        outside_legend(figure, axes, len(curves))
        return svg(figure)


def size_plot(points: Mapping[str, tuple[float, Interval]], seconds: float, what: str) -> str:
    """An error [m] after some time against what the core costs, one point a model, with its interval."""
    with drawing() as (figure, axes):
        for (label, (at, found)), (colour, line) in zip(points.items(), styles(), strict=False):
            axes.plot([at, at], [found.low * 100, found.high * 100], color=colour, lw=3, alpha=0.35)
            axes.plot(at, found.mean * 100, "o" if line == "-" else "s", color=colour, ms=6, label=label)
        axes.set(xlabel=what, ylabel=f"error after {seconds:g} s [cm]", xscale="log", ylim=(0, None))
        outside_legend(figure, axes, len(points))
        return svg(figure)


def depth_plot(looping: Mapping[str, Looping], measure: str, horizon: int) -> str:
    """Error against the number of iterations, as a ratio to that of `max_loops` iterations."""
    with drawing() as (figure, axes):
        for (label, made), look in zip(looping.items(), styles(), strict=False):
            there = [d for d in made.depths if horizon in d.against_full.get(measure, {})]
            ratios = [depth.against_full[measure][horizon] for depth in there]
            banded(axes, [depth.loops for depth in there], ratios, 1, label, look)
        axes.axhline(1, color=INK, lw=1, ls=":")
        axes.set(xlabel="iterations", ylabel="error, max_loops iterations: 1", xscale="log")
        ticks = sorted({depth.loops for made in looping.values() for depth in made.depths})
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        outside_legend(figure, axes, len(looping))
        return svg(figure)


def exit_plot(looping: Looping, measure: str, horizon: int) -> str:
    """Error against mean iterations for each exit test, and for fixed numbers of them."""
    with drawing() as (figure, axes):
        most = max((made.loops.all.mean for made in looping.exits if made.loops.all), default=1.0)
        lines: dict[str, list[tuple[float, Interval]]] = {
            "fixed": [
                (depth.loops, depth.against_full[measure][horizon])
                for depth in looping.depths
                if depth.loops <= most and horizon in depth.against_full.get(measure, {})
            ]
        }
        for made in looping.exits:
            ratio = made.against_full.get(measure, {}).get(horizon)
            if ratio is not None and made.loops.all is not None:
                lines.setdefault(made.test.replace("_", " "), []).append((made.loops.all.mean, ratio))
        for (label, line), look in zip(lines.items(), styles(), strict=False):
            ordered = sorted(line, key=lambda point: point[0])
            banded(axes, [at for at, _ in ordered], [ratio for _, ratio in ordered], 1, label, look)
        axes.axhline(1, color=INK, lw=1, ls=":")
        axes.set(xlabel="iterations of a transition, mean", ylabel="error, max_loops iterations: 1")
        outside_legend(figure, axes, len(lines))
        return svg(figure)


def phase_plot(exits: Sequence[tuple[str, Exit]]) -> str:
    """Mean iterations in each phase of contact, with 95 % intervals."""
    with drawing(max(1.0, 0.16 * len(exits))) as (figure, axes):
        figure.subplots_adjust(left=0.4)
        for row, (_, made) in enumerate(reversed(exits)):
            for at, (phase, colour) in enumerate(zip(PHASES, (ACTUAL, FAILED, IMAGINED), strict=True)):
                found = getattr(made.loops, phase)
                if found is not None:
                    y = row + 0.22 * (1 - at)
                    axes.plot([found.low, found.high], [y, y], color=colour, lw=4, alpha=0.35)
                    axes.plot(found.mean, y, "o", color=colour, ms=5)
        for phase, colour in zip(PHASES, (ACTUAL, FAILED, IMAGINED), strict=True):
            axes.plot([], [], "o", color=colour, ms=5, label=phase)
        axes.set_yticks(range(len(exits)), [label for label, _ in reversed(exits)], fontsize=9)
        axes.set(xlabel="iterations of a transition", xlim=(0, None), ylim=(-0.6, len(exits) - 0.4))
        outside_legend(figure, axes, len(PHASES))
        axes.grid(visible=False, axis="y")
        return svg(figure)


def long_plot(groups: Iterable[Group], part: str, measure: str, what: str, factor: float) -> str:
    """A measure over a thousand steps; `factor` gives its unit."""
    with drawing() as (figure, axes):
        shown = [group for group in groups if measure in group.stability[part].curves]
        for group, look in zip(shown, styles(), strict=False):
            curve = group.stability[part].curves[measure]
            banded(axes, list(curve), list(curve.values()), factor, group.label, look)
        axes.set(xlabel="imagined steps", ylabel=what, xlim=(0, None), ylim=(0, None))
        outside_legend(figure, axes, len(shown))
        return svg(figure)


def banded(
    axes: Axes,
    x: Sequence[float],
    found: Sequence[Interval],
    factor: float,
    label: str,
    look: Look,
) -> None:
    """A line of means in a band of 95 % intervals."""
    colour, dash = look
    means = [one.mean * factor for one in found]
    axes.plot(x, means, color=colour, ls=dash, marker="o", ms=3.5, lw=1.6, label=label)
    low, high = [one.low * factor for one in found], [one.high * factor for one in found]
    axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)


def styles() -> Iterator[Look]:
    """Colours, then the same colours dashed."""
    for dash in DASHES:
        for colour in COLOURS:
            yield colour, dash


def outside_legend(figure: Figure, axes: Axes, entries: int) -> None:
    """Above the axes; the figure grows by what it takes."""
    rows = -(-entries // 3)
    extra = 0.19 * rows
    height = figure.get_figheight()
    box = axes.get_position()
    figure.set_figheight(height + extra)
    axes.set_position(
        (box.x0, box.y0 * height / (height + extra), box.width, box.height * height / (height + extra))
    )
    axes.legend(loc="lower left", bbox_to_anchor=(-0.1, 1.0), ncols=3, fontsize=9, borderaxespad=0.2)
