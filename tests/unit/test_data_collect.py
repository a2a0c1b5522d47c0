"""Collections: each episode by its number alone, whole or not there, labelled with the truth."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from recordings import arm, task
from typer.testing import CliRunner

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.disturb import DISTURBANCES
from loopwm_ros.bundle import load_bundle
from loopwm_ros.cli.main import app
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.config.files import share_dir
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.data.behaviours import PUSHING, REACHING, GoalAfterGoal
from loopwm_ros.data.collect import Collected, Collection, Collector, _Disturbed, collect, usual_collection
from loopwm_ros.data.reader import Episode, read_episode
from loopwm_ros.errors import ConfigError

WORLD = load_world(task().world)
ROD_ARM, PUSH = load_arm("panda_rod"), load_task("push")
SHIPPED = share_dir() / "models" / "panda_rod_push"


def collection(seed: int = 0, duration: float = 0.4) -> Collection:
    return Collection(arm=arm(), task=task(), world=WORLD, seed=seed, duration=duration, behaviours=REACHING)


def pushing(duration: float = 1.0, **changes: object) -> Collection:
    values = {"duration": duration, "disturbed": 0.0, "unmarked": 0.0, "behaviours": {"random": 1.0}}
    return usual_collection(ROD_ARM, PUSH, WORLD, 0).model_copy(update=values | changes)


def contents(out: Path) -> dict[str, bytes]:
    return {str(f.relative_to(out)): f.read_bytes() for f in sorted(out.rglob("*")) if f.is_file()}


def test_an_episode_depends_on_seed_and_number_alone(tmp_path: Path) -> None:
    ignore = [].append
    collect(collection(), tmp_path / "all", 3, 1, ignore)
    Collector(collection()).record(2, tmp_path / "alone" / "000002")
    collect(collection(), tmp_path / "parallel", 3, 2, ignore)
    whole = contents(tmp_path / "all")
    assert contents(tmp_path / "parallel") == whole
    alone = {f"000002/{file.name}": file.read_bytes() for file in (tmp_path / "alone" / "000002").iterdir()}
    assert alone == {name: data for name, data in whole.items() if name.startswith("000002")}
    assert whole["000000/000000.mcap"] != whole["000001/000001.mcap"]


def test_a_stopped_collection_goes_on(tmp_path: Path) -> None:
    seen: list[Collected] = []
    collect(collection(), tmp_path, 1, 1, seen.append)
    before = contents(tmp_path)
    collect(collection(), tmp_path, 2, 1, seen.append)
    assert [(c.index, c.kept) for c in seen] == [(0, False), (0, True), (1, False)]
    assert before.items() <= contents(tmp_path).items()


def test_another_collection_is_not_mixed_in(tmp_path: Path) -> None:
    collect(collection(), tmp_path, 1, 1, [].append)
    with pytest.raises(ConfigError, match=r"another collection \(different: seed\)"):
        collect(collection(seed=1), tmp_path, 1, 1, [].append)


def test_a_planner_tuned_since_is_the_same_collection(tmp_path: Path) -> None:
    collect(collection(), tmp_path, 1, 1, [].append)
    tuned = task().model_copy(update={"planner": {"horizon": 7}, "objective": task().objective[:1]})
    seen: list[Collected] = []
    collect(collection().model_copy(update={"task": tuned}), tmp_path, 1, 1, seen.append)
    assert [collected.kept for collected in seen] == [True]


def test_a_failed_episode_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = Collector(collection())
    monkeypatch.setattr("loopwm_ros.data.recorder.LabelledRecorder.command", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        collector.record(0, tmp_path / "000000")
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_labels_are_the_truth_at_the_frames(tmp_path: Path) -> None:
    Collector(collection(duration=1.0)).record(0, tmp_path / "episode")
    episode = read_episode(tmp_path / "episode", arm())
    stamps = episode.frame_stamps
    assert len(stamps) >= 19
    np.testing.assert_allclose(episode.labels["ball"].stamps, stamps, atol=1e-9)
    np.testing.assert_allclose(episode.reward.stamps, stamps, atol=1e-9)
    positions = episode.joint_position.at(stamps)
    tools = np.stack([Kinematics(arm()).tool_position(q) for q in positions])
    distance = np.linalg.norm(tools - episode.labels["ball"].values, axis=1)
    radius = distance + episode.reward.values[:, 0]
    low, high = task().objects["ball"].size
    assert (radius > low - 1e-4).all()
    assert (radius < high + 1e-4).all()
    assert radius.std() < 1e-4
    assert episode.metadata["task"] == "reach"


def test_a_scripted_reach_gets_done(tmp_path: Path) -> None:
    reach = collection(duration=6.0).model_copy(update={"behaviours": {"reach": 1.0}})
    for seed in range(3):
        Collector(reach.model_copy(update={"seed": seed})).record(0, tmp_path / str(seed))
    done = [read_episode(tmp_path / str(seed), arm()).done.values.any() for seed in range(3)]
    assert any(done)


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    import typer

    from loopwm_ros.cli.collect import collect as command

    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, ["--out", str(tmp_path), "--episodes", "1", "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert "1 recorded, 0 were there" in result.output


def test_what_is_moved_decides_what_is_collected() -> None:
    reach, push = usual_collection(arm(), task(), WORLD, 3), usual_collection(ROD_ARM, PUSH, WORLD, 3)
    assert (reach.seed, reach.behaviours, reach.disturbed, reach.unmarked) == (3, REACHING, 0.0, 0.0)
    assert (push.seed, push.behaviours) == (3, PUSHING)
    assert 0 < push.disturbed < 1
    assert 0 < push.unmarked < 1


@pytest.mark.parametrize("changes", [{"disturbed": 1.5}, {"unmarked": -0.1}, {"behaviours": {}}])
def test_a_collection_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        Collection.model_validate({**collection().model_dump(), **changes})


def test_a_push_episode_is_the_same_whatever_came_before(tmp_path: Path) -> None:
    mixed = usual_collection(ROD_ARM, PUSH, WORLD, 1).model_copy(update={"duration": 0.8})
    collect(mixed, tmp_path / "all", 4, 1, [].append)
    collector = Collector(mixed)
    for index in (3, 0):
        name = mixed.name(index)
        collector.record(index, tmp_path / "other" / name)
        assert contents(tmp_path / "other" / name) == contents(tmp_path / "all" / name)


def test_a_model_plans_for_its_own_data(tmp_path: Path) -> None:
    bundle = load_bundle(SHIPPED)
    plans = usual_collection(ROD_ARM, PUSH, WORLD, 1, bundle).model_copy(update={"duration": 2.0})
    assert plans.behaviours == {"plans": 1.0}
    collect(plans, tmp_path / "all", 2, 1, [].append)
    Collector(plans).record(1, tmp_path / "alone" / plans.name(1))
    episode = read_episode(tmp_path / "alone" / plans.name(1), ROD_ARM)
    assert episode.metadata["behaviour"] == "plans"
    travelled = np.abs(np.diff(episode.joint_position.values, axis=0)).sum()
    assert travelled > 0.3, "the planner moved the arm [rad]"
    assert contents(tmp_path / "alone" / plans.name(1)) == contents(tmp_path / "all" / plans.name(1))
    elsewhere = plans.model_copy(update={"bundle": shutil.copytree(SHIPPED, tmp_path / "copy")})
    collect(elsewhere, tmp_path / "all", 2, 1, [].append)  # it matters not where the bundle lies
    with pytest.raises(ConfigError, match="bundle_sha256"):
        collect(plans.model_copy(update={"bundle_sha256": "0" * 64}), tmp_path / "all", 2, 1, [].append)


def test_where_the_tool_is_moved_plans_bring_it_to_the_place_drawn() -> None:
    """The goal that is given lies the task's offset away from there."""
    places, given = [np.array([0.5, 0.1, 0.3])], []
    offset = np.asarray(task().goal_offset)
    assert offset.any()
    planner = SimpleNamespace(
        observe_joints=None,
        observe_frame=None,
        observe_command=None,
        reset=lambda *_: None,
        give_goal=given.append,
        tick=lambda now: now,
    )
    wanderer = GoalAfterGoal(planner, lambda: places[-1], offset)
    for now in (0.0, 0.05):
        assert wanderer.tick(now) == now
    places.append(np.array([0.4, -0.1, 0.2]))
    wanderer.tick(0.1)
    wanderer.reset(0, 0.2, None)
    wanderer.tick(0.2)
    expected = [places[0] - offset, places[1] - offset, places[1] - offset]
    np.testing.assert_allclose(given, expected)


