"""Batches from the data set: frames for the encoder, windows of transitions for the core."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.images import normalise_image
from loopwm_ros.processing.states import normalise_proprio

Indices = NDArray[np.int64]

MOVED = 0.005  # least way within a window that counts as moving [m]


class Frames(NamedTuple):
    """A batch of single frames."""

    images: Tensor  # normalised, (batch, 3, height, width)
    proprio: Tensor  # normalised, (batch, proprio)
    quantities: Tensor  # [m], (batch, quantities)
    known: Tensor  # which quantities have a label, bool, (batch, quantities)


class Bank(NamedTuple):
    """All that the core learns from, of every frame: the frozen encoder's tokens, and what labels say."""

    tokens: Tensor  # E_phi(o), (frames, tokens, width)
    actions: Tensor  # that led here in one model period, (frames, action_dim); of an episode's start: nothing
    quantities: Tensor  # [m], (frames, quantities)
    known: Tensor  # which quantities have a label, bool, (frames, quantities)
    reward: Tensor  # (frames,)
    reward_known: Tensor  # bool, (frames,)
    continuation: Tensor  # 1 while the episode goes on, (frames,)
    continuation_known: Tensor  # bool, (frames,)


class Starts(NamedTuple):
    """First frames of windows of one length: those in which something moves, and the others."""

    moving: Tensor
    still: Tensor


class Window(NamedTuple):
    """A batch of windows, steps first. Actions `u_k` led to observation `o_k`."""

    tokens: Tensor  # E_phi(o_k), (steps, batch, tokens, width)
    actions: Tensor  # (steps, batch, action_input); the first is zero, unknown as it is on the robot
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


def make_bank(data: Dataset, spec: ModelSpec, tokens: Tensor) -> Bank:
    """Everything of all frames, with their tokens (frames, tokens, width)."""
    stride = data.stride_frames(spec.model_period)
    actions = np.zeros((len(data), spec.action_dim), dtype=np.float32)
    rows = np.arange(len(data) - stride)[:, None] + np.array([0, stride])
    actions[stride:] = data.actions(rows, spec)[:, 0]
    columns = (
        data.labels, data.label_mask, data.reward, data.reward_mask, data.continuation, data.continuation_mask
    )  # fmt: skip
    labels = (torch.from_numpy(np.array(column)) for column in columns)
    return Bank(tokens, torch.from_numpy(actions), *labels)


def frames_of(starts: Tensor, stride: int, lengths: Tensor) -> Tensor:
    """Index of the frame that each step of windows observes, (steps, batch); as for `windows_at`."""
    return starts + stride * (lengths.cumsum(0) - lengths[:1])


def windows_at(bank: Bank, chunk: int, stride: int, starts: Tensor, lengths: Tensor) -> Window:
    """Windows that begin at frames `starts` (batch,); `lengths` (steps, batch): actions of each transition.

    `stride`: frames of one action. The first step is an observation alone: its length is 1, its action zero.
    """
    ends = frames_of(starts, stride, lengths)
    back = lengths[..., None] - 1 - torch.arange(chunk, device=lengths.device)
    valid = (back >= 0) & (ends != starts)[..., None]
    actions = bank.actions[(ends[..., None] - stride * back).clamp(min=0, max=len(bank.actions) - 1)]
    told = chunk_input(actions * valid[..., None], lengths)
    return Window(bank.tokens[ends].to(told.dtype), told, *(column[ends] for column in bank[2:]))


def chunk_input(actions: Tensor, lengths: Tensor) -> Tensor:
    """`processing.states.chunked` of a batch: actions (..., chunk, action_dim), 0 beyond `lengths` (...)."""
    chunk = actions.shape[-2]
    if chunk == 1:
        return actions[..., 0, :]
    return torch.cat([actions.flatten(-2), (lengths / chunk).to(actions.dtype)[..., None]], dim=-1)


def single(actions: Tensor, chunk: int) -> Tensor:
    """The input of transitions that span one action, (..., action_dim) each."""
    padded = functional.pad(actions[..., None, :], (0, 0, 0, chunk - 1))
    return chunk_input(padded, torch.ones(actions.shape[:-1], device=actions.device))


