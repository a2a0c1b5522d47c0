"""The cells that an episode can take place in, by the physics engine that moves them."""

from __future__ import annotations

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.config.world import Engine
from loopwm_ros.standin.cell import MujocoCell

CELLS: dict[Engine, type[BulletCell]] = {"bullet": BulletCell, "mujoco": MujocoCell}


def make_cell(engine: Engine, arm: ArmConfig, task: TaskConfig, world: WorldConfig) -> BulletCell:
    """The simulation that models learn in, or the stand-in for a physical arm.

    Raises:
        ConfigError: the engine cannot load the arm, or the task's ranges hardly ever give an unsolved start.
    """
    return CELLS[engine](arm, task, world)
