from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.bundle import sha256_of, write_manifest
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.errors import BundleError, ConfigError
from loopwm_ros.processing.camera import project
from loopwm_ros.types import JointState, Observation
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.bundles import CONTRACTION, make_bundle
from tests.fakes import FakeClock, FixedTool

TOOL = (0.45, 0.1, 0.5)
ARM, TASK = load_arm("panda"), load_task("reach")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory):
    return make_bundle(tmp_path_factory.mktemp("bundle"), ARM, TASK)


def make(bundle, clock=None, **settings: object) -> OnnxWorldModel:
    chosen = WorldModelSettings.model_validate(settings)
    return OnnxWorldModel(bundle, FixedTool(TOOL), chosen, clock or FakeClock())


def at(model: OnnxWorldModel, tool=TOOL) -> np.ndarray:
    state = np.zeros((model.spec.tokens, model.spec.width), dtype=np.float32)
    state[0, :6] = (*tool, 0.5, 0.0, 0.03)
    return state


def draw(candidates: int, horizon: int) -> np.ndarray:
    """Actions of very different length, so that loops end at different iterations."""
    random = np.random.default_rng(3)
    sizes = np.linspace(0.02, 1.0, candidates)[:, None, None]
    return (random.uniform(-1, 1, (candidates, horizon, 3)) * sizes).astype(np.float32)


def observation(ball: np.ndarray | None, seed: int = 0) -> Observation:
    rgb = np.random.default_rng(seed).integers(90, 110, (120, 160, 3)).astype(np.uint8)
    if ball is not None:
        u, v = project(ARM.camera, ball)[0]
        rows, columns = np.mgrid[:120, :160]
        rgb[(columns + 0.5 - u) ** 2 + (rows + 0.5 - v) ** 2 < 5.0**2] = (220, 30, 30)
    return Observation(0.0, rgb, JointState(0.0, np.zeros(7), np.zeros(7)))


def test_encoder_gets_image_and_joints_as_the_manifest_says(bundle):
    ball = np.array([0.42, -0.15, 0.03])
    encoding = make(bundle).encode(observation(ball))
    assert encoding.reading[:3] == pytest.approx(TOOL, abs=1e-5)
    assert encoding.reading[3:] == pytest.approx(ball, abs=0.01)
    assert encoding.std.max() < 0.01
    assert make(bundle).encode(observation(None)).std[3:].min() > 0.5


def test_an_update_replaces_noise_by_what_was_observed(bundle):
    model = make(bundle)
    encoding = model.encode(observation(np.array([0.42, -0.15, 0.03])))
    state = model.update(model.initial_state(), encoding, np.zeros(3, dtype=np.float32))
    assert state[0, :6] == pytest.approx(encoding.reading, abs=0.003)
    assert model.loops_seen()[5:].sum() == 1  # noise is far from it, so many iterations


@pytest.mark.parametrize("loops", [1, 2, 8])
def test_fixed_loops_iterate_exactly_so_often(bundle, loops):
    model = make(bundle, loops=loops)
    action = np.array([[[1.0, 0.0, 0.0]]], dtype=np.float32)
    rollout = model.rollout(at(model), action, 0, None)
    travel = model.spec.max_tool_speed * model.spec.model_period * (1 - CONTRACTION**loops)
    assert rollout.readouts[0, 0, 0] - TOOL[0] == pytest.approx(travel, abs=1e-6)
    assert rollout.loops[loops] == 1


def test_without_an_exit_test_the_training_mean_is_used(bundle):
    model = make(bundle, exit="none")
    assert model.rollout(at(model), draw(3, 2), 0, None).loops[model.spec.mean_loops] == 6


def test_longer_moves_take_more_loops(bundle):
    model = make(bundle)
    actions = np.zeros((3, 1, 3), dtype=np.float32)
    actions[1:, 0, 0] = 0.4, 1.0
    used = [model.rollout(at(model), actions[i : i + 1], 0, None).loops.argmax() for i in range(3)]
    assert used == sorted(used)
    assert used[0] == 1
    assert used[2] > 1


