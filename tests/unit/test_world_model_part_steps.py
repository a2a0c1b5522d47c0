"""The robot's runtime with a core that iterates over parts, against torch."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from loopwm_ros.bundle import Bundle, write_manifest
from loopwm_ros.errors import ConfigError
from loopwm_ros.processing.states import chunked
from loopwm_ros.training.evaluation.rollouts import Rule, transition
from loopwm_ros.training.export import export_bundle
from loopwm_ros.training.model import LoopWM
from loopwm_ros.world_model.base import Clock
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.fakes import FakeClock, make_spec
from tests.synthetic import LinearKinematics
from tests.untrained import untrained

CHUNK, ROWS, MOST = 6, 40, 4
STEPS = 2 * CHUNK + 2


@dataclass(frozen=True)
class Exported:
    """A model of random weights, its bundle, and how far the two are apart."""

    model: LoopWM
    bundle: Bundle
    errors: dict[str, float]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    changes = {"block": "dense", "inner_width": 32, "iterate": "parts", "mean_loops": 3, "max_loops": MOST}
    run = untrained(CHUNK, STEPS, **changes)
    with torch.no_grad():  # a gate that is not the same for all
        run.model.core.block.leap_gate.outward.weight.normal_(std=3.0)
    made = export_bundle(run, LinearKinematics(), tmp_path_factory.mktemp("parts") / "bundle")
    return Exported(run.model.eval(), made.bundle, made.errors)


def runtime(exported: Exported, clock: Clock | None = None, **settings: object) -> OnnxWorldModel:
    chosen = WorldModelSettings.model_validate({"readout_every": CHUNK, **settings})
    more = {} if clock is None else {"clock": clock}
    return OnnxWorldModel(exported.bundle, LinearKinematics(), chosen, **more)


def draw(length: int = CHUNK) -> tuple[np.ndarray, np.ndarray]:
    """States and what the prelude is told of as many chunks."""
    random, spec = np.random.default_rng(2), make_spec(chunk=CHUNK)
    states = random.standard_normal((ROWS, 2, 16)).astype(np.float32)
    return states, chunked(spec, random.uniform(-1, 1, (ROWS, length, spec.action_dim)).astype(np.float32))


def expected(exported: Exported, rule: Rule, length: int = CHUNK) -> tuple[np.ndarray, np.ndarray]:
    states, told = (torch.from_numpy(part) for part in draw(length))
    with torch.no_grad():
        after, used = transition(exported.model, states, torch.zeros_like(states), told, rule)
    return after.numpy(), used.numpy()


def take_time(model: OnnxWorldModel, clock: FakeClock, each: dict[str, float]) -> None:
    """Let each row of a step take so long, as `each["row"]` is when it is called [s]."""
    inner = model._core._whole

    def slow(*arrays: np.ndarray) -> list[np.ndarray]:
        clock.now += each["row"] * len(arrays[0])
        return inner(*arrays)

    model._core._whole = slow
    for _ in range(20):  # it learns what that costs
        model.rollout(model.initial_state(), candidates(), 0, None)


def candidates() -> np.ndarray:
    """Three transitions of 16 candidates."""
    return np.random.default_rng(0).uniform(-1, 1, (16, 3 * CHUNK, 3)).astype(np.float32)


def stepped(model: OnnxWorldModel, cap: int, length: int = CHUNK) -> tuple[np.ndarray, np.ndarray]:
    states, told = draw(length)
    return model._core.transition(states, np.zeros_like(states), told, cap)


def test_a_bundle_of_parts_computes_what_torch_does(exported: Exported) -> None:
    assert exported.bundle.manifest.spec.iterate == "parts"
    assert max(exported.errors.values()) < 1e-5


@pytest.mark.parametrize("loops", range(1, MOST + 1))
@pytest.mark.parametrize("length", [CHUNK, 2, 1])
def test_fixed_numbers_of_steps_are_those_of_torch(exported: Exported, loops: int, length: int) -> None:
    model = runtime(exported, loops=loops)
    for found, right in zip(
        stepped(model, loops, length), expected(exported, Rule(loops), length), strict=True
    ):
        np.testing.assert_allclose(found, right, atol=1e-5)


@pytest.mark.parametrize(("exit_test", "threshold"), [("gate", 0.5), ("gate", 0.2), ("change", 3.0)])
@pytest.mark.parametrize("length", [CHUNK, 2, 1])
def test_early_exit_takes_the_leaps_that_torch_takes(
    exported: Exported, exit_test: str, threshold: float, length: int
) -> None:
    model = runtime(exported, exit=exit_test, **{f"{exit_test}_threshold": threshold})
    after, used = stepped(model, MOST, length)
    right, iterations = expected(exported, Rule(MOST, exit_test, threshold), length)  # type: ignore[arg-type]
    refused = set() if length == 1 else {1 + min(length, MOST - 1)}
    assert set(used) == {1} | refused, "a test that takes all leaps or none tests nothing"
    assert used.tolist() == iterations.tolist()
    np.testing.assert_allclose(after, right, atol=1e-5)


def test_two_iterations_are_two_parts_for_all(exported: Exported) -> None:
    after, used = stepped(runtime(exported, exit="gate"), 2)
    assert used.tolist() == [2] * ROWS
    for rule in (Rule(2), Rule(2, "gate", 0.5)):
        np.testing.assert_allclose(after, expected(exported, rule)[0], atol=1e-5)


@torch.no_grad()
def test_a_prediction_after_every_action_is_that_of_torch(exported: Exported) -> None:
    """Transitions of every length stand in one batch, some of them refused as leaps."""
    spec, model = exported.bundle.manifest.spec, runtime(exported, exit="gate", gate_threshold=0.5)
    actions = np.random.default_rng(5).uniform(-1, 1, (CHUNK, spec.action_dim)).astype(np.float32)
    model.loops_seen()
    found, start = (
        model.predict(model.initial_state(), actions),
        torch.from_numpy(model.initial_state())[None],
    )
    used = []
    for step in range(CHUNK):
        told = torch.from_numpy(chunked(spec, actions[: step + 1]))[None]
        rule = Rule(MOST, "gate", 0.5)
        state, loops = transition(exported.model, start, torch.zeros_like(start), told, rule)
        np.testing.assert_allclose(found[step], exported.model.heads.locate(state)[0], atol=1e-5)
        used.append(int(loops))
    assert len(set(used)) > 1
    assert model.loops_seen().tolist() == np.bincount(used, minlength=MOST + 1).tolist()


@pytest.mark.parametrize("exit_test", ["gate", "none"])
def test_the_deadline_leaves_steps_out_and_no_action(exported: Exported, exit_test: str) -> None:
    clock = FakeClock()
    model = runtime(exported, clock, exit=exit_test, gate_threshold=0.99)
    take_time(model, clock, {"row": 0.0003})
    began = clock.now
    free = model.rollout(model.initial_state(), candidates(), 0, None)
    needed, used = clock.now - began, []
    for share in (1.5, 0.8, 0.6):
        deadline = clock.now + share * needed
        rollout = model.rollout(model.initial_state(), candidates(), 0, deadline)
        assert rollout.completed
        assert clock.now <= deadline
        used.append(int(rollout.loops @ np.arange(MOST + 1)))
    assert used[0] == free.loops @ np.arange(MOST + 1)
    assert used[0] > used[1] >= used[2] >= 3 * 16


def test_a_stage_that_stalls_ends_a_transition_with_one_long_step(exported: Exported) -> None:
    clock, each = FakeClock(), {"row": 0.0003}
    model = runtime(exported, clock, loops=MOST)
    take_time(model, clock, each)
    each["row"] = 0.0015
    one = 16 * each["row"]  # a step of all candidates
    deadline = clock.now + 3 * MOST * one / 5 + 0.5 * one  # enough as long as nothing stalls
    rollout = model.rollout(model.initial_state(), candidates()[:, :CHUNK], 0, deadline)
    assert rollout.completed
    assert clock.now <= deadline + one, "late by no more than what had not been seen before"
    assert rollout.loops[MOST] == 0
    assert rollout.loops[1:].sum() == 16


def test_a_bundle_without_the_whole_step_computes_the_same(exported: Exported, tmp_path: Path) -> None:
    shutil.copytree(exported.bundle.root, tmp_path / "older")
    manifest = exported.bundle.manifest
    graphs = {name: graph for name, graph in manifest.graphs.items() if name != "step"}
    assert len(graphs) == len(manifest.graphs) - 1
    older = write_manifest(tmp_path / "older", manifest.model_copy(update={"graphs": graphs}))
    rolled = [
        model.rollout(model.initial_state(), candidates(), 0, None)
        for model in (runtime(exported, exit="gate"), runtime(replace(exported, bundle=older), exit="gate"))
    ]
    np.testing.assert_allclose(rolled[0].readouts, rolled[1].readouts, atol=1e-6)
    np.testing.assert_array_equal(rolled[0].loops, rolled[1].loops)


@pytest.mark.parametrize("exit_test", ["second_difference", "readout"])
def test_tests_that_compare_iterations_are_refused(exported: Exported, exit_test: str) -> None:
    with pytest.raises(ConfigError, match=f"exit is '{exit_test}'.*use gate or change"):
        runtime(exported, exit=exit_test)


def test_a_cost_is_that_of_whole_steps(exported: Exported) -> None:
    model = runtime(exported, FakeClock(tick=0.001), exit="none")
    one, three = (model.rollout_seconds(16, CHUNK, loops) for loops in (1, 3))
    heads = model._costs.stage("heads", 16)
    assert three - heads == pytest.approx(3 * (one - heads))
