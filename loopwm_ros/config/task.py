"""A task's file: what lies on the table, what is to be brought where, what the planner minimises."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from loopwm_ros.config.base import Positive, Range, Settings, Vec3

TOOL = "tool"  # the point that each arm has
DisturbanceName = Literal["object_moved", "goal_moved", "camera_nudged", "object_hidden"]
Disturb = Literal["none", "object_moved", "goal_moved", "camera_nudged", "object_hidden", "all"]
MAX_OBJECTS = 64  # the simulator is handed each one


class ObjectConfig(Settings):
    """Something on the table. Ranges are drawn uniformly, once per episode."""

    shape: Literal["sphere", "box", "mark"] = Field(description="a mark is flat and cannot be touched")
    size: Range = Field(description="radius of a sphere, edge of a box or a mark [m]")
    x: Range = Field(description="of its centre, base frame [m]")
    y: Range
    yaw: Range = Field((0.0, 0.0), description="[rad]")
    hue: Range = Field(description="HSV hue, 0 to 1; may exceed 1 to wrap")
    mass: Range = Field((0.0, 0.0), description="[kg]; 0: it does not move")
    stiffness: float = Field(
        0.0, ge=0.0, description="of its surface in PyBullet, as of foam [N/m]; 0: it is hard"
    )

    @property
    def movable(self) -> bool:
        """Can it be pushed, in each episode?"""
        return self.shape != "mark" and self.mass[0] > 0

    def nominal(self) -> ObjectConfig:
        """The same object with its appearance and mass at the middle of their ranges."""
        return self.model_copy(update={key: _middle(getattr(self, key)) for key in ("size", "hue", "mass")})


class PlaneConfig(Settings):
    """The tool stays at one height; actions have no z."""

    height: float = Field(description="of the tool point above the base frame [m]")
    x: Range = Field(description="where the tool starts, base frame [m]")
    y: Range


class Randomisation(Settings):
    """Uniform ranges, drawn once per episode. A range of equal ends switches one off."""

    friction: Range = Field(description="lateral friction of objects and table")
    start_joint_offset: Range = Field((0.0, 0.0), description="added to each home joint [rad]")
    light: Range = Field(description="ambient share of the light")
    light_x: Range = Field(description="direction towards the light, base frame; any length")
    light_y: Range
    light_z: Range
    table_value: Range = Field(description="table brightness, 0 to 1")
    camera_shift: Range = Field(description="added to each camera coordinate [m]")
    camera_turn: Range = Field(description="added to each look-at coordinate [m]")
    camera_latency: Range = Field(description="added to the camera's latency [s]")

    def nominal(self) -> Randomisation:
        """Everything but the arm's start at the middle of its range."""
        fixed = set(type(self).model_fields) - {"start_joint_offset"}
        return self.model_copy(update={key: _middle(getattr(self, key)) for key in fixed})


class LookConfig(Settings):
    """Where the tool goes while a goal that is to be seen is not: out of the camera's view of the table."""

    points: tuple[tuple[float, float], ...] = Field(
        min_length=1, description="x and y, base frame [m]; the nearest first, then the others"
    )
    after: float = Field(1.0, ge=0, description="without a goal [s]")
    speed: Positive = Field(0.1, description="at most [m/s]")


class CostTerm(Settings):
    """One weighted term of the objective; `name` selects it, `options` are its own."""

    name: str
    weight: float = Field(ge=0)
    options: dict[str, float] = Field(default={}, description="as the term names them")


