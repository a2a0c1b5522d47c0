"""Batches from the data set: frames for the encoder, windows of transitions for the core."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loopwm_ros.bundle import ModelSpec
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.processing.images import normalise_image
from loopwm_ros.processing.states import normalise_proprio

Indices = NDArray[np.int64]


class Frames(NamedTuple):
    """A batch of single frames."""

    images: Tensor  # normalised, (batch, 3, height, width)
    proprio: Tensor  # normalised, (batch, proprio)
    quantities: Tensor  # [m], (batch, quantities)
    known: Tensor  # which quantities have a label, bool, (batch, quantities)


class Window(NamedTuple):
    """A batch of windows, steps first. Action `u_k` led to observation `o_k`."""

    tokens: Tensor  # E_phi(o_k), (steps, batch, tokens, width)
    actions: Tensor  # (steps, batch, action_dim); the first is zero, unknown as it is on the robot
    quantities: Tensor  # [m], (steps, batch, quantities)
    known: Tensor  # which quantities have a label, bool, (steps, batch, quantities)
    reward: Tensor  # (steps, batch)
    reward_known: Tensor  # bool, (steps, batch)
    continuation: Tensor  # 1 while the episode goes on, (steps, batch)
    continuation_known: Tensor  # bool, (steps, batch)


def frames_at(data: Dataset, spec: ModelSpec, at: Indices) -> Frames:
    """Some frames, by index (batch,)."""
    return Frames(
        torch.from_numpy(normalise_image(spec, data.images[at])),
        torch.from_numpy(normalise_proprio(spec, data.proprio[at].astype(np.float64))),
        torch.from_numpy(data.labels[at]),
        torch.from_numpy(data.label_mask[at]),
    )


def windows_at(data: Dataset, spec: ModelSpec, tokens: Tensor, at: Indices) -> Window:
    """Windows of frames (batch, steps), with the tokens (frames, tokens, width) of all frames."""
    actions = np.zeros((at.shape[1], len(at), spec.action_dim), dtype=np.float32)
    actions[1:] = np.moveaxis(data.actions(at, spec), 1, 0)
    steps = at.T
    columns = (
        data.labels, data.label_mask, data.reward, data.reward_mask, data.continuation, data.continuation_mask
    )  # fmt: skip
    labels = (torch.from_numpy(column[steps]) for column in columns)
    return Window(tokens[torch.from_numpy(steps)], torch.from_numpy(actions), *labels)


def draw(rows: Indices, size: int, generator: torch.Generator) -> Indices:
    """`size` of the rows, with replacement."""
    return rows[torch.randint(max(1, len(rows)), (size,), generator=generator).numpy()]


def draw_mixed(
    rows: Indices, chosen: NDArray[np.bool_], share: float, size: int, generator: torch.Generator
) -> Indices:
    """As `draw`, but a `share` of the result from the `chosen` rows, where there are any."""
    if not chosen.any() or chosen.all():
        return draw(rows, size, generator)
    count = round(share * size)
    return np.concatenate(
        [draw(rows[chosen], count, generator), draw(rows[~chosen], size - count, generator)]
    )


def spaced(rows: Indices, count: int) -> Indices:
    """At most `count` of the rows, evenly spaced."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64)]
