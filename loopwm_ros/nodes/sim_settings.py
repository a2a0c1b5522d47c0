"""Parameters of the sim node, and the cell that they ask for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import ArmConfig, Settings, TaskConfig, load_arm, load_task, load_world, usual_arm
from loopwm_ros.config.task import Disturb
from loopwm_ros.control.goal import GoalSource
from loopwm_ros.nodes import params
from loopwm_ros.nodes.scheduling import Priority


class SimSettings(Settings):
    """Parameters of the simulation."""

    arm: str = Field("", description="arm, by name or path of a YAML file; empty: the usual one of the task")
    task: str = Field("reach", description="task, by name or path of a YAML file")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="of the first episode; each next one adds 1")
    world: Literal["randomised", "nominal"] = Field(
        "randomised", description="draw the world's appearance and physics, or take the middle of each range"
    )
    goal_source: GoalSource = Field(
        "seen", description="as the mpc node's: what is not seen is given on its topics, its mark not shown"
    )
    disturbance: Disturb = Field("none", description="what goes wrong in each episode; all: in turn")
    disturbance_at: float = Field(
        0.0, ge=0.0, le=60.0, description="after the first command [s]; 0: drawn from 0.5 to 2.5"
    )
    camera_width: int = Field(0, ge=0, le=1920, description="[px]; 0: as the arm file says")
    camera_height: int = Field(0, ge=0, le=1080, description="[px]; 0: as the arm file says")
    blank_camera: bool = Field(False, description="publish black images", json_schema_extra=params.LIVE)
    realtime_priority: Priority = 0
    score_path: str = Field("", description="JSON-lines file for scores by truth; empty: none")

    def scene(self) -> tuple[ArmConfig, TaskConfig]:
        """Arm and task that the parameters name.

        Raises:
            ConfigError: there is no such arm or task.
        """
        task = load_task(self.task)
        arm = _sized(load_arm(self.arm or usual_arm(task.name)), self.camera_width, self.camera_height)
        return arm, task.nominal() if self.world == "nominal" else task

    def cell(self) -> tuple[BulletCell, float]:
        """The cell, and the period of its steps [s].

        Raises:
            ConfigError: there is no such arm or task.
        """
        arm, task = self.scene()
        world = load_world(task.world)
        return BulletCell(arm, task, world), 1.0 / world.servo_rate


def _sized(arm: ArmConfig, width: int, height: int) -> ArmConfig:
    """The arm with a camera of another resolution and the same view."""
    camera = arm.camera
    x, y = (width or camera.width) / camera.width, (height or camera.height) / camera.height
    changes = {"fx": camera.fx * x, "cx": camera.cx * x, "fy": camera.fy * y, "cy": camera.cy * y}
    size = {"width": round(camera.width * x), "height": round(camera.height * y)}
    return arm.model_copy(update={"camera": camera.model_copy(update={**changes, **size})})
