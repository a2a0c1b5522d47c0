"""What is evaluated: finished runs, those that differ in their seed alone side by side."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from loopwm_ros.config import load_task
from loopwm_ros.errors import MismatchError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.evaluation.points import Points, points_of
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.run import load_run
from loopwm_ros.training.settings import TrainSettings

SEED = re.compile(r"[-_]s(eed)?\d+$")


@dataclass(frozen=True)
class Subject:
    """One run."""

    folder: Path
    settings: TrainSettings
    spec: ModelSpec
    model: LoopWM
    points: Points
    git_revision: str
    data_sha256: str

    @functools.cached_property
    def encoder_sha256(self) -> str:
        """Of the encoder's weights."""
        return weights_sha256(self.model.encoder)

    @property
    def looped(self) -> bool:
        """Is there a loop, whose iterations can be counted?"""
        return self.spec.max_loops > 1


def weights_sha256(module: nn.Module) -> str:
    """Of all weights by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def load_subject(folder: Path, device: torch.device) -> Subject:
    """Read a finished run.

    Raises:
        ConfigError: it is missing, unfinished or damaged.
    """
    run = load_run(folder)
    settings, description = run.settings, run.description
    points = points_of(description.spec, load_task(settings.task), settings.rollout.unpredicted)
    model = run.model.to(device)
    return Subject(
        folder, settings, description.spec, model, points, run.git_revision, description.data_sha256
    )


def grouped(subjects: Sequence[Subject]) -> dict[str, list[Subject]]:
    """Subjects by what they are, in their order: one group for all seeds of the same settings and data.

    Raises:
        MismatchError: two runs are of different tasks or periods, so that their errors cannot be compared.
    """
    first = subjects[0]
    for other in subjects[1:]:
        if (other.settings.task, other.spec.model_period) != (first.settings.task, first.spec.model_period):
            raise MismatchError(
                f"{other.folder} is of task '{other.settings.task}' in steps of "
                f"{other.spec.model_period:g} s, {first.folder} of '{first.settings.task}' in steps of "
                f"{first.spec.model_period:g} s; name runs of one task and one period"
            )
    alike: dict[str, list[Subject]] = {}
    for subject in subjects:
        same = subject.settings.model_dump_json(exclude={"seed", "name"})
        alike.setdefault(same + subject.data_sha256, []).append(subject)
    labels: dict[str, list[Subject]] = {}
    for members in alike.values():
        label = _label(members)
        labels[label if label not in labels else f"{label} ({members[0].folder.name})"] = members
    return labels


def _label(members: Sequence[Subject]) -> str:
    """The first run's name, without the number of its seed."""
    return SEED.sub("", members[0].settings.name)
