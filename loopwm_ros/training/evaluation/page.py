"""The page of an evaluation: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Undefined

from loopwm_ros.training.evaluation import plots
from loopwm_ros.training.evaluation.flops import HORIZON
from loopwm_ros.training.evaluation.intervals import Interval
from loopwm_ros.training.evaluation.results import Evaluation, Exit, Group, Part
from loopwm_ros.training.evaluation.tables import SHOWN, STILL
from loopwm_ros.validation.files import write_text_atomically
from loopwm_ros.validation.page import NOTHING, environment, plot

DRAWN = ("tool", "object_moved", "object_static", "yaw_moved")
TITLES = {name: title for name, (title, _, _) in SHOWN.items()} | {
    "yaw_moved": "yaw of objects that moved [rad]"
}
SIZED = ("object_moved", 25)  # measure and horizon [base steps] that are drawn against costs
LEAST_LOSS = 1.02  # an exit whose error is at most this many times that of all iterations loses nothing


def write_page(path: Path, evaluation: Evaluation) -> Path:
    """Write the page."""
    groups = evaluation.groups
    html = (
        environment("loopwm_ros.training.evaluation")
        .get_template("evaluation.html.j2")
        .render(
            run=evaluation,
            shown=SHOWN,
            horizons=sorted({k for part in evaluation.parts for curve in part.still.values() for k in curve}),
            rows={part.name: _rows(evaluation, part) for part in evaluation.parts},
            plots={part.name: list(_prediction_plots(evaluation, part)) for part in evaluation.parts},
            sizes=list(_size_plots(evaluation)),
            loops={part.name: list(_loop_plots(evaluation, part.name)) for part in evaluation.parts},
            chosen={part.name: _chosen_exits(evaluation, part.name) for part in evaluation.parts},
            long=list(_long_plots(evaluation)),
            costed=[group for group in groups if group.costs is not None],
            timed=_timed,
            horizon=HORIZON,
            cell=cell,
        )
    )
    return write_text_atomically(path, html)


def cell(found: Interval | Undefined | None, factor: float = 1.0, digits: int = 2) -> str:
    """A mean with its interval; a dash where there is none."""
    if not isinstance(found, Interval):
        return NOTHING
    mean, low, high = (f"{value * factor:.{digits}f}" for value in (found.mean, found.low, found.high))
    return f"{mean} ({low} to {high})"


def _rows(evaluation: Evaluation, part: Part) -> dict[str, dict[str, Any]]:
    """By measure: the curve of each model."""
    models = {group.label: group.prediction.get(part.name, {}) for group in evaluation.groups}
    models[STILL] = part.still
    return {
        name: {label: errors[name] for label, errors in models.items() if name in errors}
        for name in SHOWN
        if any(name in errors for errors in models.values())
    }


def _prediction_plots(evaluation: Evaluation, part: Part) -> Iterator[dict[str, str]]:
    models = {group.label: group.prediction.get(part.name, {}) for group in evaluation.groups}
    models[STILL] = part.still
    for name in DRAWN:
        curves = {label: errors[name] for label, errors in models.items() if name in errors}
        if any(label != STILL for label in curves):
            title, _, unit = TITLES[name].rpartition(" ")
            factor = 100.0 if unit == "[cm]" else 1.0
            note = "Mean error against the time ahead; bands are 95 % intervals."
            drawn = plots.horizon_plot(curves, evaluation.period_s, f"error {unit}", factor)
            yield plot(title.capitalize(), note, drawn)


def _size_plots(evaluation: Evaluation) -> Iterator[dict[str, str]]:
    measure, horizon = SIZED
    title = TITLES[measure].rpartition(" ")[0].capitalize()
    for part in evaluation.parts:
        points = [
            (group.label, group.costs, found)
            for group in evaluation.groups
            if (found := group.prediction.get(part.name, {}).get(measure, {}).get(horizon)) is not None
            and group.costs is not None
        ]
        sizes = {
            "parameters of the core": {
                label: (float(costs.parameters["core"]), found) for label, costs, found in points
            },
            f"operations of a rollout of {HORIZON} steps": {
                label: (float(costs.flops.rollout[1]), found) for label, costs, found in points
            },
        }
        for what, at in sizes.items():
            if at:
                drawn = plots.size_plot(at, horizon * evaluation.period_s, what)
                yield plot(part.name, f"{title}, against {what}.", drawn)


def _loop_plots(evaluation: Evaluation, part: str) -> Iterator[dict[str, str]]:
    looped = {group.label: group.looping[part] for group in evaluation.groups if part in group.looping}
    if not looped:
        return
    for measure in ("object_moved", "object_static"):
        if any(depth.against_full.get(measure) for made in looped.values() for depth in made.depths):
            title = TITLES[measure].rpartition(" ")[0].capitalize()
            note = "Error after 25 steps against iterations, beside that of max_loops."
            yield plot(f"{title}, more iterations", note, plots.depth_plot(looped, measure, 25))
    for label, made in looped.items():
        note = "Error of all objects after 25 steps, beside that of max_loops iterations."
        yield plot(f"{label}: exit tests", note, plots.exit_plot(made, "object", 25))
    if chosen := _chosen_exits(evaluation, part):
        note = "The cheapest threshold of each test that loses at most 2 % on all objects after 25 steps."
        yield plot("Iterations by phase of contact", note, plots.phase_plot(chosen))


def _chosen_exits(evaluation: Evaluation, part: str) -> list[tuple[str, Exit]]:
    """Of each model and test, the threshold with the fewest iterations among those that lose nothing."""
    chosen = []
    for group in evaluation.groups:
        exits = group.looping[part].exits if part in group.looping else ()
        for test in dict.fromkeys(made.test for made in exits):
            fitting = [made for made in exits if made.test == test and _loss(made) <= LEAST_LOSS]
            if fitting:
                best = min(fitting, key=lambda made: made.loops.all.mean if made.loops.all else 0.0)
                chosen.append((f"{group.label}, {test.replace('_', ' ')}", best))
    return chosen


def _loss(made: Exit) -> float:
    curve = made.against_full.get("object", made.against_full.get("tool", {}))
    return max((curve[k].mean for k in curve if k == max(curve)), default=float("inf"))


def _long_plots(evaluation: Evaluation) -> Iterator[dict[str, str]]:
    for part in dict.fromkeys(name for group in evaluation.groups for name in group.stability):
        groups = [group for group in evaluation.groups if part in group.stability]
        for measure, what, factor in (
            ("state_rms", "state, RMS", 1.0),
            ("object", "error of all objects [cm]", 100.0),
            ("tool", "error of the tool [cm]", 100.0),
        ):
            if any(measure in group.stability[part].curves for group in groups):
                drawn = plots.long_plot(groups, part, measure, what, factor)
                yield plot(f"{part}: {what.rpartition(' [')[0] or what}", "", drawn)


def _timed(group: Group, loops: str, candidates: int, whole: bool) -> str:
    """Median and 99th percentile [ms] of a rollout, or of one transition."""
    timings = group.costs.timings if group.costs is not None else ()
    for made in timings:
        steps = HORIZON if whole else group.chunk
        if (made.loops, made.candidates, made.base_steps, made.free) == (loops, candidates, steps, False):
            return f"{made.ms.p50:.2f} / {made.ms.p99:.2f}"
    return NOTHING
