"""A whole run in one folder: settings, spec, revision, checkpoints of all stages, metrics, trained model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from loopwm_ros.bundle import ModelSpec
from loopwm_ros.config import CameraConfig, Settings, load_arm, load_settings, load_task, load_world
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.training import checkpoint
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.policy_stage import PolicyStage
from loopwm_ros.training.revision import UNKNOWN, note_revision, noted_revisions
from loopwm_ros.training.sample import RealWindows, load_windows, real_windows, save_windows
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.spec import model_spec, quantity_statistics
from loopwm_ros.training.stages import CoreStage, EncoderStage, Stage
from loopwm_ros.training.trainer import Listener, Trainer

SETTINGS, DESCRIPTION, MODEL, METRICS = "settings.yaml", "run.json", "model.safetensors", "metrics.json"
SAMPLE = "sample.safetensors"


class Description(Settings):
    """`run.json`: what the model is, and what it was trained on."""

    arm: str
    task: str
    camera: CameraConfig
    spec: ModelSpec
    data_sha256: str
    episodes: int


@dataclass(frozen=True)
class Trained:
    """A finished run, read back."""

    settings: TrainSettings
    description: Description
    model: LoopWM
    windows: RealWindows  # for checking the export
    metrics: dict[str, float]
    git_revision: str  # of the code that trained it; with + between them, if there were several


def train(
    settings: TrainSettings, data: Dataset, out: Path, workers: Workers, listener: Listener, resume: bool
) -> dict[str, float]:
    """All stages, one after the other; returns the metrics on held-out episodes.

    A run that was finished without a policy can be resumed with one.

    Raises:
        ConfigError: the folder holds a run already and `resume` is off, or it holds another run.
    """
    description = describe(settings, data)
    if workers.leads:
        open_folder(out, settings, description, resume)
    workers.wait()
    torch.manual_seed(settings.seed)
    model = LoopWM(settings, description.spec)
    train_frames = data.frames(data.split(settings.held_out, settings.seed)[0])
    model.set_quantity_scale(*(torch.from_numpy(part) for part in quantity_statistics(data, train_frames)))
    model.to(workers.device)
    metrics: dict[str, float] = {}
    kinds: list[type[EncoderStage | CoreStage | PolicyStage]] = [EncoderStage, CoreStage]
    if settings.policy is not None:
        kinds.append(PolicyStage)
    for kind in kinds:
        stage: Stage = kind(settings, description.spec, data, model)
        trainer = Trainer(stage, model, workers, settings.seed, listener)
        path = out / f"{stage.name}.safetensors"
        if resume and path.exists():
            trainer.load(path)
        metrics |= trainer.fit(path)
    if workers.leads:
        held_out = data.split(settings.held_out, settings.seed)[1]
        save_windows(out / SAMPLE, real_windows(data, description.spec, held_out))
        checkpoint.save_tensors(out / MODEL, model.state_dict(), {"seed": settings.seed})
        (out / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    workers.wait()
    return metrics


def describe(settings: TrainSettings, data: Dataset) -> Description:
    """The run's spec and data, before any training."""
    task, arm = load_task(settings.task), load_arm(settings.arm)
    world = load_world(task.world)
    frames = data.frames(data.split(settings.held_out, settings.seed)[0])
    return Description(
        arm=arm.name,
        task=task.name,
        camera=arm.camera,
        spec=model_spec(settings, arm, task, world, data, frames),
        data_sha256=data.data_sha256,
        episodes=data.episodes,
    )


def load_run(run: Path) -> Trained:
    """Read a finished run back, on the CPU.

    Raises:
        ConfigError: a file is missing or damaged.
    """
    settings = load_settings(run / SETTINGS, TrainSettings)
    description = load_description(run)
    model = LoopWM(settings, description.spec)
    if settings.policy is not None:
        model.add_policy(settings, description.spec, load_task(settings.task))
    tensors, _ = checkpoint.load_tensors(run / MODEL)
    checkpoint.restore_module(model, tensors, run / MODEL)
    metrics: dict[str, float] = json.loads((run / METRICS).read_text(encoding="utf-8"))
    revision = "+".join(noted_revisions(run)) or UNKNOWN
    return Trained(settings, description, model.eval(), load_windows(run / SAMPLE), metrics, revision)


def open_folder(out: Path, settings: TrainSettings, description: Description, resume: bool) -> None:
    """Write what the run is, or check that the folder's run is this one."""
    if (out / SETTINGS).exists():
        if not resume:
            raise ConfigError(f"{out} holds a run already; continue it with --resume, or name another folder")
        there = load_settings(out / SETTINGS, TrainSettings)
        same = there in (settings, settings.model_copy(update={"policy": None}))
        if not (same and load_description(out) == description):
            raise ConfigError(f"{out} holds a run with other settings or data; name another folder")
        note_revision(out)
        write_settings(out, settings)
        return
    out.mkdir(parents=True, exist_ok=True)
    note_revision(out)
    write_description(out, description)
    write_settings(out, settings)


def load_description(run: Path) -> Description:
    """Read `run.json`.

    Raises:
        ConfigError: there is none, or it is damaged.
    """
    return load_settings(run / DESCRIPTION, Description)


def write_description(out: Path, description: Description) -> None:
    """Write `run.json`."""
    (out / DESCRIPTION).write_text(description.model_dump_json(indent=2) + "\n", encoding="utf-8")


def write_settings(out: Path, settings: TrainSettings) -> None:
    """Write `settings.yaml`."""
    wanted: dict[str, Any] = settings.model_dump(mode="json")
    (out / SETTINGS).write_text(yaml.safe_dump(wanted, sort_keys=False), encoding="utf-8")
