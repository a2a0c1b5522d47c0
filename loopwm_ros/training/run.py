"""A whole run in one folder: settings, spec, revision, checkpoints of all stages, metrics, trained model."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from loopwm_ros.bundle import MANIFEST
from loopwm_ros.config import load_arm, load_settings, load_task, load_world
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.training import checkpoint, revision
from loopwm_ros.training.continuing import require_same_run, require_start
from loopwm_ros.training.description import Description
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.from_bundle import keep_bundle, normalised_as_begun
from loopwm_ros.training.joint_stage import JointStage
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.policy_stage import PolicyStage
from loopwm_ros.training.revision import UNKNOWN, note_revision, noted_revisions
from loopwm_ros.training.sample import RealWindows, load_windows, real_windows, save_windows
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.spec import model_spec, quantity_statistics
from loopwm_ros.training.stages import CoreStage, EncoderStage, Stage
from loopwm_ros.training.trainer import Listener, Trainer

SETTINGS, DESCRIPTION, MODEL, METRICS = "settings.yaml", "run.json", "model.safetensors", "metrics.json"
SAMPLE, START = "sample.safetensors", "start.safetensors"


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
    settings: TrainSettings,
    data: Dataset,
    out: Path,
    workers: Workers,
    listener: Listener,
    resume: bool,
    start: Path | None = None,
) -> dict[str, float]:
    """All stages, one after the other; returns the metrics on held-out episodes.

    A run that was finished without the stages joint or policy can be resumed with them. `start`: a finished
    run, or a bundle, whose weights take the place of the stages encoder and core.

    Raises:
        ConfigError: the folder holds a run already and `resume` is off, it holds another run, or `start` is
            of another model, or a run on other data.
    """
    if workers.leads:
        description = take_start(out, settings, describe(settings, data), start)
        open_folder(out, settings, description, resume)
    workers.wait()
    description = load_description(out)
    torch.manual_seed(settings.seed)
    model = LoopWM(settings, description.spec)
    train_frames = data.frames(data.split(settings.held_out, settings.split_seed)[0])
    model.set_quantity_scale(*(torch.from_numpy(part) for part in quantity_statistics(data, train_frames)))
    metrics: dict[str, float] = {}
    started = (out / START).exists()
    if started:
        tensors, state = checkpoint.load_tensors(out / START)
        checkpoint.restore_module(model, tensors, out / START)
        metrics = dict(state["metrics"])
    model.to(workers.device)
    for kind in _stages(settings, started):
        stage: Stage = kind(settings, description.spec, data, model)
        trainer = Trainer(stage, model, workers, settings.seed, listener)
        path = out / f"{stage.name}.safetensors"
        if resume and path.exists():
            trainer.load(path)
        metrics |= trainer.fit(path)
    if workers.leads:
        held_out = data.split(settings.held_out, settings.split_seed)[1]
        save_windows(out / SAMPLE, real_windows(data, description.spec, held_out))
        checkpoint.save_tensors(out / MODEL, model.state_dict(), {"seed": settings.seed})
        (out / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    workers.wait()
    return metrics


def _stages(
    settings: TrainSettings, started: bool
) -> list[type[EncoderStage | CoreStage | JointStage | PolicyStage]]:
    """What a run trains, in order; one that started from another has its encoder and core already."""
    kinds: list[type[EncoderStage | CoreStage | JointStage | PolicyStage]] = []
    if not started:
        kinds += [EncoderStage, CoreStage]
    if settings.joint is not None:
        kinds.append(JointStage)
    if settings.policy is not None:
        kinds.append(PolicyStage)
    return kinds


def describe(settings: TrainSettings, data: Dataset) -> Description:
    """The run's spec and data, before any training."""
    task, arm = load_task(settings.task), load_arm(settings.arm)
    world = load_world(task.world)
    frames = data.frames(data.split(settings.held_out, settings.split_seed)[0])
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
        if load_description(out) != description:
            raise ConfigError(f"{out} holds a run with other settings or data; name another folder")
        require_same_run(out, load_settings(out / SETTINGS, TrainSettings), settings)
        note_revision(out)
        write_settings(out, settings)
        return
    out.mkdir(parents=True, exist_ok=True)
    note_revision(out)
    write_description(out, description)
    write_settings(out, settings)


def take_start(
    out: Path, settings: TrainSettings, description: Description, start: Path | None
) -> Description:
    """Keep the weights of run or bundle `start` in a new folder, which then needs it no longer.

    Returns what the run is: `description`, with the normalisation of the bundle where it begins with one.

    Raises:
        ConfigError: it is not finished, of another model or other data, or `out` holds a run that began
            without it.
    """
    if (out / SETTINGS).exists():
        if start is not None and not (out / START).exists():
            raise ConfigError(f"{out} holds a run that began without --start; name another folder")
        return normalised_as_begun(out / START, description)
    (out / START).unlink(missing_ok=True)
    if start is None:
        return description
    if (start / MANIFEST).is_file():
        return keep_bundle(start, out / START, settings, description)
    begun = load_run(start)
    require_start(start, begun.settings, settings)
    if begun.description != description:
        raise ConfigError(f"{start} was trained on other data; give the same recordings, in the same order")
    out.mkdir(parents=True, exist_ok=True)
    if (start / revision.FILE).exists():
        shutil.copy(start / revision.FILE, out / revision.FILE)
    begun.model.policy = None
    state = {"metrics": begun.metrics, "run": begun.settings.name, "seed": begun.settings.seed}
    checkpoint.save_tensors(out / START, begun.model.state_dict(), state)
    return description


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
