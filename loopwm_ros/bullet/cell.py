"""A simulated cell: arm, table, objects and camera in PyBullet, stepped at the servo rate."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pybullet

from loopwm_ros.bullet.camera import render
from loopwm_ros.bullet.randomise import Draw, Randomiser, Thing
from loopwm_ros.bullet.scene import POSITION_GAIN, VELOCITY_GAIN, Scene, hold_cover, load_cover, load_scene
from loopwm_ros.config import ArmConfig, CameraConfig, TaskConfig, WorldConfig
from loopwm_ros.config.task import TOOL
from loopwm_ros.errors import ConfigError
from loopwm_ros.types import F64, U8, CameraFrame, JointState, Observation

MAX_DRAWS = 100
HIDDEN_DEPTH = -1.0  # where what is not shown lies [m]


@dataclass(frozen=True)
class Truth:
    """What only labels and scores may use. Base frame, metres and radians."""

    points: dict[str, F64]  # centre of each object, (3,)
    yaw: dict[str, float]  # about the vertical
    tool: F64  # (3,)
    distance: float  # by which the task is judged; 0 when the tool touches its goal or is inside


@dataclass(frozen=True)
class Contact:
    """Sums of normal forces on the arm's moving links, and what it holds, in the last physics step [N]."""

    things: float  # from objects
    table: float


