"""A simulated cell: arm, table, ball and camera in PyBullet, stepped at the servo rate."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import pybullet

from loopwm_ros.bullet.camera import render
from loopwm_ros.bullet.randomise import Draw, draw_world
from loopwm_ros.bullet.scene import POSITION_GAIN, VELOCITY_GAIN, Scene, load_scene
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.errors import ConfigError
from loopwm_ros.types import F64, CameraFrame, JointState

MAX_DRAWS = 100


@dataclass(frozen=True)
class Truth:
    """What only labels and scores may use. Base frame, metres."""

    ball: F64  # centre, (3,)
    radius: float
    tool: F64  # (3,)

    @property
    def distance(self) -> float:
        """Tool to the ball's surface [m]; 0 when touching or inside."""
        return max(0.0, float(np.linalg.norm(self.tool - self.ball)) - self.radius)


class BulletCell:
    """`backends.base.Backend` on PyBullet. Deterministic given a seed and the commands."""

    def __init__(self, arm: ArmConfig, task: TaskConfig, world: WorldConfig) -> None:
        self._arm, self._task, self._world = arm, task, world
        self._client = pybullet.connect(pybullet.DIRECT)
        self._substeps = round(world.physics_rate / world.servo_rate)
        self._in_flight: deque[tuple[float, CameraFrame]] = deque()
        self._ticks = 0
        self._frames = 0
        self._start = 0.0
        self._scene: Scene
        self._draw: Draw
        self.reset(0)

    @property
    def now(self) -> float:
        """Simulated time [s]."""
        return self._start + self._ticks / self._world.servo_rate

    @property
    def draw(self) -> Draw:
        """The present episode's world."""
        return self._draw

    def reset(self, seed: int, start: float = 0.0) -> None:
        """New episode at time `start` [s]; starts that are already solved are redrawn.

        Raises:
            ConfigError: the task's ranges hardly ever give an unsolved start.
        """
        rng = np.random.default_rng(seed)
        self._start, self._ticks, self._frames = start, 0, 0
        self._in_flight.clear()
        for _ in range(MAX_DRAWS):
            self._draw = draw_world(rng, self._arm, self._task, self._world)
            self._scene = load_scene(self._client, self._arm, self._world, self._draw)
            if self.truth().distance > self._task.success_distance:
                break
        else:
            raise ConfigError(
                f"task '{self._task.name}': {MAX_DRAWS} starts in a row were solved already; "
                "widen its ranges or lower success_distance"
            )
        self._servo(np.asarray(self._draw.start))
        self._capture()

    def step(self, command: F64 | None) -> None:
        """Advance one servo period; `command` (n,) [rad] is the joint position reference."""
        if command is not None:
            self._servo(command)
        for _ in range(self._substeps):
            pybullet.stepSimulation(physicsClientId=self._client)
        self._ticks += 1
        self._capture()

    def joint_state(self) -> JointState:
        """Measured joints now."""
        states = pybullet.getJointStates(self._scene.arm, self._scene.joints, physicsClientId=self._client)
        values = np.array([s[:2] for s in states])
        return JointState(self.now, values[:, 0].copy(), values[:, 1].copy())

    def new_frame(self) -> CameraFrame | None:
        """The newest frame whose latency has passed, once."""
        frame = None
        while self._in_flight and self._in_flight[0][0] <= self.now + 1e-9:
            frame = self._in_flight.popleft()[1]
        return frame

    def truth(self) -> Truth:
        """Ball and tool now; for labels and scores alone."""
        ball, _ = pybullet.getBasePositionAndOrientation(self._scene.ball, physicsClientId=self._client)
        link = pybullet.getLinkState(
            self._scene.arm, self._scene.tool, computeForwardKinematics=1, physicsClientId=self._client
        )
        return Truth(np.array(ball), self._draw.ball_radius, np.array(link[4]))

    def close(self) -> None:
        """Free the physics client."""
        if pybullet.isConnected(self._client):
            pybullet.disconnect(self._client)

    def _servo(self, reference: F64) -> None:
        count = len(self._scene.joints)
        pybullet.setJointMotorControlArray(
            self._scene.arm,
            self._scene.joints,
            pybullet.POSITION_CONTROL,
            targetPositions=[float(v) for v in reference],
            forces=self._scene.forces,
            positionGains=[POSITION_GAIN] * count,
            velocityGains=[VELOCITY_GAIN] * count,
            physicsClientId=self._client,
        )

    def _capture(self) -> None:
        """Render a frame when one is due; it arrives after the camera's latency."""
        camera = self._draw.camera
        if (self.now - self._start) * camera.rate + 1e-9 < self._frames:
            return
        self._frames += 1
        rgb = render(self._client, camera, self._draw.light, self._draw.light_direction)
        self._in_flight.append((self.now + camera.latency, CameraFrame(self.now, rgb)))
