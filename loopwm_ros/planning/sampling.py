"""Warm start and correlated sampling, shared by the planners."""

from __future__ import annotations

import numpy as np

from loopwm_ros.types import F32


def shifted(actions: F32, steps: int) -> F32:
    """A plan (horizon, action_dim) `steps` actions later; beyond its end, stand still."""
    following = np.zeros_like(actions)
    kept = max(0, len(actions) - steps)
    following[:kept] = actions[len(actions) - kept :]
    return following


def smooth_basis(horizon: int, knots: int) -> F32:
    """Cubic-smooth interpolation of `knots` values over the horizon, (horizon, knots).

    Each row has unit norm, so independent unit normals at the knots give unit variance at every step.
    """
    knots = min(knots, horizon)
    position = np.linspace(0.0, knots - 1.0, horizon) if knots > 1 else np.zeros(horizon)
    distance = np.abs(position[:, None] - np.arange(knots))
    hat = np.clip(1.0 - distance, 0.0, 1.0)
    basis = hat * hat * (3.0 - 2.0 * hat)
    return np.asarray(basis / np.linalg.norm(basis, axis=1, keepdims=True), dtype=np.float32)


def with_proposal(
    actions: F32, proposal: F32, count: int, noise: float, basis: F32, random: np.random.Generator
) -> F32:
    """Candidates whose last `count`, half of them at most, give way to the proposal and variants of it.

    `proposal` (horizon, action_dim); the variants are drawn as in `sample_actions`, with `noise`.
    """
    count = min(count, len(actions) // 2)
    spread = np.full_like(proposal, noise)
    around = np.delete(sample_actions(proposal, spread, basis, count + 1, random), 1, axis=0)
    return np.concatenate([actions[: len(actions) - count], around])


def sample_actions(
    nominal: F32, spread: F32, basis: F32, candidates: int, random: np.random.Generator
) -> F32:
    """Candidates (candidates, horizon, action_dim) in [-1, 1] around `nominal` (horizon, action_dim).

    The first is the nominal itself, the second stands still; the others come in mirrored pairs with
    standard deviation `spread` (horizon, action_dim), correlated over time by `basis`.
    """
    half = (candidates - 1) // 2
    knots = random.standard_normal((half, basis.shape[1], nominal.shape[1]), dtype=np.float32)
    noise = np.einsum("hk,cka->cha", basis, knots) * spread
    still = -nominal[None]
    noise = np.concatenate([np.zeros_like(still), still, noise, -noise])[:candidates]
    return np.ascontiguousarray(np.clip(nominal + noise, -1.0, 1.0), dtype=np.float32)
