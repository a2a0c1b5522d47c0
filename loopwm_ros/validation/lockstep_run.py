"""A lockstep run: its episodes one after the other in this process, or spread over several."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from loopwm_ros.data.pool import ordered_map
from loopwm_ros.validation.lockstep_episode import LockstepRunner
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.summary import Measurements
from loopwm_ros.validation.trace import EpisodeRun, Progress


def run_lockstep(
    request: RunRequest,
    measured: Measurements,
    on_episode: Callable[[EpisodeRun], None],
    on_progress: Callable[[Progress], None],
) -> None:
    """Run all episodes; each depends on its own number alone, so that their spread changes no result.

    `on_episode` gets each in order when it is over, `on_progress` the running one every half simulated
    second where there is but one.

    Raises:
        LoopWMError: parts of the request are not usable, or do not belong together.
    """
    episodes = _here(request, on_progress) if request.workers == 1 else _spread(request)
    for episode, its_own in episodes:
        measured.merge(its_own)
        on_episode(episode)


def _here(
    request: RunRequest, on_progress: Callable[[Progress], None]
) -> Iterator[tuple[EpisodeRun, Measurements]]:
    with closing(LockstepRunner(request, on_progress)) as runner:
        for index in range(request.episodes):
            yield _measured(runner, index)


def _measured(runner: LockstepRunner, index: int) -> tuple[EpisodeRun, Measurements]:
    measured = Measurements()
    return runner.episode(index, measured), measured


@dataclass(frozen=True)
class Job:
    """A request that is known by a name, so that a worker process builds its runner once."""

    request: RunRequest = field(compare=False)
    name: str = field(default_factory=lambda: secrets.token_hex(8))


def _spread(request: RunRequest) -> Iterator[tuple[EpisodeRun, Measurements]]:
    work = functools.partial(run_episode, Job(request))
    return ordered_map(work, range(request.episodes), request.workers)


def run_episode(job: Job, index: int) -> tuple[EpisodeRun, Measurements]:
    """One episode, in a process that runs others of this job, too."""
    return _measured(_runner(job), index)


_kept: dict[Job, LockstepRunner] = {}  # the last job's: its simulator and sessions take seconds to make


def _runner(job: Job) -> LockstepRunner:
    """The runner of a job, in place of the one of the job before."""
    if job not in _kept:
        while _kept:
            _kept.popitem()[1].close()
        _kept[job] = LockstepRunner(job.request, lambda _: None)
    return _kept[job]
