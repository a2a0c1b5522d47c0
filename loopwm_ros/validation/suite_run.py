"""The lockstep episodes of a suite: which there are, and how one is run and judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from loopwm_ros.bundle import Bundle
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.control.assembly import MpcSettings, planner_settings
from loopwm_ros.validation.certificate import arm_sha256, settings_sha256
from loopwm_ros.validation.diagnosis import diagnose
from loopwm_ros.validation.failures import small_strip
from loopwm_ros.validation.faults import FAULTS, WHEN
from loopwm_ros.validation.film import film
from loopwm_ros.validation.journal import EpisodeRecord, Identity, record
from loopwm_ros.validation.lockstep_run import Job, run_episode
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.suite import FAULTS as FAULT_PART
from loopwm_ros.validation.suite import LOAD, FaultName, PartConfig, Suite
from loopwm_ros.validation.summary import Measurements
from loopwm_ros.validation.trace import EpisodeRun

STRIP_SIZE, STRIP_QUALITY = 0.6, 60
AFTERWARDS = 1.0  # of an episode whose fault is latched: nothing more happens [s]


@dataclass(frozen=True)
class Subject:
    """What is validated."""

    bundle: Bundle
    arm: ArmConfig
    task: TaskConfig
    world: WorldConfig

    def identity(self, suite: Suite, git_revision: str) -> Identity:
        """What tells this validation from others."""
        return Identity(
            bundle_sha256=self.bundle.sha256,
            arm_sha256=arm_sha256(self.arm),
            task_sha256=settings_sha256(self.task),
            suite_sha256=settings_sha256(suite),
            git_revision=git_revision,
        )


@dataclass(frozen=True)
class Item:
    """One episode to run."""

    part: str
    job: Job
    index: int


@dataclass(frozen=True)
class Judged:
    """One episode that was run."""

    record: EpisodeRecord
    strip: bytes | None = None  # film strip of a failure, WebP ...
    film: bytes | None = None  # ... and its film, animated


def items(suite: Suite, subject: Subject) -> Iterator[Item]:
    """Every lockstep episode of a suite."""
    for part, request in requests(suite, subject).items():
        job = Job(request)
        yield from (Item(part, job, index) for index in range(request.episodes))


def requests(suite: Suite, subject: Subject) -> dict[str, RunRequest]:
    """What each lockstep part of a suite runs, by name.

    Raises:
        ConfigError: the suite asks for what its task does not allow.
    """
    made = {name: _request(part, subject) for name, part in suite.parts.items()}
    if suite.faults is not None:
        common = PartConfig(episodes=suite.faults.episodes, seed=suite.faults.seed)
        made |= {fault_part(name): _broken(name, common, subject) for name in suite.faults.scenarios}
    return made


def fault_part(name: FaultName) -> str:
    """Name of the part that has the episodes with a fault."""
    return f"{FAULT_PART}.{name}"


def load_request(suite: Suite, subject: Subject, done: int) -> RunRequest:
    """The real-time episodes of a suite that has some, without the first `done` of them."""
    assert suite.load is not None
    load = suite.load
    part = PartConfig(episodes=load.episodes - done, seed=load.seed + done)
    return _request(part, subject)


def _request(part: PartConfig, subject: Subject) -> RunRequest:
    nominal = part.world == "nominal"
    return RunRequest(
        arm=subject.arm,
        task=subject.task.nominal() if nominal else subject.task,
        world=subject.world.model_copy(update={"servo_lag": part.servo_lag}),
        controller="mpc",
        episodes=part.episodes,
        seed=part.seed,
        bundle=subject.bundle,
        settings=MpcSettings(planner=planner_settings(subject.task, "mppi")),
        nominal=nominal,
        goal=part.goal,
        disturb=part.disturb,
    )


def _broken(name: FaultName, part: PartConfig, subject: Subject) -> RunRequest:
    request, kind = _request(part, subject), FAULTS[name]
    if kind.recovers:
        return replace(request, fault=name)
    limit = min(request.task.time_limit, WHEN[1] + kind.lasts + AFTERWARDS)
    return replace(request, fault=name, task=request.task.model_copy(update={"time_limit": limit}))


def run_item(item: Item) -> Judged:
    """Run one episode, in whatever process."""
    episode, measured = run_episode(item.job, item.index)
    return judged(item.part, item.job.request, episode, measured)


def judged(part: str, request: RunRequest, episode: EpisodeRun, measured: Measurements) -> Judged:
    """What is kept of an episode: its numbers, why it failed, and what that looked like."""
    why = diagnose(episode.trace, request.task, request.arm.workspace)
    result = episode.result.model_copy(update={"why": why})
    trace = replace(episode.trace, result=result)
    latched = episode.fault is not None and not episode.fault.recovers
    kept = record(part, replace(episode, result=result), measured)
    if result.success or latched or not trace.frames:
        return Judged(kept)
    camera = request.arm.camera
    return Judged(kept, small_strip(trace, camera, STRIP_SIZE, STRIP_QUALITY), film(trace, camera))


def planned(suite: Suite) -> dict[str, int]:
    """Episodes of each part of a suite, in the order in which they are run."""
    counts = {name: part.episodes for name, part in suite.parts.items()}
    if suite.faults is not None:
        counts |= dict.fromkeys(map(fault_part, suite.faults.scenarios), suite.faults.episodes)
    if suite.load is not None:
        counts[LOAD] = suite.load.episodes
    return counts
