"""One draw of everything that a task randomises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loopwm_ros.config import ArmConfig, CameraConfig, Range, TaskConfig, WorldConfig


@dataclass(frozen=True)
class Draw:
    """The world of one episode."""

    ball: tuple[float, float, float]  # centre, base frame [m]
    ball_radius: float
    ball_hue: float
    ball_mass: float
    friction: float
    start: tuple[float, ...]  # joints [rad]
    light: float
    light_direction: tuple[float, float, float]
    table_value: float
    camera: CameraConfig


def draw_world(rng: np.random.Generator, arm: ArmConfig, task: TaskConfig, world: WorldConfig) -> Draw:
    """Draw one episode from the task's ranges."""
    ranges = task.randomisation

    def one(limits: Range) -> float:
        return float(rng.uniform(*limits))

    def shifted(point: tuple[float, float, float], limits: Range) -> tuple[float, float, float]:
        x, y, z = (p + one(limits) for p in point)
        return x, y, z

    radius = one(ranges.ball_radius)
    camera = world.camera
    return Draw(
        ball=(one(ranges.ball_x), one(ranges.ball_y), world.table_high[2] + radius),
        ball_radius=radius,
        ball_hue=one(ranges.ball_hue),
        ball_mass=one(ranges.ball_mass),
        friction=one(ranges.friction),
        start=tuple(h + one(ranges.start_joint_offset) for h in arm.home),
        light=one(ranges.light),
        light_direction=(one(ranges.light_x), one(ranges.light_y), one(ranges.light_z)),
        table_value=one(ranges.table_value),
        camera=camera.model_copy(
            update={
                "position": shifted(camera.position, ranges.camera_shift),
                "look_at": shifted(camera.look_at, ranges.camera_turn),
                "latency": camera.latency + one(ranges.camera_latency),
            }
        ),
    )
