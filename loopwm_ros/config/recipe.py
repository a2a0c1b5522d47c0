"""A recipe: a whole data set, as parts that differ in behaviour, objects or physics."""

from __future__ import annotations

from pydantic import Field, model_validator

from loopwm_ros.config.base import Positive, Range, Settings
from loopwm_ros.config.files import load_named
from loopwm_ros.config.task import TaskConfig


class RecipePart(Settings):
    """Episodes of one kind; what is not given is as in the task."""

    episodes: int = Field(ge=1)
    seed: int = Field(ge=0, description="no other part's")
    duration: Positive = Field(8.0, description="of an episode [s]")
    behaviours: dict[str, float] = Field(min_length=1, description="share of each")
    without: tuple[str, ...] = Field((), description="objects that are not there")
    friction: Range | None = None
    mass: Range | None = Field(None, description="of everything that can be pushed [kg]")
    max_tool_speed: Positive | None = Field(None, description="[m/s]")
    disturbed: float = Field(0.0, ge=0, le=1, description="share of episodes in which something happens")
    unmarked: float = Field(0.0, ge=0, le=1, description="share of episodes in which marks are not shown")

    def applied(self, task: TaskConfig) -> TaskConfig:
        """The task as this part has it.

        Raises:
            ValueError: an object to be left out is not there, or the task needs it.
        """
        if unknown := set(self.without) - set(task.objects):
            raise ValueError(f"without {', '.join(sorted(unknown))}: valid are {', '.join(task.objects)}")
        objects = {name: thing for name, thing in task.objects.items() if name not in self.without}
        if self.mass is not None:
            objects = {
                name: thing.model_copy(update={"mass": self.mass}) if thing.movable else thing
                for name, thing in objects.items()
            }
        changes = {"objects": objects, "max_tool_speed": self.max_tool_speed or task.max_tool_speed}
        if self.friction is not None:
            changes["randomisation"] = task.randomisation.model_copy(update={"friction": self.friction})
        return TaskConfig.model_validate(task.model_copy(update=changes).model_dump())


class Recipe(Settings):
    """A data set: one task, one arm, and parts by name."""

    task: str
    arm: str
    parts: dict[str, RecipePart] = Field(min_length=1)

    @model_validator(mode="after")
    def _seeds(self) -> Recipe:
        seeds = [part.seed for part in self.parts.values()]
        if twice := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
            raise ValueError(f"seed {', '.join(map(str, twice))} serves two parts; each needs its own")
        return self


def load_recipe(name: str) -> Recipe:
    """Recipe by name, of a file in sim/datasets, or by path."""
    return load_named("datasets", name, Recipe)
