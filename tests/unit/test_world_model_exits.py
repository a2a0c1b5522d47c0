"""Loops that end when state or read-out stop changing, in a model whose every iteration is known.

An iteration leaves `CONTRACTION` of the error, so iteration t moves the tool by `(1 - c) c^(t-1)` of its way.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loopwm_ros.bundle import Bundle
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.errors import ConfigError
from loopwm_ros.world_model.exits import exit_test
from loopwm_ros.world_model.onnx_model import OnnxWorldModel
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.bundles import CONTRACTION, make_bundle
from tests.fakes import FakeClock, FixedTool

TOOL = (0.45, 0.1, 0.5)
ARM, TASK = load_arm("panda"), load_task("reach")
WAYS = (0.0, 0.02, 0.1, 0.3, 1.0)  # of the candidates, as actions


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle"), ARM, TASK)


def make(bundle: Bundle, clock: FakeClock | None = None, **settings: object) -> OnnxWorldModel:
    chosen = WorldModelSettings.model_validate(settings)
    return OnnxWorldModel(bundle, FixedTool(TOOL), chosen, clock or FakeClock())


def at(model: OnnxWorldModel) -> np.ndarray:
    state = np.zeros((model.spec.tokens, model.spec.width), dtype=np.float32)
    state[0, :6] = (*TOOL, 0.5, 0.0, 0.03)
    return state


def moves(axes: int = 1) -> np.ndarray:
    """One action for each candidate, along this many axes."""
    actions = np.zeros((len(WAYS), 1, 3), dtype=np.float32)
    actions[..., :axes] = np.reshape(WAYS, (-1, 1, 1))
    return actions


def moved_in(iteration: int, way: float) -> float:
    return (1 - CONTRACTION) * CONTRACTION ** (iteration - 1) * way


def expected(model: OnnxWorldModel, threshold: float, first: int, axes: int = 1) -> list[int]:
    """Iterations until one of at least `first` moves by less than the threshold [m]."""
    unit = np.sqrt(axes) * model.spec.max_tool_speed * model.spec.model_period
    small = ((t for t in range(first, 9) if moved_in(t, way * unit) < threshold) for way in WAYS)
    return [next(iterations, 8) for iterations in small]


def used(model: OnnxWorldModel, actions: np.ndarray, cap: int = 0) -> list[int]:
    rollouts = [model.rollout(at(model), actions[i : i + 1], cap, None) for i in range(len(actions))]
    together = model.rollout(at(model), actions, cap, None)
    assert np.array_equal(together.loops, sum(rollout.loops for rollout in rollouts))
    return [int(rollout.loops.argmax()) for rollout in rollouts]


@pytest.mark.parametrize("tolerance", [1e-3, 1e-4, 1e-9])
def test_a_loop_ends_when_what_is_read_no_longer_moves(bundle: Bundle, tolerance: float) -> None:
    model = make(bundle, exit="readout", readout_tolerance=tolerance)
    iterations = expected(model, tolerance, first=2)
    assert iterations[0] == 2, "there must be a read-out before"
    assert used(model, moves()) == iterations
    assert used(model, moves(axes=3)) == iterations, "each quantity by itself"


@pytest.mark.parametrize("threshold", [1e-2, 1e-3, 1e-4])
def test_a_loop_ends_when_the_state_no_longer_changes(bundle: Bundle, threshold: float) -> None:
    model = make(bundle, exit="change", change_threshold=threshold)
    assert used(model, moves(axes=2)) == expected(model, threshold, first=1, axes=2)


def test_what_is_read_is_within_the_tolerance_of_where_it_would_settle(bundle: Bundle) -> None:
    tolerance = 1e-4
    model, settled = make(bundle, exit="readout", readout_tolerance=tolerance), make(bundle, loops=8)
    read, limit = (m.rollout(at(m), moves(), 0, None).readouts for m in (model, settled))
    assert np.abs(read - limit).max() < tolerance * CONTRACTION / (1 - CONTRACTION) + 1e-6


def test_what_the_heads_were_not_taught_holds_no_loop_up(tmp_path: Path) -> None:
    model = make(make_bundle(tmp_path, ARM, TASK, unpredicted=("tool",)), exit="readout")
    assert used(model, moves()) == [2] * len(WAYS), "the ball, which is left, stays"


def test_the_cap_of_a_rollout_holds_and_its_last_iteration_reads_nothing(bundle: Bundle) -> None:
    model = make(bundle, exit="readout", readout_tolerance=1e-9)
    calls, heads = [], model._core._heads
    model._core._heads = lambda state: calls.append(len(state)) or heads(state)
    model.rollout(at(model), moves(), 3, None)
    assert calls == [5, 5]
    model.rollout(at(model), moves(), 1, None)
    assert calls == [5, 5]


def test_an_iteration_costs_what_its_read_out_does(bundle: Bundle) -> None:
    """The clock stands still but for the coda, which every iteration but the last then calls."""
    clock = FakeClock()
    model = make(bundle, clock, exit="readout", readout_tolerance=1e-9)
    coda = model._core._coda

    def slow(*arrays: np.ndarray) -> list[np.ndarray]:
        clock.now += 0.001
        return coda(*arrays)

    model._core._coda = slow
    actions = np.ones((16, 1, 3), dtype=np.float32)
    for _ in range(40):
        model.rollout(at(model), actions, 0, None)
    assert model.rollout_seconds(16, 1, 8) == pytest.approx(0.009, rel=0.05), "eight iterations, and the coda"
    deadline = clock.now + 0.0065
    assert model.rollout(at(model), actions, 0, deadline).loops[5] == 16
    assert clock.now <= deadline + 1e-9


def test_a_threshold_that_is_missing_is_asked_for(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="set change_threshold"):
        make(bundle, exit="change")
    make(bundle, exit="change", loops=2)


def test_the_node_s_parameters_choose_the_test() -> None:
    from loopwm_ros.nodes.mpc_parameters import MpcParameters

    model = MpcParameters(exit="readout", readout_tolerance=0.004).controller(TASK).model
    assert (model.exit, model.readout_tolerance, model.change_threshold) == ("readout", 0.004, None)
    assert MpcParameters(exit="change", change_threshold=0.5).controller(TASK).model.change_threshold == 0.5
    assert MpcParameters().controller(TASK).model == WorldModelSettings()


def test_a_model_that_predicts_nothing_has_no_read_out_to_wait_for(bundle: Bundle) -> None:
    points = tuple(dict.fromkeys(name.rpartition("_")[0] for name in bundle.manifest.spec.quantities))
    spec = bundle.manifest.spec.model_copy(update={"unpredicted": points})
    with pytest.raises(ConfigError, match="the bundle predicts no quantity"):
        exit_test(WorldModelSettings(exit="readout"), spec)
