"""What every world model owes the planner: the fake that tests plan with, and ONNX Runtime's."""

from __future__ import annotations

import time

import numpy as np
import pytest

from loopwm_ros.config import load_arm, load_task
from loopwm_ros.processing.states import spans
from loopwm_ros.types import JointState, Observation
from loopwm_ros.world_model.base import WorldModel
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.bundles import make_bundle
from tests.fakes import FixedTool, KinematicModel


@pytest.fixture(scope="module")
def onnx_model(tmp_path_factory: pytest.TempPathFactory) -> WorldModel:
    bundle = make_bundle(tmp_path_factory.mktemp("bundle"), load_arm("panda"), load_task("reach"))
    return OnnxWorldModel(bundle, FixedTool((0.45, 0.1, 0.5)), WorldModelSettings())


@pytest.fixture(scope="module")
def chunked_model(tmp_path_factory: pytest.TempPathFactory) -> WorldModel:
    arm, task = load_arm("panda"), load_task("reach")
    bundle = make_bundle(tmp_path_factory.mktemp("chunked"), arm, task, chunk=3)
    return OnnxWorldModel(bundle, FixedTool((0.45, 0.1, 0.5)), WorldModelSettings())


@pytest.fixture(params=["fake", "onnx", "chunked"])
def model(request: pytest.FixtureRequest, onnx_model: WorldModel, chunked_model: WorldModel) -> WorldModel:
    chosen = {"fake": KinematicModel(), "onnx": onnx_model, "chunked": chunked_model}[request.param]
    chosen.loops_seen()
    return chosen


def observe(model: WorldModel, stamp: float = 0.0) -> Observation:
    joints = JointState(stamp, np.full(len(model.spec.joints), 0.3), np.zeros(len(model.spec.joints)))
    rgb = np.zeros((model.spec.image_height, model.spec.image_width, 3), dtype=np.uint8)
    rgb[60:66, 70:76] = (230, 20, 20)
    return Observation(stamp, rgb, joints)


def start(model: WorldModel) -> np.ndarray:
    action = np.zeros(model.spec.action_dim, dtype=np.float32)
    return model.update(model.initial_state(), model.encode(observe(model)), action)


def draw(model: WorldModel, candidates: int, horizon: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.uniform(-1, 1, (candidates, horizon, model.spec.action_dim)).astype(np.float32)


def test_encoding_has_the_shapes_of_the_spec(model):
    encoding = model.encode(observe(model))
    assert encoding.tokens.shape == (model.spec.tokens, model.spec.width)
    assert encoding.reading.shape == encoding.std.shape == (len(model.spec.quantities),)
    assert all(a.dtype == np.float32 for a in (encoding.tokens, encoding.reading, encoding.std))
    assert (encoding.std > 0).all()


def test_the_initial_state_is_the_same_every_time(model):
    state = model.initial_state()
    assert state.shape == (model.spec.tokens, model.spec.width)
    assert state.dtype == np.float32
    assert np.array_equal(state, model.initial_state())
    assert 0.8 < state.std() < 1.2


def test_states_are_never_written_to(model):
    state = start(model)
    before = state.copy()
    model.advance(state, draw(model, 1, 3)[0])
    model.update(state, model.encode(observe(model)), draw(model, 1, 1)[0, 0])
    model.rollout(state, draw(model, 4, 3), 0, None)
    assert np.array_equal(state, before)


def test_rollout_has_the_shapes_it_promises(model):
    rollout = model.rollout(start(model), draw(model, 10, 7), 0, None)
    assert rollout.completed
    assert rollout.steps[-1] == 7
    assert rollout.steps == tuple(sorted(set(rollout.steps)))
    assert rollout.readouts.shape == (10, len(rollout.steps), len(model.spec.quantities))
    assert rollout.reward.shape == (10,)
    assert np.isfinite(rollout.readouts).all()
    assert np.isfinite(rollout.reward).all()


def test_a_candidate_is_imagined_the_same_whoever_is_beside_it(model):
    state, actions = start(model), draw(model, 20, 5)
    together = model.rollout(state, actions, 0, None).readouts
    for i in (0, 7, 19):
        alone = model.rollout(state, actions[i : i + 1], 0, None).readouts
        assert together[i] == pytest.approx(alone[0], abs=1e-5)


def test_advance_and_rollout_agree(model):
    half = 2 * model.spec.chunk
    state, actions = start(model), draw(model, 1, 2 * half)
    whole = model.rollout(state, actions, 0, None).readouts[0, -1]
    half_way = model.advance(state, actions[0, :half])
    assert model.rollout(half_way, actions[:, half:], 0, None).readouts[0, -1] == pytest.approx(
        whole, abs=1e-5
    )
    assert np.array_equal(model.advance(state, actions[0, :0]), state)


def test_actions_matter(model):
    tool = [model.spec.quantities.index(f"tool_{axis}") for axis in "xyz"]
    actions = np.zeros((2, 4, 3), dtype=np.float32)
    actions[1, :, 1] = 1.0
    still, moved = model.rollout(start(model), actions, 0, None).readouts[:, -1, tool]
    travel = 4 * model.spec.max_tool_speed * model.spec.model_period
    assert moved - still == pytest.approx([0.0, travel, 0.0], abs=0.02)


@pytest.mark.parametrize("cap", [0, 1, 3])
def test_loops_are_capped_and_counted(model, cap):
    rollout = model.rollout(start(model), draw(model, 6, 5), cap, None)
    assert rollout.loops.shape == (model.spec.max_loops + 1,)
    assert rollout.loops.sum() == 6 * len(spans(model.spec, 5))
    assert rollout.loops[0] == 0
    assert not rollout.loops[(cap or model.spec.max_loops) + 1 :].any()


def test_loops_seen_counts_everything_once(model):
    state = start(model)
    model.advance(state, draw(model, 1, 4)[0])
    rolled = model.rollout(state, draw(model, 6, 5), 0, None).loops
    seen = model.loops_seen()
    assert seen.sum() == 1 + len(spans(model.spec, 4)) + 6 * len(spans(model.spec, 5))
    assert (seen >= rolled).all()
    assert model.loops_seen().sum() == 0


def test_past_the_deadline_nothing_more_is_imagined(model):
    clock = model.clock if isinstance(model, KinematicModel) else time.perf_counter
    if isinstance(model, KinematicModel):
        model.seconds_per_loop = 1e-4
    rollout = model.rollout(start(model), draw(model, 8, 6), 0, clock() - 1.0)
    assert not rollout.completed
    assert rollout.steps == ()
    assert rollout.readouts.shape == (8, 0, len(model.spec.quantities))
    assert rollout.loops.sum() == 0


def test_cost_grows_with_the_work(model):
    if isinstance(model, KinematicModel):
        model.seconds_per_loop = 1e-5
    base = model.rollout_seconds(16, 4, 1)
    assert base > 0
    assert model.rollout_seconds(64, 4, 1) > base
    assert model.rollout_seconds(16, 8, 1) > base
    assert model.rollout_seconds(16, 4, 2) > base


def test_a_prediction_reads_what_a_rollout_of_one_candidate_reads(model):
    state, actions = start(model), draw(model, 1, 5)
    read = model.predict(state, actions[0])
    rollout = model.rollout(state, actions, 0, None)
    assert read.shape == (5, len(model.spec.quantities))
    np.testing.assert_allclose(read[[s - 1 for s in rollout.steps]], rollout.readouts[0], atol=1e-5)
    assert np.array_equal(read, model.predict(state, actions[0])), "it changes nothing"
