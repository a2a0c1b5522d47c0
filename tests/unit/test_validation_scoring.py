"""When an episode counts: near enough, for long enough, in time."""

from __future__ import annotations

import math

import pytest

from loopwm_ros.config import load_task
from loopwm_ros.validation.scoring import EpisodeScore, Outcome

TASK = load_task("reach")  # 2.5 cm, 0.5 s, 10 s
PUSH = load_task("push")  # 5 cm, 2 cm, 0.5 s, 20 s
SERVO = 1.0 / 80.0
START = 3.7


def run(distances, servo: float = SERVO, task=TASK, after: float = 0.0) -> tuple[Outcome | None, int]:
    """Judge distances one servo period apart; the outcome and how many were used."""
    score = EpisodeScore(task, START, after)
    for used, distance in enumerate(distances, start=1):
        if outcome := score.update(START + used * servo, distance):
            return outcome, used
    return None, len(distances)


def test_held_long_enough() -> None:
    outcome, used = run([0.1] * 8 + [0.02] * 100)
    assert used == 8 + 1 + 40  # 0.5 s after the first of them
    assert outcome == Outcome(True, pytest.approx(used * SERVO), 0.02, 0.02)


def test_the_border_counts_and_a_hair_beyond_it_does_not() -> None:
    assert run([TASK.success_distance] * 60)[0] is not None
    assert run([TASK.success_distance + 1e-6] * 60)[0] is None


@pytest.mark.parametrize("gap", [0.03, math.nan, math.inf])
def test_leaving_starts_the_hold_anew(gap: float) -> None:
    outcome, used = run([0.01] * 40 + [gap] + [0.01] * 60)
    assert outcome is not None
    assert used == 41 + 41


def test_time_runs_out() -> None:
    outcome, used = run([0.05] * 400 + [0.03] * 500)
    assert used == 800
    assert outcome == Outcome(False, pytest.approx(10.0), 0.03, 0.03)


def test_nan_is_never_near() -> None:
    outcome, _ = run([math.nan] * 900)
    assert outcome is not None
    assert not outcome.success


def test_a_hold_that_ends_with_the_time_counts() -> None:
    outcome, _ = run([0.1] * 759 + [0.01] * 60)
    assert outcome is not None
    assert outcome.success
    assert outcome.time == pytest.approx(10.0)
    late, _ = run([0.1] * 760 + [0.01] * 60)
    assert late is not None
    assert not late.success


def test_a_hold_that_ends_after_the_time_does_not_count_however_seldom_one_looks() -> None:
    outcome, _ = run([0.1] * 24 + [0.01] * 10, servo=0.4)  # looks at 9.6 s, then at 10.0 s ...
    assert outcome is not None
    assert not outcome.success
    score = EpisodeScore(TASK, START)
    assert score.update(START + 9.7, 0.01) is None
    late = score.update(START + 10.3, 0.01)
    assert late is not None
    assert not late.success


def test_the_nearest_is_kept() -> None:
    outcome, _ = run([0.3, 0.04, 0.3] + [0.2] * 900)
    assert outcome is not None
    assert outcome.min_distance == 0.04
    assert outcome.final_distance == 0.2


def test_a_task_without_a_precise_distance_has_no_precise_time() -> None:
    outcome, _ = run([0.0] * 60)
    assert outcome is not None
    assert outcome.precise_time is None


def test_an_episode_goes_on_until_it_is_precise_and_keeps_the_time_of_its_success() -> None:
    outcome, used = run([0.04] * 100 + [0.015] * 100, task=PUSH)
    assert used == 100 + 1 + 40
    assert outcome == Outcome(
        True, pytest.approx(41 * SERVO), 0.015, 0.015, precise_time=pytest.approx(141 * SERVO)
    )


def test_a_success_stays_one_where_the_precise_distance_is_missed() -> None:
    outcome, used = run([0.04] * 60 + [0.08] * 2000, task=PUSH)
    assert used == 1600
    assert outcome == Outcome(True, pytest.approx(41 * SERVO), 0.08, 0.04, precise_time=None)


def test_precise_at_once_ends_at_once() -> None:
    outcome, used = run([0.01] * 60, task=PUSH)
    assert used == 41
    assert outcome is not None
    assert outcome.time == outcome.precise_time == pytest.approx(41 * SERVO)


def test_what_was_held_before_a_disturbance_does_not_count() -> None:
    near_then_moved = [0.01] * 160 + [0.1] * 40 + [0.01] * 100
    outcome, used = run(near_then_moved, task=PUSH, after=2.0)
    assert outcome is not None
    assert outcome.success
    assert used == 200 + 41
    nothing_happened, used = run([0.01] * 300, task=PUSH, after=2.0)
    assert nothing_happened is not None
    assert used == 160 + 40, "held for half a second from then on"
