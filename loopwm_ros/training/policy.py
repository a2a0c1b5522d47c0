"""The cloned policy `pi(u | h, goal)`: a perceptron on a frozen state, its read-outs and the goal."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopwm_ros.config import TaskConfig
from loopwm_ros.config.task import TOOL
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.heads import Heads
from loopwm_ros.training.settings import PolicySettings

REACH = 0.1  # unit of offsets [m]
NEAR = 0.01  # offsets shorter than this have no clear direction [m]


class Decisions(NamedTuple):
    """A batch of what was known, what was wanted and what was done."""

    state: Tensor  # h_k, (batch, tokens, width)
    goal: Tensor  # where the moved point should be, base frame [m], (batch, 3)
    action: Tensor  # really sent over the next transition, (batch, action_dim)


class Modes(NamedTuple):
    """A mixture of normal distributions of the action."""

    mean: Tensor  # in [-1, 1], (batch, modes, action_dim)
    std: Tensor  # (batch, modes, action_dim)
    log_share: Tensor  # (batch, modes)


class Policy(nn.Module):
    """Several ways to act, and how likely each is: there are two ways round an object, and none between them.

    It sees where everything but the task's mark is, and offsets between goal, moved object and tool: as
    vectors, and as directions, which stay large near the goal. With `inputs: state` it sees the latent state
    as well, and with it the motion so far.
    """

    def __init__(
        self, settings: PolicySettings, spec: ModelSpec, task: TaskConfig, unpredicted: tuple[str, ...] = ()
    ) -> None:
        """`unpredicted`: points that the heads do not know."""
        super().__init__()
        blind = {task.goal, *unpredicted}
        points = [quantity.rpartition("_")[0] for quantity in spec.quantities]
        self.seen = [column for column, point in enumerate(points) if point not in blind]
        self.tool, self.moved = spec.columns(TOOL), spec.columns(task.moved)
        self.axes, self.sees_state = spec.action_dim, settings.inputs == "state"
        self.shape, self.std_floor = (settings.modes, 2 * spec.action_dim + 1), settings.std_floor
        offsets = 1 if task.moved == TOOL else 3
        inputs = len(self.seen) + 2 * self.axes * offsets
        inputs += spec.tokens * spec.width if self.sees_state else 0
        self.norm = nn.LayerNorm(spec.tokens * spec.width) if self.sees_state else nn.Identity()
        widths = [inputs, *[settings.hidden] * settings.layers]
        layers = [(nn.Linear(a, b), nn.SiLU()) for a, b in pairwise(widths)]
        self.layers = nn.Sequential(*(part for pair in layers for part in pair))
        self.modes = nn.Linear(settings.hidden, settings.modes * self.shape[1])

    def forward(self, state: Tensor, located: Tensor, scaled: Tensor, goal: Tensor) -> Modes:
        """From states, read-outs [m], the same without units, and goals (batch, 3) [m]."""
        moved, tool = located[:, self.moved], located[:, self.tool]
        pairs = [goal - moved, goal - tool, moved - tool]
        if self.moved == self.tool:
            del pairs[1:]
        vectors = [pair[:, : self.axes] for pair in pairs]
        features = [scaled[:, self.seen], *(vector / REACH for vector in vectors), *map(_direction, vectors)]
        if self.sees_state:
            features.append(self.norm(state.flatten(1)))
        modes = self.modes(self.layers(torch.cat(features, 1))).unflatten(1, self.shape)
        mean, spread, share = modes.split([self.axes, self.axes, 1], -1)
        std = self.std_floor + functional.softplus(spread - 1)
        return Modes(torch.tanh(mean), std, torch.log_softmax(share[..., 0], -1))


def _direction(vector: Tensor) -> Tensor:
    """Unit length far from 0, and 0 at 0."""
    return vector / (vector.square().sum(1, keepdim=True) + NEAR**2).sqrt()


class Actor(nn.Module):
    """The policy behind the model's heads: the graph `policy` of a bundle."""

    def __init__(self, heads: Heads, policy: Policy) -> None:
        super().__init__()
        self.heads, self.policy = heads, policy

    def modes(self, state: Tensor, goal: Tensor) -> Modes:
        """All ways to act in states (batch, tokens, width) for goals (batch, 3) [m]."""
        located = self.heads.locate(state)
        scaled = (located - self.heads.quantity_mean) / self.heads.quantity_std
        return self.policy(state, located, scaled, goal)

    def forward(self, state: Tensor, goal: Tensor) -> Tensor:
        """The mean of the likeliest way, (batch, action_dim)."""
        return likeliest(self.modes(state, goal))


def likeliest(modes: Modes) -> Tensor:
    """Mean of the mode with the largest share, (batch, action_dim)."""
    index = modes.log_share.argmax(1)[:, None, None].expand(-1, 1, modes.mean.shape[2])
    return modes.mean.gather(1, index)[:, 0]


class CloningLoss(nn.Module):
    """Negative log-likelihood of the action; a module, so that DistributedDataParallel can wrap it."""

    def __init__(self, actor: Actor) -> None:
        super().__init__()
        self.actor = actor

    def forward(self, batch: Decisions) -> tuple[Tensor, dict[str, Tensor]]:
        """Total loss and its parts."""
        modes, done = self.actor.modes(batch.state, batch.goal), batch.action.clamp(-1, 1)
        off = (done[:, None] - modes.mean) / modes.std
        likelihood = -(0.5 * off.square() + modes.std.log()).sum(-1)
        total = -torch.logsumexp(likelihood + modes.log_share, 1).mean()
        return total, {"off": (likeliest(modes) - done).detach().abs().mean()}
