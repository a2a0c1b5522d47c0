"""What is compared, and in which regimes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from loopwm_ros.config.base import Positive, Settings
from loopwm_ros.control.goal import GoalSource
from loopwm_ros.validation.request import ClockName
from loopwm_ros.world_model.settings import WorldModelSettings

Option = float | int | str | tuple[int, ...]
Some = Annotated[tuple[Positive, ...], Field(min_length=1)]


class Entry(Settings):
    """A model that is compared."""

    bundles: tuple[Path, ...] = Field(
        min_length=1,
        description="folders, one a training seed; episode i is driven by the one at i modulo their number",
    )
    model: WorldModelSettings = WorldModelSettings()
    planner: dict[str, Option] = Field(default={}, description="planner settings of this model alone")


class Regime(Settings):
    """Under which conditions models are compared."""

    task: str
    budget_ms: Positive = Field(description="of a planning cycle, from the encoding of an image to the plan")
    horizon_s: Positive = Field(description="looked ahead")
    tool_speed: Positive | None = Field(
        None, description="fastest that is planned [m/s]; None: the model's own"
    )

    @property
    def setting(self) -> str:
        """All but the budget, in words."""
        speed = "" if self.tool_speed is None else f", up to {self.tool_speed:g} m/s"
        return f"{self.task}, {self.horizon_s:g} s ahead{speed}"

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.setting}, {self.budget_ms:g} ms"


class Sweep(Settings):
    """Every combination of its values is a regime."""

    tasks: tuple[str, ...] = Field(min_length=1)
    budgets_ms: Some
    horizons_s: Some
    tool_speeds: tuple[Positive | None, ...] = (None,)

    def regimes(self) -> Iterator[Regime]:
        """Each of them."""
        for task, horizon, speed, budget in product(
            self.tasks, self.horizons_s, self.tool_speeds, self.budgets_ms
        ):
            yield Regime(task=task, budget_ms=budget, horizon_s=horizon, tool_speed=speed)


class Comparison(Settings):
    """Models by name, regimes, and how many episodes each model drives in each regime."""

    arm: str
    models: dict[str, Entry] = Field(min_length=1)
    sweeps: tuple[Sweep, ...] = Field(min_length=1)
    episodes: int = Field(ge=1)
    seed: int = Field(ge=0, description="of the first episode; each next one adds 1")
    clock: ClockName = Field(
        "cpu", description="of budgets; cpu: time of the planning thread, whatever else runs"
    )
    goal: GoalSource = Field("seen", description="where the controller has it from")
    planner: dict[str, Option] = Field(default={}, description="planner settings of all, besides the task's")
    reference: str = Field("", description="the model that all others are tested against; empty: the first")

    @property
    def regimes(self) -> tuple[Regime, ...]:
        """Those of all sweeps, each once."""
        return tuple(dict.fromkeys(regime for sweep in self.sweeps for regime in sweep.regimes()))

    @property
    def chosen(self) -> str:
        """Name of the reference."""
        return self.reference or next(iter(self.models))

    @property
    def replicates(self) -> int:
        """Most bundles that a model has."""
        return max(len(entry.bundles) for entry in self.models.values())

    @model_validator(mode="after")
    def _one_core(self) -> Comparison:
        for name, entry in self.models.items():
            if (entry.model.threads, entry.model.provider) != (1, "cpu"):
                raise ValueError(f"model '{name}' must run in one thread on the CPU: threads 1, provider cpu")
        return self

    @model_validator(mode="after")
    def _known(self) -> Comparison:
        if self.chosen not in self.models:
            raise ValueError(f"reference is '{self.reference}'; valid: {', '.join(self.models)}")
        return self
