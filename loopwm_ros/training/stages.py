"""The stages of a world model: the encoder on single frames, then the core on windows of frozen tokens."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from loopwm_ros.bundle import ModelSpec
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.training import evaluate, losses
from loopwm_ros.training.augment import Augment
from loopwm_ros.training.model import LoopWM, noise_state
from loopwm_ros.training.rollout import RolloutLoss
from loopwm_ros.training.schedule import curriculum_horizon
from loopwm_ros.training.settings import EncoderSettings, StageSettings, TrainSettings
from loopwm_ros.training.windows import Frames, Indices, draw, draw_mixed, frames_at, spaced, windows_at

MOVED = 0.005  # least way within a window that counts as moving [m]


class Stage(Protocol):
    """What the trainer needs of a stage."""

    name: str
    settings: StageSettings

    @property
    def loss(self) -> nn.Module:
        """From a batch to the total loss and its parts."""
        ...

    def parameters(self) -> list[nn.Parameter]:
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
        train, held_out = data.split(settings.held_out, settings.seed)
        self.settings, self.model = settings.encoder.stage, model
        self.loss = ReadingLoss(model, settings.encoder)
        self._spec, self._data = spec, data
        self._train = data.frames(train)
        self._held_out = spaced(data.frames(held_out), settings.evaluation_frames)
        self._augment = Augment.of(settings.encoder.augment, spec)

    def parameters(self) -> list[nn.Parameter]:
        return list(self.model.encoder.parameters())

    def batch(self, step: int, size: int, generator: torch.Generator) -> tuple[Any, ...]:  # noqa: ARG002
        frames = frames_at(self._data, self._spec, draw(self._train, size, generator))
        return (frames._replace(images=self._augment(frames.images, generator)),)

    def evaluate(self, model: LoopWM) -> dict[str, float]:
        return evaluate.reading_metrics(model, self._data, self._spec, self._held_out)


def _columns_of(points: tuple[str, ...], quantities: tuple[str, ...]) -> list[int]:
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
        train, held_out = data.split(settings.held_out, settings.seed)
        self.settings, self.model = settings.rollout.stage, model
        self.loss = RolloutLoss(model, settings.rollout, settings.core)
        self._spec, self._data, self._rollout = spec, data, settings.rollout
        self._stride = data.stride_frames(spec.model_period)
        self._unpredicted = _columns_of(settings.rollout.unpredicted, spec.quantities)
        self._train = {n: self._windows(train, n) for n in range(2, settings.rollout.steps + 1)}
        self._moving = {n: self._moves(starts, n) for n, starts in self._train.items()}
        self._held_out = spaced(self._windows(held_out, settings.rollout.steps), settings.evaluation_windows)
        model.encoder.requires_grad_(False)

    @cached_property
    def _tokens(self) -> Tensor:
        """Of all frames, on the CPU; a finished stage needs none."""
        return evaluate.encode(self.model, self._data, self._spec, np.arange(len(self._data)))[0]

    def parameters(self) -> list[nn.Parameter]:
        parts = (self.model.core, self.model.heads, self.model.monitor)
        return [parameter for part in parts for parameter in part.parameters()]

    def batch(self, step: int, size: int, generator: torch.Generator) -> tuple[Any, ...]:
        rollout = self._rollout
        context = 1 + int(torch.randint(rollout.context, (), generator=generator))
        steps = context + curriculum_horizon(step, rollout.horizon, rollout.horizon_every)
        starts, moving = self._train[steps], self._moving[steps]
        at = self._frames_of(draw_mixed(starts, moving, rollout.moving_share, size, generator), steps)
        window = windows_at(self._data, self._spec, self._tokens, at)
        window.known[..., self._unpredicted] = False
        return noise_state(self._spec, size, generator), window, context, generator

    def evaluate(self, model: LoopWM) -> dict[str, float]:
        at = self._frames_of(self._held_out, self._rollout.steps)
        window = windows_at(self._data, self._spec, self._tokens, at)
        return evaluate.rollout_metrics(model, self._spec, window, self._rollout)

    def _windows(self, episodes: Indices, steps: int) -> Indices:
        """First frames of all windows."""
        starts = self._data.windows(episodes, steps, self._stride)[:, 0].copy()
        if not len(starts):
            raise ConfigError(
                f"no episode is long enough for {steps} transitions; collect longer ones, "
                "or lower rollout.context or rollout.horizon"
            )
        return starts

    def _moves(self, starts: Indices, steps: int) -> NDArray[np.bool_]:
        """In which windows the point that matters ends elsewhere than it began, (windows,)."""
        name = self._rollout.moving_point
        if not name:
            return np.zeros(len(starts), dtype=bool)
        columns = self._spec.columns(name)
        ends = starts + self._stride * (steps - 1)
        moved = self._data.labels[ends][:, columns] - self._data.labels[starts][:, columns]
        known = (self._data.label_mask[ends] & self._data.label_mask[starts])[:, columns].all(1)
        return np.asarray(known & (np.linalg.norm(moved, axis=1) > MOVED))

    def _frames_of(self, starts: Indices, steps: int) -> Indices:
        """All frames of windows, (windows, steps)."""
        return starts[:, None] + self._stride * np.arange(steps)
