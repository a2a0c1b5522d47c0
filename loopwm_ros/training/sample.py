"""A few real windows kept beside a trained model, so that its export can be checked without the data."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training import checkpoint
from loopwm_ros.training.windows import Indices, spaced
from loopwm_ros.types import F32, F64, U8

WINDOWS, STEPS = 4, 14


class RealWindows(NamedTuple):
    """Observations one model period apart, and the actions between them."""

    images: U8  # at the model's size, (windows, steps, height, width, 3)
    proprio: F64  # not normalised, (windows, steps, 2n + 3)
    actions: F32  # (windows, steps - 1, action_dim)


def real_windows(data: Dataset, spec: ModelSpec, episodes: Indices) -> RealWindows:
    """Windows from some episodes, evenly spaced over them.

    Raises:
        ConfigError: no episode is long enough.
    """
    windows = data.windows(episodes, STEPS, data.stride_frames(spec.model_period))
    if not len(windows):
        raise ConfigError(f"no held-out episode has {STEPS} transitions; collect longer ones")
    at = spaced(windows, WINDOWS)
    actions = data.actions(at, spec)
    return RealWindows(data.images[at], data.proprio[at].astype(np.float64), actions)


def save_windows(path: Path, windows: RealWindows) -> None:
    """Write windows as safetensors."""
    tensors = {name: torch.from_numpy(array) for name, array in windows._asdict().items()}
    checkpoint.save_tensors(path, tensors, {})


def load_windows(path: Path) -> RealWindows:
    """Read what `save_windows` wrote.

    Raises:
        ConfigError: no such file, or not one of ours.
    """
    tensors, _ = checkpoint.load_tensors(path)
    return RealWindows(*(tensors[name].numpy() for name in RealWindows._fields))
