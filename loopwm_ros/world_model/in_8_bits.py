"""Products in 8 bits on the CPU: whose units for them are several times as quick as for float32.

Weights are quantised per channel when a node is configured, inputs of products while they run (ONNX Runtime's
dynamic quantisation). What is read out moves by a millimetre or so. Whether that will do is looked at, and
which is quicker is measured. The package onnx is imported where it is needed.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from loopwm_ros.bundle import Bundle
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.types import F32
from loopwm_ros.world_model.base import Clock
from loopwm_ros.world_model.sessions import Session, open_graph
from loopwm_ros.world_model.settings import Precision, WorldModelSettings
from loopwm_ros.world_model.unrolled import load_onnx

ROWS = 64
TRANSITIONS = 3  # from nothing seen to states as there are in rollouts
OFF = 0.02  # by which what is read out may differ, 99 of 100 values [m]
ROUNDS = 15
DONE = {"onnx.quant.pre_process": "onnxruntime.quant"}  # else it logs that there is more to be had


@dataclass(frozen=True)
class Precise:
    """Sessions, in which precision, and what was found about it."""

    sessions: dict[str, Session]
    precision: Precision
    note: str = ""  # for a log; empty: there was no choice


def chosen_precision(
    bundle: Bundle,
    sessions: dict[str, Session],
    settings: WorldModelSettings,
    clock: Clock = time.perf_counter,
) -> Precise:
    """`sessions`, which are in float32, or others where the settings ask for 8 bits, or leave the choice.

    Raises:
        ConfigError: 8 bits were asked for, and the package onnx is missing, or read-outs differ too far.
    """
    plain = Precise(sessions, "float32")
    if settings.precision not in ("int8", "auto"):
        return plain
    try:
        quick = replace(plain, sessions=sessions | _quantised(bundle, settings), precision="int8")
        off = _off(plain.sessions, quick.sessions, bundle.manifest.spec)
        if not off <= OFF:
            raise ConfigError(
                f"precision 'int8' moves what '{bundle.manifest.name}' reads out by {off * 1e3:.1f} mm "
                f"(99 of 100 values; at most {OFF * 1e3:g} mm): set precision to float32"
            )
    except ConfigError as error:
        if settings.precision == "int8":
            raise
        return replace(plain, note=f"precision: float32 ({error})")
    slow, fast = _seconds([plain.sessions, quick.sessions], bundle.manifest.spec, clock)
    found = f"{slow / fast:.2f} times as quick as float32 here, read-outs {off * 1e3:.1f} mm off"
    if settings.precision == "auto" and fast >= slow:
        return replace(plain, note=f"precision: float32 (int8 is {found})")
    return replace(quick, note=f"precision: int8 ({found})")


def in_8_bits(graph: bytes) -> bytes:
    """One graph with its products quantised.

    Raises:
        ConfigError: the package onnx is not installed.
    """
    onnx = load_onnx("precision 'int8'")
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        model = onnx.load_model_from_string(graph)
        del model.graph.value_info[:]  # shapes that are not true any more
        onnx.helper.set_model_props(model, DONE)
        onnx.save(model, before)
        try:
            quantize_dynamic(before, after, weight_type=QuantType.QInt8, per_channel=True)
        except Exception as error:  # it raises whatever its parts do
            raise ConfigError(f"precision 'int8': a graph cannot be quantised: {error}") from error
        return after.read_bytes()


def _quantised(bundle: Bundle, settings: WorldModelSettings) -> dict[str, Session]:
    """The encoder is left out: its convolutions gain nothing."""
    names = bundle.manifest.rolled
    return {name: open_graph(bundle, name, settings, in_8_bits(bundle.graph(name))) for name in names}


def _off(plain: dict[str, Session], quick: dict[str, Session], spec: ModelSpec) -> float:
    """99th percentile of what predicted quantities differ by [m], after transitions from nothing seen."""
    ends = [_rolled(sessions, spec) for sessions in (plain, quick)]
    columns = spec.predicted or list(range(len(spec.quantities)))
    return float(np.quantile(np.abs(np.subtract(*ends))[:, columns], 0.99))


def _seconds(every: list[dict[str, Session]], spec: ModelSpec, clock: Clock) -> list[float]:
    """Median times of the same work in turns [s]."""
    taken: list[list[float]] = [[] for _ in every]
    for _ in range(ROUNDS):
        for sessions, times in zip(every, taken, strict=True):
            began = clock()
            _rolled(sessions, spec)
            times.append(clock() - began)
    return [float(np.median(times)) for times in taken]


def _rolled(sessions: dict[str, Session], spec: ModelSpec) -> F32:
    """Quantities (ROWS, quantities) after some transitions under random actions, as in a rollout."""
    random = np.random.default_rng(0)
    state = np.zeros((ROWS, spec.tokens, spec.width), dtype=np.float32)
    unseen = np.zeros_like(state)
    for _ in range(TRANSITIONS):
        told = random.uniform(-1, 1, (ROWS, spec.action_input)).astype(np.float32)
        if spec.chunk > 1:
            told[:, -1] = 1.0
        if "step" in sessions:
            state, _ = sessions["step"](state, unseen, told)
            continue
        (injected,) = sessions["prelude"](state, unseen, told)
        for _ in range(1 if spec.steps_whole else spec.mean_loops):
            state, _ = sessions["block"](state, injected)
        (state,) = sessions["coda"](state)
    return sessions["heads"](state)[0]
