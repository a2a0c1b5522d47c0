"""The report of a run: one HTML file that needs nothing else, to read, to keep and to send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from loopwm_ros.config import CameraConfig
from loopwm_ros.validation import plots
from loopwm_ros.validation.files import write_text_atomically
from loopwm_ros.validation.film import encoded, film_strip
from loopwm_ros.validation.page import data_uri, environment, plot
from loopwm_ros.validation.player import film_data
from loopwm_ros.validation.summary import EpisodeResult, Summary
from loopwm_ros.validation.trace import Trace

FIRST_SHOWN = 5  # films of the first episodes, however they ended
FAILURES_SHOWN = 8  # and of this many further failures
STRIPS_SHOWN = 60  # film strips of failures


def write_report(out_dir: Path, summary: Summary, traces: Sequence[Trace], camera: CameraConfig) -> Path:
    """Write `report.html` and return its path.

    `camera` is the calibrated one, as the robot knows it. Traces may be fewer than episodes.
    """
    films = [_film(summary, trace, camera) for trace in shown(traces)]
    failed = [trace for trace in traces if not trace.result.success]
    html = (
        environment()
        .get_template("report.html.j2")
        .render(
            run=summary,
            verdict=verdict(summary),
            grade=grade(summary),
            films=films,
            filmed={film["index"] for film in films},
            left_out=len(traces) - len(films),
            failures=[_failure(trace, camera) for trace in failed[:STRIPS_SHOWN]],
            more_failures=len(failed) - STRIPS_SHOWN,
            imprecise=[trace.result for trace in traces if imprecise(summary, trace.result)],
            imagined=any(trace.imagined for trace in traces),
            moved=any(plan.moved is not None for trace in traces for plan in trace.imagined[:1]),
            plots=list(_plots(summary, traces)),
        )
    )
    return write_text_atomically(out_dir / "report.html", html)


def verdict(summary: Summary) -> str:
    """The run in one sentence."""
    if summary.episodes == 0:
        return "No episode was run"
    if summary.success == summary.episodes > 1:
        return f"Solved all {summary.episodes} episodes"
    return f"Solved {summary.success} of {summary.episodes} episode{'s' * (summary.episodes > 1)}"


def grade(summary: Summary) -> str:
    """How the verdict is shown: good (all solved, nothing late), part, or bad (nothing solved)."""
    if summary.success == 0:
        return "bad"
    return "good" if summary.success == summary.episodes and not summary.deadline_misses else "part"


def shown(traces: Sequence[Trace]) -> list[Trace]:
    """The episodes whose films are in the report: the first ones, and failures after them."""
    failures = [trace for trace in traces[FIRST_SHOWN:] if not trace.result.success]
    return [*traces[:FIRST_SHOWN], *failures[:FAILURES_SHOWN]]


def imprecise(summary: Summary, result: EpisodeResult) -> bool:
    """Whether an episode was solved but missed the precise distance that its task asks for."""
    return summary.precise_distance_m is not None and result.success and result.precise_time_s is None


def _strip(trace: Trace, camera: CameraConfig) -> str:
    strip = film_strip(trace, camera, count=6, columns=6, scale=2, text=11)
    return data_uri("image/webp", encoded(strip, "WEBP"))


def _failure(trace: Trace, camera: CameraConfig) -> dict[str, Any]:
    return {"result": trace.result, "strip": _strip(trace, camera)}


def _film(summary: Summary, trace: Trace, camera: CameraConfig) -> dict[str, Any]:
    return {
        "index": trace.result.index,
        "result": trace.result,
        "strip": _strip(trace, camera),
        "data": film_data(summary, trace, camera),
    }


def _plots(summary: Summary, traces: Sequence[Trace]) -> Iterator[dict[str, str]]:
    """The plots that there is something to show in."""
    if any(len(trace.distance.stamps) for trace in traces):
        yield plot(
            "Distance to the goal",
            "Each line is an episode, measured by the simulator; the dotted line is the distance to hold.",
            plots.distance_plot(summary, traces),
        )
    if len(plots.imagination_errors(traces)[0]):
        yield plot(
            "Imagination against reality",
            "How far the imagined tool was from where the moving tool then went; it replans on the way.",
            plots.imagination_plot(traces),
        )
    if any(len(trace.cycle_ms.stamps) for trace in traces):
        yield plot(
            "Planning cycle",
            "From a planning slot's start to its plan's end.",
            plots.cycle_plot(summary, traces),
        )
    if summary.loops.histogram:
        yield plot(
            "Loops used",
            "Iterations of the recurrent block per imagined transition, over all rollouts of all plans.",
            plots.loops_plot(summary),
        )
