"""Rollouts on a GPU: one graph a batch size, its inputs and outputs bound where they are computed.

Once it is built, a rollout copies the state and the actions there, and the read-outs back. All of it is done
in one thread that stays: what ONNX Runtime has captured of a run it replays in the same thread alone.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime as ort

from loopwm_ros.bundle import Bundle
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.types import F32
from loopwm_ros.world_model.base import Clock
from loopwm_ros.world_model.cost import Estimate
from loopwm_ros.world_model.providers import Target
from loopwm_ros.world_model.sessions import session_options
from loopwm_ros.world_model.unrolled import (
    ACTIONS,
    READOUTS,
    REWARD,
    STATE,
    Extent,
    halved,
    unrolled_graph,
)

SHARES = (1, 2, 4)  # batch sizes: all candidates, half and a quarter of them; fewer are hardly cheaper
MULTIPLE = 8
WARM_UP = 5  # runs: the first ones allocate and capture a CUDA graph, the others are timed
UNTIMED = 2
RETRY = 20  # runs of a batch size, after which what is known of the larger ones is believed a tenth less


class _Bound:
    """A session for one batch size, bound to memory of its own on the device."""

    def __init__(self, graph: bytes, extent: Extent, spec: ModelSpec, target: Target) -> None:
        self.extent = extent
        self._session = open_on(target, graph, "the model's rollouts")
        self._actions = np.zeros((extent.batch, extent.horizon, spec.action_dim), dtype=np.float32)
        outputs = {
            READOUTS: (extent.batch, len(extent.steps), len(spec.quantities)),
            REWARD: (extent.batch,),
        }
        state = np.zeros((1, spec.tokens, spec.width), dtype=np.float32)
        self._inputs = {
            name: ort.OrtValue.ortvalue_from_numpy(values, target.device, 0)
            for name, values in ((STATE, state), (ACTIONS, self._actions))
        }
        self._outputs = {
            name: ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, target.device, 0)
            for name, shape in outputs.items()
        }
        self._binding = self._session.io_binding()
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        for name, value in self._outputs.items():
            self._binding.bind_ortvalue_output(name, value)

    def __call__(self, state: F32, actions: F32) -> tuple[F32, F32]:
        """Read-outs (rows, steps, quantities) and reward (rows,) of `actions` (rows, horizon, action_dim)."""
        rows = len(actions)
        self._actions[:rows] = actions
        self._inputs[STATE].update_inplace(np.ascontiguousarray(state[None]))
        self._inputs[ACTIONS].update_inplace(self._actions)
        self._session.run_with_iobinding(self._binding)
        readouts, reward = (np.array(self._outputs[name].numpy()[:rows]) for name in (READOUTS, REWARD))
        return readouts, reward


@dataclass
class _Bucket:
    """One batch size, and what a rollout of it takes [s]."""

    run: _Bound
    cost: Estimate
    runs: int = 0


class DeviceRollouts:
    """Rollouts of one horizon and number of iterations, for up to as many candidates as it was made for."""

    def __init__(
        self,
        bundle: Bundle,
        extent: Extent,
        target: Target,
        half: bool = False,
        clock: Clock = time.perf_counter,
    ) -> None:
        """Build and warm up a graph for each batch size; `extent.batch`: most candidates; `half`: in float16.

        Raises:
            ConfigError: the device or a package is not to be had.
        """
        self.extent, self._clock = extent, clock
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._buckets = self._worker.submit(self._made, bundle, target, half).result()

    def holds(self, rows: int, horizon: int, loops: int, steps: tuple[int, ...]) -> bool:
        """Whether it was made for such rollouts."""
        same = (horizon, loops, steps) == (self.extent.horizon, self.extent.loops, self.extent.steps)
        return same and rows <= self._buckets[-1].run.extent.batch

    def seconds(self, rows: int) -> float:
        """What a rollout of so many candidates takes, on the cautious side [s]."""
        return self._bucket(rows).cost.high

    def refuse(self, rows: int) -> None:
        """There was no time for so many: what is known of a bad moment must not be believed for ever."""
        self._bucket(rows).cost.relax()

    def __call__(self, state: F32, actions: F32) -> tuple[F32, F32]:
        """Read-outs (rows, steps, quantities) and reward (rows,), as `_Bound` gives them."""
        bucket = self._bucket(len(actions))
        found = self._worker.submit(self._timed, bucket, state, actions, learn=True).result()
        bucket.runs += 1
        if bucket.runs % RETRY == 0:
            for larger in self._buckets[self._buckets.index(bucket) + 1 :]:
                larger.cost.relax()
        return found

    def close(self) -> None:
        """End its thread."""
        self._worker.shutdown(wait=False)

    def _made(self, bundle: Bundle, target: Target, half: bool) -> list[_Bucket]:
        spec, made = bundle.manifest.spec, []
        state = np.zeros((spec.tokens, spec.width), dtype=np.float32)
        still = np.zeros((1, self.extent.horizon, spec.action_dim), dtype=np.float32)
        for size in sorted({_rounded(self.extent.batch, share) for share in SHARES}):
            extent = replace(self.extent, batch=size)
            graph = unrolled_graph(bundle, extent)
            bound = _Bound(halved(graph) if half else graph, extent, spec, target)
            made.append(_Bucket(bound, Estimate()))
            for turn in range(WARM_UP):
                self._timed(made[-1], state, still, learn=turn >= UNTIMED)
        return made

    def _bucket(self, rows: int) -> _Bucket:
        return next(bucket for bucket in self._buckets if bucket.run.extent.batch >= rows)

    def _timed(self, bucket: _Bucket, state: F32, actions: F32, learn: bool) -> tuple[F32, F32]:
        began = self._clock()
        found = bucket.run(state, actions)
        if learn:
            bucket.cost.add(self._clock() - began)
        return found


def open_on(target: Target, graph: bytes, what: str) -> ort.InferenceSession:
    """A session on the target's device; `what` the graph is, for an error.

    Raises:
        ConfigError: it does not take the graph, or is not in use.
    """
    try:
        session = ort.InferenceSession(graph, session_options(1), providers=target.providers)
    except Exception as error:  # ONNX Runtime's own exceptions share no public base
        raise ConfigError(
            f"provider '{target.wanted}' does not take {what}: {error}; set provider to cpu"
        ) from error
    target.check(session.get_providers())
    return session


def _rounded(batch: int, share: int) -> int:
    """A share of the batch, rounded up."""
    return -(-batch // (share * MULTIPLE)) * MULTIPLE
