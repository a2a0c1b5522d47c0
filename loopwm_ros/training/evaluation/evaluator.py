"""The whole evaluation: every group of runs on every part of the test data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from loopwm_ros.errors import ConfigError, ExportError
from loopwm_ros.training.evaluation import gain, loops, stability
from loopwm_ros.training.evaluation.flops import flops, parameters
from loopwm_ros.training.evaluation.kept import Kept, group_key
from loopwm_ros.training.evaluation.material import Material
from loopwm_ros.training.evaluation.prediction import HORIZONS, prediction_values, still_values, summarise
from loopwm_ros.training.evaluation.probe import CONTEXT
from loopwm_ros.training.evaluation.results import (
    Costs,
    Errors,
    Evaluation,
    Gain,
    Group,
    Looping,
    Part,
    Run,
    Stability,
    Timing,
    TransitionErrors,
)
from loopwm_ros.training.evaluation.rollouts import Rule
from loopwm_ros.training.evaluation.subjects import Subject, grouped
from loopwm_ros.training.evaluation.timing import timings
from loopwm_ros.training.evaluation.transition_errors import transition_errors

SECTIONS = ("prediction", "loops", "costs", "stability", "gain")
FEW = 300  # windows of each part, at most, that every exit test is tried on


@dataclass(frozen=True)
class Evaluator:
    """Evaluates runs on parts of the test data."""

    material: Material
    data: Sequence[Path]  # folders of test recordings, each a part by its name
    long: Sequence[Path]  # the same with episodes of more than 1,000 steps
    sections: Sequence[str]  # of SECTIONS
    windows: int  # of each part, at most
    say: Callable[[str], None]
    kept: Kept | None = None  # where finished groups are

    def run(self, subjects: Sequence[Subject]) -> Evaluation:
        """Evaluate everything.

        Raises:
            BagError: a folder has no recordings that can be used.
            ConfigError: a part has no episode that is long enough, or two have one name.
            MismatchError: runs cannot be compared with each other, or not with the recordings.
        """
        first = subjects[0]
        for roots in (self.data, self.long):
            names = [root.name for root in roots]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ConfigError(f"two folders are named {', '.join(twice)}; a part's name is its folder's")
        return Evaluation(
            created=datetime.now(timezone.utc),
            task=first.settings.task,
            period_s=first.spec.model_period,
            context=CONTEXT,
            parts=tuple(self._part(root, first) for root in self.data),
            groups=tuple(self._group(label, members) for label, members in grouped(subjects).items()),
        )

    def _part(self, root: Path, subject: Subject) -> Part:
        data = self.material.recordings(root, subject)
        windows = self.material.probe(root, subject, max(HORIZONS), self.windows)
        return Part(
            name=root.name,
            data_sha256=data.data_sha256,
            episodes=data.episodes,
            windows=len(windows),
            still=summarise(windows, [still_values(subject, windows)]),
        )

    def _group(self, label: str, members: Sequence[Subject]) -> Group:
        """Evaluate a group, or take what was kept of it."""
        if self.kept is None:
            return self._evaluate(label, members)
        roots = (*self.data, *self.long, *self.material.readout)
        data = [f"{root.name} {self.material.recordings(root, members[0]).data_sha256}" for root in roots]
        key = group_key(label, members, [*data, *self.sections, str(self.windows)])
        if (found := self.kept.get(key)) is None:
            found = self._evaluate(label, members)
            self.kept.put(key, found)
        return found

    def _evaluate(self, label: str, members: Sequence[Subject]) -> Group:
        first, chosen = members[0], self.sections
        parts = {section: self.data if section in chosen else () for section in SECTIONS}
        long = self.long if "stability" in chosen else ()
        looped = parts["loops"] if first.looped else ()
        self.say(label)
        return Group(
            label=label,
            runs=tuple(_run(subject) for subject in members),
            chunk=first.spec.chunk,
            mean_loops=first.spec.mean_loops,
            max_loops=first.spec.max_loops,
            iterate=first.spec.iterate,
            prediction={root.name: self._prediction(root, members) for root in parts["prediction"]},
            looping={root.name: self._looping(root, members) for root in looped},
            transition={root.name: self._transition(root, members) for root in parts["loops"]},
            costs=self._costs(first) if "costs" in chosen else None,
            stability={root.name: self._stability(root, members) for root in long},
            gain={root.name: tuple(self._gain(root, one) for one in members) for root in parts["gain"]},
        )

    def _prediction(self, root: Path, members: Sequence[Subject]) -> Errors:
        self.say(f"  errors on {root.name}")
        windows = self.material.probe(root, members[0], max(HORIZONS), self.windows)
        rule = Rule(members[0].spec.mean_loops)
        return summarise(
            windows,
            [prediction_values(subject, self.material, root, windows, rule) for subject in members],
        )

    def _looping(self, root: Path, members: Sequence[Subject]) -> Looping:
        self.say(f"  iterations on {root.name}")
        windows = self.material.probe(root, members[0], max(loops.HORIZONS), min(FEW, self.windows))
        return loops.looping(
            members, windows, [self.material.seen(root, subject, windows) for subject in members]
        )

    def _transition(self, root: Path, members: Sequence[Subject]) -> tuple[TransitionErrors, ...]:
        chunk = members[0].spec.chunk
        windows = self.material.probe(root, members[0], chunk, self.windows, least=chunk)
        seen = [self.material.seen(root, subject, windows) for subject in members]
        return transition_errors(members, windows, seen)

    def _costs(self, subject: Subject) -> Costs:
        self.say("  costs")
        return Costs(
            parameters=parameters(subject), flops=flops(subject), timings=self._timings(self.data[0], subject)
        )

    def _timings(self, root: Path, subject: Subject) -> tuple[Timing, ...]:
        windows = self.material.probe(root, subject, max(HORIZONS), min(FEW, self.windows))
        try:
            return timings(subject, windows, self.material.seen(root, subject, windows))
        except ExportError as error:
            self.say(f"  {subject.folder}: no wall time: {error}")
            return ()

    def _stability(self, root: Path, members: Sequence[Subject]) -> Stability:
        self.say(f"  {stability.HORIZON} steps on {root.name}")
        horizon = stability.HORIZON
        windows = self.material.probe(root, members[0], horizon, self.windows, least=horizon)
        return stability.stability(
            members, windows, [self.material.seen(root, subject, windows) for subject in members]
        )

    def _gain(self, root: Path, subject: Subject) -> Gain:
        self.say(f"  gain on {root.name}")
        windows = self.material.probe(root, subject, max(HORIZONS), gain.STATES)
        return gain.gain(subject, windows, self.material.seen(root, subject, windows))


def _run(subject: Subject) -> Run:
    return Run(
        folder="/".join(subject.folder.resolve().parts[-2:]),
        seed=subject.settings.seed,
        git_revision=subject.git_revision,
        data_sha256=subject.data_sha256,
        encoder_sha256=subject.encoder_sha256,
    )
