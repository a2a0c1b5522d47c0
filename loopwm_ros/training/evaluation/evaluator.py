"""The whole evaluation: every group of runs on every part of the test data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from loopwm_ros.training.evaluation import loops
from loopwm_ros.training.evaluation.joints import JointReadout, fit_joint_readout
from loopwm_ros.training.evaluation.prediction import HORIZONS, prediction_values, still_values, summarise
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe, probe
from loopwm_ros.training.evaluation.recordings import Recordings
from loopwm_ros.training.evaluation.results import Errors, Evaluation, Group, Looping, Part, Run
from loopwm_ros.training.evaluation.rollouts import Rule
from loopwm_ros.training.evaluation.subjects import Subject, grouped
from loopwm_ros.training.evaluation.tokens import Tokens, encoder_sha256

LOOP_WINDOWS = 300  # of each part, at most, that every exit test is tried on
Say = Callable[[str], None]


@dataclass
class Evaluator:
    """Evaluates runs, and keeps what they share: windows, tokens, the joints' read-out."""

    recordings: Recordings
    data: Sequence[Path]  # folders of test recordings, each a part by its name
    readout: Sequence[Path]  # training recordings that the joints' read-out is fitted on; none: no joints
    windows: int  # of each part, at most
    say: Say
    _tokens: Tokens = field(default_factory=Tokens)
    _joints: dict[str, JointReadout] = field(default_factory=dict)

    def run(self, subjects: Sequence[Subject]) -> Evaluation:
        """Evaluate everything.

        Raises:
            ConfigError: a part has no episode that is long enough.
            MismatchError: runs cannot be compared with each other, or not with the recordings.
        """
        first = subjects[0]
        return Evaluation(
            created=datetime.now(timezone.utc),
            task=first.settings.task,
            period_s=first.spec.model_period,
            context=CONTEXT,
            parts=tuple(self._part(root, first) for root in self.data),
            groups=tuple(self._group(label, members) for label, members in grouped(subjects).items()),
        )

    def _part(self, root: Path, subject: Subject) -> Part:
        data = self.recordings.of(root, subject.settings)
        windows = self._probe(root, subject, max(HORIZONS), self.windows)
        return Part(
            name=root.name,
            data_sha256=data.data_sha256,
            episodes=data.episodes,
            windows=len(windows),
            still=summarise(windows, [still_values(subject, windows)]),
        )

    def _group(self, label: str, members: Sequence[Subject]) -> Group:
        first = members[0]
        return Group(
            label=label,
            runs=tuple(_run(subject) for subject in members),
            chunk=first.spec.chunk,
            mean_loops=first.spec.mean_loops,
            max_loops=first.spec.max_loops,
            prediction={root.name: self._prediction(label, root, members) for root in self.data},
            looping={root.name: self._looping(label, root, members) for root in self.data if first.looped},
        )

    def _looping(self, label: str, root: Path, members: Sequence[Subject]) -> Looping:
        self.say(f"{label}: iterations on {root.name}")
        windows = self._probe(root, members[0], max(loops.HORIZONS), LOOP_WINDOWS)
        seen = [
            self._tokens.of(
                s.model, self.recordings.of(root, s.settings), s.spec, windows.frames[:, :CONTEXT]
            )
            for s in members
        ]
        return loops.looping(members, windows, seen)

    def _prediction(self, label: str, root: Path, members: Sequence[Subject]) -> Errors:
        self.say(f"{label}: predicting {root.name}")
        seeds, windows = [], self._probe(root, members[0], max(HORIZONS), self.windows)
        for subject in members:
            data, joints = self.recordings.of(root, subject.settings), self._readout(subject)
            rule = Rule(subject.spec.mean_loops)
            seeds.append(prediction_values(subject, data, windows, self._tokens, joints, rule))
        return summarise(windows, seeds)

    def _probe(self, root: Path, subject: Subject, horizon: int, most: int) -> Probe:
        data = self.recordings.of(root, subject.settings)
        return probe(root.name, data, subject.spec, horizon, min(most, self.windows))

    def _readout(self, subject: Subject) -> JointReadout | None:
        key = encoder_sha256(subject.model)
        if self.readout and key not in self._joints:
            data = [self.recordings.of(root, subject.settings) for root in self.readout]
            self._joints[key] = fit_joint_readout(subject.model, data, subject.spec)
        return self._joints.get(key)


def _run(subject: Subject) -> Run:
    return Run(
        folder=subject.folder.name,
        seed=subject.settings.seed,
        git_revision=subject.git_revision,
        data_sha256=subject.data_sha256,
        encoder_sha256=encoder_sha256(subject.model),
    )
