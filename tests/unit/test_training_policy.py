from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from loopwm_ros.bundle import load_bundle
from loopwm_ros.config import load_settings, load_task, share_dir
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training import checkpoint
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.experience import gather
from loopwm_ros.training.export import export_bundle
from loopwm_ros.training.hindsight import find_goals
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.policy import CloningLoss, Decisions, Policy, likeliest
from loopwm_ros.training.policy_stage import agreement, answers
from loopwm_ros.training.run import MODEL, describe, load_run, train
from loopwm_ros.training.settings import PolicySettings, TrainSettings
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.synthetic import LinearKinematics, synthetic_dataset

ALONE = Workers(0, 1, torch.device("cpu"))
CONFIG = share_dir() / "config/train/tiny.yaml"
POLICY = PolicySettings.model_validate(
    {
        "hidden": 32,
        "layers": 2,
        "history": 8,
        "imagined": 2,
        "hindsight": (2, 6),
        "evaluation_moments": 64,
        "stage": {"steps": 60, "batch": 64, "learning_rate": 0.005, "warmup": 5, "evaluate_every": 60},
    }
)


class Silent:
    def scalars(self, stage: str, step: int, values: dict[str, float]) -> None:
        pass


@pytest.fixture(scope="module")
def data() -> Dataset:
    return synthetic_dataset(episodes=6, frames=40)


@pytest.fixture(scope="module")
def without() -> TrainSettings:
    return load_settings(CONFIG, TrainSettings)


@pytest.fixture(scope="module")
def settings(without: TrainSettings) -> TrainSettings:
    return without.model_copy(update={"policy": POLICY})


