"""The stages of a world model: the encoder on single frames, then the core on windows of frozen tokens."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training import evaluate, losses
from loopwm_ros.training.augment import Augment
from loopwm_ros.training.model import LoopWM, draw_loops, first_probed, noise_state
from loopwm_ros.training.rollout import RolloutLoss
from loopwm_ros.training.schedule import curriculum_horizon
from loopwm_ros.training.settings import EncoderSettings, StageSettings, TrainSettings
from loopwm_ros.training.windows import (
    Bank,
    Frames,
    Indices,
    Window,
    WindowStarts,
    actions_ahead,
    chunk_lengths,
    draw,
    draw_mixed,
    frames_at,
    longest_window,
    make_bank,
    spaced,
    windows_at,
)


class Group(NamedTuple):
    """Parameters that learn alike."""

    parameters: list[nn.Parameter]
    rate: float = 1.0  # share of the stage's learning rate


class Draw(NamedTuple):
    """What is drawn for one batch of windows."""

    starts: Tensor  # first frames, (batch,)
    lengths: Tensor  # actions of each transition, (steps, batch)
    context: int  # observed steps
    loops: Tensor  # iterations, (steps, batch)
    probed: Tensor  # the step that teaches the gate, (1,)
    noise: Tensor  # states before the first observation, (batch, tokens, width)


class Stage(Protocol):
    """What the trainer needs of a stage."""

    name: str
    settings: StageSettings

    @property
    def loss(self) -> nn.Module:
        """From a batch to the total loss and its parts."""
        ...

    def groups(self) -> list[Group]:
        """What this stage trains."""
        ...

    def batch(self, step: int, size: int, generator: torch.Generator) -> tuple[Any, ...]:
        """Arguments of `loss` for one step, on the CPU."""
        ...

    def evaluate(self, model: LoopWM) -> dict[str, float]:
        """Metrics on held-out episodes."""
        ...


class ReadingLoss(nn.Module):
    """The encoder's loss with its batch; a module, so that DistributedDataParallel can wrap it."""

    def __init__(self, model: LoopWM, settings: EncoderSettings) -> None:
        super().__init__()
        self.encoder, self.settings = model.encoder, settings

    def forward(self, frames: Frames) -> tuple[Tensor, dict[str, Tensor]]:
        """Total loss and its parts."""
        images = frames.images.contiguous(memory_format=torch.channels_last)
        _, reading, std = self.encoder(images, frames.proprio)
        total = losses.reading_loss(reading, std, frames.quantities, frames.known, self.settings)
        off = (reading - frames.quantities).detach().abs()
        return total, {"off_m": losses.masked_mean(off, frames.known)}


class EncoderStage:
    """`E_phi` supervised on augmented single frames."""

    name = "encoder"

    def __init__(self, settings: TrainSettings, spec: ModelSpec, data: Dataset, model: LoopWM) -> None:
        train, held_out = data.split(settings.held_out, settings.split_seed)
        self.settings, self.model = settings.encoder.stage, model
        self.loss = ReadingLoss(model, settings.encoder)
        self._spec, self._data = spec, data
        self._train = encoder_frames(data, train, settings.encoder.frames_per_episode)
        self._held_out = spaced(data.frames(held_out), settings.evaluation_frames)
        self._augment = Augment.of(settings.encoder.augment, spec)

    def groups(self) -> list[Group]:
        return [Group(list(self.model.encoder.parameters()))]

    def batch(self, step: int, size: int, generator: torch.Generator) -> tuple[Any, ...]:  # noqa: ARG002
        frames = frames_at(self._data, self._spec, draw(self._train, size, generator))
        return (frames._replace(images=self._augment(frames.images, generator)),)

    def evaluate(self, model: LoopWM) -> dict[str, float]:
        return evaluate.reading_metrics(model, self._data, self._spec, self._held_out)


def encoder_frames(data: Dataset, episodes: Indices, each: int) -> Indices:
    """Frames that the encoder learns from: `each` of every episode, evenly spaced; 0: all."""
    if not each:
        return data.frames(episodes)
    return np.concatenate([spaced(data.frames([episode]), each) for episode in episodes])


def columns_of(points: tuple[str, ...], quantities: tuple[str, ...]) -> list[int]:
    """Where the coordinates of some points stand.

    Raises:
        ConfigError: a point has none.
    """
    names = [quantity.rpartition("_")[0] for quantity in quantities]
    if missing := [point for point in points if point not in names]:
        raise ConfigError(f"no point {', '.join(missing)}; valid: {', '.join(dict.fromkeys(names))}")
    return [column for column, name in enumerate(names) if name in points]


