"""From a comparison's settings to what the harness runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.closed_loop.settings import Comparison, Entry, Regime
from loopwm_ros.bundle import Bundle, load_bundle
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig, load_arm, load_task, load_world
from loopwm_ros.config.base import validated
from loopwm_ros.control.assembly import MpcSettings
from loopwm_ros.control.prediction_gap import GapSettings
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.validation.certificate import arm_sha256, settings_sha256
from loopwm_ros.validation.request import RunRequest

ROUNDING = 1e-6  # of a horizon's steps


@dataclass(frozen=True)
class Conditions:
    """What one bundle runs in one regime, and the hash that tells it from anything else."""

    request: RunRequest
    sha256: str


class Harness:
    """Loads what a comparison names, each thing once."""

    def __init__(self, path: Path, comparison: Comparison) -> None:
        """`path` is the file that the comparison stands in.

        Raises:
            LoopWMError: something that it names is not there, or damaged.
        """
        self._path, self._comparison = path, comparison
        self._arm: ArmConfig = load_arm(comparison.arm)
        self._arm_sha256 = arm_sha256(self._arm)
        self._bundles: dict[Path, Bundle] = {
            folder: load_bundle(folder) for entry in comparison.models.values() for folder in entry.bundles
        }
        tasks = {regime.task: load_task(regime.task) for regime in comparison.regimes}
        self._tasks: dict[str, tuple[TaskConfig, WorldConfig]] = {
            name: (task, load_world(task.world)) for name, task in tasks.items()
        }

    def bundles(self, model: str) -> list[str]:
        """SHA-256 of a model's bundles."""
        return [self._bundles[folder].sha256 for folder in self._comparison.models[model].bundles]

    def task(self, name: str) -> TaskConfig:
        """One of the comparison's tasks."""
        return self._tasks[name][0]

    def conditions(self, regime: Regime, model: str, replicate: int) -> Conditions:
        """What a model's bundle runs in a regime.

        Raises:
            ConfigError: planner settings do not validate, or the horizon is no whole number of steps.
        """
        comparison, entry = self._comparison, self._comparison.models[model]
        bundle = self._bundles[entry.bundles[replicate % len(entry.bundles)]]
        task, world = self._tasks[regime.task]
        settings = MpcSettings(
            model=entry.model,
            planner=self._planner(regime, entry, task, bundle.manifest.spec),
            gap=GapSettings(steps=0),  # hindsight would take its share of the budget
        )
        request = RunRequest(
            arm=self._arm,
            task=task,
            world=world,
            controller="mpc",
            episodes=comparison.episodes,
            seed=comparison.seed,
            bundle=bundle,
            settings=settings,
            goal=comparison.goal,
            plan_budget=regime.budget_ms / 1e3,
            clock=comparison.clock,
        )
        parts = (*map(settings_sha256, (task, world, settings, regime)), self._arm_sha256, bundle.sha256)
        text = "\n".join((*parts, comparison.clock, comparison.goal, str(comparison.seed)))
        return Conditions(request, hashlib.sha256(text.encode()).hexdigest())

    def _planner(self, regime: Regime, entry: Entry, task: TaskConfig, spec: ModelSpec) -> PlannerSettings:
        steps = regime.horizon_s / spec.model_period
        if abs(steps - round(steps)) > ROUNDING * steps or round(steps) < 1:
            raise ConfigError(
                f"{self._path}: a horizon of {regime.horizon_s:g} s is no whole number of the model's "
                f"periods of {spec.model_period:g} s"
            )
        chosen: dict[str, Any] = {**task.planner, **self._comparison.planner, "horizon": round(steps)}
        settings = validated({**chosen, **entry.planner}, self._path, PlannerSettings)
        if regime.tool_speed is None:
            return settings
        faster = regime.tool_speed / spec.max_tool_speed
        scaled = {name: getattr(settings, name) * faster for name in ("noise", "proposed_noise")}
        return settings.model_copy(update={"bound": faster, **scaled})
