"""Lockstep runs: what comes out of them, and that a request that cannot be run is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pybullet
import pytest

from loopwm_ros.backends.blank_camera import BlankCamera
from loopwm_ros.bundle import Bundle
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.control.assembly import MpcSettings, planner_settings
from loopwm_ros.errors import ConfigError, MismatchError
from loopwm_ros.validation import stage
from loopwm_ros.validation.engines import CELLS
from loopwm_ros.validation.lockstep_run import run_lockstep
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.summary import Measurements
from loopwm_ros.validation.trace import EpisodeRun, Progress
from tests.arms import ExactArm
from tests.bundles import make_bundle

ARM = load_arm("panda")
TASK = load_task("reach").model_copy(update={"time_limit": 0.5})
WORLD = load_world(TASK.world)


def run(seen: list[Progress] | None = None, **changes: object) -> tuple[list[EpisodeRun], Measurements]:
    values = {"arm": ARM, "task": TASK, "world": WORLD, "controller": "zero", "episodes": 1, "seed": 0}
    episodes: list[EpisodeRun] = []
    measured = Measurements()
    seen = [] if seen is None else seen
    run_lockstep(RunRequest(**(values | changes)), measured, episodes.append, seen.append)
    return episodes, measured


def test_episodes_are_numbered_and_seeded_on() -> None:
    episodes, measured = run(controller="scripted", episodes=2, seed=40)
    assert [(e.result.index, e.result.seed) for e in episodes] == [(0, 40), (1, 41)]
    assert measured.cycle_ms == []
    assert [(e.result.cycles, e.result.plans) for e in episodes] == [(10, 0), (10, 0)]
    starts = [e.trace.tool.values[0] for e in episodes]
    assert not np.allclose(starts[0], starts[1], atol=1e-3)


def test_the_stand_in_has_the_same_episodes_and_another_course() -> None:
    task = TASK.model_copy(update={"time_limit": 4.0})
    runs = [run(controller="scripted", task=task, seed=3, engine=name)[0][0] for name in CELLS]
    simulation, standin = (episode.trace for episode in runs)
    balls = [trace.points["ball"].values[0] for trace in (simulation, standin)]
    assert np.allclose(*balls, atol=1e-3)
    apart = np.linalg.norm(simulation.tool.values[40] - standin.tool.values[40])
    assert 0.002 < apart < 0.05, "it is behind"
    assert [episode.result.success for episode in runs] == [True, True]


def test_the_running_episode_is_shown_twice_a_second(tmp_path: Path) -> None:
    seen: list[Progress] = []
    task = TASK.model_copy(update={"time_limit": 1.1})
    run(seen, controller="mpc", episodes=2, task=task, bundle=make_bundle(tmp_path, ARM, task))
    assert [p.episode for p in seen] == [0, 0, 1, 1]
    assert [len(p.cycle_ms) for p in seen] == [4, 9, 4, 9], "each episode's own cycles"
    assert all(p.distance and p.distance > 0 and p.deadline_misses == 0 for p in seen)
    assert all(1 <= np.nanmean(p.loops) <= 8 for p in seen)


def test_a_failed_episode_lasts_until_the_time_limit_and_is_on_the_trace() -> None:
    (episode,), _ = run()
    assert not episode.result.success
    trace = episode.trace
    assert trace.distance.stamps[-1] - trace.start == pytest.approx(TASK.time_limit, abs=1 / 40)
    assert episode.result.min_distance_m == pytest.approx(trace.distance.values.min(), abs=1e-9)
    assert len(trace.frames) in range(8, 12)  # 20 Hz for half a second
    assert trace.imagined == ()


def test_imagined_paths_are_the_tools_whatever_the_order_of_the_quantities(tmp_path: Path) -> None:
    shuffled = ("ball_y", "tool_z", "ball_x", "tool_x", "ball_z", "tool_y")
    task = TASK.model_copy(update={"quantities": shuffled})
    (episode,), measured = run(controller="mpc", task=task, bundle=make_bundle(tmp_path, ARM, task))
    assert len(measured.cycle_ms) == episode.result.plans == 4  # each 0.1 s; at first there is no image
    assert episode.result.cycles == 10  # one each control period of 0.05 s
    assert measured.real_time_factor is None
    assert episode.trace.imagined
    for plan in episode.trace.imagined:
        assert np.linalg.norm(plan.path[0] - episode.trace.tool.nearest(plan.stamp)) < 0.12  # 0.2 s ahead
        assert len(plan.offsets) == len(plan.path)
        assert plan.goal is not None


def test_a_model_whose_transitions_span_several_actions_reaches_the_goal(tmp_path: Path) -> None:
    task = load_task("reach").model_copy(update={"planner": {"horizon": 10}})
    planner = planner_settings(task, "mppi")
    (episode,), measured = run(
        controller="mpc",
        task=task,
        bundle=make_bundle(tmp_path, ARM, task, chunk=4),
        settings=MpcSettings(planner=planner),
    )
    assert episode.result.success
    assert set(measured.gaps["tool"]) == set(range(1, 11)), "hindsight is of every action"
    for plan in episode.trace.imagined:
        np.testing.assert_allclose(plan.offsets, [0.4, 0.8, 1.0])


def test_blank_camera_changes_nothing_but_the_pixels() -> None:
    plain, blank = ExactArm(np.zeros(3)), BlankCamera(ExactArm(np.zeros(3)))
    plain.reset(4)
    blank.reset(4)
    for i in range(9):
        seen, black = plain.new_frame(), blank.new_frame()
        assert (seen is None) == (black is None)
        if seen is not None and black is not None:
            assert black.stamp == seen.stamp
            assert black.rgb.shape == seen.rgb.shape
            assert seen.rgb.any()
            assert not black.rgb.any()
        for arm in (plain, blank):
            arm.step(np.full(3, 0.01 * i))
        assert blank.now == plain.now
        assert np.array_equal(blank.joint_state().position, plain.joint_state().position)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"controller": "mpc"}, ConfigError, "needs a bundle"),
        ({"arm": ARM.model_copy(update={"tool_frame": "hook"})}, ConfigError, "no frame 'hook'"),
        (
            {"arm": ARM.model_copy(update={"joints": (*ARM.joints[:6], "joint_seven")})},
            ConfigError,
            "no joint joint_seven",
        ),
    ],
)
def test_requests_that_cannot_be_run_are_refused(
    changes: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(**changes)


def test_a_camera_that_the_bundle_was_not_made_for_is_refused_before_anything_moves(tmp_path: Path) -> None:
    camera = ARM.camera.model_copy(update={"width": 320, "height": 240})
    arm = ARM.model_copy(update={"camera": camera})
    with pytest.raises(MismatchError, match="160x120 camera, got 320x240"):
        run(controller="mpc", arm=arm, bundle=make_bundle(tmp_path, ARM, TASK))


def test_the_simulator_is_freed_whether_a_run_ends_well_or_not() -> None:
    def connected() -> int:
        return sum(pybullet.isConnected(client) for client in range(8))

    before = connected()
    with pytest.raises(ConfigError):
        run(controller="mpc")
    run(task=TASK.model_copy(update={"time_limit": 0.05}))
    assert connected() == before


PUSH = load_task("push").nominal().model_copy(update={"time_limit": 0.6})
PUSH_ARM = load_arm("panda_rod")


def push(**changes: object) -> tuple[list[EpisodeRun], Measurements]:
    return run(**({"arm": PUSH_ARM, "task": PUSH} | changes))


@pytest.fixture(scope="module")
def push_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """It reads what is red as the cube, and as the goal."""
    return make_bundle(tmp_path_factory.mktemp("push"), PUSH_ARM, PUSH)


@pytest.mark.parametrize(("source", "near"), [("position", 1e-9), ("image", 0.03)])
def test_a_goal_that_is_told_is_what_plans_go_for(push_bundle: Bundle, source: str, near: float) -> None:
    episodes, _ = push(controller="mpc", bundle=push_bundle, goal=source, episodes=2, seed=4)
    truths = [e.trace.points["goal"].values[0] for e in episodes]
    assert np.linalg.norm(truths[0] - truths[1]) > 0.05
    for episode, truth in zip(episodes, truths, strict=True):
        goals = np.array([plan.goal for plan in episode.trace.imagined])
        assert len(goals)
        assert np.linalg.norm((goals - truth)[:, :2], axis=1).max() < near


def test_an_image_without_the_object_is_a_failure_with_that_word_and_the_run_goes_on(
    push_bundle: Bundle,
) -> None:
    cube = PUSH.objects["cube"].model_copy(update={"hue": (0.6, 0.6)})  # blue: not seen by this bundle
    task = PUSH.model_copy(update={"objects": PUSH.objects | {"cube": cube}})
    episodes, _ = push(controller="mpc", bundle=push_bundle, task=task, goal="image", episodes=2)
    assert all(e.result.why.startswith("the goal image does not show 'cube' clearly") for e in episodes)
    assert [(e.result.success, e.result.cycles, e.result.plans) for e in episodes] == [(False, 0, 0)] * 2
    assert all(e.result.final_distance_m == e.trace.distance.values[0] > 0.05 for e in episodes)
    assert all(len(e.trace.frames) == 1 for e in episodes)


def test_what_the_encoder_saw_and_the_model_imagined_of_the_object_is_on_the_trace(
    push_bundle: Bundle,
) -> None:
    (episode,), _ = push(controller="mpc", bundle=push_bundle)
    trace = episode.trace
    assert set(trace.points) == {"cube", "goal"}
    assert set(trace.readings) == {"tool", "cube", "goal"}
    reading, truth = trace.readings["cube"], trace.points["cube"].values[0]
    assert np.linalg.norm((reading.values - truth)[:, :2], axis=1).max() < 0.03
    assert all(plan.moved is not None and plan.moved.shape == plan.path.shape for plan in trace.imagined)


def test_a_model_of_more_objects_plans_the_same_for_fewer(push_bundle: Bundle, tmp_path: Path) -> None:
    clutter = load_task("clutter")
    more = clutter.model_copy(update={"quantities": clutter.quantities[::-1]})
    plain, among_others = (
        push(controller="mpc", bundle=bundle)[0][0].trace
        for bundle in (push_bundle, make_bundle(tmp_path, PUSH_ARM, more))
    )
    assert set(among_others.readings) == {"tool", "cube", "goal"}
    assert np.array_equal(among_others.tool.values, plain.tool.values)
    for one, other in zip(among_others.imagined, plain.imagined, strict=True):
        assert np.array_equal(one.path, other.path)
        assert np.array_equal(one.moved, other.moved)


def test_of_an_object_that_is_read_in_the_plane_alone_no_point_is_shown(tmp_path: Path) -> None:
    clutter = load_task("clutter").nominal().model_copy(update={"time_limit": 0.3})
    (episode,), _ = push(controller="mpc", task=clutter, bundle=make_bundle(tmp_path, PUSH_ARM, clutter))
    assert set(episode.trace.points) == {"cube", "blue", "yellow", "goal"}
    assert set(episode.trace.readings) == {"tool", "cube", "goal"}


def test_something_happens_and_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "WHEN", (0.2, 0.5))
    (first, second), _ = push(disturb="all", episodes=2)
    assert [first.result.disturbance, second.result.disturbance] == ["object_moved", "goal_moved"]
    for name, episode in (("cube", first), ("goal", second)):
        at = episode.result.disturbed_at_s
        assert at is not None
        path = episode.trace.points[name]
        jumped = np.linalg.norm(np.diff(path.values[:, :2], axis=0), axis=1) > 0.03
        (when,) = path.stamps[1:][jumped]
        assert when == pytest.approx(at, abs=0.05)


def test_several_processes_change_no_result() -> None:
    def essence(workers: int) -> list[tuple[object, ...]]:
        episodes, _ = push(controller="random", episodes=2, seed=8, workers=workers)
        return [(e.result, e.trace.tool.values.tobytes(), e.trace.frames) for e in episodes]

    assert essence(2) == essence(1)


def test_a_controller_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown controller 'psychic'; valid: .*scripted"):
        run(controller="psychic")


def test_contact_is_that_of_what_moves_with_what_is_touched() -> None:
    _, measured = push(controller="scripted", task=PUSH.model_copy(update={"time_limit": 4.0}))
    assert max(measured.thing_forces) > 0.3, "the cube is pushed"
    assert measured.table_forces == [], "the arm's own foot on the table does not count"
    _, still = run(controller="zero")
    assert still.thing_forces == []
    assert still.gate_periods == 40


def test_the_truth_is_watched_and_a_fault_scored(tmp_path: Path) -> None:
    task = TASK.model_copy(update={"time_limit": 2.5})
    bundle = make_bundle(tmp_path, ARM, task)
    (plain,), measured = run(controller="mpc", task=task, bundle=bundle)
    assert plain.motion is not None
    assert 0 < plain.motion.velocity < 1.05
    assert plain.fault is None
    assert set(measured.gaps) == {"tool", "joints"}
    assert list(measured.gaps["joints"]) == [1, 2, 3]
    assert max(measured.gaps["joints"][3]) < 0.2
    assert min(measured.gaps["tool"]) == 1
    (broken,), _ = run(controller="mpc", task=task, bundle=bundle, fault="joints_nan")
    assert broken.fault is not None
    assert broken.fault.stopped_after_s is not None
    assert broken.fault.stopped_after_s < 0.4
    assert broken.trace.held_back["joint states are stale"] > 0.5


def test_a_fault_that_lasts_must_be_over_before_success_counts(tmp_path: Path) -> None:
    task = load_task("reach").model_copy(update={"time_limit": 5.0})
    bundle = make_bundle(tmp_path, ARM, task)
    (episode,), _ = run(controller="mpc", task=task, bundle=bundle, fault="camera_stops", seed=2)
    assert episode.fault is not None
    assert episode.result.success
    assert episode.result.time_to_success_s >= episode.fault.begins_s + 1.0 + task.success_hold - 0.05
