"""Prediction heads `D_xi` and monitor head `g_omega`: light networks on a state."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from loopwm_ros.training.settings import CoreSettings


class Prediction(NamedTuple):
    """What the heads say about one state `h_k`."""

    quantities: Tensor  # [m], (batch, quantities)
    reward: Tensor  # (batch,)
    continuation: Tensor  # log-odds in `predict`, probability in `forward`, (batch,)
    latent: Tensor  # embedding of the observation the transition led to, (batch, tokens * width)


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


class Heads(nn.Module):
    """Task quantities, reward, continuation and the next observation's latent target."""

    quantity_mean: Tensor
    quantity_std: Tensor

    def __init__(self, settings: CoreSettings, quantities: int) -> None:
        super().__init__()
        size = settings.tokens * settings.width
        self.direct = nn.Linear(size, quantities)
        self.quantities = _mlp(size, settings.head_hidden, quantities)
        self.outcome = _mlp(size, settings.head_hidden, 2)
        self.latent = _mlp(settings.width, settings.head_hidden, settings.width)
        self.register_buffer("quantity_mean", torch.zeros(quantities))
        self.register_buffer("quantity_std", torch.ones(quantities))

    def locate(self, state: Tensor) -> Tensor:
        """Task quantities alone [m], (batch, quantities)."""
        flat = state.flatten(1)
        return self.quantity_mean + self.quantity_std * (self.direct(flat) + self.quantities(flat))

    def predict(self, state: Tensor) -> Prediction:
        """Everything, with the continuation as log-odds."""
        reward, continuation = self.outcome(state.flatten(1)).unbind(-1)
        return Prediction(self.locate(state), reward, continuation, self.latent(state).flatten(1))

    def forward(self, state: Tensor) -> Prediction:
        """Everything, with the continuation as a probability."""
        prediction = self.predict(state)
        return prediction._replace(continuation=torch.sigmoid(prediction.continuation))
