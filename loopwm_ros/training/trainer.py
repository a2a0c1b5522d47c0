"""Trains one stage: optimiser, averaged weights, evaluation, checkpoints, exact resume."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from loopwm_ros.training import checkpoint
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.schedule import average_decay, learning_rate, step_generator
from loopwm_ros.training.stages import Group, Stage

REPORT_EVERY = 20  # steps between scalars
AHEAD = 12  # batches that are made while a GPU works on others


class Listener(Protocol):
    """Hears of progress: a console, TensorBoard, a test."""

    def scalars(self, stage: str, step: int, values: dict[str, float]) -> None:
        """Losses or metrics at one step."""
        ...


@dataclass
class Progress:
    """Where a stage stands."""

    step: int
    metrics: dict[str, float]


class Trainer:
    """One stage on this process' share of each batch."""

    def __init__(self, stage: Stage, model: LoopWM, workers: Workers, seed: int, listener: Listener) -> None:
        """`model` is on the workers' device already; `stage` trains parts of it."""
        self.stage, self.model, self.workers, self.seed, self.listener = stage, model, workers, seed, listener
        self.average = copy.deepcopy(model).requires_grad_(False)
        self.progress = Progress(0, {})
        groups = stage.groups()
        self._trained = [parameter for group in groups for parameter in group.parameters]
        rows = [row for group in groups for row in _rows(group, stage.settings.weight_decay)]
        self._optimiser = torch.optim.AdamW(rows)
        self._loss = workers.wrap(stage.loss)

    def fit(self, path: Path) -> dict[str, float]:
        """Train to the end, with checkpoints at `path`; the model ends with the averaged weights."""
        settings = self.stage.settings
        share, clock = self.workers.share(settings.batch), time.perf_counter()
        for step, batch in self._batches(share):
            losses = self._step(step, batch)
            self.progress.step = step + 1
            if (step + 1) % REPORT_EVERY == 0:
                elapsed, clock = time.perf_counter() - clock, time.perf_counter()
                self._report(step + 1, losses, REPORT_EVERY * settings.batch / elapsed)
            finished = step + 1 == settings.steps
            if finished or (step + 1) % settings.evaluate_every == 0:
                self._evaluate()
            if finished or (step + 1) % settings.checkpoint_every == 0:
                self.save(path)
        self.model.load_state_dict(self.average.state_dict())
        return self.progress.metrics

    def save(self, path: Path) -> None:
        """Write everything that `load` needs; the leading process only."""
        if self.workers.leads:
            tensors = checkpoint.prefixed("model", self.model.state_dict())
            tensors |= checkpoint.prefixed("average", self.average.state_dict())
            tensors |= checkpoint.prefixed("optimiser", checkpoint.optimiser_tensors(self._optimiser))
            state = {"stage": self.stage.name, "step": self.progress.step, "metrics": self.progress.metrics}
            checkpoint.save_tensors(path, tensors, state)
        self.workers.wait()

    def load(self, path: Path) -> None:
        """Continue from a checkpoint, exactly.

        Raises:
            ConfigError: the checkpoint is damaged or of another model.
        """
        tensors, state = checkpoint.load_tensors(path)
        checkpoint.restore_module(self.model, checkpoint.under("model", tensors), path)
        checkpoint.restore_module(self.average, checkpoint.under("average", tensors), path)
        checkpoint.restore_optimiser(self._optimiser, checkpoint.under("optimiser", tensors))
        self.progress = Progress(int(state["step"]), dict(state["metrics"]))

    def _batches(self, share: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Steps still to do and their batches; for a GPU, threads make some of them ahead."""
        steps = range(self.progress.step, self.stage.settings.steps)

        def make(step: int) -> tuple[Any, ...]:
            generator = step_generator(self.seed, self.stage.name, step, self.workers.rank)
            return self.stage.batch(step, share, generator)

        if self.workers.device.type == "cpu":
            yield from ((step, make(step)) for step in steps)
            return
        make(steps.start)  # what the stage makes once, it makes here
        with ThreadPoolExecutor(max_workers=AHEAD) as pool:
            coming = deque((step, pool.submit(make, step)) for step in steps[:AHEAD])
            while coming:
                step, batch = coming.popleft()
                if (later := step + AHEAD) in steps:
                    coming.append((later, pool.submit(make, later)))
                yield step, batch.result()

    def _step(self, step: int, batch: tuple[Any, ...]) -> dict[str, Tensor]:
        batch = to_device(batch, self.workers.device)
        self._loss.train()
        total, parts = self._loss(*batch)
        self._optimiser.zero_grad(set_to_none=True)
        total.backward()
        settings = self.stage.settings
        norm = nn.utils.clip_grad_norm_(self._trained, settings.clip, error_if_nonfinite=True)
        for group in self._optimiser.param_groups:
            group["lr"] = group["rate"] * learning_rate(step, settings)
        self._optimiser.step()
        self._update_average(average_decay(step, settings.ema))
        return {"loss": total.detach(), "gradient_norm": norm, **parts}

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        pairs = zip(self.average.parameters(), self.model.parameters(), strict=True)
        averages, values = zip(*((a, v) for a, v in pairs if v.requires_grad), strict=True)
        torch._foreach_lerp_(averages, values, 1 - decay)

    def _report(self, step: int, losses: dict[str, Tensor], rate: float) -> None:
        if self.workers.leads:
            values = {f"train/{name}": float(value.detach()) for name, value in losses.items()}
            self.listener.scalars(self.stage.name, step, {**values, "train/samples_per_second": rate})

    def _evaluate(self) -> None:
        if self.workers.leads:
            self.progress.metrics = self.stage.evaluate(self.average)
            held_out = {f"held_out/{name}": value for name, value in self.progress.metrics.items()}
            self.listener.scalars(self.stage.name, self.progress.step, held_out)
        self.workers.wait()


def to_device(value: Any, device: torch.device) -> Any:  # noqa: ANN401 (a tree of anything)
    """Tensors in (named) tuples, moved; everything else as it is."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, tuple):
        parts = [to_device(part, device) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def _rows(group: Group, weight_decay: float) -> list[dict[str, Any]]:
    """The optimiser's: matrices are decayed; biases, gains and the retention's vectors are not."""
    matrices, others = ([p for p in group.parameters if (p.dim() >= 2) == many] for many in (True, False))
    return [
        {"params": matrices, "weight_decay": weight_decay, "rate": group.rate},
        {"params": others, "weight_decay": 0.0, "rate": group.rate},
    ]
