"""Rollouts on a GPU: one graph a batch size, its inputs and outputs bound where they are computed.

Once it is built, a rollout copies the state and the actions there, and the read-outs back.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime as ort

from loopwm_ros.bundle import Bundle
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
WARM_UP = 5  # runs: the first builds, the second captures a CUDA graph, the others are timed


class _Bound:
    """A session for one batch size, bound to memory of its own on the device."""

    def __init__(self, graph: bytes, extent: Extent, spec: ModelSpec, target: Target) -> None:
        self.extent = extent
        self._session = ort.InferenceSession(graph, session_options(1), providers=target.providers)
        target.check(self._session.get_providers())
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
        sizes = sorted({_rounded(extent.batch, share) for share in SHARES})
        self._buckets = []
        spec = bundle.manifest.spec
        still = np.zeros((1, extent.horizon, spec.action_dim), dtype=np.float32)
        for size in sizes:
            this = replace(extent, batch=size)
            graph = unrolled_graph(bundle, this)
            graph = halved(graph) if half else graph
            bucket = _Bucket(_Bound(graph, this, spec, target), Estimate())
            self._buckets.append(bucket)
            for turn in range(WARM_UP):
                self._timed(bucket, np.zeros((spec.tokens, spec.width), np.float32), still, learn=turn > 1)

    def holds(self, rows: int, horizon: int, loops: int, steps: tuple[int, ...]) -> bool:
        """Whether it was made for such rollouts."""
        same = (horizon, loops, steps) == (self.extent.horizon, self.extent.loops, self.extent.steps)
        return same and rows <= self._buckets[-1].run.extent.batch

    def seconds(self, rows: int) -> float:
        """What a rollout of so many candidates takes, on the cautious side [s]."""
        return self._bucket(rows).cost.high

    def __call__(self, state: F32, actions: F32) -> tuple[F32, F32]:
        """Read-outs (rows, steps, quantities) and reward (rows,), as `_Bound` gives them."""
        return self._timed(self._bucket(len(actions)), state, actions, learn=True)

    def _bucket(self, rows: int) -> _Bucket:
        return next(bucket for bucket in self._buckets if bucket.run.extent.batch >= rows)

    def _timed(self, bucket: _Bucket, state: F32, actions: F32, learn: bool) -> tuple[F32, F32]:
        began = self._clock()
        found = bucket.run(state, actions)
        if learn:
            bucket.cost.add(self._clock() - began)
        return found


def _rounded(batch: int, share: int) -> int:
    """A share of the batch, rounded up."""
    return -(-batch // (share * MULTIPLE)) * MULTIPLE
