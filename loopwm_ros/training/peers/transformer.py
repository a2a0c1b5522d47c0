"""A transformer of fixed depth as a world model, as wide as a bundle's states; all layers for each action."""

from __future__ import annotations

from torch import Tensor, nn

from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.layers import transformer_layers
from loopwm_ros.training.settings import CoreSettings

LAYERS = 12


class FixedTransformer(nn.Module):
    """`h_{k+1} = F(h_k, u_k)`, pre-norm layers of attention over the tokens and an MLP."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        settings = CoreSettings(tokens=spec.tokens, width=spec.width)
        self.action = nn.Linear(spec.action_dim, spec.width)
        self.layers = transformer_layers(settings, LAYERS)
        self.shape = (spec.tokens, spec.width)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        """(batch, tokens, width) and (batch, action_dim) to the next state."""
        mixed = state + self.action(action)[:, None]
        return self.layers(mixed.reshape(-1, self.shape[1])).reshape(-1, *self.shape)
