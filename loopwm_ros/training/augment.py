"""Image augmentation on normalised batches (batch, 3, height, width).

Geometry is never touched: labels are metric.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.images import normalise_image
from loopwm_ros.training.settings import AugmentSettings

NOISE_FIELDS = 16  # drawn per batch and shared: one per image would cost more than the network


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """In [-1, 1]."""
    return torch.rand(shape, generator=generator) * 2 - 1


@dataclass(frozen=True)
class Augment:
    """Changes of light, sensor noise, and loss of sight."""

    settings: AugmentSettings
    black: float  # normalised value of a pixel of 0
    white: float  # of 255

    @classmethod
    def of(cls, settings: AugmentSettings, spec: ModelSpec) -> Augment:
        """For images normalised as `spec` says."""
        pixels = np.array([0, 255], dtype=np.uint8).reshape(1, 2, 1)
        black, white = normalise_image(spec, pixels).ravel()
        return cls(settings, float(black), float(white))

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """All changes; the result depends on the arguments alone."""
        images = self.shift_light(images, generator) + self._noise(images, generator)
        return self.hide(images.clamp_(self.black, self.white), generator)

    def shift_light(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Brightness, contrast and colour gain, one draw per image."""
        count, grey, reach = len(images), (self.black + self.white) / 2, self.white - self.black
        gain = 1 + self.settings.contrast * _uniform((count, 1, 1, 1), generator)
        gain = gain * (1 + self.settings.colour * _uniform((count, 3, 1, 1), generator))
        shift = self.settings.brightness * reach * _uniform((count, 1, 1, 1), generator)
        return images * gain + (grey + shift - grey * gain)

    def hide(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """One flat rectangle, or a flat image, in a share of the batch; changes `images`."""
        draws = torch.rand(len(images), 9, generator=generator).tolist()
        height, width = images.shape[2:]
        for image, (cut, blank, y, x, tall, wide, *colour) in zip(images, draws, strict=True):
            area = image[:, int(y * height) :, int(x * width) :]
            if blank < self.settings.blank:
                area = image
            elif cut < self.settings.cutout:
                area = area[:, : int(height * (0.1 + 0.3 * tall)), : int(width * (0.1 + 0.3 * wide))]
            else:
                continue
            flat = torch.tensor(colour) * (self.white - self.black) + self.black
            area.copy_(flat[:, None, None].expand_as(area))
        return images

    def _noise(self, images: Tensor, generator: torch.Generator) -> Tensor:
        fields = torch.randn(NOISE_FIELDS, *images.shape[1:], generator=generator)
        chosen = torch.randint(NOISE_FIELDS, (len(images),), generator=generator)
        return fields[chosen].mul_(self.settings.noise * (self.white - self.black))
