"""Whole rollouts as one graph: what they compute, how they are bound, and that they are in time.

On the CPU, by the same calls as on a GPU: bound memory, fixed batch sizes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from loopwm_ros.bench.device_peak import device_peak_gflops
from loopwm_ros.bundle import Bundle, load_bundle
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError
from loopwm_ros.types import F32
from loopwm_ros.world_model.device_rollout import DeviceRollouts
from loopwm_ros.world_model.on_device import OnDevice
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.providers import CPU, Target
from loopwm_ros.world_model.settings import WorldModelSettings
from loopwm_ros.world_model.unrolled import Extent, halved, unrolled_graph
from tests.bundles import make_bundle
from tests.fakes import FakeClock

MODELS = Path(__file__).resolve().parents[2] / "models"
HERE = Target([CPU], "cpu", "cpu")


def made(tmp_path: Path, **spec: object) -> Bundle:
    return make_bundle(tmp_path / "bundle", load_arm("panda"), load_task("reach"), **spec)


def host(bundle: Bundle, loops: int, **settings: object) -> OnnxWorldModel:
    arm = load_arm(bundle.manifest.arm)
    return OnnxWorldModel(bundle, Kinematics(arm), WorldModelSettings(loops=loops, **settings))


def random_actions(bundle: Bundle, rows: int, horizon: int) -> F32:
    size = (rows, horizon, bundle.manifest.spec.action_dim)
    return np.random.default_rng(0).uniform(-1, 1, size).astype(np.float32)


@pytest.mark.parametrize(
    ("spec", "horizon"),
    [
        ({}, 5),
        ({"chunk": 4}, 10),
        ({"chunk": 4, "iterate": "parts", "max_loops": 3}, 10),
        ({"max_loops": 1, "mean_loops": 1}, 3),
    ],
)
def test_it_computes_what_the_host_does(tmp_path: Path, spec: dict[str, object], horizon: int) -> None:
    bundle = made(tmp_path, **spec)
    loops = bundle.manifest.spec.max_loops
    model = host(bundle, loops)
    device = OnDevice(bundle, loops, HERE, False, FakeClock())
    actions = random_actions(bundle, 13, horizon)
    state = model.initial_state()
    expected = model.rollout(state, actions, 0, None)
    found = device.rollout(state, actions, expected.steps, None)
    assert found.completed
    assert found.steps == expected.steps
    np.testing.assert_allclose(found.readouts, expected.readouts, atol=1e-5)
    np.testing.assert_allclose(found.reward, expected.reward, atol=1e-5)
    np.testing.assert_array_equal(found.loops, expected.loops)


@pytest.mark.parametrize("name", ["panda_reach", "panda_rod_push", "panda_rod_clutter"])
def test_shipped_models_are_the_same_in_one_graph(name: str) -> None:
    bundle = load_bundle(MODELS / name)
    loops = bundle.manifest.spec.max_loops
    model, actions = host(bundle, loops), random_actions(bundle, 8, 12)
    expected = model.rollout(model.initial_state(), actions, 0, None)
    rollouts = DeviceRollouts(bundle, Extent(8, 12, loops, expected.steps), HERE)
    readouts, _ = rollouts(model.initial_state(), actions)
    np.testing.assert_allclose(readouts, expected.readouts, atol=1e-5)


def test_half_precision_is_close_and_keeps_its_inputs(tmp_path: Path) -> None:
    bundle = load_bundle(MODELS / "panda_rod_clutter")
    extent = Extent(8, 16, 4, (8, 16))
    graph = halved(unrolled_graph(bundle, extent))
    assert len(graph) < 0.6 * len(unrolled_graph(bundle, extent))
    types = {value.type.tensor_type.elem_type for value in onnx.load_model_from_string(graph).graph.input}
    assert types == {onnx.TensorProto.FLOAT}
    model, actions = host(bundle, 4), random_actions(bundle, 8, 16)
    expected = model.rollout(model.initial_state(), actions, 0, None)
    readouts, _ = DeviceRollouts(bundle, extent, HERE, half=True)(model.initial_state(), actions)
    assert float(np.abs(readouts - expected.readouts).max()) < 0.01


def test_any_number_of_candidates_goes_into_the_smallest_batch_that_holds_it(tmp_path: Path) -> None:
    bundle = made(tmp_path)
    rollouts = DeviceRollouts(bundle, Extent(60, 4, 2, (2, 4)), HERE)
    model = host(bundle, 2)
    for rows in (1, 16, 17, 33, 60, 64):
        actions = random_actions(bundle, rows, 4)
        readouts, reward = rollouts(model.initial_state(), actions)
        assert (len(readouts), len(reward)) == (rows, rows)
        expected = model.rollout(model.initial_state(), actions, 0, None)
        np.testing.assert_allclose(readouts, expected.readouts, atol=1e-5)
    assert not rollouts.holds(65, 4, 2, (2, 4))
    assert rollouts.holds(64, 4, 2, (2, 4))
    assert not rollouts.holds(64, 5, 2, (2, 4))


def test_what_was_given_before_leaves_no_trace(tmp_path: Path) -> None:
    bundle = made(tmp_path)
    rollouts = DeviceRollouts(bundle, Extent(16, 4, 2, (2, 4)), HERE)
    state, first = host(bundle, 2).initial_state(), random_actions(bundle, 16, 4)
    kept, _ = rollouts(state, first)
    before = kept.copy()
    rollouts(state, -first)
    np.testing.assert_array_equal(kept, before)


def test_no_time_no_rollout(tmp_path: Path) -> None:
    bundle, clock = made(tmp_path), FakeClock()
    device = OnDevice(bundle, 2, HERE, False, clock)
    state, actions = host(bundle, 2).initial_state(), random_actions(bundle, 16, 4)
    assert device.seconds(16) == 0.0
    assert device.rollout(state, actions, (2, 4), None).completed
    device._rollouts._buckets[-1].cost.mean = 0.010
    late = device.rollout(state, actions, (2, 4), clock.now + 0.009)
    assert not late.completed
    assert late.steps == ()
    assert late.readouts.shape[:2] == (16, 0)
    assert device.rollout(state, actions, (2, 4), clock.now + 0.011).completed


def test_costs_of_a_bad_moment_are_not_believed_for_ever(tmp_path: Path) -> None:
    bundle, clock = made(tmp_path), FakeClock()
    device = OnDevice(bundle, 2, HERE, False, clock)
    state, actions = host(bundle, 2).initial_state(), random_actions(bundle, 32, 4)
    device.rollout(state, actions, (2, 4), None)
    small, *_, large = device._rollouts._buckets
    large.cost.mean = 1.0
    tries = [device.rollout(state, actions, (2, 4), clock.now + 0.5).completed for _ in range(10)]
    assert not tries[0]
    assert tries[-1]
    large.cost.mean = 1.0
    for _ in range(20):
        device.rollout(state, actions[:4], (2, 4), None)
    assert small.runs == 20
    assert large.cost.mean == pytest.approx(0.9), "nothing asked for it, and it is tried again some time"


def test_another_model_has_another_name(tmp_path: Path) -> None:
    names = set()
    for batch, loops in ((8, 2), (16, 2), (8, 3)):
        for bundle in (load_bundle(MODELS / "panda_reach"), load_bundle(MODELS / "ur5e_reach")):
            graph = unrolled_graph(bundle, Extent(batch, 4, loops, (4,)))
            names.add(onnx.load_model_from_string(graph).graph.name)
    assert len(names) == 6, "TensorRT would take one for the other"


def test_a_device_that_refuses_the_graph_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr("onnxruntime.InferenceSession", refuse)
    with pytest.raises(ConfigError, match=r"'cpu' does not take .* rollouts: no memory; set provider"):
        DeviceRollouts(made(tmp_path), Extent(8, 4, 2, (4,)), HERE)


def test_the_world_model_uses_it_where_it_is_not_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "loopwm_ros.world_model.onnx_model"
    monkeypatch.setattr(f"{module}.target", lambda wanted, half: HERE)
    monkeypatch.setattr(f"{module}.CPU", "another")
    bundle = made(tmp_path)
    model = host(bundle, 0)
    monkeypatch.undo()
    actions = random_actions(bundle, 16, 4)
    before = model.rows_run()["block"]
    rollout = model.rollout(model.initial_state(), actions, 1, None)
    most = bundle.manifest.spec.max_loops
    assert rollout.loops.tolist() == [0] * most + [16 * 4], "fewer would hardly be quicker"
    expected = host(bundle, most).rollout(model.initial_state(), actions, 0, None)
    np.testing.assert_allclose(rollout.readouts, expected.readouts, atol=1e-5)
    assert model.rollout_seconds(16, 4, 0) > 0.0
    assert model.rows_run()["block"] == before + 16 * 4 * most


@pytest.mark.parametrize("provider", ["auto", "cuda"])
def test_only_auto_goes_without_a_device_that_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("driver too old")

    module, bundle = "loopwm_ros.world_model.onnx_model", made(tmp_path)
    monkeypatch.setattr(f"{module}.target", lambda wanted, half: HERE)
    monkeypatch.setattr(f"{module}.CPU", "another")
    monkeypatch.setattr("loopwm_ros.world_model.sessions.check_provider", lambda wanted, got: None)
    monkeypatch.setattr("loopwm_ros.world_model.sessions.providers", lambda wanted: [CPU])
    model = host(bundle, 0, provider=provider, precision="float16")
    monkeypatch.undo()
    actions, state = random_actions(bundle, 16, 4), model.initial_state()
    expected = host(bundle, 0).rollout(state, actions, 0, None)
    monkeypatch.setattr("onnxruntime.InferenceSession", refuse)
    if provider == "cuda":
        with pytest.raises(ConfigError, match="driver too old"):
            model.rollout(state, actions, 0, None)
        return
    rollout = model.rollout(state, actions, 0, None)
    np.testing.assert_array_equal(rollout.readouts, expected.readouts)
    assert model.precision == "float32"
    assert "driver too old" in model.note
    assert model.rollout_seconds(16, 4, 0) > 0.0


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"needs the package onnx: pip install"):
        unrolled_graph(load_bundle(MODELS / "panda_reach"), Extent(8, 4, 2, (4,)))


@pytest.mark.parametrize("half", [False, True])
def test_a_device_s_peak_is_that_of_its_products(half: bool) -> None:
    assert device_peak_gflops(HERE, half, size=128) > 0.01
