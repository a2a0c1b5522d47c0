"""What all arms of a study share, in one file: the frozen encoder's tokens, labels, where windows begin."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from loopwm_ros.data.dataset import Dataset
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training import checkpoint, evaluate
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.stages import columns_of
from loopwm_ros.training.windows import Bank, Indices, WindowStarts, actions_ahead, make_bank


class StudyBank(NamedTuple):
    """The bank, and where windows may begin in it."""

    bank: Bank
    ahead: Tensor  # `actions_ahead`, (frames,)
    held_out: Tensor  # whether a frame is of a held-out episode, bool, (frames,)
    stride: int  # frames of one action

    def starts(self, spec: ModelSpec, points: tuple[str, ...], held_out: bool) -> WindowStarts:
        """Where windows may begin; `points` are those that may move."""
        ahead = torch.where(self.held_out == held_out, self.ahead, torch.zeros_like(self.ahead))
        columns = [columns_of((point,), spec.quantities) for point in points]
        return WindowStarts(self.bank.quantities, self.bank.known, ahead, self.stride, columns)


def build_study_bank(model: LoopWM, data: Dataset, spec: ModelSpec, held_out: Indices) -> StudyBank:
    """Encode one frame an action of every episode; `held_out` names the episodes that no arm learns from."""
    stride = data.stride_frames(spec.model_period)
    rows = np.concatenate([data.frames([episode])[::stride] for episode in range(data.episodes)])
    whole = make_bank(data, spec, torch.zeros(len(data)))
    tokens = evaluate.encode(model, data, spec, rows)[0].half()
    kept_out = torch.from_numpy(np.isin(rows, data.frames(held_out)))
    ahead = torch.from_numpy(actions_ahead(data, stride)[rows])
    bank = Bank(tokens, *(part[torch.from_numpy(rows)] for part in whole[1:]))
    return StudyBank(bank, ahead, kept_out, 1)


def save_study_bank(path: Path, bank: StudyBank) -> None:
    """Write it as safetensors."""
    tensors = {**bank.bank._asdict(), "ahead": bank.ahead, "held_out": bank.held_out}
    checkpoint.save_tensors(path, tensors, {"stride": bank.stride})


def load_study_bank(path: Path) -> StudyBank:
    """Read what `save_study_bank` wrote.

    Raises:
        ConfigError: no such file, or not one of ours.
    """
    tensors, state = checkpoint.load_tensors(path)
    bank = Bank(*(tensors[name] for name in Bank._fields))
    return StudyBank(bank, tensors["ahead"], tensors["held_out"], int(state["stride"]))
