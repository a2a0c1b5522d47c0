"""The simulator itself as a world model: rollouts in copies of the scene, told the truth."""

from __future__ import annotations

import numpy as np
import pybullet
from numpy.typing import NDArray

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.push_copies import STATE, THING, TOOL, PushCopies
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.config.task import TOOL as TOOL_POINT
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.types import F32, F64, Encoding, Observation, Rollout
from loopwm_ros.world_model.settings import WorldModelSettings

PHYSICS_RATE = 120.0  # of rollouts; half the cell's [Hz]
STRIDE = 2  # control periods per transition, as the learned models have it


class SimulatorModel:
    """Implements `WorldModel` for pushing with a rod: what a perfect model would allow.

    A state (1, 16) is that of `PushCopies`; it comes from the cell, not from the observation. Reads out
    tool, moved object and goal, the latter where it is when the rollout begins.
    """

    def __init__(
        self,
        cell: BulletCell,
        arm: ArmConfig,
        task: TaskConfig,
        world: WorldConfig,
        candidates: int,
        settings: WorldModelSettings,
    ) -> None:
        """`candidates` is how many futures a rollout has at most.

        Raises:
            ConfigError: the task pushes nothing, or the arm has no rod.
        """
        if task.moved == TOOL_POINT or task.plane is None or arm.rod is None:
            raise ConfigError(
                f"controller 'simulator' pushes an object in a plane with a rod; "
                f"task '{task.name}' with arm '{arm.name}' does not"
            )
        self._cell, self._task, self._world, self._settings = cell, task, world, settings
        self.spec = _spec(arm, task, world)
        self._one = PushCopies(1, arm.rod, 1.0 / PHYSICS_RATE)
        self._many = PushCopies(candidates, arm.rod, 1.0 / PHYSICS_RATE)
        self._physics_steps = round(self.spec.model_period * PHYSICS_RATE)

    def load(self) -> None:
        """Begin the cell's present episode."""
        draw = self._cell.draw
        for copies in (self._one, self._many):
            copies.load(draw.things[self._task.moved], draw.friction, self._world.table_high[2])

    def close(self) -> None:
        """Free the physics clients."""
        self._one.close()
        self._many.close()

    def encode(self, observation: Observation) -> Encoding:  # noqa: ARG002
        """The true state now, and where tool, object and goal truly are; no doubt about any."""
        truth = self._cell.truth()
        moved = self._task.moved
        turn = pybullet.getQuaternionFromEuler([0.0, 0.0, truth.yaw[moved]])
        state = np.zeros((1, STATE), dtype=np.float32)
        state[0, :10] = (*truth.tool, *truth.points[moved], *turn)
        goal = truth.points[self._task.goal]
        reading = np.array([*truth.tool, *truth.points[moved], *goal], dtype=np.float32)
        return Encoding(state, reading, np.zeros_like(reading))

    def initial_state(self) -> F32:
        """Nothing is known yet, (1, 16)."""
        return np.zeros((1, STATE), dtype=np.float32)

    def update(self, state: F32, encoding: Encoding, action: F32) -> F32:  # noqa: ARG002
        """What is observed is all there is to know."""
        return encoding.tokens

    def advance(self, state: F32, actions: F32) -> F32:
        """One state (1, 16) through actions (steps, action_dim)."""
        states = self._imagine(self._one, state, actions[None])
        return states[:, -1].astype(np.float32)

    def rollout(self, state: F32, actions: F32, loops: int, deadline: float | None) -> Rollout:  # noqa: ARG002
        """Candidates (candidates, horizon, action_dim) from one state; there is no deadline in lockstep."""
        states = self._imagine(self._many, state, actions)
        steps = self._settings.readout_steps(actions.shape[1], self.spec)
        read = states[:, [step - 1 for step in steps]]
        goal = np.broadcast_to(self._cell.truth().points[self._task.goal], read[..., TOOL].shape)
        readouts = np.concatenate([read[..., TOOL], read[..., THING], goal], axis=-1).astype(np.float32)
        reward = np.zeros(len(actions), dtype=np.float32)
        return Rollout(steps, readouts, reward, self.loops_seen(), completed=True)

    def rollout_seconds(self, candidates: int, horizon: int, loops: int) -> float:  # noqa: ARG002
        """Of no interest without a deadline."""
        return 0.0

    def loops_seen(self) -> NDArray[np.int64]:
        """A simulator has no loops."""
        return np.zeros(self.spec.max_loops + 1, dtype=np.int64)

    def _imagine(self, copies: PushCopies, state: F32, actions: F32) -> F64:
        """States (candidates, steps, 16) after each of `actions` (candidates, steps, action_dim)."""
        displacements = actions.astype(np.float64) * (self.spec.max_tool_speed * self.spec.model_period)
        return copies.run(state[0].astype(np.float64), displacements, self._physics_steps)


def _spec(arm: ArmConfig, task: TaskConfig, world: WorldConfig) -> ModelSpec:
    """What the receding horizon asks of a model; nothing is normalised, images are not looked at."""
    proprio = 2 * len(arm.joints) + 3
    return ModelSpec(
        image_width=arm.camera.width,
        image_height=arm.camera.height,
        image_mean=0.0,
        image_std=1.0,
        joints=arm.joints,
        proprio_mean=(0.0,) * proprio,
        proprio_std=(1.0,) * proprio,
        tool_frame=arm.tool_frame,
        rod=arm.rod,
        quantities=tuple(f"{name}_{axis}" for name in (TOOL_POINT, task.moved, task.goal) for axis in "xyz"),
        max_tool_speed=task.max_tool_speed,
        action_dim=task.action_dim,
        control_period=1.0 / world.control_rate,
        stride=STRIDE,
        tokens=1,
        width=STATE,
        max_loops=1,
        mean_loops=1,
        gate_threshold=1.0,
        second_difference_threshold=0.0,
    )
