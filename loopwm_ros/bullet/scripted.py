"""Controllers that know the truth: the ceiling that a controller which only sees can be held against."""

from __future__ import annotations

import numpy as np

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import TaskConfig
from loopwm_ros.config.task import TOOL
from loopwm_ros.control.baselines import ScriptedController, ToolVelocityController
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.pushing import PushingController, PushSettings
from loopwm_ros.control.tool_motion import ToolMotion
from loopwm_ros.types import F64


def scripted_controller(
    kinematics: Kinematics, motion: ToolMotion, task: TaskConfig, cell: BulletCell
) -> ToolVelocityController:
    """Brings the tool, or pushes the object, straight to where the goal truly is."""
    offset = np.asarray(task.goal_offset)
    if task.moved == TOOL:
        return ScriptedController(
            kinematics, motion, lambda: cell.truth().points[task.goal] + offset, task.max_tool_speed
        )

    def places() -> tuple[F64, F64]:
        points = cell.truth().points
        return points[task.moved], points[task.goal] + offset

    return PushingController(kinematics, motion, places, PushSettings(speed=task.max_tool_speed))
