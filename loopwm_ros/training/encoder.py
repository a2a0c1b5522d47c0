"""Observation encoder `E_phi`: image and proprioception to tokens, and a reading of the task quantities."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from loopwm_ros.training.settings import CoreSettings, EncoderSettings

CONTRAST = 40.0  # of the maps at first: they would be flat, all points in the middle, and stay so for long


class Keypoints(nn.Module):
    """Convolutions whose activity is summed up as points: soft-argmax position, spread and presence.

    At some of the points the activity itself is read as well: a position does not say which way a thing is
    turned.
    """

    grid: Tensor
    features = 4  # per keypoint: x, y, spread, presence

    def __init__(self, settings: EncoderSettings, image_size: tuple[int, int]) -> None:
        """`image_size`: height, width [px]."""
        super().__init__()
        self.autocast = settings.precision == "bfloat16"
        one, two, three, four = settings.channels
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, one, 5, stride=2, padding=2), nn.ReLU(),
            nn.Conv2d(one, two, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(two, three, 3, padding=1), nn.ReLU(),
            nn.Conv2d(three, four, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.heat = nn.Conv2d(four, settings.keypoints, 1)
        with torch.no_grad():
            self.heat.weight.mul_(CONTRAST)
        rows, columns = (-(-size // 4) for size in image_size)
        y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
        self.register_buffer("grid", torch.stack([x, y, x * x + y * y], -1).reshape(-1, 3), persistent=False)
        self.glimpses = settings.glimpses
        self.size = settings.keypoints * self.features + settings.glimpses * four

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, height, width) to (batch, size)."""
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self.autocast and self.training):
            activity = self.convolutions(image)
        heat = self.heat(activity.float()).flatten(2)  # (batch, keypoints, cells)
        weights = torch.softmax(heat, dim=-1)
        moments = weights @ self.grid
        position, square = moments[..., :2], moments[..., 2:]
        spread = square - position.square().sum(-1, keepdim=True)
        presence = torch.tanh((weights * heat).sum(-1, keepdim=True) / 10)
        points = torch.cat([position, spread, presence], dim=-1).flatten(1)
        if not self.glimpses:
            return points
        seen = weights[:, : self.glimpses] @ activity.float().flatten(2).transpose(1, 2)
        return torch.cat([points, seen.flatten(1)], dim=-1)


class Encoder(nn.Module):
    """Tokens `e_k`, and a Gaussian reading of the quantities in physical units."""

    quantity_mean: Tensor
    quantity_std: Tensor

    def __init__(
        self,
        encoder: EncoderSettings,
        core: CoreSettings,
        image_size: tuple[int, int],
        proprio: int,
        quantities: int,
    ) -> None:
        super().__init__()
        self.shape = (core.tokens, core.width)
        size = core.tokens * core.width
        self.keypoints = Keypoints(encoder, image_size)
        inputs = self.keypoints.size + proprio
        self.embed = nn.Sequential(
            nn.Linear(inputs, encoder.hidden), nn.SiLU(),
            nn.Linear(encoder.hidden, encoder.hidden), nn.SiLU(),
            nn.Linear(encoder.hidden, size),
        )  # fmt: skip
        self.norm = nn.LayerNorm(core.width)
        self.read = nn.Sequential(
            nn.Linear(size, encoder.hidden), nn.SiLU(), nn.Linear(encoder.hidden, 2 * quantities)
        )
        self.log_std_range = (math.log(encoder.std_floor), math.log(encoder.std_ceiling))
        self.register_buffer("quantity_mean", torch.zeros(quantities))
        self.register_buffer("quantity_std", torch.ones(quantities))

    def forward(self, image: Tensor, proprio: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised image (batch, 3, height, width) and proprioception (batch, proprio).

        Returns tokens (batch, tokens, width), reading and its 1-sigma estimate (batch, quantities).
        """
        features = torch.cat([self.keypoints(image), proprio], dim=-1)
        tokens = self.norm(self.embed(features).reshape(-1, *self.shape))
        mean, spread = self.read(tokens.flatten(1)).chunk(2, dim=-1)
        low, high = self.log_std_range
        log_std = low + (high - low) * torch.sigmoid(spread)
        return tokens, self.quantity_mean + self.quantity_std * mean, torch.exp(log_std)
