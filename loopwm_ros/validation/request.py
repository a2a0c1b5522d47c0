"""What a validation run is asked for, in lockstep and in real time alike."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from loopwm_ros.bullet.disturb import DISTURBANCES
from loopwm_ros.bundle import Bundle
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.config.task import TOOL, Disturb, DisturbanceName
from loopwm_ros.config.world import Engine
from loopwm_ros.control.assembly import MpcSettings
from loopwm_ros.control.goal import GoalSource
from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.suite import FaultName
from loopwm_ros.world_model.base import Clock

GOAL_USERS = ("mpc", "policy")  # controllers that a goal can be given to
ClockName = Literal["wall", "cpu"]
CLOCKS: dict[ClockName, Clock] = {"wall": time.perf_counter, "cpu": time.thread_time}


@dataclass(frozen=True)
class RunRequest:
    """What to run. Episode `i` has the seed `seed + i`."""

    arm: ArmConfig
    task: TaskConfig
    world: WorldConfig
    controller: str
    episodes: int
    seed: int
    bundle: Bundle | None = None
    settings: MpcSettings = field(default_factory=MpcSettings)
    blank_camera: bool = False
    nominal: bool = False  # `task` is the nominal one: for the record
    goal: GoalSource = "seen"
    disturb: Disturb = "none"
    fault: FaultName | None = None  # what breaks in mid-episode, in lockstep
    workers: int = 1  # episodes at once, in lockstep
    engine: Engine = "bullet"  # of the physics
    plan_budget: float | None = None  # of a planning cycle in lockstep [s]; None: as long as it takes
    clock: ClockName = (
        "wall"  # that it is measured on; cpu: time of the planning thread, which others do not use
    )
    validation: Path | None = None  # in real time the arm is armed by it, out of shadow; None: without

    def __post_init__(self) -> None:
        """Raises ConfigError: the options do not go together."""
        if self.goal not in get_args(GoalSource):
            raise ConfigError(f"goal is '{self.goal}'; expected one of {', '.join(get_args(GoalSource))}")
        self._check_budget()
        if self.engine not in get_args(Engine):
            raise ConfigError(f"engine is '{self.engine}'; expected one of {', '.join(get_args(Engine))}")
        if self.engine != "bullet" and self.controller == "simulator":
            raise ConfigError("controller 'simulator' plans in PyBullet's state; leave out --engine")
        if self.goal != "seen" and self.controller not in GOAL_USERS:
            raise ConfigError(f"controller '{self.controller}' takes no goal; leave out --goal {self.goal}")
        if self.goal == "image" and (reason := self.task.no_goal_image):
            raise ConfigError(reason)
        if self.goal != "seen" and self.disturb in self._moving_the_goal:
            raise ConfigError("a goal that is not seen cannot be moved; leave out --goal")

    def _check_budget(self) -> None:
        if self.plan_budget is None:
            return
        if self.controller not in GOAL_USERS:
            raise ConfigError(f"controller '{self.controller}' keeps to no plan_budget; leave it out")
        if not self.plan_budget > 0:
            raise ConfigError(f"plan_budget is {self.plan_budget:g} s; expected more than 0")

    @property
    def _moving_the_goal(self) -> tuple[Disturb, ...]:
        """Disturbances after which the goal is elsewhere."""
        return ("goal_moved", "all") if self.task.moved != TOOL else ("goal_moved", "object_moved", "all")

    @property
    def controller_settings(self) -> MpcSettings:
        """Settings of a controller that knows where its goal comes from."""
        goal = self.settings.goal.model_copy(update={"source": self.goal})
        return self.settings.model_copy(update={"goal": goal})

    def disturbance(self, index: int) -> DisturbanceName | None:
        """What happens in an episode: the same in each, or one after the other of all."""
        if self.disturb == "none":
            return None
        return DISTURBANCES[index % len(DISTURBANCES)] if self.disturb == "all" else self.disturb

    @property
    def hidden(self) -> tuple[str, ...]:
        """Marks that are not shown: a goal that is given is not to be seen as well."""
        is_mark = self.task.objects[self.task.goal].shape == "mark"
        return (self.task.goal,) if is_mark and self.goal != "seen" else ()
