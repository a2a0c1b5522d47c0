"""Building blocks of the looped core: a small transformer layer and the spectral retention."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopwm_ros.training.settings import CoreSettings


class Attention(nn.Module):
    """Multi-head self-attention over the few tokens of a state, written out for small exported graphs."""

    def __init__(self, tokens: int, width: int, heads: int) -> None:
        super().__init__()
        self.shape = (-1, tokens, heads, width // heads)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Rows of tokens, (batch * tokens, width), to the same."""
        width = x.shape[1]
        query, key, value = (
            part.reshape(self.shape).transpose(1, 2) for part in self.qkv(x).split(width, -1)
        )
        weights = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(self.shape[3]), dim=-1)
        return self.out((weights @ value).transpose(1, 2).reshape(-1, width))


class TransformerLayer(nn.Module):
    """Pre-norm attention and feed-forward on rows of tokens.

    Rows, not (batch, tokens, width): ONNX Runtime then folds biases into its matrix products and leaves
    the norms alone, whose fused form with the residual is several times slower on a CPU.
    """

    def __init__(self, tokens: int, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(tokens, width, heads)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, width))

    @property
    def last(self) -> tuple[nn.Linear, nn.Linear]:
        """What its two parts end with."""
        feed = self.feed[-1]
        assert isinstance(feed, nn.Linear)
        return self.attention.out, feed

    def residual(self, x: Tensor) -> Tensor:
        """The layer's nonlinear part, the residual stream's identity left out.

        Bounded for any x: attention and feed-forward see normalised inputs only.
        """
        attended = self.attention(self.attention_norm(x))
        return attended + self.feed(self.feed_norm(x + attended))

    def forward(self, x: Tensor) -> Tensor:
        """(batch * tokens, width) to the same."""
        return x + self.residual(x)


def transformer_layers(settings: CoreSettings, count: int, width: int = 0) -> nn.Sequential:
    """`count` layers of a core; `width` 0: as wide as its tokens, else all of a layer grows with it."""
    wider = (width or settings.width) // settings.width
    size = (settings.tokens, settings.width * wider, settings.heads * wider, settings.hidden * wider)
    return nn.Sequential(*(TransformerLayer(*size) for _ in range(count)))


class Retention(nn.Module):
    """`Abar h + Bbar e` with `Abar = exp(-Delta exp(a))` and `Bbar = Delta B`.

    A zero-order hold of a negative-diagonal system: every entry of `Abar` is in (0, 1) for any parameters,
    unless it is left free.
    """

    def __init__(self, width: int, initial: float, free: bool = False) -> None:
        """`initial`: every entry of `Abar` at the start, in (0, 1); `free`: it may become anything."""
        super().__init__()
        self.free = nn.Parameter(torch.full((width,), initial)) if free else None
        delta = -math.log(initial)
        self.log_rate = nn.Parameter(torch.zeros(width))  # a
        self.raw_delta = nn.Parameter(torch.full((width,), math.log(math.expm1(delta))))
        self.input = nn.Parameter(torch.eye(width) * (1 - initial) / delta)  # B, free

    @property
    def delta(self) -> Tensor:
        """`Delta > 0`, (width,)."""
        return functional.softplus(self.raw_delta)

    @property
    def retained(self) -> Tensor:
        """`Abar`, (width,), each in (0, 1) where it is not free."""
        if self.free is not None:
            return self.free
        return torch.exp(-self.delta * torch.exp(self.log_rate))

    @property
    def injection(self) -> Tensor:
        """`Bbar`, (width, width)."""
        return self.delta[:, None] * self.input

    def forward(self, state: Tensor, injected: Tensor) -> Tensor:
        """Linear part of one iteration, (batch * tokens, width)."""
        return self.retained * state + functional.linear(injected, self.injection)


def near_identity(linear: nn.Linear, blocks: int) -> None:
    """Make `linear` the sum of its first `blocks` inputs; keep a small random rest."""
    width = linear.out_features
    with torch.no_grad():
        linear.weight.mul_(0.1)
        linear.weight[:, : blocks * width] += torch.eye(width).repeat(1, blocks)
        linear.bias.zero_()
