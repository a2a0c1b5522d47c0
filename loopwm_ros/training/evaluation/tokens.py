"""What the encoder says of a probe's frames, worked out once for all models that share an encoder."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from loopwm_ros.bundle import ModelSpec
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.training.evaluate import encode
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.windows import Indices


def encoder_sha256(model: LoopWM) -> str:
    """Of the encoder's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class Tokens:
    """Tokens `E_phi(o)` of frames, kept by encoder, data and frames."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], Tensor] = {}

    def of(self, model: LoopWM, data: Dataset, spec: ModelSpec, frames: Indices) -> Tensor:
        """Of frames (...), on the CPU, (..., tokens, width)."""
        chosen, back = np.unique(frames, return_inverse=True)
        key = encoder_sha256(model), data.data_sha256, hashlib.sha256(chosen.tobytes()).hexdigest()
        if key not in self._kept:
            self._kept[key] = encode(model, data, spec, chosen)[0]
        return self._kept[key][torch.from_numpy(back.reshape(frames.shape))]
