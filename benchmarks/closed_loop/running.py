"""Runs the episodes of a comparison, the models in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmarks.closed_loop.conditions import Conditions, Harness
from benchmarks.closed_loop.rows import EpisodeRow, Machine, row
from benchmarks.closed_loop.settings import Comparison, Regime
from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.diagnosis import diagnose
from loopwm_ros.validation.journal import Lines, read_lines
from loopwm_ros.validation.lockstep_episode import LockstepRunner
from loopwm_ros.validation.summary import Measurements

PATTERN = "episodes*.jsonl"
Key = tuple[str, int]  # hash of the conditions, episode


@dataclass(frozen=True)
class Part:
    """Every `of`-th episode, so that several processes share the work, each on a core of its own."""

    number: int = 1  # from 1
    of: int = 1

    @property
    def file(self) -> str:
        """Name of its file."""
        return "episodes.jsonl" if self.of == 1 else f"episodes-{self.number}-of-{self.of}.jsonl"


def read_rows(out: Path, machine: Machine) -> list[EpisodeRow]:
    """All episodes in a folder.

    Raises:
        ConfigError: a file is damaged, or of another machine.
    """
    files = sorted(out.glob(PATTERN))
    return [made for path in files for made in read_lines(path, machine, EpisodeRow) or []]


@dataclass
class Runner:
    """Runs what is not yet in the folder `out`, and adds it there."""

    comparison: Comparison
    harness: Harness
    machine: Machine
    revision: str
    out: Path

    def run(self, part: Part, on_row: Callable[[EpisodeRow], None]) -> None:
        """Run one part; `on_row` gets each episode when it is over.

        Raises:
            LoopWMError: parts of the comparison do not belong together, or the folder has other results.
        """
        self._check()
        rows = read_rows(self.out, self.machine)
        if others := {made.git_revision for made in rows} - {self.revision}:
            raise ConfigError(
                f"{self.out} has episodes of revision {', '.join(sorted(others))}, this is {self.revision}: "
                "go on with that one, or give another --out"
            )
        done = {(made.conditions_sha256, made.result.index) for made in rows}
        kept = Lines(self.out / part.file, self.machine, EpisodeRow)
        for regime in self.comparison.regimes:
            for replicate in range(self.comparison.replicates):
                for made in self._interleaved(regime, replicate, part, done):
                    kept.add(made)
                    on_row(made)

    def _check(self) -> None:
        """Refuse at once what would be refused hours later."""
        for regime, model in product(self.comparison.regimes, self.comparison.models):
            for replicate in range(self.comparison.replicates):
                self.harness.conditions(regime, model, replicate)

    def _interleaved(
        self, regime: Regime, replicate: int, part: Part, done: set[Key]
    ) -> Iterator[EpisodeRow]:
        """The episodes of one bundle of each model, episode by episode; each time another model begins."""
        every = range(replicate, self.comparison.episodes, self.comparison.replicates)
        with ExitStack() as stack:
            drivers = [
                Driver(regime, model, self.harness.conditions(regime, model, replicate), stack)
                for model in self.comparison.models
            ]
            for index in every[part.number - 1 :: part.of]:
                first = index % len(drivers)
                for driver in drivers[first:] + drivers[:first]:
                    if (driver.conditions.sha256, index) not in done:
                        yield driver.episode(index, self.revision)


class Driver:
    """A model in a regime; its simulator and sessions are made when its first episode is due."""

    def __init__(self, regime: Regime, model: str, conditions: Conditions, stack: ExitStack) -> None:
        """All is closed with `stack`."""
        self._regime, self._model, self.conditions = regime, model, conditions
        self._stack = stack
        self._runner: LockstepRunner | None = None

    def episode(self, index: int, revision: str) -> EpisodeRow:
        """Drive one episode."""
        request = self.conditions.request
        if self._runner is None:
            self._runner = LockstepRunner(request, lambda _: None)
            self._stack.callback(self._runner.close)
        measured = Measurements()
        episode = self._runner.episode(index, measured)
        why = diagnose(episode.trace, request.task, request.arm.workspace)
        result = episode.result.model_copy(update={"why": why})
        return row(self._regime.name, self._model, self.conditions.sha256, result, measured, revision)
