"""Losses, as functions of tensors. Each returns one scalar."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from loopwm_ros.training.settings import EncoderSettings


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where `mask` (broadcast) is true; 0 where it never is."""
    weight = mask.to(values.dtype).expand_as(values)
    return (values * weight).sum() / weight.sum().clamp(min=1)


def reading_loss(
    reading: Tensor, std: Tensor, target: Tensor, known: Tensor, settings: EncoderSettings
) -> Tensor:
    """Gaussian negative log-likelihood of the reading, plus its Huber error in centimetres.

    The second term keeps the gradient of what the first calls uncertain; weighed by that certainty it would
    keep the first from ever finding what is small in the image. All (batch, quantities).
    """
    likelihood = 0.5 * ((reading - target) / std).square() + torch.log(std)
    direct = readout_error(reading, target, unit=0.01)
    return masked_mean(likelihood + settings.squared_weight * direct, known)


def readout_error(quantities: Tensor, target: Tensor, unit: float) -> Tensor:
    """Squared error in `unit` [m], linear beyond one unit (Huber), elementwise."""
    return functional.smooth_l1_loss(quantities / unit, target / unit, reduction="none")


def drift_hinge(states: Tensor, limit: float) -> Tensor:
    """`max(0, sum_k |h_{k+1} - h_k| - K C_max)`, RMS norm; states (steps + 1, batch, tokens, width)."""
    moved = states[1:] - states[:-1]
    distance = (moved.square().mean(dim=(2, 3)) + 1e-12).sqrt().sum(0)
    return torch.relu(distance - len(moved) * limit).mean()


def binary_entropy(logit: Tensor) -> Tensor:
    """Entropy of a Bernoulli variable given its log-odds [nat], elementwise."""
    probability = torch.sigmoid(logit)
    return probability * functional.softplus(-logit) + (1 - probability) * functional.softplus(logit)


def settled(readouts: Tensor, tolerance: float) -> Tensor:
    """Which read-outs (iterations, batch, quantities) stay within `tolerance` [m] of the last one.

    Returns (iterations, batch); once true, it stays true to the end.
    """
    near = (readouts - readouts[-1]).abs().amax(-1) <= tolerance
    return near.long().flip(0).cumprod(0).flip(0).bool()


def gate_loss(logit: Tensor, target: Tensor, entropy_weight: float) -> Tensor:
    """Cross-entropy of the gate with `settled`, and `-alpha E[sum_t H(g^(t))]` against collapse.

    Both (iterations, batch). The entropy term is the paper's; the target is ours: it makes `g > tau` mean
    that a further iteration no longer changes what is read.
    """
    halting = functional.binary_cross_entropy_with_logits(logit, target.to(logit.dtype))
    return halting - entropy_weight * binary_entropy(logit).sum(0).mean()
