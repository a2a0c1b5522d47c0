"""LoopWM whole: encoder, looped core, heads and monitor; and a policy cloned on it, if asked for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from loopwm_ros.config import TaskConfig
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.baselines import FixedDepth, LatentMlp, OnePassCore, Recurrent, Untied
from loopwm_ros.training.core import LoopedCore
from loopwm_ros.training.encoder import Encoder
from loopwm_ros.training.heads import Heads
from loopwm_ros.training.parts import PartsCore, UntiedParts
from loopwm_ros.training.policy import Actor, Policy
from loopwm_ros.training.rssm import Rssm
from loopwm_ros.training.settings import CoreSettings, TrainSettings

Core = LoopedCore | PartsCore | OnePassCore


class LoopWM(nn.Module):
    """The modules by the names of the bundle's graphs."""

    policy: Policy | None

    def __init__(self, settings: TrainSettings, spec: ModelSpec) -> None:
        super().__init__()
        size, count = (spec.image_height, spec.image_width), len(spec.quantities)
        self.encoder = Encoder(settings.encoder, settings.core, size, len(spec.proprio_mean), count)
        self.core = make_core(settings.core, spec.action_input, spec.chunk)
        self.heads = Heads(settings.core, count)
        self.monitor = nn.Linear(spec.width, spec.width)  # g_omega
        self.policy = None  # until all else is trained

    def add_policy(self, settings: TrainSettings, spec: ModelSpec, task: TaskConfig) -> None:
        """Give the model the untrained policy of the settings, where the heads are."""
        assert settings.policy is not None
        policy = Policy(settings.policy, spec, task, settings.rollout.unpredicted)
        self.policy = policy.to(self.heads.quantity_mean.device)

    @property
    def actor(self) -> Actor:
        """The policy, which was added before, behind the heads."""
        assert self.policy is not None
        return Actor(self.heads, self.policy)

    def set_quantity_scale(self, mean: Tensor, std: Tensor) -> None:
        """Units of the read-outs: both (quantities,) [m]."""
        for part in (self.encoder, self.heads):
            part.quantity_mean.copy_(mean)
            part.quantity_std.copy_(std)


def make_core(settings: CoreSettings, action_input: int, chunk: int = 1) -> Core:
    """The core that the settings name, whose transitions span up to `chunk` actions."""
    if settings.iterate == "parts":
        if settings.kind == "fixed_depth":
            return OnePassCore(UntiedParts(settings, action_input, chunk))
        return PartsCore(settings, action_input, chunk)
    if settings.kind == "looped":
        return LoopedCore(settings, action_input)
    kinds = {
        "fixed_depth": FixedDepth if settings.block == "retention" else Untied,
        "gru": Recurrent,
        "latent_mlp": LatentMlp,
        "rssm": Rssm,
    }
    return OnePassCore(kinds[settings.kind](settings, action_input))


def noise_state(spec: ModelSpec, batch: int, generator: torch.Generator) -> Tensor:
    """State before the first observation: unit Gaussian noise, (batch, tokens, width)."""
    return torch.randn(batch, spec.tokens, spec.width, generator=generator)


def draw_loops(settings: CoreSettings, steps: int, batch: int, generator: torch.Generator) -> Tensor:
    """Iterations of each transition, (steps, batch) on the CPU: `T ~ Poisson(mu)`, kept in [1, max_loops]."""
    if settings.draw_loops == "fixed":
        return fixed_loops(settings.mean_loops, batch).expand(steps, batch)
    if settings.draw_loops == "uniform":
        return torch.randint(1, settings.max_loops + 1, (steps, batch), generator=generator)
    rate = torch.full(drawn_loops(settings, steps, batch), float(settings.mean_loops))
    drawn = torch.poisson(rate, generator=generator).long().clamp(1, settings.max_loops)
    return drawn.expand(steps, batch)


def drawn_loops(settings: CoreSettings, steps: int, batch: int) -> tuple[int, int]:
    """How many numbers of iterations are drawn for a batch of windows: by step, and by sequence."""
    many = {"transition": (steps, batch), "uniform": (steps, batch), "sequence": (1, batch)}
    return many.get(settings.draw_loops, (1, 1))


def first_probed(settings: CoreSettings, context: int) -> int:
    """The first step that can teach the gate anything: an observed one spans one action and has no parts."""
    return context if settings.iterate == "parts" else 0


def fixed_loops(loops: int, batch: int) -> Tensor:
    """The same number of iterations for each sequence, (batch,) on the CPU."""
    return torch.full((batch,), loops, dtype=torch.long)
