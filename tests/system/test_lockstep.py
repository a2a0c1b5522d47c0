"""The whole chain in lockstep: camera, ONNX encoder, planner, safety gate, PyBullet.

The bundle is made by hand (tests/bundles.py): it finds the ball by looking at its red pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from loopwm_ros.bundle import Bundle
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.control.assembly import MpcSettings
from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.validation.lockstep_run import run_lockstep
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.summary import Measurements
from loopwm_ros.validation.trace import EpisodeRun
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.bundles import make_bundle

ARM, TASK = load_arm("panda"), load_task("reach")
WORLD = load_world(TASK.world)
SEED = 11


@dataclass(frozen=True)
class Run:
    episodes: list[EpisodeRun]
    measured: Measurements

    @property
    def successes(self) -> int:
        return sum(e.result.success for e in self.episodes)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle"), ARM, TASK)


def run(bundle: Bundle, **changes: object) -> Run:
    values = {"arm": ARM, "task": TASK, "world": WORLD, "controller": "mpc", "episodes": 1, "seed": SEED}
    done = Run([], Measurements())
    request = RunRequest(**(values | {"bundle": bundle} | changes))
    run_lockstep(request, done.measured, done.episodes.append, lambda _: None)
    return done


@pytest.fixture(scope="module")
def three(bundle: Bundle) -> Run:
    return run(bundle, episodes=3)


def test_the_ball_is_reached_by_looking(three: Run) -> None:
    assert three.successes == 3
    assert all(e.result.time_to_success_s < 5.0 for e in three.episodes)


def test_the_commands_delay_is_measured_and_bridged(three: Run) -> None:
    late = [1e3 * (0.1 + ARM.camera.latency + extra) for extra in TASK.randomisation.camera_latency]
    assert min(three.measured.delay_ms) >= late[0]
    assert max(three.measured.delay_ms) <= late[1] + 50.0 + 1e3 / WORLD.servo_rate
    for episode in three.episodes:
        tool = episode.trace.tool
        errors = [
            np.linalg.norm(plan.path[0] - tool.at(plan.stamp + plan.offsets[0]))
            for plan in episode.trace.imagined
            if plan.stamp + plan.offsets[0] < tool.stamps[-1]
        ]
        assert np.median(errors) < 0.015  # the arm moves 5 cm in the time that is bridged


def test_early_exit_uses_fewer_loops_where_fewer_do(three: Run) -> None:
    loops = three.measured.loops
    assert loops[0] == 0
    assert np.count_nonzero(loops) > 1
    assert loops @ np.arange(len(loops)) / loops.sum() < 4


def test_an_episode_is_the_same_again_and_whatever_came_before(bundle: Bundle, three: Run) -> None:
    (again,) = run(bundle, seed=SEED + 2).episodes
    third = three.episodes[2]
    assert again.result.model_copy(update={"index": 2}) == third.result
    assert np.array_equal(again.trace.tool.values, third.trace.tool.values)
    assert [f.jpeg for f in again.trace.frames] == [f.jpeg for f in third.trace.frames]
    for plan, other in zip(again.trace.imagined, third.trace.imagined, strict=True):
        assert np.array_equal(plan.path, other.path)


def test_a_blank_camera_leaves_the_arm_where_it_is(bundle: Bundle) -> None:
    blank = run(bundle, blank_camera=True, task=TASK.model_copy(update={"time_limit": 3.0}))
    (episode,) = blank.episodes
    assert not episode.result.success
    tool = episode.trace.tool.values
    assert np.linalg.norm(tool - tool[0], axis=1).max() < 0.02
    assert episode.trace.imagined == ()


@pytest.mark.parametrize("loops", [1, 8])
def test_a_fixed_number_of_loops_is_what_every_transition_gets(bundle: Bundle, loops: int) -> None:
    fixed = run(bundle, settings=MpcSettings(model=WorldModelSettings(loops=loops)))
    assert fixed.successes == 1
    assert np.flatnonzero(fixed.measured.loops).tolist() == [loops]


def test_cem_plans_too(bundle: Bundle, three: Run) -> None:
    cem = run(bundle, settings=MpcSettings(planner=PlannerSettings(kind="cem")))
    assert cem.successes == 1
    first = three.episodes[0].trace
    assert not np.array_equal(cem.episodes[0].trace.tool.values, first.tool.values)