def test_plans_of_another_objective_are_another_collection(tmp_path: Path) -> None:
    plans = usual_collection(ROD_ARM, PUSH, WORLD, 1, load_bundle(SHIPPED)).model_copy(
        update={"duration": 0.3}
    )
    collect(plans, tmp_path, 1, 1, [].append)
    tuned = PUSH.model_copy(update={"objective": PUSH.objective[:1]})
    with pytest.raises(ConfigError, match="different: task"):
        collect(plans.model_copy(update={"task": tuned}), tmp_path, 1, 1, [].append)


def test_plans_need_a_model_and_that_model() -> None:
    plans = usual_collection(ROD_ARM, PUSH, WORLD, 1, load_bundle(SHIPPED))
    with pytest.raises(ConfigError, match="another model now"):
        Collector(plans.model_copy(update={"bundle_sha256": "0" * 64}))
    with pytest.raises(ConfigError, match="give --bundle"):
        Collector(plans.model_copy(update={"bundle": None})).record(0, Path("unwritten"))


def test_the_command_refuses_a_model_with_a_recipe(tmp_path: Path) -> None:
    options = ["collect", "--out", str(tmp_path), "--recipe", "contact", "--bundle", str(SHIPPED)]
    result = CliRunner().invoke(app, options)
    assert "--bundle goes with --task" in str(result.exception)


