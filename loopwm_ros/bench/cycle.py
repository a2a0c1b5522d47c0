"""Control cycles to time: each setting has a controller of its own, and all of them see the same clip."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from loopwm_ros.bench.clip import Clip
from loopwm_ros.bench.jobs import Job
from loopwm_ros.bundle import Bundle
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.control.assembly import MpcSettings, build_mpc
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.receding_horizon import PlanReport
from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.statistics import loops_used

LEAD = 5  # plans before the first that is timed


@dataclass(frozen=True)
class Rig:
    """What controllers are built of."""

    bundle: Bundle
    arm: ArmConfig
    task: TaskConfig
    world: WorldConfig
    kinematics: Kinematics


class Cycle:
    """One setting's controller, fed from a clip: `feed` goes on to where a plan is due, `plan` makes it."""

    def __init__(self, rig: Rig, settings: MpcSettings, clip: Clip) -> None:
        """Sessions are opened and warmed up here.

        Raises:
            LoopWMError: bundle, arm, task and settings do not go together.
        """
        self.settings = settings
        self._due = False
        self._clip, self._at, self._now = clip, 0, 0.0
        self.rows: Counter[str] = Counter()  # that each graph ran in the plans that count
        self.loops = np.zeros(rig.bundle.manifest.spec.max_loops + 1, dtype=np.int64)  # of their searches
        self._report: PlanReport | None = None
        self._before: dict[str, int] = {}
        spec, period = rig.bundle.manifest.spec, 1.0 / rig.world.control_rate
        mpc = build_mpc(rig.bundle, rig.arm, rig.task, rig.kinematics, period, settings)
        self.model = mpc.model
        self._slot = spec.commands_per_action(period)  # control periods
        self._controller = mpc.controller(self._take)
        self._begin()

    def job(self, name: str) -> Job:
        """To be timed: one plan a sample."""
        return Job(name, self.plan, self.feed, self.count)

    def feed(self) -> None:
        """Tell the controller what is seen until its next plan is due; at the clip's end, start anew."""
        while not self._due:
            self._see()
            if not self._due:
                self._controller.tick(self._now)
        self._before, self._report = self.model.rows_run(), None

    def plan(self) -> None:
        """Make the plan that is due."""
        self._controller.tick(self._now)

    def count(self) -> None:
        """Note what that plan took.

        Raises:
            ConfigError: nothing was searched, for the model saw no goal.
        """
        self._due = False
        if self._report is None or self._report.plan is None:
            raise ConfigError(
                "the model sees no goal in the recorded pictures, so there is nothing to plan for: is the "
                "bundle one of this arm and task?"
            )
        self.loops += self._report.plan.loops
        self.rows.update({name: ran - self._before[name] for name, ran in self.model.rows_run().items()})

    def forget(self) -> None:
        """Count anew."""
        self.rows.clear()
        self.loops[:] = 0

    @property
    def loops_used(self) -> float:
        """Mean of a transition in the searches that count."""
        return loops_used(self.loops).mean or 0.0

    def _take(self, report: PlanReport) -> None:
        self._report = report

    def _see(self) -> None:
        """One control period's events."""
        if self._at >= len(self._clip.periods):
            self._begin()
        self._now, events = self._clip.periods[self._at]
        self._due = self._at % self._slot == 0
        self._at += 1
        for event in events:
            event(self._controller)

    def _begin(self) -> None:
        """The clip's first plans are made off the clock: the goal is yet to be seen."""
        self._at = 0
        self._controller.reset(self._clip.seed, self._clip.periods[0][0], self._clip.joints)
        for _ in range(LEAD * self._slot):
            self._see()
            self._controller.tick(self._now)
        self._due = False
