"""A whole study in one folder: the encoder, the bank, and a run folder for each seed of each arm."""

from __future__ import annotations

import functools
import json
import platform
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from loopwm_ros.config import load_settings
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.training import checkpoint, revision, run
from loopwm_ros.training.description import Description
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.sample import real_windows, save_windows
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.spec import quantity_statistics
from loopwm_ros.training.stages import EncoderStage
from loopwm_ros.training.study.arm import Arm, arm_spec, side_by_side, time_arm, train_arm
from loopwm_ros.training.study.bank import build_study_bank, load_study_bank, save_study_bank
from loopwm_ros.training.study.settings import StudySettings
from loopwm_ros.training.trainer import Listener, Trainer

BANK, ENCODER, CHECKPOINT = "bank.safetensors", "model.safetensors", "encoder.safetensors"
ENCODES = ("image", "encoder", "held_out", "split_seed", "seed")  # settings that an encoder depends on
OnArm = Callable[[str, int, dict[str, float]], None]  # arm, steps done, held-out metrics of its first seed


def prepare(
    settings: StudySettings,
    data: Dataset,
    out: Path,
    workers: Workers,
    listener: Listener,
    start: Path | None = None,
) -> None:
    """Train the encoder, encode all frames, and write what the arms need; what is there already is kept.

    `start`: a run on the same recordings, whose stage encoder takes the place of training one.

    Raises:
        ConfigError: `start` has another encoder, or learnt from other recordings; or `out` is another study,
            or has another encoder's tokens.
    """
    base, description = settings.base, run.describe(settings.base, data)
    run.open_folder(out, base, description, resume=(out / run.SETTINGS).exists())
    if start is None and (out / BANK).exists():
        return
    torch.manual_seed(base.seed)
    model = LoopWM(base, description.spec)
    train, held_out = data.split(base.held_out, base.split_seed)
    scale = quantity_statistics(data, data.frames(train))
    model.set_quantity_scale(*(torch.from_numpy(part) for part in scale))
    model.to(workers.device)
    if start is None:
        stage = EncoderStage(base, description.spec, data, model)
        _train_encoder(model, stage, base.seed, out, workers, listener)
    else:
        _require_start(start, base, description)
        _take_encoder(model, start / CHECKPOINT, base.encoder.stage.steps)
        if (out / BANK).exists():
            _require_same_encoder(out, model, start)
    if not (out / BANK).exists():
        save_windows(out / run.SAMPLE, real_windows(data, description.spec, held_out))
        checkpoint.save_tensors(out / ENCODER, shared(model), {"seed": base.seed})
        save_study_bank(out / BANK, build_study_bank(model, data, description.spec, held_out))


def _train_encoder(
    model: LoopWM, stage: EncoderStage, seed: int, out: Path, workers: Workers, listener: Listener
) -> None:
    trainer = Trainer(stage, model, workers, seed, listener)
    path = out / CHECKPOINT
    if path.exists():
        trainer.load(path)
    trainer.fit(path)


def _require_start(start: Path, base: TrainSettings, description: Description) -> None:
    there = load_settings(start / run.SETTINGS, TrainSettings)
    if other := [name for name in ENCODES if getattr(there, name) != getattr(base, name)]:
        raise ConfigError(f"{start} has other settings in {', '.join(other)} than the study's base")
    if run.load_description(start).data_sha256 != description.data_sha256:
        raise ConfigError(f"{start} was trained on other data; give the same recordings, in the same order")


def _require_same_encoder(out: Path, model: LoopWM, start: Path) -> None:
    encoder, _ = checkpoint.load_tensors(out / ENCODER)
    if any(not torch.equal(tensor.cpu(), encoder[name]) for name, tensor in shared(model).items()):
        raise ConfigError(
            f"{out} has tokens of another encoder than {start} has: give another --out, or leave --start out "
            "to go on with the one that is there"
        )


def _take_encoder(model: LoopWM, path: Path, steps: int) -> None:
    """The averaged weights that a run's stage encoder has ended with."""
    tensors, state = checkpoint.load_tensors(path)
    if int(state["step"]) < steps:
        raise ConfigError(f"{path} is of step {state['step']} of {steps}; finish that run first (--resume)")
    checkpoint.restore_module(model.encoder, checkpoint.under("average.encoder", tensors), path)


