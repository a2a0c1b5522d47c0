"""Transitions that span several actions: the same futures in fewer transitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loopwm_ros.config import load_arm, load_task
from loopwm_ros.types import Encoding
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.bundles import make_bundle
from tests.fakes import FakeClock, FixedTool

TOOL = (0.45, 0.1, 0.5)
ARM, TASK = load_arm("panda"), load_task("reach")
HORIZON = 11  # with chunks of 4: two whole ones, and one of 3
CLOSE = 1e-4  # of 8 iterations [m]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, OnnxWorldModel]:
    root = tmp_path_factory.mktemp("bundles")
    return {chunk: make(root / str(chunk), chunk) for chunk in (1, 2, 4, 8, 16)}


def make(root: Path, chunk: int, clock: FakeClock | None = None, **settings: object) -> OnnxWorldModel:
    bundle = make_bundle(root, ARM, TASK, policy=True, chunk=chunk)
    chosen = WorldModelSettings.model_validate({"loops": 8, **settings})
    return OnnxWorldModel(bundle, FixedTool(TOOL), chosen, clock or FakeClock())


def at(model: OnnxWorldModel) -> np.ndarray:
    state = np.zeros((model.spec.tokens, model.spec.width), dtype=np.float32)
    state[0, :6] = (*TOOL, 0.5, 0.0, 0.03)
    return state


def draw(candidates: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(-1, 1, (candidates, HORIZON, 3)).astype(np.float32)


def travelled(model: OnnxWorldModel, actions: np.ndarray) -> np.ndarray:
    """Where the tool is after each action."""
    return TOOL + np.cumsum(actions, axis=-2) * model.spec.max_tool_speed * model.spec.model_period


@pytest.mark.parametrize("chunk", [2, 4, 8, 16])
def test_a_rollout_reads_the_same_future_in_fewer_transitions(models, chunk):
    model, actions = models[chunk], draw(5)
    rollout = model.rollout(at(model), actions, 0, None)
    assert rollout.completed
    assert rollout.steps == model.settings.readout_steps(HORIZON, model.spec)
    expected = travelled(model, actions)[:, [step - 1 for step in rollout.steps]]
    np.testing.assert_allclose(rollout.readouts[..., :3], expected, atol=CLOSE)
    assert rollout.loops[8] == rollout.loops.sum() == 5 * -(-HORIZON // chunk)


@pytest.mark.parametrize("chunk", [1, 2, 4, 8, 16])
def test_a_prediction_reads_after_each_action(models, chunk):
    model, actions = models[chunk], draw(1)[0]
    read = model.predict(at(model), actions)
    np.testing.assert_allclose(read[:, :3], travelled(model, actions), atol=CLOSE)
    embedded = model.summarise(at(model), actions)
    np.testing.assert_allclose(embedded[:, 0, :3], 0.5 * travelled(model, actions), atol=CLOSE)


@pytest.mark.parametrize("chunk", [2, 4, 16])
def test_an_advance_of_any_length_ends_where_a_prediction_reads(models, chunk):
    model, actions = models[chunk], draw(1)[0]
    read = model.predict(at(model), actions)
    for count in range(1, HORIZON + 1):
        model.loops_seen()
        ended = model.advance(at(model), actions[:count])
        assert model.loops_seen().sum() == -(-count // chunk)
        np.testing.assert_allclose(ended[0, :6], read[count - 1], atol=1e-6)


def test_a_batch_of_states_advances_as_each_does_alone(models):
    model, actions = models[4], draw(3)
    states = np.stack([at(model), 2 * at(model), at(model) + 1])
    together = model.advance(states, actions)
    alone = [model.advance(state, each) for state, each in zip(states, actions, strict=True)]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-6)


def test_what_is_observed_spans_one_action(models):
    model = models[4]
    tokens = np.zeros((model.spec.tokens, model.spec.width), dtype=np.float32)  # as where nothing is seen
    nothing = np.zeros(6, dtype=np.float32)
    action = np.array([1.0, -0.5, 0.25], dtype=np.float32)
    state = model.update(at(model), Encoding(tokens, nothing, nothing), action)
    np.testing.assert_allclose(state[0, :3], travelled(model, action[None])[0], atol=CLOSE)


@pytest.mark.parametrize("chunk", [1, 2, 4, 8])
def test_the_policy_acts_at_every_step(models, chunk):
    model = models[chunk]
    assert model.policy is not None
    reach = model.spec.max_tool_speed * model.spec.model_period
    goal = np.add(TOOL, [5.5 * reach, 0.0, -0.5 * reach])
    actions = model.policy.propose(at(model), goal, 8)
    np.testing.assert_allclose(actions[:, 0], [1, 1, 1, 1, 1, 0.5, 0, 0], atol=0.01)
    np.testing.assert_allclose(actions[:, 2], [-0.5, 0, 0, 0, 0, 0, 0, 0], atol=0.01)


@pytest.mark.parametrize("chunk", [1, 4])
def test_the_expected_cost_counts_transitions_and_read_outs(tmp_path, chunk):
    """The clock moves at every reading, as if each stage took the same time."""
    model = make(tmp_path, chunk, FakeClock(tick=0.001))
    single = model.rollout_seconds(32, chunk, 1)
    assert model.rollout_seconds(32, 8 * chunk, 1) == pytest.approx(
        8 * single - (0 if chunk > 1 else 4) * model._costs.stage("heads", 32)
    )
    assert model.rollout_seconds(32, 8 * chunk - chunk + 1, 1) == pytest.approx(
        model.rollout_seconds(32, 8 * chunk, 1)
    )


def test_the_deadline_ends_a_rollout_of_chunks(tmp_path):
    clock = FakeClock(tick=0.001)
    model = make(tmp_path, 4, clock)
    began = clock.now
    model.rollout(at(model), draw(16), 0, None)
    needed, read = clock.now - began, []
    for share in (1.5, 0.6, 0.05):
        deadline = clock.now + share * needed
        rollout = model.rollout(at(model), draw(16), 0, deadline)
        assert clock.now <= deadline + 3 * clock.tick
        assert rollout.steps == (4, 8, 11)[: len(rollout.steps)]
        read.append(rollout.loops @ np.arange(9))
    assert read[0] == 8 * 16 * 3
    assert read == sorted(read, reverse=True)
    assert not rollout.completed
