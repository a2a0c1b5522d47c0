"""The cell as a run wants it: marks not shown, and something going wrong in mid-episode."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.disturb import HIDDEN_FOR, Disturbance
from loopwm_ros.config import TaskConfig
from loopwm_ros.config.task import DisturbanceName
from loopwm_ros.types import F64, CameraFrame, JointState

WHEN = (0.5, 2.5)  # a disturbance happens, after the start of an episode: before it is usually over [s]
STREAM = 1  # of an episode's random numbers: those of stream 0 drew the episode


def drawn(name: DisturbanceName, seed: int) -> Disturbance:
    """The disturbance of the episode of this seed."""
    rng = np.random.default_rng((seed, STREAM))
    return Disturbance(name, float(rng.uniform(*WHEN)), rng)


def settling(name: str) -> float:
    """How long a disturbance of this name lasts [s]."""
    return HIDDEN_FOR if name == "object_hidden" else 0.0


def settled(disturbance: Disturbance | None) -> float:
    """When it is over, after the start of an episode [s]; 0 without one."""
    return 0.0 if disturbance is None else disturbance.at + settling(disturbance.name)


class Stage:
    """A `Backend` around the cell."""

    def __init__(self, cell: BulletCell, task: TaskConfig, hidden: Collection[str]) -> None:
        """`hidden`: marks not shown."""
        self._cell, self._task, self._hidden = cell, task, hidden
        self._start = 0.0
        self._next: DisturbanceName | None = None
        self.disturbance: Disturbance | None = None

    def expect(self, disturbance: DisturbanceName | None) -> None:
        """This happens in the next episode."""
        self._next = disturbance

    @property
    def now(self) -> float:
        """Simulated time [s]."""
        return self._cell.now

    @property
    def settled(self) -> float:
        """After this time of an episode [s] no disturbance lies ahead; 0 without one."""
        return settled(self.disturbance)

    def reset(self, seed: int) -> None:
        """New episode; its disturbance depends on the seed alone."""
        self._cell.reset(seed, hidden=self._hidden)
        self._start = self._cell.now
        self.disturbance = self._next and drawn(self._next, seed)

    def step(self, command: F64 | None) -> None:
        """Advance one servo period."""
        if self.disturbance is not None:
            self.disturbance.update(self._cell, self._task, self.now - self._start)
        self._cell.step(command)

    def joint_state(self) -> JointState:
        """Measured joints now."""
        return self._cell.joint_state()

    def new_frame(self) -> CameraFrame | None:
        """The newest frame whose latency has passed, once."""
        return self._cell.new_frame()
