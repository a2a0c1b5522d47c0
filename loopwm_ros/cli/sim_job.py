"""Runs what `loopwm sim` was asked for, in lockstep or in real time, and sums it up."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from loopwm_ros.cli.sim_table import RunTable
from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.certificate import certificate_sha256
from loopwm_ros.validation.diagnosis import diagnose
from loopwm_ros.validation.failures import write_strips
from loopwm_ros.validation.lockstep_run import run_lockstep
from loopwm_ros.validation.report import write_report
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.summary import (
    EpisodeResult,
    Measurements,
    Mode,
    PlannerFacts,
    RunFacts,
    Summary,
    summarise,
)
from loopwm_ros.validation.trace import EpisodeRun, Trace
from loopwm_ros.validation.versions import versions

if TYPE_CHECKING:
    from loopwm_ros.nodes.processes import Watching

PLANNING = ("mpc", "policy", "simulator")  # controllers that have a planner
ROUNDING = 1e-9  # of a product of two exact numbers
Runner = Callable[[Measurements, Callable[[EpisodeRun], None]], None]


@dataclass(frozen=True)
class InRealTime:
    """How the nodes are run. They load `arm` and `task` themselves, by name or path."""

    arm: str
    task: str
    camera: tuple[int, int] = (0, 0)  # pixels of the simulated one, width and height; (0, 0): the arm file's
    out: Path | None = None  # logs go to its folder log
    seconds: float = math.inf  # no episode begins when the nodes have been ready for so long
    priority: int = 0  # of SCHED_FIFO for mpc (nodes/supervisor.py); 0: none
    watching: Watching = nullcontext  # while they run


@dataclass
class SimJob:
    """A run and what has come of it."""

    request: RunRequest
    table: RunTable
    results: list[EpisodeResult] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)

    def lockstep(self) -> Summary:
        """Run without ROS, as fast as it goes."""
        return self._run(
            "lockstep", lambda measured, done: run_lockstep(self.request, measured, done, self.table.present)
        )

    def realtime(self, how: InRealTime) -> Summary:
        """Run over ROS 2."""
        from loopwm_ros.nodes.supervisor import RealtimeRequest, run_realtime

        request = RealtimeRequest(self.request, how.arm, how.task, how.camera, how.priority)
        self.table.say(f"ROS_DOMAIN_ID={request.domain} to look in with ros2 topic list")
        with ExitStack() as stack:
            out = how.out
            folder = out / "log" if out else Path(stack.enter_context(tempfile.TemporaryDirectory()))
            return self._run(
                "realtime",
                lambda measured, done: run_realtime(
                    request, folder, measured, done, self.table.present, how.seconds, how.watching
                ),
            )

    def report(self, out: Path, summary: Summary) -> Path:
        """Write `report.html` and return its path."""
        return write_report(out, summary, self.traces, self.request.arm.camera)

    def strips(self, folder: Path, run: str) -> int:
        """Write a small film strip of each failed episode of a run of this name; returns how many."""
        return write_strips(folder, run, self.traces, self.request.arm.camera)

    def _run(self, mode: Mode, run: Runner) -> Summary:
        measured = Measurements()
        run(measured, self._finished)
        return summarise(self._facts(mode), self.results, measured)

    def _finished(self, episode: EpisodeRun) -> None:
        why = diagnose(episode.trace, self.request.task, self.request.arm.workspace)
        result = episode.result.model_copy(update={"why": why})
        trace = replace(episode.trace, result=result)
        self.results.append(result)
        self.traces.append(trace)
        self.table.finished(trace)

    def _facts(self, mode: Mode) -> RunFacts:
        run, bundle = self.request, self.request.bundle
        slot_ms = None if bundle is None else bundle.manifest.spec.model_period * 1e3
        return RunFacts(
            task=run.task.name,
            arm=run.arm.name,
            controller=run.controller,
            mode=mode,
            seed=run.seed,
            bundle_sha256=bundle and bundle.sha256,
            loops_requested=str(run.settings.model.loops or "auto"),
            precision=run.settings.model.precision,
            blank_camera=run.blank_camera,
            world="nominal" if run.nominal else "randomised",
            goal=run.goal,
            disturb=run.disturb,
            planner=self._planner(),
            workers=run.workers,
            engine=run.engine,
            validation_sha256=run.validation and certificate_sha256(run.validation),
            success_distance_m=run.task.success_distance,
            precise_distance_m=run.task.precise_distance,
            success_hold_s=run.task.success_hold,
            time_limit_s=run.task.time_limit,
            cycle_deadline_ms=slot_ms if mode == "realtime" else None,
            versions=versions(),
        )

    def _planner(self) -> PlannerFacts | None:
        if self.request.controller not in PLANNING:
            return None
        settings = self.request.settings.planner
        return PlannerFacts(
            kind=settings.kind,
            horizon=settings.horizon,
            candidates=settings.candidates,
            refinements=settings.refinements,
            proposal=settings.proposal,
        )


def falls_short(summary: Summary, required: float) -> bool:
    """Whether fewer episodes succeeded than the required share of them."""
    return summary.success < required * summary.episodes - ROUNDING


def camera_size(text: str) -> tuple[int, int]:
    """Width and height [px] of "WxH"; (0, 0), for the arm's own, of an empty text.

    Raises:
        ConfigError: the text is something else.
    """
    width, cross, height = text.partition("x")
    if not text:
        return 0, 0
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ConfigError(f"--camera is '{text}'; expected WIDTHxHEIGHT, e.g. 160x120")
    return int(width), int(height)


def loop_count(text: str) -> int:
    """Iterations of each transition; 0, for early exit, of "auto".

    Raises:
        ConfigError: the text is something else.
    """
    if text == "auto":
        return 0
    if not text.isdecimal() or int(text) == 0:
        raise ConfigError(f"--loops is '{text}'; expected auto, or a number of at least 1")
    return int(text)
