"""Fakes that behave like the real thing, for tests."""

from __future__ import annotations

import numpy as np

from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.types import F32, F64, Encoding, Observation, Rollout


class FakeClock:
    """Monotonic seconds that move only when told to, plus `tick` at every reading."""

    def __init__(self, tick: float = 0.0) -> None:
        self.now = 100.0
        self.tick = tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def make_spec(**changes: object) -> ModelSpec:
    """A spec of the usual size: 7 joints, 6 quantities, 20 Hz, stride 2."""
    values: dict[str, object] = {
        "image_width": 160, "image_height": 120, "image_mean": 0.5, "image_std": 0.25,
        "joints": tuple(f"panda_joint{i}" for i in range(1, 8)),
        "proprio_mean": (0.1,) * 17, "proprio_std": (2.0,) * 17,
        "tool_frame": "panda_grasptarget",
        "quantities": ("tool_x", "tool_y", "tool_z", "ball_x", "ball_y", "ball_z"),
        "max_tool_speed": 0.35, "control_period": 0.05, "stride": 2, "tokens": 4, "width": 64,
        "max_loops": 8, "mean_loops": 4, "gate_threshold": 0.5, "second_difference_threshold": 0.0,
    }  # fmt: skip
    return ModelSpec.model_validate(values | changes)


class KinematicModel:
    """The tool moves as commanded and the ball stays: a `WorldModel` known in closed form.

    Token 0 of a state holds tool and ball [m]. Each rollout takes `seconds_per_loop` of the fake clock
    for each candidate and iteration, and honours its deadline by taking fewer iterations.
    """

    def __init__(
        self, spec: ModelSpec | None = None, clock: FakeClock | None = None, seconds_per_loop: float = 0.0
    ) -> None:
        self.spec = spec or make_spec()
        self.clock = clock or FakeClock()
        self.seconds_per_loop = seconds_per_loop
        self._loops = np.zeros(self.spec.max_loops + 1, dtype=np.int64)

    def at(self, tool: tuple[float, ...], ball: tuple[float, ...] = (0.5, 0.0, 0.03)) -> F32:
        """State (tokens, width) with the tool and the ball there [m]."""
        state = np.zeros((self.spec.tokens, self.spec.width), dtype=np.float32)
        state[0, :6] = (*tool, *ball)
        return state

    def encode(self, observation: Observation) -> Encoding:
        reading = np.asarray([*observation.joints.position[:3], 0.5, 0.0, 0.03], dtype=np.float32)
        return Encoding(self.at(tuple(reading[:3])), reading, np.full(6, 0.001, dtype=np.float32))

    def initial_state(self) -> F32:
        return np.random.default_rng(0).standard_normal((self.spec.tokens, self.spec.width), dtype=np.float32)

    def update(self, state: F32, encoding: Encoding, action: F32) -> F32:
        self._loops[self.spec.mean_loops] += 1
        return encoding.tokens.copy()

    def advance(self, state: F32, actions: F32) -> F32:
        self._loops[self.spec.mean_loops] += len(actions)
        return self._moved(state, actions.sum(axis=0))

    def predict(self, state: F32, actions: F32) -> F32:
        self._loops[self.spec.mean_loops] += len(actions)
        return np.stack([self._moved(state, total)[0, :6] for total in np.cumsum(actions, axis=0)])

    def rollout(self, state: F32, actions: F32, loops: int, deadline: float | None) -> Rollout:
        rows, horizon, _ = actions.shape
        used = min(loops or self.spec.mean_loops, self.spec.mean_loops)
        steps = (*range(2, horizon, 2), horizon)
        per_loop = rows * self.seconds_per_loop * horizon
        if deadline is not None and per_loop:
            used = min(used, int((deadline - self.clock.now) / per_loop))
        histogram = np.zeros_like(self._loops)
        if used < 1:
            return Rollout((), np.empty((rows, 0, 6), np.float32), np.full(rows, np.nan), histogram, False)
        self.clock.now += used * per_loop
        histogram[used] = rows * horizon
        self._loops += histogram
        travelled = np.cumsum(actions, axis=1)[:, [s - 1 for s in steps]]
        readouts = np.tile(state[0, :6], (rows, len(steps), 1))
        readouts[:, :, :3] += travelled * self.spec.max_tool_speed * self.spec.model_period
        reward = -np.linalg.norm(readouts[:, -1, :3] - readouts[:, -1, 3:], axis=1)
        return Rollout(steps, readouts, reward, histogram, True)

    def rollout_seconds(self, candidates: int, horizon: int, loops: int) -> float:
        used = min(loops or self.spec.mean_loops, self.spec.mean_loops)
        return candidates * horizon * used * self.seconds_per_loop

    def loops_seen(self) -> np.ndarray:
        seen, self._loops = self._loops, np.zeros_like(self._loops)
        return seen

    def _moved(self, state: F32, action: F32) -> F32:
        moved = state.copy()
        moved[0, :3] += action * self.spec.max_tool_speed * self.spec.model_period
        return moved


class FixedTool:
    """Kinematics of an arm whose tool never moves."""

    def __init__(self, position: tuple[float, float, float]) -> None:
        self._position = np.asarray(position)

    def tool_position(self, q: F64) -> F64:
        return self._position
