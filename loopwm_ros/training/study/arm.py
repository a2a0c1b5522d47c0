"""One arm of a study: all its seeds trained on the bank, with their learning curves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training import checkpoint
from loopwm_ros.training.evaluate import rollout_metrics
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.stages import columns_of
from loopwm_ros.training.study.bank import StudyBank
from loopwm_ros.training.study.batches import Sampler
from loopwm_ros.training.study.stacked import TRAINED, StackedTrainer, fresh_models
from loopwm_ros.training.windows import (
    Bank,
    Starts,
    Window,
    WindowStarts,
    chunk_lengths,
    longest_window,
    spaced,
    transitions,
    windows_at,
)

TIMED = 20  # steps
Point = dict[str, Any]  # of a learning curve: step, seconds, metrics of each seed
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
    core, rollout = settings.core, settings.rollout
    return spec.model_copy(
        update={
            "chunk": settings.chunk,
            "max_loops": core.max_loops,
            "mean_loops": core.mean_loops,
            "iterate": core.iterate,
            "unpredicted": rollout.unpredicted,
            "gate_threshold": rollout.gate_threshold,
            "second_difference_threshold": rollout.second_difference_threshold,
        }
    )


def train_arm(
    arm: Arm, encoder: dict[str, Tensor], bank: StudyBank, out: Path, device: torch.device, progress: Progress
) -> None:
    """Train all seeds; write `out`/seed-N.safetensors, then `out`/curve.json. `encoder` is the frozen one.

    On a GPU they are trained side by side, on a CPU one after the other.
    """
    out.mkdir(parents=True, exist_ok=True)
    on_device = Bank(*(part.to(device) for part in bank.bank))
    size = side_by_side(arm.seeds, device)
    groups = [list(range(seed, seed + size)) for seed in range(0, arm.seeds, size)]
    curves = []
    for group in groups:
        trainer = _trainer(arm, encoder, on_device, bank.stride, group)
        curves.append(_curve(arm, trainer, bank, on_device, progress if group[0] == 0 else _silent))
        for seed, model in zip(group, trainer.models(), strict=True):
            tensors = {k: v for k, v in model.state_dict().items() if k.split(".")[0] in TRAINED}
            checkpoint.save_tensors(out / f"seed-{seed}.safetensors", tensors, {"seed": seed})
    (out / "curve.json").write_text(json.dumps(_joined(curves)) + "\n", encoding="utf-8")


def side_by_side(seeds: int, device: torch.device) -> int:
    """How many of an arm's seeds one step trains: batching them helps a GPU alone."""
    return 1 if device.type == "cpu" else seeds


def _curve(
    arm: Arm, trainer: StackedTrainer, bank: StudyBank, on_device: Bank, progress: Progress
) -> list[Point]:
    """Train some seeds; their errors on held-out windows as they go."""
    rollout, device = arm.settings.rollout, on_device.tokens.device
    starts = bank.starts(arm.spec, rollout.moving_points, held_out=False)
    window = held_out_window(arm, bank, on_device)
    began, curve = time.perf_counter(), []
    for done, steps, imagined in _pieces(arm):
        trainer.run(steps, _starts(arm, starts, imagined, device), imagined)
        metrics = [rollout_metrics(model, arm.spec, window, rollout) for model in trainer.models()]
        curve.append({"step": done + steps, "seconds": time.perf_counter() - began, "metrics": metrics})
        progress(done + steps, metrics[0])
    return curve


def _joined(curves: list[list[Point]]) -> list[Point]:
    """Curves of several groups of seeds as one: seconds are those of all of them."""
    return [
        {
            "step": points[0]["step"],
            "seconds": sum(point["seconds"] for point in points),
            "metrics": [metrics for point in points for metrics in point["metrics"]],
        }
        for points in zip(*curves, strict=True)
    ]


def _silent(step: int, metrics: dict[str, float]) -> None:
    """No progress is told of."""


def time_arm(arm: Arm, encoder: dict[str, Tensor], bank: StudyBank, device: torch.device) -> list[float]:
    """Seconds of single steps with the full horizon: of all seeds, or, on a CPU, of one."""
    rollout = arm.settings.rollout
    on_device = Bank(*(part.to(device) for part in bank.bank))
    starts = bank.starts(arm.spec, rollout.moving_points, held_out=False)
    full = transitions(rollout.horizon, arm.settings.chunk)
    chosen, seeds = _starts(arm, starts, full, device), list(range(side_by_side(arm.seeds, device)))
    return _trainer(arm, encoder, on_device, bank.stride, seeds).time(TIMED, chosen, full)


def _trainer(
    arm: Arm, encoder: dict[str, Tensor], bank: Bank, stride: int, seeds: list[int]
) -> StackedTrainer:
    settings = arm.settings

    def make() -> LoopWM:
        model = LoopWM(settings, arm.spec)
        model.load_state_dict(encoder, strict=False)
        model.encoder.requires_grad_(False)
        return model.to(bank.tokens.device)

    left_out = columns_of(settings.rollout.unpredicted, arm.spec.quantities)
    sampler = Sampler(bank, stride, settings.chunk, settings.rollout, settings.core, left_out)
    return StackedTrainer(fresh_models(make, seeds), settings, sampler)


def _starts(arm: Arm, starts: WindowStarts, imagined: int, device: torch.device) -> Starts:
    """First frames of windows with so many imagined transitions."""
    found = starts.of(arm.settings.rollout.context + imagined * arm.settings.chunk)
    return Starts(*(part.to(device) for part in found))


def held_out_window(arm: Arm, bank: StudyBank, on_device: Bank) -> Window:
    """Windows of held-out episodes for the learning curve, the same for every seed."""
    settings, rollout = arm.settings, arm.settings.rollout
    chunk, random = settings.chunk, torch.Generator()
    longest = longest_window(rollout.context, rollout.horizon, chunk)
    found = bank.starts(arm.spec, rollout.moving_points, held_out=True).of(longest)
    matter = found.moving if len(found.moving) else found.still
    kept = torch.from_numpy(spaced(matter.numpy(), settings.evaluation_windows))
    lengths = chunk_lengths(rollout.context, rollout.horizon, chunk, len(kept), 0.0, random)
    device = on_device.tokens.device
    return windows_at(on_device, chunk, bank.stride, kept.to(device), lengths.to(device))


def _pieces(arm: Arm) -> list[tuple[int, int, int]]:
    """Steps done, steps to go, and imagined transitions, between evaluations and changes of the horizon."""
    rollout, stages = arm.settings.rollout, arm.horizon_stages
    total = rollout.stage.steps
    full = transitions(rollout.horizon, arm.settings.chunk)
    curriculum = min(total // 2, stages * rollout.horizon_every)  # full length from then on
    ends = {round(total * (k + 1) / arm.curve_points) for k in range(arm.curve_points)}
    ends |= {-(-curriculum * (k + 1) // stages) for k in range(stages - 1)}
    pieces, done = [], 0
    for end in sorted(ends):
        stage = min(stages, 1 + done * stages // max(1, curriculum))
        pieces.append((done, end - done, -(-full * stage // stages)))
        done = end
    return pieces
