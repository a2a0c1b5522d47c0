"""One arm of a study: all its seeds trained on the bank, with their learning curves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from loopwm_ros.bundle import ModelSpec
from loopwm_ros.training import checkpoint
from loopwm_ros.training.evaluate import rollout_metrics
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.study.bank import StudyBank
from loopwm_ros.training.study.batches import Sampler
from loopwm_ros.training.study.stacked import TRAINED, StackedTrainer, fresh_models
from loopwm_ros.training.windows import Bank, Starts, Window, chunk_lengths, spaced, windows_at

Progress = Callable[[int, dict[str, float]], None]  # steps done, held-out metrics of the first seed


@dataclass(frozen=True)
class Arm:
    """What is trained, and on what."""

    name: str
    settings: TrainSettings
    spec: ModelSpec
    seeds: int
    curve_points: int
    horizon_stages: int


def arm_spec(spec: ModelSpec, settings: TrainSettings) -> ModelSpec:
    """The base's spec as an arm's settings have it."""
    core = settings.core
    return spec.model_copy(
        update={"chunk": settings.chunk, "max_loops": core.max_loops, "mean_loops": core.mean_loops}
    )


def train_arm(
    arm: Arm, encoder: dict[str, Tensor], bank: StudyBank, out: Path, device: torch.device, progress: Progress
) -> None:
    """Train all seeds; write `out`/seed-N.safetensors, then `out`/curve.json. `encoder` is the frozen one."""

    def make() -> LoopWM:
        model = LoopWM(arm.settings, arm.spec)
        model.load_state_dict(encoder, strict=False)
        model.encoder.requires_grad_(False)
        return model.to(device)

    settings, rollout = arm.settings, arm.settings.rollout
    on_device = Bank(*(part.to(device) for part in bank.bank))
    sampler = Sampler(on_device, bank.stride, settings.chunk, rollout, settings.core)
    trainer = StackedTrainer(fresh_models(make, arm.seeds), settings, sampler)
    starts = bank.starts(arm.spec, rollout.moving_points, held_out=False)
    window = held_out_window(arm, bank, on_device)
    out.mkdir(parents=True, exist_ok=True)
    began, curve = time.perf_counter(), []
    for done, steps, transitions in _pieces(arm):
        chosen = starts.of(rollout.context + transitions * settings.chunk)
        trainer.run(steps, Starts(*(part.to(device) for part in chosen)), transitions)
        metrics = [rollout_metrics(model, arm.spec, window, rollout) for model in trainer.models()]
        curve.append({"step": done + steps, "seconds": time.perf_counter() - began, "metrics": metrics})
        progress(done + steps, metrics[0])
    for seed, model in enumerate(trainer.models()):
        tensors = {k: v for k, v in model.state_dict().items() if k.split(".")[0] in TRAINED}
        checkpoint.save_tensors(out / f"seed-{seed}.safetensors", tensors, {"seed": seed})
    (out / "curve.json").write_text(json.dumps(curve) + "\n", encoding="utf-8")


def held_out_window(arm: Arm, bank: StudyBank, on_device: Bank) -> Window:
    """Windows of held-out episodes for the learning curve, the same for every seed."""
    settings, rollout = arm.settings, arm.settings.rollout
    chunk, random = settings.chunk, torch.Generator()
    longest = rollout.context + -(-rollout.horizon // chunk) * chunk
    found = bank.starts(arm.spec, rollout.moving_points, held_out=True).of(longest)
    kept = torch.from_numpy(spaced(found.moving.numpy(), settings.evaluation_windows))
    lengths = chunk_lengths(rollout.context, rollout.horizon, chunk, len(kept), 0.0, random)
    device = on_device.tokens.device
    return windows_at(on_device, chunk, bank.stride, kept.to(device), lengths.to(device))


def _pieces(arm: Arm) -> list[tuple[int, int, int]]:
    """Steps done, steps to go, and imagined transitions, between evaluations and changes of the horizon."""
    rollout, stages = arm.settings.rollout, arm.horizon_stages
    total = rollout.stage.steps
    full = -(-rollout.horizon // arm.settings.chunk)
    curriculum = min(total // 2, stages * rollout.horizon_every)  # full length from then on
    ends = {round(total * (k + 1) / arm.curve_points) for k in range(arm.curve_points)}
    ends |= {round(curriculum * (k + 1) / stages) for k in range(stages - 1)}
    pieces, done = [], 0
    for end in sorted(ends):
        stage = min(stages, 1 + done * stages // max(1, curriculum))
        pieces.append((done, end - done, -(-full * stage // stages)))
        done = end
    return pieces
