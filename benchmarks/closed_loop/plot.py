"""Success against the planning budget, a line a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, PercentFormatter

from benchmarks.closed_loop.summary import Outcome, Share, Summary
from loopwm_ros.validation.drawing import panels, svg

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#999999")  # Okabe and Ito's
MARKERS = "osD^vPX"
LEGEND = 3  # models in a row
APART = 0.03  # two models' points at one budget, as a share of it


def success_plot(summary: Summary) -> str:
    """SVG: a column for each task, horizon and tool speed, a row for each distance; bars: 95 % intervals."""
    settings = list(dict.fromkeys(outcome.regime.setting for outcome in summary.outcomes))
    precise = any(distance is not None for distance in summary.precise_distance_m.values())
    measures = ("success", "precise") if precise else ("success",)
    with panels(len(measures), len(settings)) as (figure, axes):
        for column, setting in enumerate(settings):
            outcomes = [outcome for outcome in summary.outcomes if outcome.regime.setting == setting]
            axes[0, column].set_title(setting)
            for row, measure in enumerate(measures):
                _panel(axes[row, column], summary, outcomes, measure)
        for row, measure in enumerate(measures):
            axes[row, 0].set_ylabel(_label(summary, measure))
        for below in axes[-1]:
            below.set_xlabel("planning time [ms]")
        if any(lines := axes[0, 0].get_legend_handles_labels()):
            figure.legend(*lines, loc="outside upper center", ncols=LEGEND)
        return svg(figure)


def _label(summary: Summary, measure: str) -> str:
    """Name of a measure, with its distance where all tasks have the same."""
    distances = summary.success_distance_m if measure == "success" else summary.precise_distance_m
    first, *others = set(distances.values())
    return measure if first is None or others else f"{measure} within {100 * first:g} cm"


def _panel(axes: Axes, summary: Summary, outcomes: Sequence[Outcome], measure: str) -> None:
    models = list(summary.comparison.models)
    for place, model in enumerate(models):
        mine = sorted((o for o in outcomes if o.model == model), key=lambda o: o.regime.budget_ms)
        points = [(o.regime.budget_ms, *_bar(s)) for o in mine if (s := getattr(o, measure)) and o.episodes]
        if not points:
            continue
        budgets, rates, below, above = np.array(points).T
        moved = budgets * (1 + APART * (place - (len(models) - 1) / 2))
        axes.errorbar(
            moved,
            rates,
            (below, above),
            color=COLOURS[place % len(COLOURS)],
            marker=MARKERS[place % len(MARKERS)],
            ms=4,
            lw=1.6,
            elinewidth=1,
            capsize=2,
            label=model,
        )
    budgets = sorted({outcome.regime.budget_ms for outcome in summary.outcomes})
    axes.set_xscale("log")
    axes.set_xticks(budgets, [f"{budget:g}" for budget in budgets])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _bar(share: Share) -> tuple[float, float, float]:
    """Rate, and how far the interval reaches below and above it."""
    assert share.rate is not None
    assert share.wilson95 is not None
    return share.rate, max(0.0, share.rate - share.wilson95[0]), max(0.0, share.wilson95[1] - share.rate)