def transitions(horizon: int, chunk: int) -> int:
    """How many imagined transitions a horizon of so many actions takes."""
    return -(-horizon // chunk)


def longest_window(context: int, horizon: int, chunk: int) -> int:
    """Frames, one action apart, of a window whose transitions all span what they may."""
    return context + transitions(horizon, chunk) * chunk


def chunk_lengths(
    context: int,
    horizon: int,
    chunk: int,
    size: int,
    partial: float,
    generator: torch.Generator | None,
    device: torch.device | None = None,
) -> Tensor:
    """Actions of each transition of a batch of windows, (steps, batch): observed ones span one.

    The imagined ones span `chunk`, but for a share `partial`, which span anything from one on. Without a
    generator the default one of the `device` draws.
    """
    imagined = transitions(horizon, chunk)
    lengths = torch.full((context + imagined, size), chunk, device=device)
    lengths[:context] = 1
    drawn = torch.randint(1, chunk + 1, (imagined, size), generator=generator, device=device)
    short = torch.rand(imagined, size, generator=generator, device=device) < partial
    lengths[context:] = torch.where(short, drawn, lengths[context:])
    return lengths


def draw(rows: Indices, size: int, generator: torch.Generator) -> Indices:
    """`size` of the rows, with replacement."""
    return rows[torch.randint(max(1, len(rows)), (size,), generator=generator).numpy()]


def actions_ahead(data: Dataset, stride: int) -> Indices:
    """How many actions of `stride` frames follow each frame, evenly spaced and in its episode, (frames,)."""
    follows = np.zeros(len(data), dtype=bool)
    follows[data.windows(np.arange(data.episodes), 2, stride)[:, 0]] = True
    ahead = np.zeros(len(data) + stride, dtype=np.int64)
    for frame in range(len(data) - 1, -1, -1):
        ahead[frame] = 1 + ahead[frame + stride] if follows[frame] else 0
    return ahead[: len(data)]


class WindowStarts:
    """Where windows may begin, and in which of them something moves; by their length."""

    def __init__(
        self, labels: Tensor, known: Tensor, ahead: Tensor, stride: int, points: list[list[int]]
    ) -> None:
        """Of all frames: labels (frames, quantities), `actions_ahead` (frames,), 0 where none may begin.

        `points`: columns of each point that may move; `stride`: frames of one action.
        """
        self._labels, self._known, self._ahead = labels, known, ahead
        self._stride, self._points = stride, points
        self._of: dict[int, Starts] = {}

    def of(self, steps: int) -> Starts:
        """Windows of `steps` frames one action apart.

        Raises:
            ConfigError: no episode is long enough.
        """
        if steps not in self._of:
            starts = torch.nonzero(self._ahead >= steps - 1)[:, 0]
            if not len(starts):
                raise ConfigError(
                    f"no episode is long enough for {steps} transitions; collect longer ones, "
                    "or lower rollout.context or rollout.horizon"
                )
            moves = self._moves(starts, starts + self._stride * (steps - 1))
            self._of[steps] = Starts(starts[moves], starts[~moves])
        return self._of[steps]

    def _moves(self, starts: Tensor, ends: Tensor) -> Tensor:
        """In which windows a point that matters ends elsewhere than it began."""
        moved = torch.zeros(len(starts), dtype=torch.bool)
        for columns in self._points:
            way = (self._labels[ends] - self._labels[starts])[:, columns].norm(dim=1)
            moved |= (self._known[ends] & self._known[starts])[:, columns].all(1) & (way > MOVED)
        return moved


def draw_mixed(
    starts: Starts, share: float, size: int, generator: torch.Generator | None, *batches: int
) -> Tensor:
    """First frames of a batch, or of several: (*batches, size), a `share` of each where something moves.

    With replacement. Without a generator the default one of the frames' device draws.
    """
    share = share if len(starts.moving) and len(starts.still) else float(len(starts.moving) > 0)
    count = round(share * size)
    drawn = [
        rows[torch.randint(len(rows), (*batches, n), generator=generator, device=rows.device)]
        for rows, n in ((starts.moving, count), (starts.still, size - count))
        if n
    ]
    return torch.cat(drawn, dim=-1)


def spaced(rows: Indices, count: int) -> Indices:
    """At most `count` of the rows, evenly spaced."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64)]
