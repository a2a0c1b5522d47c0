"""The world model of a bundle, run by ONNX Runtime."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.bundle import Bundle
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.images import prepare_image
from loopwm_ros.processing.reprojection import Reprojection
from loopwm_ros.processing.states import chunked, normalise_proprio, proprio_vector, spans
from loopwm_ros.types import F32, F64, Encoding, Observation, Rollout
from loopwm_ros.world_model.base import Clock
from loopwm_ros.world_model.cost import Estimate
from loopwm_ros.world_model.exits import ExitTest, exit_test, stage_costs
from loopwm_ros.world_model.imagination import Imagination
from loopwm_ros.world_model.in_8_bits import Precise, chosen_precision
from loopwm_ros.world_model.loop import Core, LoopedCore
from loopwm_ros.world_model.on_device import OnDevice
from loopwm_ros.world_model.parts import PartsCore
from loopwm_ros.world_model.policy import ImaginedPolicy
from loopwm_ros.world_model.providers import CPU, target
from loopwm_ros.world_model.sessions import Session, open_sessions
from loopwm_ros.world_model.settings import Precision, WorldModelSettings

WARM_UP_ROWS = (1, 64)
WARM_UP_ROUNDS = 5


class ToolKinematics(Protocol):
    """Forward kinematics of the tool frame."""

    def tool_position(self, q: F64) -> F64:
        """Joint positions (n,) [rad] to the tool in the base frame (3,) [m]."""
        ...


class OnnxWorldModel:
    """Implements `WorldModel` over the graphs of a bundle. All buffers and sessions exist once built.

    Attributes:
        provider: ONNX Runtime's name of what the graphs run on.
        policy: acts in this model's states; None where the bundle has none.
    """

    def __init__(
        self,
        bundle: Bundle,
        kinematics: ToolKinematics,
        settings: WorldModelSettings,
        clock: Clock = time.perf_counter,
        view: Reprojection | None = None,
    ) -> None:
        """Open and warm up the sessions. `view` makes the bundle's pictures from those of another camera.

        Raises:
            BundleError: a graph does not load or does not match the manifest.
            ConfigError: the execution provider or the number of loops is not to be had.
        """
        self.spec: ModelSpec = bundle.manifest.spec
        self.settings = settings
        self._cap = settings.loop_cap(self.spec)
        self._kinematics, self._view = kinematics, view
        opened = open_sessions(bundle, settings)
        self.provider = opened["block"].provider
        self._chosen = self._precision(bundle, opened, clock)
        self._sessions = sessions = self._chosen.sessions
        self._encoder, self._monitor, self._heads = (sessions[n] for n in ("encoder", "monitor", "heads"))
        self.policy: ImaginedPolicy | None = None
        if "policy" in sessions:
            self.policy = ImaginedPolicy(sessions["policy"], self.spec, self.advance)
        test = exit_test(settings, self.spec)
        self._costs = stage_costs(clock, self.spec, test)
        self._core = self._make_core(sessions, test)
        self._imagination = Imagination(self.spec, self._core, self._heads, self._costs)
        self._device = self._make_device(bundle, clock)
        self._loops = np.zeros(self.spec.max_loops + 1, dtype=np.int64)
        self._mean_loops = Estimate()
        self._warm_up()
        self._mean_loops = Estimate(mean=min(self.spec.mean_loops, self._cap))

    def _make_core(self, sessions: dict[str, Session], test: ExitTest | None) -> Core:
        if self.spec.steps_whole:
            return PartsCore(sessions, self.spec, test, self._costs)
        return LoopedCore(sessions, self.spec.predicted, test, self.settings.compact_below, self._costs)

    def _precision(self, bundle: Bundle, sessions: dict[str, Session], clock: Clock) -> Precise:
        wanted, on_cpu = self.settings.precision, self.provider == CPU
        if wanted == ("float16" if on_cpu else "int8"):
            raise ConfigError(
                f"precision '{wanted}' is not for {self.provider}: float16 is for a GPU, int8 for the CPU; "
                "float32 is for both"
            )
        if on_cpu:
            return chosen_precision(bundle, sessions, self.settings, clock)
        return Precise(sessions, "float32" if wanted == "auto" else wanted)

    @property
    def precision(self) -> Precision:
        """What products are computed in."""
        return self._chosen.precision

    @property
    def note(self) -> str:
        """What was found where precision or device was left to this machine; empty: it was not."""
        return self._chosen.note

    def _make_device(self, bundle: Bundle, clock: Clock) -> OnDevice | None:
        if self.provider == CPU:
            return None
        half = self.settings.precision == "float16"
        there = target(self.settings.provider, half)
        return None if there is None else OnDevice(bundle, self._cap, there, half, clock)

    def encode(self, observation: Observation) -> Encoding:
        """Embed one observation, (tokens, width), and read the task quantities [physical units]."""
        joints, rgb = observation.joints, observation.rgb
        if self._view is not None:
            rgb = self._view.apply(rgb)
        proprio = proprio_vector(joints, self._kinematics.tool_position(joints.position))
        tokens, reading, std = self._encoder(
            prepare_image(self.spec, rgb)[None], normalise_proprio(self.spec, proprio)[None]
        )
        return Encoding(tokens[0], reading[0], std[0])

    def initial_state(self) -> F32:
        """Unit Gaussian of a fixed seed, (tokens, width)."""
        random = np.random.default_rng(self.settings.initial_seed)
        return random.standard_normal((self.spec.tokens, self.spec.width), dtype=np.float32)

    def update(self, state: F32, encoding: Encoding, action: F32) -> F32:
        """`h_k = L(h_{k-1}, e_k, u_k)`, (tokens, width)."""
        told = chunked(self.spec, np.asarray(action)[None])
        following = self._transition(state[None], encoding.tokens[None], told[None])
        return np.asarray(following[0])

    def advance(self, state: F32, actions: F32) -> F32:
        """`h_{k+1} = L(h_k, 0, u_k)` through all of `actions` (steps, action_dim), heads never called.

        The transitions are those of `rollout`: a chunk of actions each, the last one what is left. States and
        actions may have a leading batch axis, both the same.
        """
        states, ways = (state, actions) if state.ndim == 3 else (state[None], actions[None])
        for span in spans(self.spec, ways.shape[1]):
            states = self._transition(states, np.zeros_like(states), chunked(self.spec, ways[:, span]))
        return states.reshape(state.shape)

    def summarise(self, state: F32, actions: F32) -> F32:
        """Monitoring mode: `g_omega(h_k)` after each action, (steps, tokens, width), heads never called."""
        (embeddings,) = self._monitor(self._states(state, actions))
        return embeddings

    def predict(self, state: F32, actions: F32) -> F32:
        """Task quantities (steps, quantities) after each of `actions` (steps, action_dim)."""
        return self._heads(self._states(state, actions))[0]

    def _states(self, state: F32, actions: F32) -> F32:
        """`h_{k+1} = L(h_k, 0, u_k)` after each action, (steps, tokens, width).

        Within a chunk each is the end of a shorter transition from its start, on which nothing builds.
        """
        states = np.empty((len(actions), self.spec.tokens, self.spec.width), dtype=np.float32)
        for span in spans(self.spec, len(actions)):
            ends = range(span.start + 1, span.stop + 1)
            told = np.stack([chunked(self.spec, actions[span.start : end]) for end in ends])
            states[span] = self._imagined(state, told)
            state = states[span.stop - 1]
        return states

    def rollout(self, state: F32, actions: F32, loops: int, deadline: float | None) -> Rollout:
        """Imagine candidates (candidates, horizon, action_dim) from one state (tokens, width)."""
        steps = self.settings.readout_steps(actions.shape[1], self.spec)
        rollout = self._on_device(state, actions, steps, deadline)
        return self._on_host(state, actions, steps, loops, deadline) if rollout is None else rollout

    def _on_device(
        self, state: F32, actions: F32, steps: tuple[int, ...], deadline: float | None
    ) -> Rollout | None:
        """None where there is no device; `auto` goes without one that refuses the first rollout."""
        if self._device is None:
            return None
        try:
            rollout = self._device.rollout(state, actions, steps, deadline)
        except ConfigError as error:
            if self.settings.provider != "auto":
                raise
            note = f"rollouts are called from the host, in float32: {error}"
            self._device, self._chosen = None, replace(self._chosen, precision="float32", note=note)
            return None
        self._loops += rollout.loops
        self._count_rows(rollout, len(actions))
        return rollout

    def _count_rows(self, rollout: Rollout, rows: int) -> None:
        """As if the graphs of the bundle had been called."""
        iterations = int(rollout.loops @ np.arange(len(rollout.loops)))
        each = {"prelude": iterations, "block": iterations, "coda": iterations}
        if not self.spec.steps_whole:
            each["prelude"] = each["coda"] = int(rollout.loops.sum())
        elif "step" in self._sessions:
            each = {"step": iterations}
        for name, count in {**each, "heads": rows * len(rollout.steps)}.items():
            self._sessions[name].rows += count

    def _on_host(
        self, state: F32, actions: F32, steps: tuple[int, ...], loops: int, deadline: float | None
    ) -> Rollout:
        cap = min(loops, self._cap) if loops else self._cap
        states = np.repeat(state[None], len(actions), axis=0)
        end = math.inf if deadline is None else deadline
        rollout = self._imagination.rollout(states, actions, steps, cap, end)
        self._loops += rollout.loops
        if rollout.completed and cap == self._cap:
            self._mean_loops.add(float(rollout.loops @ np.arange(len(rollout.loops))) / rollout.loops.sum())
        return rollout

    def rollout_seconds(self, candidates: int, horizon: int, loops: int) -> float:
        """Measured cost of a rollout; with early exit, at the iterations lately used [s]."""
        if self._device is not None:
            return self._device.seconds(candidates)
        cap = min(loops, self._cap) if loops else self._cap
        expected = min(self._mean_loops.high, cap)
        transitions, steps = spans(self.spec, horizon), self.settings.readout_steps(horizon, self.spec)
        return self._costs.rollout(candidates, len(transitions), expected, len(steps))

    def loops_seen(self) -> NDArray[np.int64]:
        """Histogram of iterations used since the last call, (max_loops + 1,)."""
        seen, self._loops = self._loops, np.zeros_like(self._loops)
        return seen

    def rows_run(self) -> dict[str, int]:
        """How many rows each graph has run so far, in all its calls."""
        return {name: session.rows for name, session in self._sessions.items()}

    def _imagined(self, state: F32, told: F32) -> F32:
        """One transition from `state` (tokens, width) for each of `told` (rows, action_input)."""
        states = np.repeat(state[None], len(told), axis=0)
        return self._transition(states, np.zeros_like(states), told)

    def _transition(self, states: F32, tokens: F32, told: F32) -> F32:
        following, used = self._core.transition(states, tokens, told, self._cap)
        self._loops += np.bincount(used, minlength=len(self._loops))
        return following

    def _warm_up(self) -> None:
        """Run every graph once or more: allocates, and gives the cost model its first figures."""
        spec = self.spec
        image = np.zeros((1, 3, spec.image_height, spec.image_width), dtype=np.float32)
        self._encoder(image, np.zeros((1, len(spec.proprio_mean)), dtype=np.float32))
        self.summarise(self.initial_state(), np.zeros((1, spec.action_dim), dtype=np.float32))
        for rows in WARM_UP_ROWS * WARM_UP_ROUNDS:
            still = np.zeros((rows, 1, spec.action_dim), dtype=np.float32)
            self._on_host(self.initial_state(), still, (1,), 0, None)
        if self.policy is not None:
            self.policy.propose(self.initial_state(), np.zeros(3), WARM_UP_ROUNDS)
        self.loops_seen()