def shared(model: LoopWM) -> dict[str, Tensor]:
    """What no arm trains: the encoder, and the units of the read-outs."""
    return {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name.startswith("encoder.") or name in ("heads.quantity_mean", "heads.quantity_std")
    }


def train_arms(
    settings: StudySettings, out: Path, arms: list[str], device: torch.device, on_arm: OnArm
) -> None:
    """Train arms that are not finished in a prepared folder `out`.

    Raises:
        ConfigError: no such arm, the folder is not prepared, or an arm in it has other settings.
    """
    description = run.load_description(out)
    encoder, _ = checkpoint.load_tensors(out / ENCODER)
    bank = load_study_bank(out / BANK)
    for name in arms:
        folder, arm = out / "arms" / name, make_arm(settings, name, description)
        _claim(folder, arm)
        if (folder / "curve.json").exists():
            continue
        train_arm(arm, encoder, bank, folder, device, functools.partial(on_arm, name))


def _claim(folder: Path, arm: Arm) -> None:
    """Note what an arm is trained with, and by which revision, or check that it is the same.

    Raises:
        ConfigError: the arm in this folder was trained with other settings.
    """
    if (folder / run.SETTINGS).exists():
        _require_same(folder, arm)
        return
    folder.mkdir(parents=True, exist_ok=True)
    revision.note_revision(folder)
    run.write_settings(folder, arm.settings)


def _require_same(folder: Path, arm: Arm) -> None:
    if load_settings(folder / run.SETTINGS, TrainSettings) != arm.settings:
        raise ConfigError(
            f"arm '{arm.name}' was trained with other settings than the study has now; remove {folder}, or "
            "give the arm another name"
        )


def time_arms(settings: StudySettings, out: Path, arms: list[str], device: torch.device) -> dict[str, float]:
    """Median seconds of a training step of each arm, alone; `out`/arms/ARM/time.json has every step."""
    description = run.load_description(out)
    encoder, _ = checkpoint.load_tensors(out / ENCODER)
    bank, medians = load_study_bank(out / BANK), {}
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu"
    for name in arms:
        seconds = time_arm(make_arm(settings, name, description), encoder, bank, device)
        folder = out / "arms" / name
        folder.mkdir(parents=True, exist_ok=True)
        seeds = side_by_side(settings.arms[name].seeds, device)
        row = {"device": where, "threads": torch.get_num_threads(), "seeds": seeds, "seconds": seconds}
        (folder / "time.json").write_text(json.dumps(row) + "\n", encoding="utf-8")
        medians[name] = statistics.median(seconds)
    return medians


def make_arm(settings: StudySettings, name: str, description: Description) -> Arm:
    """An arm by name."""
    train = settings.train_settings(name)
    spec = arm_spec(description.spec, train)
    return Arm(name, train, spec, settings.arms[name].seeds, settings.curve_points, settings.horizon_stages)


def write_runs(settings: StudySettings, out: Path, arms: list[str]) -> list[Path]:
    """A run folder, as `loopwm train` leaves one, for each seed of the arms that are finished."""
    description, written = run.load_description(out), []
    encoder, _ = checkpoint.load_tensors(out / ENCODER)
    for name in arms:
        arm = make_arm(settings, name, description)
        for seed in range(arm.seeds):
            weights = out / "arms" / name / f"seed-{seed}.safetensors"
            if not weights.exists():
                continue
            _require_same(weights.parent, arm)
            folder = weights.with_suffix("")
            folder.mkdir(exist_ok=True)
            tensors, _ = checkpoint.load_tensors(weights)
            own = {"name": name, "seed": seed, "held_out_seed": settings.base.split_seed}
            named = arm.settings.model_copy(update=own)
            run.write_settings(folder, named)
            run.write_description(folder, description.model_copy(update={"spec": arm.spec}))
            checkpoint.save_tensors(folder / run.MODEL, {**encoder, **tensors}, {"seed": seed})
            shutil.copy(out / run.SAMPLE, folder / run.SAMPLE)
            revisions = dict.fromkeys(
                line for there in (out, weights.parent) for line in revision.noted_revisions(there)
            )
            (folder / revision.FILE).write_text("".join(f"{line}\n" for line in revisions), encoding="utf-8")
            (folder / run.METRICS).write_text("{}\n", encoding="utf-8")
            written.append(folder)
    return written
