"""One draw of everything that a task randomises."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from loopwm_ros.config import ArmConfig, CameraConfig, ObjectConfig, Range, TaskConfig, WorldConfig
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.types import F64

MARK_THICKNESS = 1e-3  # [m]


@dataclass(frozen=True)
class Thing:
    """One object of one episode."""

    config: ObjectConfig
    size: float
    position: tuple[float, float, float]  # centre, base frame [m]
    yaw: float  # [rad]
    hue: float
    mass: float

    @property
    def reach(self) -> float:
        """How far it reaches from its centre along the table [m]; 0 if it is flat."""
        return self.size * {"sphere": 1.0, "box": math.sqrt(0.5), "mark": 0.0}[self.config.shape]

    def at(self, x: float, y: float, yaw: float) -> Thing:
        """The same object elsewhere on the table."""
        return replace(self, position=(x, y, self.position[2]), yaw=yaw)


@dataclass(frozen=True)
class Draw:
    """The world of one episode."""

    things: dict[str, Thing]
    friction: float
    start: tuple[float, ...]  # joints [rad]
    light: float
    light_direction: tuple[float, float, float]
    table_value: float
    camera: CameraConfig


class Randomiser:
    """Draws episodes from the ranges of a task."""

    def __init__(self, arm: ArmConfig, task: TaskConfig, world: WorldConfig) -> None:
        self._arm, self._task, self._world = arm, task, world
        self._kinematics = Kinematics(arm)

    def draw(self, rng: np.random.Generator) -> Draw:
        """One episode; objects may overlap, see `clear`."""
        ranges = self._task.randomisation

        def shifted(point: tuple[float, float, float], limits: Range) -> tuple[float, float, float]:
            x, y, z = (p + _one(rng, limits) for p in point)
            return x, y, z

        camera = self._arm.camera
        return Draw(
            things={name: self._thing(rng, config) for name, config in self._task.objects.items()},
            friction=_one(rng, ranges.friction),
            start=self._start(rng),
            light=_one(rng, ranges.light),
            light_direction=(
                _one(rng, ranges.light_x),
                _one(rng, ranges.light_y),
                _one(rng, ranges.light_z),
            ),
            table_value=_one(rng, ranges.table_value),
            camera=camera.model_copy(
                update={
                    "position": shifted(camera.position, ranges.camera_shift),
                    "look_at": shifted(camera.look_at, ranges.camera_turn),
                    "latency": camera.latency + _one(rng, ranges.camera_latency),
                }
            ),
        )

    def clear(self, draw: Draw) -> bool:
        """Whether tool and objects keep the task's clearance, and solid ones do not overlap."""
        tool = self._kinematics.tool_position(np.asarray(draw.start))[:2]
        places = [(tool, 0.0), *((np.asarray(t.position[:2]), t.reach) for t in draw.things.values())]
        return all(
            float(np.linalg.norm(a - b)) >= max(self._task.clearance, r + s if r and s else 0.0)
            for (a, r), (b, s) in combinations(places, 2)
        )

    def _thing(self, rng: np.random.Generator, config: ObjectConfig) -> Thing:
        size = _one(rng, config.size)
        half = {"sphere": size, "box": size / 2, "mark": MARK_THICKNESS / 2}[config.shape]
        position = _one(rng, config.x), _one(rng, config.y), self._world.table_high[2] + half
        hue, mass = _one(rng, config.hue), _one(rng, config.mass)
        yaw = 0.0 if config.shape == "sphere" else _one(rng, config.yaw)
        return Thing(config, size, position, yaw, hue, mass)

    def _start(self, rng: np.random.Generator) -> tuple[float, ...]:
        offset = self._task.randomisation.start_joint_offset
        joints: F64 = np.array([home + _one(rng, offset) for home in self._arm.home])
        plane = self._task.plane
        if plane is not None:
            goal = np.array([_one(rng, plane.x), _one(rng, plane.y), plane.height])
            joints = self._kinematics.reach(joints, goal)
        return tuple(joints.tolist())


def _one(rng: np.random.Generator, limits: Range) -> float:
    return float(rng.uniform(*limits))
