import numpy as np
import pytest

from loopwm_ros.training.evaluation.intervals import auc_interval, episode_draws, mean_interval

NAN = np.nan


def test_a_mean_is_over_windows_and_its_interval_over_episodes() -> None:
    random = np.random.default_rng(0)
    of_episode = random.normal(size=40)
    episode = np.repeat(np.arange(40), 50)
    values = (of_episode[episode] + 0.01 * random.normal(size=2000))[None]
    found = mean_interval(values, episode)
    assert found is not None
    assert found.mean == pytest.approx(values.mean())
    assert (found.windows, found.episodes) == (2000, 40)
    spread = of_episode.std() / np.sqrt(40)  # not of 2000 windows, which are hardly independent
    assert found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.15)
    assert found.low < of_episode.mean() < found.high


def test_what_is_not_there_is_left_out() -> None:
    found = mean_interval(np.array([[1.0, NAN, 3.0, NAN]]), np.array([5, 5, 9, 12]))
    assert found is not None
    assert (found.mean, found.windows, found.episodes) == (2.0, 2, 2)
    assert (found.low, found.high) == (1.0, 3.0)
    assert mean_interval(np.full((1, 3), NAN), np.arange(3)) is None


def test_seeds_are_pooled_and_widen_the_interval() -> None:
    random = np.random.default_rng(1)
    episode = np.repeat(np.arange(30), 5)
    one = random.normal(size=150)
    same = mean_interval(np.stack([one, one, one]), episode)
    apart = mean_interval(np.stack([one - 1, one, one + 1]), episode)
    assert same is not None
    assert apart is not None
    assert apart.mean == pytest.approx(same.mean)
    assert apart.high - apart.low > 2 * (same.high - same.low)
    assert same.windows == 450


def test_draws_are_the_same_for_every_model() -> None:
    assert np.array_equal(episode_draws(7), episode_draws(7))
    assert (episode_draws(7).sum(1) == 7).all()


def test_area_is_the_share_of_pairs_in_order() -> None:
    random = np.random.default_rng(2)
    scores, positive = np.round(random.normal(size=60), 1), random.random(60) < 0.4  # rounded: with ties
    pairs = scores[positive][:, None] - scores[~positive]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    found = auc_interval(np.stack([scores, -scores]), positive, np.arange(60) // 3)
    assert found is not None
    assert found.mean == pytest.approx(0.5), "the mean of a model and its opposite"
    alone = auc_interval(scores[None], positive, np.arange(60) // 3)
    assert alone is not None
    assert alone.mean == pytest.approx(expected)
    assert alone.low < expected < alone.high
    assert alone.episodes == 20


def test_an_area_needs_both_classes() -> None:
    assert auc_interval(np.ones((1, 4)), np.ones(4, dtype=bool), np.arange(4)) is None
    known = np.array([[0.1, NAN, 0.3]])
    assert auc_interval(known, np.array([True, False, True]), np.arange(3)) is None
