"""Many copies of one scene side by side: a rod in a plane and an object on a table, all stepped together."""

from __future__ import annotations

import numpy as np
import pybullet

from loopwm_ros.bullet.randomise import Thing
from loopwm_ros.bullet.scene import load_thing
from loopwm_ros.config import RodConfig
from loopwm_ros.types import F64

SPACING = 2.0  # of neighbours, along y [m]
TABLE_HALF_WIDTH, TABLE_HALF_THICKNESS = 2.0, 0.05  # [m]
GRAVITY = 9.81  # [m/s^2]
UPRIGHT = (0.0, 0.0, 0.0, 1.0)
# A state: positions of tool and object, the object's orientation (x y z w), velocity and spin.
TOOL, THING, TURN, VELOCITY, SPIN = slice(0, 3), slice(3, 6), slice(6, 10), slice(10, 13), slice(13, 16)
STATE = 16


class PushCopies:
    """A physics client of its own with `count` copies of what is pushed and of what pushes it.

    The rod is moved, not servoed: it goes where it is told, whatever it meets. States (..., 16) are in
    the base frame, in metres and seconds.
    """

    def __init__(self, count: int, rod: RodConfig, period: float) -> None:
        """`period` is the physics step [s]."""
        self._count, self._rod, self._period = count, rod, period
        self._client: int = pybullet.connect(pybullet.DIRECT)
        self._rods: list[int] = []
        self._things: list[int] = []

    def load(self, thing: Thing, friction: float, table_height: float) -> None:
        """Begin an episode with this object, `friction` being its lateral friction and the table's."""
        client = self._client
        pybullet.resetSimulation(physicsClientId=client)
        pybullet.setGravity(0, 0, -GRAVITY, physicsClientId=client)
        pybullet.setTimeStep(self._period, physicsClientId=client)
        self._table(friction, table_height)
        shape = pybullet.createCollisionShape(
            pybullet.GEOM_CYLINDER, radius=self._rod.radius, height=self._rod.length, physicsClientId=client
        )
        self._things = [load_thing(client, thing, friction) for _ in range(self._count)]
        self._rods = [pybullet.createMultiBody(0, shape, physicsClientId=client) for _ in range(self._count)]

    def run(self, start: F64, displacements: F64, physics_steps: int) -> F64:
        """States (rows, steps, 16) after each of the tools' `displacements` (rows, steps, 2) [m].

        All rows, at most `count`, begin at `start` (16,). A displacement takes `physics_steps`, at
        constant speed.
        """
        rows, steps, _ = displacements.shape
        self._place(start)
        tools = np.tile(start[TOOL], (rows, 1))
        states = np.empty((rows, steps, STATE))
        for step in range(steps):
            change = np.zeros((rows, 3))
            change[:, :2] = displacements[:, step] / physics_steps
            for _ in range(physics_steps):
                tools += change
                self._move_rods(tools, change / self._period)
                pybullet.stepSimulation(physicsClientId=self._client)
            states[:, step] = self._states(tools)
        return states

    def close(self) -> None:
        """Free the physics client."""
        if pybullet.isConnected(self._client):
            pybullet.disconnect(self._client)

    def _table(self, friction: float, height: float) -> None:
        """One table under all copies."""
        half = [TABLE_HALF_WIDTH, SPACING * self._count, TABLE_HALF_THICKNESS]
        shape = pybullet.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=half, physicsClientId=self._client
        )
        table = pybullet.createMultiBody(
            0,
            shape,
            basePosition=[0.0, 0.5 * SPACING * self._count, height - TABLE_HALF_THICKNESS],
            physicsClientId=self._client,
        )
        pybullet.changeDynamics(table, -1, lateralFriction=friction, physicsClientId=self._client)

    def _place(self, state: F64) -> None:
        """Put every copy into one state."""
        x, y, z = state[THING].tolist()
        turn, velocity, spin = state[TURN].tolist(), state[VELOCITY].tolist(), state[SPIN].tolist()
        for copy, thing in enumerate(self._things):
            place = [x, y + SPACING * copy, z]
            pybullet.resetBasePositionAndOrientation(thing, place, turn, physicsClientId=self._client)
            pybullet.resetBaseVelocity(thing, velocity, spin, physicsClientId=self._client)
        self._move_rods(np.tile(state[TOOL], (self._count, 1)), np.zeros((self._count, 3)))

    def _move_rods(self, tools: F64, velocities: F64) -> None:
        """Put the rods' tips at `tools` (rows, 3); contacts feel `velocities` (rows, 3) [m/s]."""
        centres = tools.copy()
        centres[:, 1] += SPACING * np.arange(len(tools))
        centres[:, 2] += 0.5 * self._rod.length
        for rod, centre, velocity in zip(self._rods, centres.tolist(), velocities.tolist(), strict=False):
            pybullet.resetBasePositionAndOrientation(rod, centre, UPRIGHT, physicsClientId=self._client)
            pybullet.resetBaseVelocity(rod, velocity, physicsClientId=self._client)

    def _states(self, tools: F64) -> F64:
        states = np.empty((len(tools), STATE))
        states[:, TOOL] = tools
        for copy, (row, thing) in enumerate(zip(states, self._things, strict=False)):
            position, turn = pybullet.getBasePositionAndOrientation(thing, physicsClientId=self._client)
            velocity, spin = pybullet.getBaseVelocity(thing, physicsClientId=self._client)
            row[3:] = (*position, *turn, *velocity, *spin)
            row[THING.start + 1] -= SPACING * copy
        return states
