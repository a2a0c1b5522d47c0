"""Means and their 95 % intervals: bootstrap over episodes, and over seeds where there are several.

Windows of one episode are not independent, so whole episodes are drawn (B. Efron, 1979). Every call draws the
same episodes for the same number of them: what two models differ by is not blurred by other draws.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from loopwm_ros.types import F64
from loopwm_ros.validation.statistics import Record

RESAMPLES = 1000
EDGES = (2.5, 97.5)  # percentiles
Indices = NDArray[np.int64]


class Interval(Record):
    """A mean, its 95 % interval, and what it is taken over."""

    mean: float
    low: float
    high: float
    median: float | None = Field(None, description="of the windows; None where it has no meaning")
    windows: int = Field(description="values, over all seeds")
    episodes: int


def mean_interval(values: F64, episode: Indices) -> Interval | None:
    """Of values (seeds, windows), NaN where there is none, of episodes (windows,); None without any."""
    known = np.isfinite(values)
    if not known.any():
        return None
    chosen, row = np.unique(episode, return_inverse=True)
    low, high = np.nanpercentile(_resampled_means(values, row, len(chosen)), EDGES)
    return Interval(
        mean=float(values[known].mean()),
        low=float(low),
        high=float(high),
        median=float(np.median(values[known])),
        windows=int(known.sum()),
        episodes=len(np.unique(episode[known.any(0)])),
    )


def ratio_interval(top: F64, bottom: F64, episode: Indices) -> Interval | None:
    """Of the mean of `top` to the mean of `bottom`, both (seeds, windows); None where one has no value."""
    if not (np.isfinite(top).any() and np.isfinite(bottom).any()) or np.nanmean(bottom) == 0:
        return None
    chosen, row = np.unique(episode, return_inverse=True)
    above, below = (_resampled_means(values, row, len(chosen)) for values in (top, bottom))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = above / below
    low, high = np.percentile(ratios[np.isfinite(ratios)], EDGES)
    return Interval(
        mean=float(np.nanmean(top) / np.nanmean(bottom)),
        low=float(low),
        high=float(high),
        windows=int(np.isfinite(top).sum()),
        episodes=len(np.unique(episode[np.isfinite(top).any(0)])),
    )


def growth_interval(horizons: Indices, values: F64, episode: Indices) -> Interval | None:
    """Exponent p of `mean ~ K^p`, fitted to values (horizons, windows); None where a mean is 0 or missing."""
    means = np.array([one[np.isfinite(one)].mean() if np.isfinite(one).any() else 0.0 for one in values])
    if not (means > 0).all():
        return None
    chosen, row = np.unique(episode, return_inverse=True)
    drawn = np.stack([_resampled_means(one[None], row, len(chosen)) for one in values])
    slopes = _slopes(horizons, drawn[:, (np.isfinite(drawn) & (drawn > 0)).all(0)])
    low, high = np.percentile(slopes, EDGES)
    return Interval(
        mean=float(_slopes(horizons, means[:, None])[0]),
        low=float(low),
        high=float(high),
        windows=values.shape[1],
        episodes=len(chosen),
    )


def _slopes(horizons: Indices, means: F64) -> F64:
    """Of straight lines through the logarithms, for each column."""
    x = np.log(horizons)
    x = x - x.mean()
    return np.asarray(x @ np.log(means) / (x @ x))


def _resampled_means(values: F64, row: Indices, episodes: int) -> F64:
    """Mean of each resample; NaN for one that has no value, (RESAMPLES,)."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    sums = np.stack([np.bincount(row, one, episodes) for one in filled])
    sizes = np.stack([np.bincount(row, one, episodes) for one in known])
    drawn, seeds = episode_draws(episodes), seed_draws(len(values))
    total = (seeds * (drawn @ sizes.T)).sum(1)
    return (seeds * (drawn @ sums.T)).sum(1) / np.where(total > 0, total, np.nan)


def auc_interval(scores: F64, positive: NDArray[np.bool_], episode: Indices) -> Interval | None:
    """Area under the ROC curve of scores (seeds, windows), NaN where there is none; the mean over seeds.

    None where one of the two classes is missing.
    """
    known = np.isfinite(scores).all(0)
    scores, positive = scores[:, known], positive[known]
    if positive.all() or not positive.any():
        return None
    _, row = np.unique(episode[known], return_inverse=True)
    drawn = episode_draws(int(row.max()) + 1)[:, row]
    areas = np.stack([_areas(one, positive, drawn) for one in scores], axis=1)
    seeds = seed_draws(len(scores))
    both = np.isfinite(areas).all(1)
    low, high = np.percentile((areas * seeds)[both].sum(1) / len(scores), EDGES)
    means = [_areas(one, positive, np.ones((1, len(one))))[0] for one in scores]
    return Interval(
        mean=float(np.mean(means)),
        low=float(low),
        high=float(high),
        windows=scores.size,
        episodes=int(row.max()) + 1,
    )


def episode_draws(count: int) -> F64:
    """How often each of `count` episodes is in each resample, (RESAMPLES, count)."""
    return _draws(count, seed=1)


def seed_draws(count: int) -> F64:
    """The same for training seeds; a single one is always in."""
    return _draws(count, seed=2)


@functools.lru_cache
def _draws(count: int, seed: int) -> F64:
    random = np.random.default_rng(seed)
    return random.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float64)


def _areas(scores: F64, positive: NDArray[np.bool_], weights: F64) -> F64:
    """Area for each row of weights (resamples, windows); NaN where a class is missing. Ties count half."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    ordered = weights[:, order]
    good = np.add.reduceat(ordered * positive[order], starts, axis=1)
    bad = np.add.reduceat(ordered * ~positive[order], starts, axis=1)
    below = np.cumsum(bad, axis=1) - bad / 2
    pairs = good.sum(1) * bad.sum(1)
    with np.errstate(invalid="ignore"):
        return np.where(pairs > 0, (good * below).sum(1) / pairs, np.nan)
