"""What the planner and the receding horizon need of a world model."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.types import F32, F64, Encoding, Observation, Rollout


class Clock(Protocol):
    """Monotonic seconds, e.g. `time.perf_counter`."""

    def __call__(self) -> float:
        """Now."""
        ...


class Policy(Protocol):
    """Acts at once, without a search."""

    def propose(self, state: F32, goal: F64, steps: int) -> F32:
        """Actions (steps, action_dim) in [-1, 1] from a state (tokens, width) on, the future imagined.

        `goal`: where the moved point should be, base frame [m], (3,).
        """
        ...


class Predictor(Protocol):
    """Imagines one future, and says what is read in it at every step."""

    @property
    def spec(self) -> ModelSpec:
        """What the model was made for."""
        ...

    def predict(self, state: F32, actions: F32) -> F32:
        """Task quantities (steps, quantities) after each of `actions` (steps, action_dim), steps >= 1."""
        ...


class WorldModel(Protocol):
    """A latent dynamics model with a looped core (docs/architecture.md, LoopWM).

    Not thread-safe: one thread at a time calls it.
    """

    @property
    def spec(self) -> ModelSpec:
        """What the model was made for."""
        ...

    def encode(self, observation: Observation) -> Encoding:
        """Embed one observation: `e_k = E_phi(o_k)`, plus the encoder's own reading."""
        ...

    def initial_state(self) -> F32:
        """State before the first observation, (tokens, width). Fixed seed: the same every time."""
        ...

    def update(self, state: F32, encoding: Encoding, action: F32) -> F32:
        """`h_k = L(h_{k-1}, e_k, u_k)`: state (tokens, width), action (action_dim,) in [-1, 1]."""
        ...

    def advance(self, state: F32, actions: F32) -> F32:
        """Imagine without heads: one state through actions (steps, action_dim)."""
        ...

    def rollout(self, state: F32, actions: F32, loops: int, deadline: float | None) -> Rollout:
        """Imagine candidates (candidates, horizon, action_dim) from one state.

        A transition spans `spec.chunk` actions, the last one what is left of the horizon.

        `loops` caps the iterations of each transition (0: the model's own cap with early exit as
        configured). `deadline` is on the model's clock: as it comes near, transitions get fewer
        iterations, and where one each no longer fits, the rollout stops (`completed` is False, and
        `steps` holds those read until then, counted in actions).
        """
        ...

    def rollout_seconds(self, candidates: int, horizon: int, loops: int) -> float:
        """What such a rollout costs, measured, on the cautious side [s]."""
        ...

    def loops_seen(self) -> NDArray[np.int64]:
        """Histogram of iterations used since the last call, (max_loops + 1,)."""
        ...
