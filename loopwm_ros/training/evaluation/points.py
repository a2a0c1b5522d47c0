"""What a model's quantities stand for: the tool, objects that can be pushed, and how these are turned."""

from __future__ import annotations

from dataclasses import dataclass

from loopwm_ros.config import TaskConfig
from loopwm_ros.data.recorder import TURN
from loopwm_ros.data.samples import TOOL
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.evaluate import points

Columns = dict[str, list[int]]


@dataclass(frozen=True)
class Points:
    """Columns of the quantities, by what they belong to. Those that no loss is put on are left out."""

    tool: list[int]
    objects: Columns  # positions of what can be pushed
    turns: Columns  # by object: the vector that says how it is turned
    predicted: tuple[int, ...]  # every column whose future is learned


def points_of(spec: ModelSpec, task: TaskConfig, unpredicted: tuple[str, ...]) -> Points:
    """Sort the quantities of a model of `task`."""
    columns = {name: at for name, at in points(spec.quantities).items() if name not in unpredicted}
    movable = [name for name, settings in task.objects.items() if settings.movable]
    return Points(
        tool=columns.get(TOOL, []),
        objects={name: columns[name] for name in movable if name in columns},
        turns={name: columns[name + TURN] for name in movable if name + TURN in columns},
        predicted=tuple(sorted(column for at in columns.values() for column in at)),
    )