class TaskConfig(Settings):
    """A task: what is randomised, what success means, what the planner minimises."""

    name: str
    world: str = Field(description="name of a file in sim/worlds")
    objects: dict[str, ObjectConfig] = Field(min_length=1, max_length=MAX_OBJECTS, description="by name")
    quantities: tuple[str, ...] = Field(description="read-outs of the model, e.g. tool_x")
    moved: str = Field(TOOL, description="what is brought to the goal: tool, or an object")
    goal: str = Field(description="the object that marks the goal")
    goal_offset: Vec3 = Field((0.0, 0.0, 0.0), description="where to bring it, from the goal's reading [m]")
    plane: PlaneConfig | None = Field(None, description="for tasks at one height")
    clearance: float = Field(0.0, ge=0, description="least distance of tool and objects at the start [m]")
    look: LookConfig | None = Field(None, description="what to do while the goal is not seen; none: hold")
    success_distance: Positive = Field(
        description="moved object to goal, or tool to the goal's surface, for a success [m]"
    )
    precise_distance: Positive | None = Field(
        None, description="closer still; where given, an episode goes on until this is held too [m]"
    )
    success_hold: Positive = Field(description="[s]")
    time_limit: Positive = Field(description="[s]")
    max_tool_speed: Positive = Field(description="an action of 1.0 [m/s]")
    max_tool_acceleration: Positive = Field(2.0, description="[m/s^2]")
    randomisation: Randomisation
    objective: tuple[CostTerm, ...]
    planner: dict[str, float | int | str | tuple[int, ...]] = Field(
        default={}, description="planner settings that the task needs, e.g. horizon"
    )

    @property
    def action_dim(self) -> int:
        """Components of an action: x, y, and z where the tool is free to leave a plane."""
        return 3 if self.plane is None else 2

    @property
    def others(self) -> tuple[str, ...]:
        """What can be moved, and is not what is brought to the goal."""
        return tuple(name for name, thing in self.objects.items() if thing.movable and name != self.moved)

    @property
    def no_goal_image(self) -> str:
        """Why the simulated camera cannot show the goal in an image; empty where it can."""
        if self.moved == TOOL:
            return f"task '{self.name}' moves no object that a goal image could show"
        if self.objects[self.goal].shape != "mark":
            return (
                f"task '{self.name}' has a solid goal, '{self.goal}': '{self.moved}' cannot be shown in its "
                "place; a goal image needs a goal of shape mark"
            )
        return ""

    def nominal(self) -> TaskConfig:
        """The same task in one fixed world: only places and starts are drawn."""
        objects = {name: thing.nominal() for name, thing in self.objects.items()}
        return self.model_copy(update={"objects": objects, "randomisation": self.randomisation.nominal()})

    @model_serializer(mode="wrap")
    def _said(self, usual: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `look` where it is not used: certificates hold the hashes of tasks from before it was."""
        values: dict[str, Any] = usual(self)
        return values if self.look else {key: value for key, value in values.items() if key != "look"}

    @model_validator(mode="after")
    def _names(self) -> TaskConfig:
        valid = ", ".join(self.objects)
        if TOOL in self.objects:
            raise ValueError(f"no object may be named '{TOOL}'")
        if self.goal not in self.objects:
            raise ValueError(f"goal '{self.goal}' is no object; valid: {valid}")
        if self.moved not in (TOOL, *self.objects) or self.moved == self.goal:
            raise ValueError(f"moved is '{self.moved}'; valid: {TOOL}, or an object other than the goal")
        if self.moved != TOOL and not self.objects[self.moved].movable:
            raise ValueError(f"moved is '{self.moved}', which stays where it is: a mark, or without mass")
        points = (f"{name}_{axis}" for name in dict.fromkeys((TOOL, self.moved, self.goal)) for axis in "xyz")
        if missing := [name for name in points if name not in self.quantities]:
            raise ValueError(f"quantities lack {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _distances(self) -> TaskConfig:
        if self.precise_distance is not None and not self.precise_distance < self.success_distance:
            raise ValueError(
                f"precise_distance {self.precise_distance} must be below success_distance "
                f"{self.success_distance}"
            )
        return self


def _middle(limits: Range) -> Range:
    centre = 0.5 * (limits[0] + limits[1])
    return centre, centre
