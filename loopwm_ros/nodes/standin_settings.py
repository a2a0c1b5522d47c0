"""Parameters of the standin node, and the cell that they ask for."""

from __future__ import annotations

from pydantic import Field

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import load_world
from loopwm_ros.nodes.sim_settings import SimSettings
from loopwm_ros.standin.cell import MujocoCell
from loopwm_ros.standin.settings import StandinSettings


class StandinParameters(StandinSettings, SimSettings):
    """The simulation's parameters, and in what the stand-in differs."""

    joint_rate: float = Field(125.0, ge=20.0, le=500.0, description="of joint states and commands [Hz]")

    def cell(self) -> tuple[BulletCell, float]:
        """The stand-in, and the period of its steps [s].

        Raises:
            ConfigError: there is no such arm or task, or MuJoCo cannot load the arm.
        """
        arm, task = self.scene()
        world = load_world(task.world).model_copy(update={"servo_rate": self.joint_rate})
        physics = StandinSettings(**self.model_dump(include=set(StandinSettings.model_fields)))
        return MujocoCell(arm, task, world, physics), 1.0 / self.joint_rate