@pytest.fixture(scope="module")
def run(settings: TrainSettings, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(settings, data, out, ALONE, Silent(), resume=False)
    return out


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load_tensors(run / MODEL)[0]


def test_it_learns_to_go_to_the_goal(settings: TrainSettings, data: Dataset) -> None:
    spec, random = describe(settings, data).spec, torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = LoopWM(settings, spec)
    model.add_policy(settings, spec, load_task("reach"))
    loss, optimiser = (
        CloningLoss(model.actor),
        torch.optim.Adam(model.actor.policy.parameters(), 0.005),
    )
    for _ in range(300):
        batch = _going_straight(model, spec, random)
        optimiser.zero_grad()
        loss(batch)[0].backward()
        optimiser.step()
    batch = _going_straight(model, spec, random)
    found = agreement("found", answers(model.actor, batch), batch.action.numpy())
    assert found["found_r2"] > 0.9
    assert found["found_mae"] < 0.1


def test_of_two_ways_round_it_learns_one_and_not_their_mean(settings: TrainSettings, data: Dataset) -> None:
    spec, random = describe(settings, data).spec, torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = LoopWM(settings, spec)
    model.add_policy(settings, spec, load_task("reach"))
    loss = CloningLoss(model.actor)
    optimiser = torch.optim.Adam(model.actor.policy.parameters(), 0.005)
    ways = torch.tensor([[0.8, 0.0, 0.0], [-0.8, 0.0, 0.0]])
    for _ in range(150):
        batch = _going_straight(model, spec, random)
        either = ways[torch.randint(2, (len(batch.action),), generator=random)]
        optimiser.zero_grad()
        loss(batch._replace(action=either))[0].backward()
        optimiser.step()
    said = answers(model.actor, _going_straight(model, spec, random))
    np.testing.assert_allclose(np.abs(said[:, 0]), 0.8, atol=0.1)
    np.testing.assert_allclose(said[:, 1:], 0.0, atol=0.1)


def _going_straight(model: LoopWM, spec: ModelSpec, random: torch.Generator) -> Decisions:
    state = torch.randn(64, spec.tokens, spec.width, generator=random)
    offset = 0.1 * torch.randn(64, 3, generator=random)
    with torch.no_grad():
        return Decisions(state, model.heads.locate(state)[:, :3] + offset, torch.tanh(offset / 0.1))


def test_metrics_tell_moving_from_still(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0 < metrics["policy_moving_mae"] < 1
    assert metrics["policy_moving_r2"] < 1
    assert agreement("none", np.zeros((0, 3)), np.zeros((0, 3))) == {}
    perfect = agreement("all", np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32))
    assert perfect == {"all_mae": 0.0, "all_r2": 1.0}


def test_a_finished_run_can_be_given_a_policy(
    settings: TrainSettings, without: TrainSettings, data: Dataset, run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "later"
    train(without, data, out, ALONE, Silent(), resume=False)
    assert load_run(out).model.policy is None
    train(settings, data, out, ALONE, Silent(), resume=True)
    later, whole = weights(out), weights(run)
    assert later.keys() == whole.keys()
    assert all(torch.equal(later[name], whole[name]) for name in whole)
    with pytest.raises(ConfigError, match="other settings"):
        train(without, data, out, ALONE, Silent(), resume=True)


def test_the_rest_of_the_model_stays_as_it_is(run: Path) -> None:
    core, _ = checkpoint.load_tensors(run / "core.safetensors")
    assert all(
        torch.equal(core[f"average.{n}"], w) for n, w in weights(run).items() if not n.startswith("policy.")
    )


def test_an_export_has_the_policy_and_the_runtime_imagines_with_it(run: Path, tmp_path: Path) -> None:
    trained = load_run(run)
    errors = export_bundle(trained, LinearKinematics(), tmp_path / "bundle").errors
    assert errors["policy"] < 1e-5
    bundle = load_bundle(tmp_path / "bundle")
    runtime = OnnxWorldModel(bundle, LinearKinematics(), WorldModelSettings(exit="none"))
    assert runtime.policy is not None
    state, goal = runtime.initial_state(), np.array([0.5, 0.1, 0.2])
    first, second = runtime.policy.propose(state, goal, 2)
    following = runtime.advance(state, first[None])
    with torch.no_grad():
        inputs = (
            torch.from_numpy(np.stack([state, following])),
            torch.from_numpy(np.stack([goal, goal])).float(),
        )
        expected = trained.model.actor(*inputs).numpy()
    np.testing.assert_allclose([first, second], expected, atol=1e-5)


def test_a_run_of_a_task_of_the_users_own_is_read_back(run: Path, tmp_path: Path) -> None:
    own, copy = tmp_path / "mine.yaml", tmp_path / "run"
    shipped = (share_dir() / "sim/tasks/reach.yaml").read_text()
    own.write_text(shipped.replace("name: reach", "name: mine"))
    shutil.copytree(run, copy)
    for name, said, says in (
        ("settings.yaml", "task: reach", f"task: {own}"),
        ("run.json", '"task": "reach"', '"task": "mine"'),
    ):
        text = (copy / name).read_text()
        assert said in text
        (copy / name).write_text(text.replace(said, says))
    assert load_run(copy).model.policy is not None


def test_a_state_that_is_seen_changes_the_action(without: TrainSettings, data: Dataset) -> None:
    spec = describe(without, data).spec
    for inputs, differs in (("readouts", False), ("state", True)):
        model = LoopWM(without, spec)
        chosen = without.model_copy(update={"policy": POLICY.model_copy(update={"inputs": inputs})})
        model.add_policy(chosen, spec, load_task("reach"))
        assert model.policy is not None
        states = torch.randn(2, 1, spec.tokens, spec.width)
        located, goal = torch.zeros(1, 6), torch.ones(1, 3)
        first, second = (likeliest(model.policy(state, located, located, goal)) for state in states)
        assert first.shape == (1, 3)
        assert torch.equal(first, second) != differs


def test_what_the_heads_do_not_know_is_not_looked_at(settings: TrainSettings, data: Dataset) -> None:
    spec, task = describe(settings, data).spec, load_task("reach")
    assert Policy(POLICY, spec, task).seen == [0, 1, 2], "the mark is not"
    named = spec.model_copy(update={"quantities": (*spec.quantities, "cube_turn_x", "cube_x")})
    assert Policy(POLICY, named, task, ("cube_turn",)).seen == [0, 1, 2, 7]


def test_imagined_moments_end_where_the_filtered_ones_are(without: TrainSettings, data: Dataset) -> None:
    spec = describe(without, data).spec
    model = LoopWM(without, spec).eval()
    with torch.no_grad():
        moments = gather(model, data, spec, load_task("reach"), POLICY, np.array([0, 1])).moments
    steps, windows = POLICY.history, len(moments.frames) // (2 * POLICY.history)
    frames = moments.frames.reshape(2, steps, windows)
    states = moments.states.unflatten(0, (2, steps, windows))
    actions = moments.actions.unflatten(0, (2, steps, windows))
    assert np.array_equal(frames[0], frames[1])
    assert torch.equal(actions[0], actions[1])
    assert torch.equal(states[0, 0], states[1, 0]), "nothing was seen before the first"
    assert not torch.equal(states[0, 1], states[1, 1])
    loops = torch.full((windows,), spec.mean_loops)
    with torch.no_grad():
        once = model.core(states[0, 0], torch.zeros_like(states[0, 0]), actions[0, 0], loops)
    torch.testing.assert_close(states[1, 1], once)
    command = (
        data.command_tool[frames[0, 1]] + actions[0, 1].numpy() * spec.max_tool_speed * spec.model_period
    )
    np.testing.assert_allclose(command, data.command_tool[frames[0, 1] + 2], atol=1e-6)


def test_goals_are_where_the_moved_point_came_to_be(without: TrainSettings, data: Dataset) -> None:
    spec, task = describe(without, data).spec, load_task("reach")
    frames = np.arange(0, 40, 2)
    goals = find_goals(data, spec, task, POLICY, frames)
    assert len(goals.pairs)
    for row, span in goals.pairs:
        later = frames[row] + 2 * (span + POLICY.hindsight[0])
        assert later < 40, "within the episode"
        np.testing.assert_array_equal(goals.reached[row, span], data.labels[later, :3])
        assert np.linalg.norm(data.labels[later, :3] - data.labels[frames[row], :3]) > POLICY.least_way


def test_a_point_moved_by_hand_is_no_goal(without: TrainSettings, data: Dataset) -> None:
    labels = data.labels.copy()
    labels[20:40, :2] += 0.1
    leaping = dataclasses.replace(data, labels=labels)
    spec, frames = describe(without, data).spec, np.arange(0, 40, 2)
    for row, span in find_goals(leaping, spec, load_task("reach"), POLICY, frames).pairs:
        later = frames[row] + 2 * (span + POLICY.hindsight[0])
        assert (frames[row] < 20) == (later < 20)


def test_episodes_that_end_at_the_mark_teach_it(without: TrainSettings, data: Dataset) -> None:
    labels, task = data.labels.copy(), load_task("reach")
    labels[70:80, :3] = labels[70:80, 3:] + np.asarray(task.goal_offset, dtype=np.float32)
    ending = dataclasses.replace(data, labels=labels)
    spec, frames = describe(without, data).spec, np.arange(0, 120, 2)
    goals = find_goals(ending, spec, task, POLICY, frames)
    assert set(frames[goals.marked]) == set(range(40, 80, 2))
    np.testing.assert_allclose(goals.marks[goals.marked], labels[70, :3][None].repeat(20, 0), atol=1e-6)


def test_in_a_plane_height_does_not_count(without: TrainSettings, data: Dataset) -> None:
    labels, task = data.labels.copy(), load_task("reach")
    labels[39, :3] = labels[39, 3:] + np.asarray(task.goal_offset, dtype=np.float32) + [0, 0, 0.05]
    ending, spec = dataclasses.replace(data, labels=labels), describe(without, data).spec
    for axes, marked in ((3, 0), (2, 20)):
        in_plane = spec.model_copy(update={"action_dim": axes})
        assert len(find_goals(ending, in_plane, task, POLICY, np.arange(0, 40, 2)).marked) == marked


def test_recordings_in_which_nothing_moves_are_refused(without: TrainSettings, data: Dataset) -> None:
    still = dataclasses.replace(data, labels=np.tile(data.labels[:1], (len(data), 1)))
    spec = describe(without, data).spec
    with pytest.raises(ConfigError, match=r"in no recording 'tool' moves by 0\.02 m"):
        gather(LoopWM(without, spec), still, spec, load_task("reach"), POLICY, np.array([0, 1]))
    short = POLICY.model_copy(update={"history": 30})
    with pytest.raises(ConfigError, match="30 transitions"):
        gather(LoopWM(without, spec), data, spec, load_task("reach"), short, np.array([0, 1]))


def test_a_batch_has_the_share_with_the_mark(without: TrainSettings, data: Dataset) -> None:
    labels, task = data.labels.copy(), load_task("reach")
    labels[39, :3] = labels[39, 3:] + np.asarray(task.goal_offset, dtype=np.float32)
    spec = describe(without, data).spec
    ending = dataclasses.replace(data, labels=labels)
    experience = gather(LoopWM(without, spec), ending, spec, task, POLICY, np.array([0, 1]))
    batch = experience.batch(20, torch.Generator().manual_seed(0))
    assert isinstance(batch, Decisions)
    mark = torch.from_numpy(labels[0, 3:]) + torch.tensor(task.goal_offset)
    assert int(torch.isclose(batch.goal, mark, atol=1e-6).all(1).sum()) == 6
