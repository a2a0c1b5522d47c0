"""Evaluation on held-out episodes: readings, open-loop errors, loops with the gate. Errors in centimetres."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from loopwm_ros.data.dataset import Dataset
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.exits import exits_of, gate_logits
from loopwm_ros.training.model import LoopWM, fixed_loops, noise_state
from loopwm_ros.training.rollout import unroll
from loopwm_ros.training.settings import RolloutSettings
from loopwm_ros.training.windows import Indices, Window, frames_at
from loopwm_ros.types import F32, F64

CHUNK = 256
HORIZONS = (1, 5, 8, 12, 16, 24)


def points(quantities: tuple[str, ...]) -> dict[str, list[int]]:
    """Columns by what they measure: ball_x, ball_y, ball_z are one point, `ball`."""
    columns: dict[str, list[int]] = {}
    for column, name in enumerate(quantities):
        columns.setdefault(name[:-2] if name[-2:] in ("_x", "_y", "_z") else name, []).append(column)
    return columns


def device_of(model: LoopWM) -> torch.device:
    """Where the model's weights are."""
    return next(model.parameters()).device


@torch.no_grad()
def encode(model: LoopWM, data: Dataset, spec: ModelSpec, at: Indices) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, readings and their 1-sigma estimates of some frames, on the CPU."""
    device, parts = device_of(model), []
    model.encoder.eval()
    for chunk in np.array_split(at, len(at) // CHUNK + 1):
        frames = frames_at(data, spec, chunk)
        parts.append(
            [out.cpu() for out in model.encoder(frames.images.to(device), frames.proprio.to(device))]
        )
    tokens, reading, std = (torch.cat(column) for column in zip(*parts, strict=True))
    return tokens, reading, std


def reading_metrics(model: LoopWM, data: Dataset, spec: ModelSpec, at: Indices) -> dict[str, float]:
    """Median and 95th percentile of the reading's error, and how often it is within two of its own sigmas."""
    _, reading, std = (part.numpy() for part in encode(model, data, spec, at))
    metrics: dict[str, float] = {}
    for name, columns in points(spec.quantities).items():
        known = data.label_mask[at][:, columns].all(1)
        if not known.any():
            continue
        off = (reading - data.labels[at])[:, columns][known]
        metrics |= percentiles(f"reading_{name}", np.linalg.norm(off, axis=1))
        metrics[f"reading_{name}_within_2_sigma"] = float((np.abs(off) < 2 * std[:, columns][known]).mean())
    return metrics


def percentiles(name: str, error: F32 | F64) -> dict[str, float]:
    """Median and 95th percentile of errors [m], in centimetres."""
    if not len(error):
        return {}
    median, high = np.percentile(error * 100, [50, 95])
    return {f"{name}_median_cm": float(median), f"{name}_p95_cm": float(high)}


@torch.no_grad()
def rollout_metrics(
    model: LoopWM, spec: ModelSpec, window: Window, settings: RolloutSettings
) -> dict[str, float]:
    """Open-loop errors after `settings.context` observed steps: full and gated loops, and nothing moves."""
    window = Window(*(part.to(device_of(model)) for part in window))
    start = noise_state(spec, window.reward.shape[1], torch.Generator().manual_seed(0)).to(device_of(model))
    loops = fixed_loops(spec.mean_loops, window.reward.numel()).reshape(window.reward.shape)
    states = unroll(model.eval(), start, window, settings.context, loops)[1:]
    gated, used = gated_rollout(model, spec, states[settings.context - 1], window.actions[settings.context :])
    still = window.quantities[settings.context - 1].expand_as(window.quantities[settings.context :])
    metrics = open_loop(
        spec, model.heads.locate(states[settings.context :].flatten(0, 1)), window, settings, "open_loop"
    )
    metrics |= open_loop(spec, model.heads.locate(gated.flatten(0, 1)), window, settings, "gated")
    metrics |= open_loop(spec, still.flatten(0, 1), window, settings, "still")
    metrics["gated_loops_mean"] = float(used.float().mean())
    metrics["gated_loops_p95"] = float(used.float().quantile(0.95))
    metrics["state_rms"] = float(states[-1].square().mean().sqrt())
    return metrics


def open_loop(
    spec: ModelSpec, located: Tensor, window: Window, settings: RolloutSettings, name: str
) -> dict[str, float]:
    """Mean error of each point after K imagined actions; located (transitions * windows, quantities)."""
    truth, known = window.quantities[settings.context :], window.known[settings.context :]
    error = located.reshape(truth.shape) - truth
    metrics: dict[str, float] = {}
    for point, columns in points(spec.quantities).items():
        distance = error[..., columns].norm(dim=-1)
        for k in (k for k in HORIZONS if k <= len(truth) * spec.chunk and k % spec.chunk == 0):
            step = k // spec.chunk - 1
            values = distance[step][known[step][:, columns].all(-1)]
            if len(values):
                metrics[f"{name}_{point}_k{k}_cm"] = float(values.mean() * 100)
    return metrics


@torch.no_grad()
def gated_rollout(model: LoopWM, spec: ModelSpec, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """Imagine (steps, batch, action_dim), each transition ending at its first gate over tau.

    Returns states (steps, batch, tokens, width) and the iterations used (steps, batch).
    """
    states, used = [], []
    for action in actions:
        exits = exits_of(model, state, torch.zeros_like(state), action, spec.max_loops)
        opened = torch.sigmoid(gate_logits(model, exits)) > spec.gate_threshold
        opened[-1] = True
        last = opened.int().argmax(0)  # (batch,): the first that is true
        rows = torch.arange(len(last), device=last.device)
        state = model.core.coda(exits.states[last, rows])
        states.append(state)
        used.append(exits.loops[last, rows])
    return torch.stack(states), torch.stack(used)