class CoreStage:
    """`L_theta`, heads and monitor on windows of the frozen encoder's tokens."""

    name = "core"

    def __init__(self, settings: TrainSettings, spec: ModelSpec, data: Dataset, model: LoopWM) -> None:
        train, held_out = data.split(settings.held_out, settings.split_seed)
        self.settings, self.model = settings.rollout.stage, model
        self.loss: nn.Module = RolloutLoss(model, settings.rollout, settings.core)
        self._spec, self._data = spec, data
        self._rollout, self._core = settings.rollout, settings.core
        self._stride = data.stride_frames(spec.model_period)
        self._unpredicted = columns_of(settings.rollout.unpredicted, spec.quantities)
        ahead = actions_ahead(data, self._stride)
        self._train = self._starts(ahead, train, settings.rollout.moving_points)
        self._train.of(self._longest)  # refuses episodes that are too short before an hour is spent
        held_out_starts = self._starts(ahead, held_out, ()).of(self._longest).still
        self._held_out = spaced(held_out_starts.numpy(), settings.evaluation_windows)
        model.encoder.requires_grad_(False)

    @cached_property
    def _bank(self) -> Bank:
        """Of all frames, on the CPU; a finished stage needs none."""
        tokens = evaluate.encode(self.model, self._data, self._spec, np.arange(len(self._data)))[0]
        return make_bank(self._data, self._spec, tokens)

    @property
    def _longest(self) -> int:
        """Steps of the longest window, in actions."""
        return longest_window(self._rollout.context, self._rollout.horizon, self._spec.chunk)

    def _starts(self, ahead: Indices, episodes: Indices, points: tuple[str, ...]) -> WindowStarts:
        """Where windows of some episodes may begin."""
        inside = np.zeros_like(ahead)
        frames = self._data.frames(episodes)
        inside[frames] = ahead[frames]
        labels, known = (
            torch.from_numpy(np.array(part)) for part in (self._data.labels, self._data.label_mask)
        )
        columns = [columns_of((point,), self._spec.quantities) for point in points]
        return WindowStarts(labels, known, torch.from_numpy(inside), self._stride, columns)

    def groups(self) -> list[Group]:
        parts = (self.model.core, self.model.heads, self.model.monitor)
        return [Group([parameter for part in parts for parameter in part.parameters()])]

    def batch(self, step: int, size: int, generator: torch.Generator) -> tuple[Any, ...]:
        horizon = curriculum_horizon(step, self._rollout.horizon, self._rollout.horizon_every)
        drawn = self._draw(horizon, size, generator)
        window = self._windows(drawn.starts, drawn.lengths)
        window.known[..., self._unpredicted] = False
        return drawn.noise, window, drawn.context, drawn.loops, drawn.probed

    def _draw(self, horizon: int, size: int, generator: torch.Generator) -> Draw:
        """Windows of training episodes with up to `horizon` imagined actions."""
        rollout, chunk = self._rollout, self._spec.chunk
        context = 1 + int(torch.randint(rollout.context, (), generator=generator))
        lengths = chunk_lengths(context, horizon, chunk, size, rollout.partial_share, generator)
        starts = draw_mixed(
            self._train.of(longest_window(context, horizon, chunk)), rollout.moving_share, size, generator
        )
        loops = draw_loops(self._core, len(lengths), size, generator)
        probed = torch.randint(first_probed(self._core, context), len(lengths), (1,), generator=generator)
        return Draw(starts, lengths, context, loops, probed, noise_state(self._spec, size, generator))

    def _windows(self, starts: Tensor, lengths: Tensor) -> Window:
        return windows_at(self._bank, self._spec.chunk, self._stride, starts, lengths)

    def _held_out_windows(self) -> tuple[Tensor, Tensor]:
        """First frames (batch,) and lengths (steps, batch) of the windows to evaluate on."""
        rollout, chunk, random = self._rollout, self._spec.chunk, torch.Generator()
        lengths = chunk_lengths(rollout.context, rollout.horizon, chunk, len(self._held_out), 0.0, random)
        return torch.from_numpy(self._held_out), lengths

    def evaluate(self, model: LoopWM) -> dict[str, float]:
        window = self._windows(*self._held_out_windows())
        return evaluate.rollout_metrics(model, self._spec, window, self._rollout)
