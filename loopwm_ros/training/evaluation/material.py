"""What all evaluated models share: recordings, windows, tokens, the joints' read-out; each made once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from loopwm_ros.data.dataset import Dataset
from loopwm_ros.training.console import read_data
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.evaluate import encode
from loopwm_ros.training.evaluation.joints import JointReadout, fit_joint_readout
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe, probe
from loopwm_ros.training.evaluation.subjects import Subject
from loopwm_ros.training.windows import Indices


class Material:
    """Recordings as models want them; folders are read through the cache of `loopwm train`."""

    def __init__(self, cache: Path, workers: Workers, readout: Sequence[Path] = ()) -> None:
        """`readout`: training recordings that the joints' read-out is fitted on; none: no joints."""
        self._cache, self._workers, self.readout = cache, workers, readout
        self._recordings: dict[tuple[Path, str, str, int, int], Dataset] = {}
        self._tokens: dict[tuple[str, str, str], Tensor] = {}
        self._joints: dict[str, JointReadout] = {}

    def recordings(self, root: Path, subject: Subject) -> Dataset:
        """All recordings below a folder, decoded for the subject's arm, task and image size.

        Raises:
            BagError: there are none that can be used.
        """
        settings = subject.settings
        key = root, settings.arm, settings.task, settings.image.width, settings.image.height
        if key not in self._recordings:
            self._recordings[key] = read_data(settings, [root], self._cache, self._workers)
        return self._recordings[key]

    def probe(self, root: Path, subject: Subject, horizon: int, most: int, least: int = 1) -> Probe:
        """Windows of a folder's recordings."""
        return probe(root.name, self.recordings(root, subject), subject.spec, horizon, most, least)

    def tokens(self, root: Path, subject: Subject, frames: Indices) -> Tensor:
        """What the subject's encoder says of frames (...), on the CPU, (..., tokens, width)."""
        data = self.recordings(root, subject)
        chosen, back = np.unique(frames, return_inverse=True)
        key = subject.encoder_sha256, data.data_sha256, hashlib.sha256(chosen.tobytes()).hexdigest()
        if key not in self._tokens:
            self._tokens[key] = encode(subject.model, data, subject.spec, chosen)[0]
        return self._tokens[key][torch.from_numpy(back.reshape(frames.shape))]

    def seen(self, root: Path, subject: Subject, windows: Probe) -> Tensor:
        """Tokens of the observed steps, (windows, CONTEXT, tokens, width)."""
        return self.tokens(root, subject, windows.frames[:, :CONTEXT])

    def joints(self, subject: Subject) -> JointReadout | None:
        """The joints' read-out for the subject's encoder; None where there is nothing to fit it on."""
        key = subject.encoder_sha256
        if self.readout and key not in self._joints:
            data = [self.recordings(root, subject) for root in self.readout]
            self._joints[key] = fit_joint_readout(subject.model, data, subject.spec)
        return self._joints.get(key)
