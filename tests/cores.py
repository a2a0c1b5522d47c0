"""What a core of 3 tokens of width 16, told of 5 numbers of the action, is given in tests."""

from __future__ import annotations

import torch
from torch import Tensor

CoreInputs = tuple[Tensor, Tensor, Tensor]


def core_inputs() -> CoreInputs:
    """State, tokens and action of 4 sequences, the same at every call."""
    generator = torch.Generator().manual_seed(1)
    state, tokens = torch.randn(2, 4, 3, 16, generator=generator)
    return state, tokens, torch.randn(4, 5, generator=generator)
