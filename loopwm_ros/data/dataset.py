"""All frames of many episodes as memory-mapped arrays, and windows over them. No torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.data.samples import Samples, SampleSettings
from loopwm_ros.errors import BagError, MismatchError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.states import action_from_displacement
from loopwm_ros.types import F32

INDEX = "index.json"
ARRAYS = tuple(f.name for f in fields(Samples))
UNEVEN = 0.25  # frames further off their place than this share of the frame period break a window

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Skipped:
    """A recording that was left out."""

    path: str
    reason: str


@dataclass(frozen=True)
class Dataset(Samples):
    """Samples of all episodes, one after the other (m = N frames), memory-mapped and read-only."""

    offsets: Indices  # episode e has frames offsets[e] to offsets[e + 1], (E + 1,)
    sources: tuple[str, ...]  # path of each episode, (E,)
    episode_sha256: tuple[str, ...]  # of each episode's files, (E,)
    skipped: tuple[Skipped, ...]
    data_sha256: str  # of all episodes, whatever their paths and order
    settings: SampleSettings = field(repr=False)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.stamps)

    @property
    def episodes(self) -> int:
        """Number of episodes."""
        return len(self.offsets) - 1

    @property
    def frame_period(self) -> float:
        """Usual time between frames [s]."""
        steps = np.diff(self.stamps)
        inside = np.ones(len(steps), dtype=bool)
        inside[self.offsets[1:-1] - 1] = False
        if not inside.any():
            raise BagError(
                "the recordings hold no two frames of one episode; nothing can be learned from them"
            )
        return float(np.median(steps[inside]))

    def split(self, validation_share: float, seed: int) -> tuple[Indices, Indices]:
        """Training and validation episodes, drawn by `seed`; at least one of each where there are two."""
        order = np.random.default_rng(seed).permutation(self.episodes)
        count = round(validation_share * self.episodes)
        if validation_share > 0 and self.episodes > 1:
            count = min(max(count, 1), self.episodes - 1)
        return np.sort(order[count:]), np.sort(order[:count])

    def frames(self, episodes: Sequence[int] | Indices) -> Indices:
        """Indices of all frames of `episodes`."""
        spans = [np.arange(self.offsets[e], self.offsets[e + 1]) for e in episodes]
        return np.concatenate([np.zeros(0, dtype=np.int64), *spans])

    def stride_frames(self, model_period: float) -> int:
        """Frames per transition of `model_period` [s].

        Raises:
            MismatchError: no whole number of frames fits.
        """
        stride = max(1, round(model_period / self.frame_period))
        if abs(stride * self.frame_period - model_period) > UNEVEN * self.frame_period:
            raise MismatchError(
                f"transitions of {model_period * 1e3:.1f} ms do not fit frames every "
                f"{self.frame_period * 1e3:.1f} ms; expected a multiple of the frame period"
            )
        return stride

    def windows(self, episodes: Sequence[int] | Indices, length: int, stride_frames: int) -> Indices:
        """Frame indices (M, length) of all windows of evenly spaced frames within one episode."""
        steps = stride_frames * np.arange(length)
        starts = [np.arange(self.offsets[e], self.offsets[e + 1] - steps[-1]) for e in episodes]
        windows = np.concatenate([np.zeros(0, dtype=np.int64), *starts])[:, None] + steps
        period = self.frame_period
        error = np.abs(np.diff(self.stamps[windows], axis=1) - stride_frames * period)
        return np.asarray(windows[np.all(error <= UNEVEN * period, axis=1)])

    def actions(self, windows: Indices, spec: ModelSpec) -> F32:
        """Actions (M, length - 1, action_dim) between the frames of each window."""
        displacement = np.diff(self.command_tool[windows], axis=1)
        return action_from_displacement(displacement, spec.action_dim, spec.max_tool_speed, spec.model_period)


def open_dataset(root: Path) -> Dataset:
    """Map a finished cache."""
    index = json.loads((root / INDEX).read_text(encoding="utf-8"))
    arrays = {name: np.load(root / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
    return Dataset(
        **arrays,
        offsets=np.asarray(index["offsets"], dtype=np.int64),
        sources=tuple(index["sources"]),
        episode_sha256=tuple(index["episode_sha256"]),
        skipped=tuple(Skipped(**entry) for entry in index["skipped"]),
        data_sha256=index["data_sha256"],
        settings=SampleSettings.model_validate(index["settings"]),
    )
