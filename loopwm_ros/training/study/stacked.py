"""Several seeds of one arm trained side by side, as one batched model; on a GPU as one CUDA graph a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state

from loopwm_ros.training.core import LoopedCore
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.parts import PartsCore
from loopwm_ros.training.rollout import RolloutLoss
from loopwm_ros.training.schedule import average_decay, learning_rate
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.study.batches import Draws, Sampler
from loopwm_ros.training.windows import Starts

WARM_UP = 3  # steps before a graph is captured
TRAINED = ("core", "heads", "monitor")


class StackedTrainer:
    """AdamW on the stacked weights; gradients are clipped, and weights averaged, seed by seed."""

    def __init__(self, models: list[LoopWM], settings: TrainSettings, sampler: Sampler) -> None:
        """`models`, one a seed, are on the sampler's device, and differ in their weights alone."""
        self._settings, self._sampler, self._models = settings, sampler, models
        self._seeds = len(models)
        self._loss = RolloutLoss(models[0], settings.rollout, settings.core).train()
        for core in (model.core for model in models):
            if isinstance(core, LoopedCore | PartsCore):
                core.masked = self._seeds > 1  # what is batched needs shapes that depend on no value
        stacked, _ = stack_module_state(models)
        self.weights = {
            name: weight.detach().requires_grad_()
            for name, weight in stacked.items()
            if name.split(".")[0] in TRAINED
        }
        self.average = {name: weight.detach().clone() for name, weight in self.weights.items()}
        device = next(iter(self.weights.values())).device
        self._step = torch.zeros(1, dtype=torch.long, device=device)
        self._rate = torch.zeros((), device=device)
        stage = settings.rollout.stage
        steps = range(stage.steps)
        self._rates = torch.tensor([learning_rate(step, stage) for step in steps], device=device)
        self._decays = torch.tensor([average_decay(step, stage.ema) for step in steps], device=device)
        wide = [weight for weight in self.weights.values() if weight.dim() > 2]
        narrow = [weight for weight in self.weights.values() if weight.dim() <= 2]
        groups = [
            {"params": wide, "weight_decay": stage.weight_decay},
            {"params": narrow, "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=self._rate, capturable=device.type == "cuda")
        self.loss = torch.zeros(self._seeds, device=device)

    def run(self, steps: int, starts: Starts, transitions: int) -> None:
        """`steps` steps with so many imagined transitions."""
        self._loss.train()  # an evaluation between two runs leaves the modules in the other mode
        step: Callable[[], None] = lambda: self._once(starts, transitions)  # noqa: E731
        if self._step.device.type == "cuda" and steps > WARM_UP:
            step = self._captured(step)
            steps -= WARM_UP
        for _ in range(steps):
            step()

    def time(self, steps: int, starts: Starts, transitions: int) -> list[float]:
        """Seconds of each of `steps` steps, after some to warm up."""
        self._loss.train()
        step: Callable[[], None] = lambda: self._once(starts, transitions)  # noqa: E731
        cuda, taken = self._step.device.type == "cuda", []
        step = self._captured(step) if cuda else step
        for _ in range(steps + 1):
            began = time.perf_counter()
            step()
            if cuda:
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - began)
        return taken[1:]

    def models(self) -> list[LoopWM]:
        """The models, with the averaged weights."""
        for row, model in enumerate(self._models):
            model.load_state_dict({name: weight[row] for name, weight in self.average.items()}, strict=False)
        return self._models

    def _captured(self, step: Callable[[], None]) -> Callable[[], None]:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        self._optimiser.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        return graph.replay

    def _once(self, starts: Starts, transitions: int) -> None:
        drawn = self._sampler.draw(starts, transitions, self._seeds, self._settings.rollout.stage.batch)
        self._optimiser.zero_grad(set_to_none=True)
        losses = self._losses(drawn)
        losses.sum().backward()
        self.loss.copy_(losses.detach())
        self._clip()
        self._rate.copy_(self._scheduled(self._rates))
        self._optimiser.step()
        self._update_average()
        self._step += 1

    def _losses(self, drawn: Draws) -> Tensor:
        """Total loss of each seed, (seeds,)."""
        context = self._settings.rollout.context

        def one(
            weights: Mapping[str, Tensor], start: Tensor, window: tuple[Tensor, ...], loops: Tensor
        ) -> Tensor:
            named = {f"model.{name}": weight for name, weight in weights.items()}
            arguments = (start, type(drawn.window)(*window), context, loops, drawn.probed)
            total: Tensor = functional_call(self._loss, named, arguments)[0]
            return total

        if self._seeds == 1:  # not batched, as some kernels are faster then
            weights = {name: weight[0] for name, weight in self.weights.items()}
            window = tuple(part[:, 0] for part in drawn.window)
            return one(weights, drawn.start[0], window, drawn.loops[0])[None]
        batched = torch.vmap(one, in_dims=(0, 0, 1, 0), randomness="different")
        result: Tensor = batched(self.weights, drawn.start, tuple(drawn.window), drawn.loops)
        return result

    @torch.no_grad()
    def _clip(self) -> None:
        """Each seed's gradient to the largest norm; one that is not finite is dropped."""
        gradients = [weight.grad for weight in self.weights.values() if weight.grad is not None]
        squares = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0)
        scale = (self._settings.rollout.stage.clip / (squares.sqrt() + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(scale.view(-1, *[1] * (gradient.dim() - 1)))
            torch.nan_to_num_(gradient, nan=0.0, posinf=0.0, neginf=0.0)

    def _scheduled(self, table: Tensor) -> Tensor:
        """This step's entry of a table by step, the last one from its end on; read on the device."""
        return table.index_select(0, self._step.clamp(max=len(table) - 1))[0]

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = self._scheduled(self._decays)
        for average, weight in zip(self.average.values(), self.weights.values(), strict=True):
            average.lerp_(weight, 1 - decay)


def fresh_models(make: Callable[[], LoopWM], seeds: Iterable[int]) -> list[LoopWM]:
    """One model a seed, each from its own random stream."""
    models = []
    for seed in seeds:
        torch.manual_seed(seed)
        models.append(make())
    return models
