"""A validation suite's file: what is run, and what it must reach."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from loopwm_ros.config.base import Positive, Settings
from loopwm_ros.config.files import load_named
from loopwm_ros.config.task import Disturb
from loopwm_ros.control.goal import GoalSource

LOAD, FAULTS = "load", "faults"  # parts that every suite may have under these names
FaultName = Literal[
    "camera_stops", "camera_freezes", "camera_black", "joints_stop", "joints_nan", "joints_jump",
    "plans_stop", "plans_nan", "commands_lost",
]  # fmt: skip

Share = Annotated[float, Field(ge=0, le=1)]
Limit = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class RequiredShare(Settings):
    """Share of episodes that must go well."""

    at_least: Share
    of: Literal["rate", "wilson_low"] = Field(
        "rate", description="the measured rate itself, or the lower end of its 95 % interval"
    )


class PartConfig(Settings):
    """Lockstep episodes of one kind."""

    episodes: int = Field(ge=1)
    seed: Seed = Field(description="of the first episode; each next one adds 1")
    world: Literal["nominal", "randomised"] = "randomised"
    goal: GoalSource = "seen"
    disturb: Disturb = Field("none", description="what goes wrong in mid-episode; all: in turn")
    servo_lag: float = Field(0.0, ge=0.0, le=0.5, description="of the simulated joints, as an arm's [s]")
    success: RequiredShare | None = None
    precise: RequiredShare | None = Field(None, description="for tasks with a precise distance")


class MotionConfig(Settings):
    """How far the simulated arm itself, not its reference, may go."""

    position: Limit = Field(description="beyond the joint limits [rad]")
    velocity: Limit = Field(description="times the velocity limit")
    acceleration: Limit = Field(description="times the acceleration limit, over 50 ms")
    workspace: Limit = Field(description="the tool beyond the workspace [m]")


class FaultsConfig(Settings):
    """Lockstep episodes in which a part breaks for a while."""

    scenarios: tuple[FaultName, ...] = Field(min_length=1)
    episodes: int = Field(ge=1, description="of each scenario")
    seed: Seed
    motion: MotionConfig
    stop_s: Positive = Field(description="longest time to rest, where the arm must stop [s]")
    recovered: RequiredShare = Field(
        description="of the episodes whose fault ends by itself: solved after it"
    )


class LoadConfig(Settings):
    """Episodes in real time over ROS 2, with processes that compete for every core."""

    episodes: int = Field(ge=1)
    seed: Seed
    burners: int = Field(1, ge=0, description="busy processes per core")
    nice: int = Field(0, ge=0, le=19, description="their niceness; 0: as important as the nodes")
    deadline_misses: Share = Field(description="share of control periods, at most")
    real_time_factor: Share | None = Field(None, description="simulated over wall time, at least")
    success: RequiredShare | None = None


class GapsConfig(Settings):
    """How far reality may be from what the model imagines under the actions really sent."""

    margin: float = Field(1.5, ge=1, description="the monitor's limit is this times the p99 seen here")
    limits: dict[str, dict[Annotated[int, Field(ge=1)], Positive]] = Field(
        description="by point and transitions ahead: p99 at most [m]; of joints [rad]"
    )


class InterventionsConfig(Settings):
    """Share of servo periods in which the safety gate did not just let the plan pass, at most."""

    any: Share | None = None
    by_reason: dict[str, Share] = Field(default={}, description="as /diagnostics names the reasons")


class ForceConfig(Settings):
    """Contact force over the servo periods with contact, at most [N]."""

    p50: Limit | None = None
    p99: Limit | None = None
    max: Limit | None = None


class ForcesConfig(Settings):
    """Contact of the moving arm, with what it holds, as the simulator computes it."""

    things: ForceConfig = Field(ForceConfig(), description="with objects")
    table: ForceConfig = ForceConfig()


class Suite(Settings):
    """What is run, and what it must reach."""

    name: str
    task: str = Field(description="task, by name or path")
    parts: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], PartConfig] = Field(min_length=1)
    faults: FaultsConfig | None = None
    load: LoadConfig | None = None
    gaps: GapsConfig
    interventions: InterventionsConfig = InterventionsConfig()
    forces: ForcesConfig = ForcesConfig()
    motion: MotionConfig

    @model_validator(mode="after")
    def _names(self) -> Suite:
        if taken := {LOAD, FAULTS} & set(self.parts):
            raise ValueError(f"a part may not be named '{taken.pop()}': it has a section of its own")
        if all(part.disturb != "none" for part in self.parts.values()):
            raise ValueError("prediction gaps need a part that is not disturbed")
        return self


def load_suite(name: str) -> Suite:
    """Suite by name, of a file in sim/suites, or by path.

    Raises:
        ConfigError: there is no such file, or it does not validate.
    """
    return load_named("suites", name, Suite)
