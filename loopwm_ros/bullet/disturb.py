"""What may go wrong in the middle of an episode: things moved by hand, a nudged camera, a hidden object."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import CameraConfig, TaskConfig
from loopwm_ros.config.task import TOOL, DisturbanceName
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.types import F64

DISTURBANCES: tuple[DisturbanceName, ...] = get_args(DisturbanceName)
MOVE = (0.05, 0.12)  # how far a hand moves things [m]
NUDGE = math.radians(2.0)  # turn of a camera that someone runs into [rad]
HIDDEN_FOR = 1.0  # [s]
MAX_DRAWS = 100


class Disturbance:
    """Happens once in an episode, at a time of its own."""

    def __init__(self, name: DisturbanceName, at: float, rng: np.random.Generator) -> None:
        """`at`: seconds after the start of the episode."""
        self.name, self.at = name, at
        self._rng = rng
        self._done = self._covering = False

    def update(self, cell: BulletCell, task: TaskConfig, elapsed: float) -> None:
        """Call once a servo period, `elapsed` [s] after the start."""
        if not self._done and elapsed >= self.at:
            self._done = True
            self._happen(cell, task)
        if self._covering and elapsed >= self.at + HIDDEN_FOR:
            cell.uncover()
            self._covering = False

    def _happen(self, cell: BulletCell, task: TaskConfig) -> None:
        thing = task.goal if task.moved == TOOL else task.moved
        if self.name == "camera_nudged":
            cell.turn_camera(_turned(cell.camera, self._rng))
        elif self.name == "object_hidden":
            cell.cover(thing)
            self._covering = True
        else:
            moved = thing if self.name == "object_moved" else task.goal
            x, y = _elsewhere(cell, task, moved, self._rng)
            cell.place(moved, x, y, cell.truth().yaw[moved])


def _elsewhere(
    cell: BulletCell, task: TaskConfig, name: str, rng: np.random.Generator
) -> tuple[float, float]:
    """A place within `MOVE` of the present one, within the task's ranges, clear of tool and the rest.

    The present place where there is none such.
    """
    truth, ranges = cell.truth(), task.objects[name]
    here = truth.points[name][:2]
    others: list[F64] = [truth.tool[:2], *(p[:2] for n, p in truth.points.items() if n != name)]
    for _ in range(MAX_DRAWS):
        angle, distance = rng.uniform(-math.pi, math.pi), rng.uniform(*MOVE)
        place = here + distance * np.array([math.cos(angle), math.sin(angle)])
        inside = ranges.x[0] <= place[0] <= ranges.x[1] and ranges.y[0] <= place[1] <= ranges.y[1]
        if inside and all(float(np.linalg.norm(place - other)) >= task.clearance for other in others):
            return float(place[0]), float(place[1])
    return float(here[0]), float(here[1])


def _turned(camera: CameraConfig, rng: np.random.Generator) -> CameraConfig:
    """The camera looking `NUDGE` past its point, in a direction drawn across its view."""
    pose = camera_pose(camera)
    angle = rng.uniform(-math.pi, math.pi)
    across = math.cos(angle) * pose[:3, 0] + math.sin(angle) * pose[:3, 1]
    reach = float(np.linalg.norm(np.subtract(camera.look_at, camera.position)))
    x, y, z = (np.asarray(camera.look_at) + reach * math.tan(NUDGE) * across).tolist()
    return camera.model_copy(update={"look_at": (x, y, z)})
