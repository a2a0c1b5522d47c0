"""The stand-in arm: the cell of the simulation, moved by MuJoCo and seen through sensors of its own."""

from __future__ import annotations

import math

import numpy as np
import pybullet

from loopwm_ros.bullet.cell import BulletCell, Contact
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.standin.arm_spec import arm_spec
from loopwm_ros.standin.plant import Plant
from loopwm_ros.standin.sensors import Sensors, Stream
from loopwm_ros.standin.settings import StandinSettings
from loopwm_ros.standin.surroundings import cell_model
from loopwm_ros.standin.transport import Transport
from loopwm_ros.types import F64, U8, JointState


class MujocoCell(BulletCell):
    """`BulletCell` with another engine: PyBullet draws the scene and takes the pictures, and moves nothing.

    Episodes of one seed are the same in both: places, sizes, friction, looks. What the settings add to them
    is drawn from the seed, too. Deterministic given seed, start and commands.
    """

    def __init__(
        self, arm: ArmConfig, task: TaskConfig, world: WorldConfig, settings: StandinSettings | None = None
    ) -> None:
        """Raises ConfigError: MuJoCo cannot load the arm."""
        self._settings = settings or StandinSettings()
        self._spec = arm_spec(arm, self._settings)
        self._plant: Plant
        self._sensors: Sensors
        self._transport: Transport
        steps = math.ceil(self._settings.physics_rate / world.servo_rate)
        super().__init__(arm, task, world.model_copy(update={"physics_rate": steps * world.servo_rate}))

    def joint_state(self) -> JointState:
        """Measured joints now."""
        return JointState(self.now, *self._sensors.joints(self._steps, *self._plant.joints()))

    def place(self, name: str, x: float, y: float, yaw: float) -> None:
        """Put an object elsewhere on the table, at rest; a mark that is not shown stays so."""
        super().place(name, x, y, yaw)
        self._plant.put(name, self._draw.things[name].at(x, y, yaw))

    def contact(self) -> Contact:
        """What the arm presses on now; for scores alone."""
        return Contact(*self._plant.forces())

    def _begin(self, seed: int) -> None:
        settings = self._settings
        rng = np.random.default_rng((seed, Stream.PLANT))
        model = cell_model(self._spec, self._world, self._draw, settings, rng)
        self._plant = Plant(self._arm, model, self._draw, settings)
        self._sensors = Sensors(settings, seed)
        self._transport = Transport(
            settings.command_delay, settings.command_jitter, np.random.default_rng((seed, Stream.COMMAND))
        )

    def _servo(self, reference: F64) -> None:
        self._transport.send(self._elapsed, reference)

    def _advance(self) -> None:
        for _ in range(self._substeps):
            if (command := self._transport.arrived(self._elapsed)) is not None:
                self._plant.command(command)
            self._plant.step()
            self._steps += 1
            if self._due:
                self._show()
                self._capture()
        self._show()

    def _show(self) -> None:
        """Bring PyBullet's scene to where everything is."""
        position, velocity = self._plant.joints()
        for joint, at, speed in zip(self._scene.joints, position, velocity, strict=True):
            pybullet.resetJointState(self._scene.arm, joint, at, speed, physicsClientId=self._client)
        for name, (point, (w, x, y, z)) in self._plant.things().items():
            pybullet.resetBasePositionAndOrientation(
                self._scene.things[name], point.tolist(), [x, y, z, w], physicsClientId=self._client
            )
        self._hold_cover()

    def _render(self) -> U8:
        return self._sensors.picture(self._steps, super()._render())

    def _latency(self) -> float:
        return super()._latency() + self._sensors.frame_delay(self._steps)