def goal_pixels(images: Iterable[np.ndarray]) -> list[int]:
    """How much of each image is of the goal's green."""
    counts = []
    for image in images:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        counts.append(int(((abs(hsv[..., 0].astype(int) - 60) < 15) & (hsv[..., 1] > 120)).sum()))
    return counts


def recorded(path: Path, made: Collection) -> Episode:
    Collector(made).record(0, path)
    return read_episode(path, ROD_ARM)


def images(episode: Episode) -> list[np.ndarray]:
    return [episode.image(i) for i in range(len(episode.images))]


def test_marks_that_are_not_shown_are_labelled_all_the_same(tmp_path: Path) -> None:
    shown = recorded(tmp_path / "shown", pushing(0.3))
    hidden = recorded(tmp_path / "hidden", pushing(0.3, unmarked=1.0))
    assert min(goal_pixels(images(shown))) > 20
    assert max(goal_pixels(images(hidden))) < 3
    for episode in (shown, hidden):
        goal = episode.labels["goal"].values
        assert np.ptp(goal, axis=0).max() == 0.0
        assert abs(goal[0, 2]) < 0.01, "on the table, not where what is hidden lies"


@pytest.mark.parametrize("kind", DISTURBANCES)
def test_what_happens_in_an_episode_is_in_its_labels_or_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    calm = recorded(tmp_path / "calm", pushing(0.6))
    monkeypatch.setattr("loopwm_ros.data.collect.DISTURBANCES", (kind,))
    episode = recorded(tmp_path / "disturbed", pushing(0.6, disturbed=1.0))
    jumps = {
        name: float(np.linalg.norm(np.diff(series.values, axis=0), axis=1).max())
        for name, series in episode.labels.items()
    }
    still = {"cube": 0.02, "goal": 1e-9}  # [m] in a frame period
    moved = {"object_moved": "cube", "goal_moved": "goal"}.get(kind)
    for name, limit in still.items():
        assert (jumps[name] > 0.04) if name == moved else (jumps[name] < limit), name
    same = [np.array_equal(a, b) for a, b in zip(images(calm), images(episode), strict=True)]
    assert same[0], "it begins the same"
    assert not same[-1], "and then something happens"
    assert sum(np.diff(same)) == 1


def test_some_episodes_are_disturbed_some_unmarked_by_their_shares() -> None:
    mixed, names = usual_collection(ROD_ARM, PUSH, WORLD, 0), []
    cell = BulletCell(ROD_ARM, PUSH, WORLD)
    for index in range(400):
        backend = _Disturbed(cell, mixed, np.random.default_rng([0, index]))
        names.append((bool(backend._hidden), backend._disturbance and backend._disturbance.name))
    cell.close()
    unmarked, disturbed = ([name[i] for name in names] for i in (0, 1))
    assert sum(unmarked) / 400 == pytest.approx(mixed.unmarked, abs=0.08)
    assert sum(name is not None for name in disturbed) / 400 == pytest.approx(mixed.disturbed, abs=0.08)
    assert set(disturbed) == {None, *DISTURBANCES}
