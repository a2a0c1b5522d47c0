"""Runs a validation suite to its end, from wherever it was ended before."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path

from rich.console import Console

from loopwm_ros.cli.validate_table import Parts
from loopwm_ros.training.revision import git_revision
from loopwm_ros.validation import journal as journals
from loopwm_ros.validation.burners import burning, cores
from loopwm_ros.validation.certificate import FILE, Certificate, settings_sha256, write_certificate
from loopwm_ros.validation.executors import Executor
from loopwm_ros.validation.failures import film_path, strip_path
from loopwm_ros.validation.pooling import gap_limits, part_results, sort_episodes
from loopwm_ros.validation.suite import LOAD, LoadConfig, Suite
from loopwm_ros.validation.suite_run import Judged, Subject, items, judged, load_request, planned, run_item
from loopwm_ros.validation.summary import Measurements
from loopwm_ros.validation.trace import EpisodeRun
from loopwm_ros.validation.validation_report import write_validation_report
from loopwm_ros.validation.verdict import checks
from loopwm_ros.validation.versions import versions

REPORT, FILMS, LOGS = "validation.html", "films", "log"


@dataclass(frozen=True)
class ValidateJob:
    """One suite, one bundle, one arm."""

    suite: Suite
    subject: Subject
    arm: str  # by name or path, for the nodes
    out: Path
    console: Console

    @property
    def result(self) -> Path:
        """The certificate."""
        return self.out / FILE

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.out / REPORT

    @cached_property
    def _journal(self) -> journals.Journal:
        identity = self.subject.identity(self.suite, git_revision())
        return journals.Journal(self.out / journals.FILE, identity)

    @cached_property
    def _bars(self) -> Parts:
        return Parts(self.console, planned(self.suite))

    def run(self, executor: Executor, key: Path | None) -> Certificate:
        """Run what is left of the suite; write certificate and report. `key` signs the former.

        Raises:
            LoopWMError: parts do not belong together, or `out` holds another validation.
        """
        for made in self._journal.records:
            self._bars.finished(made.part, made.result.success)
        try:
            with self._bars.shown():
                self._finish(executor)
        except KeyboardInterrupt:
            self._bars.say("ended; the same command goes on from here")
            raise
        return self._written(key)

    def _finish(self, executor: Executor) -> None:
        """Run what is left."""
        done = {name: self._journal.done(name) for name in planned(self.suite)}
        left = [item for item in items(self.suite, self.subject) if item.index not in done[item.part]]
        for episode in executor(run_item, left):
            self._keep(episode)
        if self.suite.load is not None:
            self._under_load(self.suite.load, len(done[LOAD]))

    def _keep(self, episode: Judged) -> None:
        made = episode.record
        for where, picture in ((strip_path, episode.strip), (film_path, episode.film)):
            if picture is not None:
                path = where(self.out / FILMS, made.part, made.result.seed)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(picture)
        self._journal.add(made)
        self._bars.finished(made.part, made.result.success)

    def _under_load(self, load: LoadConfig, done: int) -> None:
        """The episodes in real time, `done` of which are over, while other processes take the processor."""
        if done == load.episodes:
            return
        from loopwm_ros.nodes.supervisor import RealtimeRequest, run_realtime

        request = load_request(self.suite, self.subject, done)
        logs = self.out / LOGS
        shutil.rmtree(logs, ignore_errors=True)  # of a start that was ended
        burners = load.burners * cores()
        self._bars.say(f"real time over ROS 2, against {burners} busy processes of niceness {load.nice}")
        measured, before = Measurements(), Measurements()

        def finished(episode: EpisodeRun) -> None:
            own = Measurements(
                simulated=measured.simulated - before.simulated, wall=measured.wall - before.wall
            )
            before.add_time(own.simulated, own.wall)
            index = episode.result.index + done
            result = episode.result.model_copy(update={"index": index})
            self._keep(judged(LOAD, request, EpisodeRun(result, episode.trace), own))

        with burning(burners, load.nice):
            run_realtime(
                RealtimeRequest(request, self.arm, self.suite.task), logs, measured, finished, lambda _: None
            )

    def _written(self, key: Path | None) -> Certificate:
        certificate = self._certificate()
        write_certificate(self.result, certificate, key)
        write_validation_report(self.report, certificate, self.suite, self._journal.records, self.out / FILMS)
        return certificate

    def _certificate(self) -> Certificate:
        subject, suite = self.subject, self.suite
        identity = subject.identity(suite, git_revision())
        period = subject.bundle.manifest.spec.model_period
        episodes = sort_episodes(suite, self._journal.records)
        found = checks(suite, episodes, period)
        return Certificate(
            bundle=subject.bundle.manifest.name,
            bundle_sha256=identity.bundle_sha256,
            arm=subject.arm.name,
            arm_sha256=identity.arm_sha256,
            task=subject.task.name,
            task_sha256=identity.task_sha256,
            suite=suite.name,
            suite_sha256=settings_sha256(suite),
            control_rate=subject.world.control_rate,
            passed=all(check.passed for check in found),
            checks=found,
            parts=part_results(episodes, planned(suite), subject.task.precise_distance is not None),
            gaps=gap_limits(suite, episodes, period),
            versions=versions(),
            git_revision=identity.git_revision,
            created=datetime.now(timezone.utc),
        )