@pytest.mark.parametrize("compact_below", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("exit_test", ["gate", "second_difference", "either", "change", "readout"])
def test_compaction_changes_nothing_but_the_time(bundle, compact_below, exit_test):
    settings = {"exit": exit_test, "second_difference_threshold": 0.004, "change_threshold": 0.004}
    model, plain = (
        make(bundle, compact_below=compact_below, **settings),
        make(bundle, compact_below=0.0, **settings),
    )
    actions = draw(24, 6)
    one, other = (m.rollout(at(m), actions, 0, None) for m in (model, plain))
    assert np.count_nonzero(one.loops) >= 2
    assert np.array_equal(one.loops, other.loops)
    assert one.readouts == pytest.approx(other.readouts, abs=1e-6)
    assert one.reward == pytest.approx(other.reward, abs=1e-6)


def test_deferred_decoding_reads_the_same_at_the_steps_it_reads(bundle):
    every, rare = make(bundle, readout_every=1), make(bundle, readout_every=3)
    actions = draw(5, 8)
    all_steps = every.rollout(at(every), actions, 0, None)
    some = rare.rollout(at(rare), actions, 0, None)
    assert all_steps.steps == tuple(range(1, 9))
    assert some.steps == (3, 6, 8)
    assert np.array_equal(some.readouts, all_steps.readouts[:, [2, 5, 7]])


def test_monitoring_summarises_each_step_without_heads(bundle):
    model = make(bundle)
    actions = draw(1, 4)[0]
    summaries = model.summarise(at(model), actions)
    assert summaries.shape == (4, model.spec.tokens, model.spec.width)
    for step in range(4):
        expected = 0.5 * model.advance(at(model), actions[: step + 1])
        assert summaries[step] == pytest.approx(expected, abs=1e-6)
    assert model.summarise(at(model), actions[:0]).shape == (0, model.spec.tokens, model.spec.width)


def test_each_stage_costs_a_tick_and_the_deadline_holds(bundle):
    """The fake clock moves at every reading, as if each stage took the same time."""
    clock = FakeClock(tick=0.001)
    model = make(bundle, clock=clock, loops=8)
    actions = draw(16, 6)
    began = clock.now
    free = model.rollout(at(model), actions, 0, None)
    needed = clock.now - began
    assert free.loops[8] == 16 * 6
    used = []
    for share in (1.5, 0.7, 0.5, 0.2, 0.05):
        deadline = clock.now + share * needed
        rollout = model.rollout(at(model), actions, 0, deadline)
        assert clock.now <= deadline + 3 * clock.tick
        assert rollout.completed == (len(rollout.steps) > 0 and rollout.steps[-1] == 6)
        used.append(rollout.loops @ np.arange(9))
    assert used[0] == 8 * 16 * 6
    assert used == sorted(used, reverse=True)
    assert used[2] < used[0]
    assert not rollout.completed


def test_short_time_is_shared_evenly_by_the_transitions(bundle):
    clock = FakeClock(tick=0.001)
    model = make(bundle, clock=clock, loops=8)
    began = clock.now
    model.rollout(at(model), draw(16, 6), 0, None)
    rollout = model.rollout(at(model), draw(16, 6), 0, clock.now + 0.6 * (clock.now - began))
    assert rollout.completed
    assert rollout.loops[3:6].sum() >= 4 * 16  # most of the six transitions
    assert not rollout.loops[6:].any()


def test_a_stage_that_stalls_ends_the_loop_early(bundle):
    clock = FakeClock()
    model = make(bundle, clock=clock, loops=8, readout_every=1)
    for session in ("_prelude", "_block", "_coda"):
        _delay(model, session, clock, 0.001)
    for _ in range(5):
        model.rollout(at(model), draw(16, 4), 0, None)
    _delay(model, "_block", clock, 0.010)
    deadline = clock.now + 0.05
    rollout = model.rollout(at(model), draw(16, 4), 0, deadline)
    assert clock.now <= deadline + 0.011
    assert rollout.loops[8] == 0


def _delay(model: OnnxWorldModel, stage: str, clock: FakeClock, seconds: float) -> None:
    inner = getattr(model._core, stage)

    def slow(*arrays):
        clock.now += seconds
        return inner(*arrays)

    setattr(model._core, stage, slow)


def test_a_refused_rollout_is_tried_again_some_time(bundle):
    clock = FakeClock()
    model = make(bundle, clock=clock)
    _delay(model, "_block", clock, 0.5)
    for _ in range(30):
        model.rollout(at(model), draw(16, 4), 0, None)
    _delay(model, "_block", clock, -0.5)
    finished = [model.rollout(at(model), draw(16, 4), 0, clock.now + 0.05).completed for _ in range(100)]
    assert not finished[0]
    assert finished[-1]


def test_more_loops_than_the_bundle_allows_are_refused(bundle):
    with pytest.raises(ConfigError, match="loops is 9; the bundle allows 1 to 8"):
        make(bundle, loops=9)


def test_the_expected_cost_follows_the_loops_in_use(bundle):
    clock = FakeClock()
    model = make(bundle, clock=clock)
    _delay(model, "_block", clock, 0.001)
    still = np.zeros((32, 4, 3), dtype=np.float32)
    for _ in range(40):
        model.rollout(at(model), still, 0, None)
    easy = model.rollout_seconds(32, 4, 0)
    for _ in range(40):
        model.rollout(at(model), np.ones_like(still), 0, None)
    assert model.rollout_seconds(32, 4, 0) > 1.5 * easy
    assert model.rollout_seconds(32, 4, 1) == pytest.approx(easy, rel=0.5)


def test_a_bundle_error_names_the_graph_that_does_not_load(tmp_path):
    broken = make_bundle(tmp_path, ARM, TASK)
    replaced = _with_graph(broken, "block", b"not an ONNX file")
    with pytest.raises(BundleError, match=r"graph 'block' .*block\.onnx.* does not load"):
        make(replaced)


def test_a_graph_with_other_inputs_than_the_manifest_is_refused(tmp_path):
    whole = make_bundle(tmp_path, ARM, TASK)
    swapped = _with_graph(whole, "coda", whole.graph("monitor"))
    with pytest.raises(BundleError, match=r"graph 'coda': outputs are .*embedding.*expected .*next"):
        make(swapped)


def test_a_manifest_that_contradicts_its_own_spec_is_refused(tmp_path):
    whole = make_bundle(tmp_path, ARM, TASK)
    spec = whole.manifest.spec.model_copy(update={"width": 32})
    contradicting = write_manifest(tmp_path, whole.manifest.model_copy(update={"spec": spec}))
    with pytest.raises(BundleError, match="manifest of graph 'encoder': outputs"):
        make(contradicting)


def _with_graph(bundle, name: str, data: bytes):
    entry = bundle.manifest.graphs[name].model_copy(update={"sha256": sha256_of(data)})
    (bundle.root / entry.file).write_bytes(data)
    graphs = bundle.manifest.graphs | {name: entry}
    return write_manifest(bundle.root, bundle.manifest.model_copy(update={"graphs": graphs}))
