"""End to end: encoder, core, heads and monitor together, on windows of images.

Readings go on learning from the frames that the encoder's own stage draws: windows are of fewer scenes.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from loopwm_ros.data.dataset import Dataset
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training import evaluate, losses
from loopwm_ros.training.augment import Augment
from loopwm_ros.training.continuing import BEFORE
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.rollout import RolloutLoss
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.stages import CoreStage, Group, encoder_frames
from loopwm_ros.training.windows import Bank, Frames, Window, draw, frames_at, frames_of, make_bank, spaced


class JointLoss(nn.Module):
    """The window's losses with gradients into the encoder, and the encoder's own loss beside them."""

    def __init__(self, model: LoopWM, settings: TrainSettings) -> None:
        super().__init__()
        assert settings.joint is not None
        self.rollout = RolloutLoss(model, settings.rollout, settings.core)
        self.encoder, self.settings = model.encoder, settings.encoder
        self.reading_weight = settings.joint.reading_weight

    def forward(
        self, frames: Frames, read: Frames, window: Window, context: int, *rest: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Total loss and its parts.

        Tokens are of the images as they are, so that a model goes on from what it learned on frozen tokens;
        readings are of augmented ones. Tokens of imagined steps are targets only: no gradients.

        Args:
            frames: of all steps, the steps first, (steps * batch, ...).
            read: what the encoder's own loss is about, images augmented, (any, ...).
            window: its tokens are not looked at.
            context: observed steps.
            rest: `start`, `loops` and `probed` of `RolloutLoss`.
        """
        start, loops, probed = rest
        seen = context * window.reward.shape[1]
        images = torch.cat([frames.images[:seen], read.images])
        tokens, reading, std = self._encode(images, torch.cat([frames.proprio[:seen], read.proprio]))
        with torch.no_grad():
            ahead = self._encode(frames.images[seen:], frames.proprio[seen:])[0]
        whole = torch.cat([tokens[:seen], ahead]).unflatten(0, window.reward.shape)
        total, parts = self.rollout(start, window._replace(tokens=whole), context, loops, probed)
        parts["reading"] = losses.reading_loss(
            reading[seen:], std[seen:], read.quantities, read.known, self.settings
        )
        return total + self.reading_weight * parts["reading"], parts

    def _encode(self, images: Tensor, proprio: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.encoder(images.contiguous(memory_format=torch.channels_last), proprio)


class JointStage(CoreStage):
    """`E_phi`, `L_theta`, heads and monitor on windows of images, at the full horizon from the start."""

    name = "joint"

    def __init__(self, settings: TrainSettings, spec: ModelSpec, data: Dataset, model: LoopWM) -> None:
        """`model` is as the core's stage, or the run that this one starts from, left it."""
        super().__init__(settings, spec, data, model)
        assert settings.joint is not None
        self.settings, self._joint = settings.joint.stage, settings.joint
        self.loss = JointLoss(model, settings)
        model.encoder.requires_grad_(True)
        self._data, self._augment = data, Augment.of(settings.encoder.augment, spec)
        train, held_out = data.split(settings.held_out, settings.split_seed)
        self._read = encoder_frames(data, train, settings.encoder.frames_per_episode)
        self._frames = spaced(data.frames(held_out), settings.evaluation_frames)
        self._before = {f"{BEFORE}{name}": value for name, value in self._measure(model).items()}

    @cached_property
    def _bank(self) -> Bank:
        """Without tokens: those change with every step."""
        return make_bank(self._data, self._spec, torch.zeros(len(self._data), 0))

    def groups(self) -> list[Group]:
        encoder = Group(list(self.model.encoder.parameters()), self._joint.encoder_rate)
        return [*super().groups(), encoder]

    def batch(self, step: int, size: int, generator: torch.Generator) -> tuple[Any, ...]:  # noqa: ARG002
        drawn = self._draw(self._rollout.horizon, size, generator)
        window = self._windows(drawn.starts, drawn.lengths)
        window.known[..., self._unpredicted] = False
        at = frames_of(drawn.starts, self._stride, drawn.lengths).flatten()
        frames = frames_at(self._data, self._spec, at.numpy())
        read = frames_at(self._data, self._spec, draw(self._read, drawn.context * size, generator))
        read = read._replace(images=self._augment(read.images, generator))
        return frames, read, window, drawn.context, drawn.noise, drawn.loops, drawn.probed

    def evaluate(self, model: LoopWM) -> dict[str, float]:
        return {**self._before, **self._measure(model)}

    def _measure(self, model: LoopWM) -> dict[str, float]:
        """What the encoder's and the core's stages measure, with the encoder as it is now."""
        starts, lengths = self._held_out_windows()
        at, places = frames_of(starts, self._stride, lengths).unique(return_inverse=True)
        tokens = evaluate.encode(model, self._data, self._spec, at.numpy())[0]
        window = self._windows(starts, lengths)._replace(tokens=tokens[places])
        return {
            **evaluate.reading_metrics(model, self._data, self._spec, self._frames),
            **evaluate.rollout_metrics(model, self._spec, window, self._rollout),
        }
