"""The cell with marks hidden and things going wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.disturb import HIDDEN_FOR
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.validation.stage import WHEN, Stage

ARM, TASK = load_arm("panda_rod"), load_task("push")
WORLD = load_world(TASK.world)
SEED = 3


@pytest.fixture
def cell() -> Iterator[BulletCell]:
    cell = BulletCell(ARM, TASK, WORLD)
    yield cell
    cell.close()


def test_nothing_happens_unless_expected(cell: BulletCell) -> None:
    stage = Stage(cell, TASK, ())
    stage.reset(SEED)
    assert (stage.disturbance, stage.settled) == (None, 0.0)


def test_the_disturbance_happens_once_when_the_seed_says(cell: BulletCell) -> None:
    stage = Stage(cell, TASK, ())
    times = []
    for seed in (SEED, SEED + 1, SEED):
        stage.expect("goal_moved")
        stage.reset(seed)
        assert stage.disturbance is not None
        times.append(stage.disturbance.at)
    assert times[0] == times[2] != times[1]
    assert all(WHEN[0] <= at <= WHEN[1] for at in times)
    places = [cell.truth().points["goal"]]
    while stage.now < times[0] + 0.5:
        stage.step(None)
        places.append(cell.truth().points["goal"])
    moved = np.flatnonzero(np.linalg.norm(np.diff(places, axis=0), axis=1) > 1e-3)
    assert len(moved) == 1
    assert moved[0] / WORLD.servo_rate == pytest.approx(times[0], abs=1.5 / WORLD.servo_rate)
    assert stage.settled == times[0]


def test_a_hidden_object_counts_as_settled_once_it_is_seen_again(cell: BulletCell) -> None:
    stage = Stage(cell, TASK, ())
    stage.expect("object_hidden")
    stage.reset(SEED)
    assert stage.disturbance is not None
    assert stage.settled == stage.disturbance.at + HIDDEN_FOR


def test_a_disturbance_draws_nothing_of_the_episode(cell: BulletCell) -> None:
    stage = Stage(cell, TASK, ())
    stage.reset(SEED)
    plain = cell.draw
    stage.expect("object_moved")
    stage.reset(SEED)
    assert cell.draw == plain


def test_a_hidden_mark_is_not_in_the_image(cell: BulletCell) -> None:
    def green(hidden: tuple[str, ...]) -> int:
        stage = Stage(cell, TASK, hidden)
        stage.reset(SEED)
        while (frame := stage.new_frame()) is None:
            stage.step(None)
        red, green, blue = (frame.rgb[..., i].astype(int) for i in range(3))
        return int(np.count_nonzero(green > np.maximum(red, blue) + 40))

    assert green(()) > 20
    assert green(("goal",)) == 0