class BulletCell:
    """`backends.base.Backend` on PyBullet. Deterministic given a seed and the commands."""

    def __init__(self, arm: ArmConfig, task: TaskConfig, world: WorldConfig) -> None:
        self._task, self._world = task, world
        self._randomiser = Randomiser(arm, task, world)
        self._arm = arm
        self._client: int = pybullet.connect(pybullet.DIRECT)
        self._substeps = round(world.physics_rate / world.servo_rate)
        lag = world.servo_lag * world.servo_rate  # [servo periods]
        self._lag_share = 1.0 - math.exp(-1.0 / lag) if lag else 1.0
        self._target = self._reference = np.zeros(len(arm.joints))
        self._in_flight: deque[tuple[float, CameraFrame]] = deque()
        self._steps = 0  # of physics
        self._frames = 0
        self._start = 0.0
        self._scene: Scene
        self._draw: Draw
        self._marks: dict[str, Thing] = {}  # where each belongs, shown or not
        self._hidden: frozenset[str] = frozenset()
        self._cover: tuple[str, int] | None = None  # what is covered, and by which body
        self._camera = arm.camera
        self.reset(0)

    @property
    def now(self) -> float:
        """Simulated time [s]."""
        return self._start + self._elapsed

    @property
    def draw(self) -> Draw:
        """The present episode's world, as it was at its start."""
        return self._draw

    @property
    def client(self) -> int:
        """The physics client."""
        return self._client

    @property
    def camera(self) -> CameraConfig:
        """The camera as it now stands."""
        return self._camera

    def reset(self, seed: int, start: float = 0.0, hidden: Collection[str] = ()) -> None:
        """New episode at time `start` [s]; starts that are already solved are redrawn.

        `hidden` names marks that are not shown; their place is drawn all the same.

        Raises:
            ConfigError: the task's ranges hardly ever give an unsolved start.
        """
        rng = np.random.default_rng(seed)
        self._start, self._steps, self._frames = start, 0, 0
        self._in_flight.clear()
        self._cover = None  # went with the scene
        for _ in range(MAX_DRAWS):
            self._draw = self._randomiser.draw(rng)
            if not self._randomiser.clear(self._draw):
                continue
            self._scene = load_scene(self._client, self._arm, self._world, self._draw)
            self._marks = {n: t for n, t in self._draw.things.items() if t.config.shape == "mark"}
            if self.truth().distance > self._task.success_distance:
                break
        else:
            raise ConfigError(
                f"task '{self._task.name}': {MAX_DRAWS} starts in a row were solved already or too close; "
                "widen its ranges, or lower success_distance or clearance"
            )
        self._hidden = frozenset(hidden)
        for name in hidden:
            self._teleport(name, np.array([*self._marks[name].position[:2], HIDDEN_DEPTH]), 0.0)
        self._camera = self._draw.camera
        self._target = self._reference = np.asarray(self._draw.start, dtype=float)
        self._begin(seed)
        self._capture()

    def step(self, command: F64 | None) -> None:
        """Advance one servo period; `command` (n,) [rad] is the joint position reference."""
        if command is not None:
            self._target = command
        if self._lag_share < 1.0:
            self._reference = self._reference + self._lag_share * (self._target - self._reference)
            self._servo(self._reference)
        elif command is not None:
            self._servo(command)
        self._advance()
        self._hold_cover()
        self._capture()

    def shift(self, seconds: float) -> None:
        """Time goes on, or back, while all stands still."""
        self._start += seconds

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
        """Objects and tool now; for labels and scores alone."""
        points, yaw = {}, {}
        for name in self._scene.things:
            points[name], yaw[name] = self._pose(name)
        link = pybullet.getLinkState(
            self._scene.arm, self._scene.tool, computeForwardKinematics=1, physicsClientId=self._client
        )
        tool = np.array(link[4])
        return Truth(points, yaw, tool, self._distance(points, tool))

    def contact(self) -> Contact:
        """What the arm presses on now; for scores alone."""
        things = sum(self._force(body) for body in self._scene.things.values())
        return Contact(things, self._force(self._scene.table))

    def _force(self, body: int) -> float:
        """Sum of normal forces between the arm's moving links and a body [N]."""
        points = pybullet.getContactPoints(self._scene.arm, body, physicsClientId=self._client)
        return float(sum(point[9] for point in points if point[3] in self._scene.moving))

    def place(self, name: str, x: float, y: float, yaw: float) -> None:
        """Put an object elsewhere on the table, at rest; a mark that is not shown stays so."""
        thing = self._draw.things[name].at(x, y, yaw)
        if name in self._marks:
            self._marks[name] = thing
        if name not in self._hidden:
            self._teleport(name, np.array(thing.position), yaw)

    def cover(self, name: str) -> None:
        """Hold something in front of an object, wherever it goes, so that the camera does not see it."""
        self.uncover()
        self._cover = name, load_cover(self._client)
        self._hold_cover()

    def uncover(self) -> None:
        """Take the cover away, if there is one."""
        if self._cover is not None:
            pybullet.removeBody(self._cover[1], physicsClientId=self._client)
            self._cover = None

    def _hold_cover(self) -> None:
        if self._cover is not None:
            name, cover = self._cover
            hold_cover(self._client, cover, self._pose(name)[0], np.asarray(self._camera.position))

    def turn_camera(self, camera: CameraConfig) -> None:
        """The camera is another one from the next frame on."""
        self._camera = camera

    def goal_observation(self) -> Observation:
        """What the camera would see with the moved object at its goal; the episode goes on as if not."""
        moved, goal = self._task.moved, self._marks[self._task.goal]
        before = pybullet.saveState(physicsClientId=self._client)
        self._teleport(moved, np.array([*goal.position[:2], self._pose(moved)[0][2]]), goal.yaw)
        rgb = self._render()
        pybullet.restoreState(before, physicsClientId=self._client)  # to the last bit, contacts included
        pybullet.removeState(before, physicsClientId=self._client)
        return Observation(self.now, rgb, self.joint_state())

    def close(self) -> None:
        """Free the physics client."""
        if pybullet.isConnected(self._client):
            pybullet.disconnect(self._client)

    @property
    def _elapsed(self) -> float:
        """Since the episode's start [s]."""
        return self._steps / self._world.physics_rate

    @property
    def _due(self) -> bool:
        """Whether it is time for the next frame."""
        return self._elapsed * self._camera.rate + 1e-9 >= self._frames

    def _begin(self, seed: int) -> None:  # noqa: ARG002  (for engines that draw something of their own)
        """The scene is loaded; physics takes over."""
        self._servo(np.asarray(self._draw.start))

    def _advance(self) -> None:
        """One servo period of physics."""
        for _ in range(self._substeps):
            pybullet.stepSimulation(physicsClientId=self._client)
        self._steps += self._substeps

    def _distance(self, points: dict[str, F64], tool: F64) -> float:
        """Tool to the goal's surface, or moved object to goal along the table [m]."""
        task = self._task
        goal = points[task.goal]
        if task.moved != TOOL:
            return float(np.linalg.norm((points[task.moved] - goal)[:2]))
        thing = self._draw.things[task.goal]
        radius = thing.size if thing.config.shape == "sphere" else 0.0
        return max(0.0, float(np.linalg.norm(tool - goal)) - radius)

    def _pose(self, name: str) -> tuple[F64, float]:
        """Centre (3,) [m] and yaw [rad]; of a mark, also of one that is not shown, where it belongs."""
        if name in self._marks:
            return np.array(self._marks[name].position), self._marks[name].yaw
        position, orientation = pybullet.getBasePositionAndOrientation(
            self._scene.things[name], physicsClientId=self._client
        )
        return np.array(position), float(pybullet.getEulerFromQuaternion(orientation)[2])

    def _teleport(self, name: str, position: F64, yaw: float) -> None:
        pybullet.resetBasePositionAndOrientation(
            self._scene.things[name],
            position.tolist(),
            pybullet.getQuaternionFromEuler([0.0, 0.0, yaw]),
            physicsClientId=self._client,
        )

    def _servo(self, reference: F64) -> None:
        scene = self._scene
        for joint, target, force, speed in zip(
            scene.joints, reference, scene.forces, scene.speeds, strict=True
        ):
            pybullet.setJointMotorControl2(
                scene.arm,
                joint,
                pybullet.POSITION_CONTROL,
                targetPosition=float(target),
                force=force,
                positionGain=POSITION_GAIN,
                velocityGain=VELOCITY_GAIN,
                maxVelocity=speed,
                physicsClientId=self._client,
            )

    def _render(self) -> U8:
        return render(self._client, self._camera, self._draw.light, self._draw.light_direction)

    def _capture(self) -> None:
        """Render a frame when one is due; it arrives after the camera's latency."""
        if not self._due:
            return
        self._frames += 1
        self._in_flight.append((self.now + self._latency(), CameraFrame(self.now, self._render())))

    def _latency(self) -> float:
        """Of the frame that is being captured [s]."""
        return self._camera.latency
