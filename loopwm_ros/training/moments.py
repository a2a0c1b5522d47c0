"""States as the robot has them when it decides: filtered from observations, then imagined a few steps on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training import evaluate
from loopwm_ros.training.model import LoopWM, fixed_loops, noise_state
from loopwm_ros.training.settings import PolicySettings
from loopwm_ros.training.windows import Indices, single

CHUNK = 256  # windows at a time


@dataclass(frozen=True)
class Moments:
    """Rows are moments; each frame gives two, one of them imagined from an earlier observation."""

    states: Tensor  # h_k, (moments, tokens, width)
    actions: Tensor  # sent over the next transition, (moments, action_dim)
    frames: Indices  # that the states describe, (moments,)


@torch.no_grad()
def find_moments(
    model: LoopWM, data: Dataset, spec: ModelSpec, settings: PolicySettings, episodes: Indices
) -> Moments:
    """All moments of some episodes, on the CPU.

    Raises:
        ConfigError: the episodes are too short.
    """
    windows = _windows(data, spec, settings.history, episodes)
    random = torch.Generator().manual_seed(0)
    states, actions = [], []
    for at in np.array_split(windows, len(windows) // CHUNK + 1):
        tokens, following = _inputs(model, data, spec, at)
        filtered = _filtered(model, spec, tokens, following, random)
        imagined = _imagined(model, spec, filtered, following, settings.imagined, random)
        states.append(torch.stack([filtered, imagined]).flatten(0, 2).cpu())
        actions.append(following.expand(2, *following.shape).flatten(0, 2).cpu())
    chunks = np.array_split(windows[:, :-1], len(windows) // CHUNK + 1)
    frames = np.concatenate([np.tile(at.T.ravel(), 2) for at in chunks])
    return Moments(torch.cat(states), torch.cat(actions), frames)


def _windows(data: Dataset, spec: ModelSpec, history: int, episodes: Indices) -> Indices:
    """Frames of windows one after the other, the last of an episode up to its end, (windows, history + 1)."""
    stride = data.stride_frames(spec.model_period)
    windows = data.windows(episodes, history + 1, stride)
    episode = np.searchsorted(data.offsets, windows[:, 0], side="right") - 1
    begins = (windows[:, 0] - data.offsets[episode]) % (history * stride) == 0
    windows = windows[begins | (windows[:, -1] == data.offsets[episode + 1] - 1)]
    if not len(windows):
        raise ConfigError(
            f"no episode is long enough for {history} transitions; collect longer ones, "
            "or lower policy.history"
        )
    return windows


def _inputs(model: LoopWM, data: Dataset, spec: ModelSpec, at: Indices) -> tuple[Tensor, Tensor]:
    """Tokens of all frames but the last, and the actions that followed each, steps first."""
    seen = at[:, :-1].T
    tokens = evaluate.encode(model, data, spec, seen.ravel())[0].unflatten(0, seen.shape)
    actions = torch.from_numpy(data.actions(at, spec)).transpose(0, 1)
    device = evaluate.device_of(model)
    return tokens.to(device), actions.to(device)


def _filtered(
    model: LoopWM, spec: ModelSpec, tokens: Tensor, actions: Tensor, random: torch.Generator
) -> Tensor:
    """States after each observation, (steps, windows, tokens, width)."""
    loops = fixed_loops(spec.mean_loops, tokens.shape[1])
    state = noise_state(spec, tokens.shape[1], random).to(tokens.device)
    led, states = torch.zeros_like(actions[0]), []
    for observed, following in zip(tokens, actions, strict=True):
        state = model.core(state, observed, single(led, spec.chunk), loops)
        states.append(state)
        led = following
    return torch.stack(states)


def _imagined(
    model: LoopWM, spec: ModelSpec, filtered: Tensor, actions: Tensor, most: int, random: torch.Generator
) -> Tensor:
    """The same moments, each imagined from an observation 1 to `most` steps earlier, if there is one."""
    steps, count = filtered.shape[:2]
    wanted = torch.randint(1, most + 1, (steps, count), generator=random)
    wanted = torch.minimum(wanted, torch.arange(steps)[:, None]).to(filtered.device)
    chosen, rolled = filtered.clone(), filtered
    for ahead in range(1, min(most, steps - 1) + 1):
        before, led = rolled[:-1].flatten(0, 1), actions[ahead - 1 : -1].flatten(0, 1)
        following = model.core(
            before,
            torch.zeros_like(before),
            single(led, spec.chunk),
            fixed_loops(spec.mean_loops, len(before)),
        )
        rolled = following.unflatten(0, (-1, count))
        chosen[ahead:] = torch.where((wanted[ahead:] == ahead)[..., None, None], rolled, chosen[ahead:])
    return chosen
