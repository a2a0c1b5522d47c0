from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.errors import ConfigError
from loopwm_ros.world_model.compaction import RunningBatch
from loopwm_ros.world_model.cost import Estimate, RowCost, StageCosts
from loopwm_ros.world_model.exits import ExitTest, exit_test
from loopwm_ros.world_model.providers import (
    CPU,
    CUDA,
    ENGINES,
    EXACT,
    TENSORRT,
    check_provider,
    providers,
    target,
)
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.fakes import FakeClock, make_spec


def states(*values: float) -> np.ndarray:
    """One state per value, filled with it: (n, 2, 3)."""
    return np.repeat(np.array(values, dtype=np.float32), 6).reshape(-1, 2, 3)


def test_second_difference_is_the_norm_over_the_whole_state():
    change = 0.1  # h - 2 h' + h'' in each of the six entries
    norm = change * np.sqrt(6)
    arrays = states(1.1), states(1.0), states(1.0), np.zeros(1, dtype=np.float32)
    assert ExitTest(None, norm * 1.01)(*arrays)[0]
    assert not ExitTest(None, norm * 0.99)(*arrays)[0]


def test_second_difference_needs_two_iterations():
    test = ExitTest(None, 10.0)
    assert not test(states(1.0), states(1.0), None, np.zeros(1, dtype=np.float32))[0]


def test_gate_exits_above_its_threshold_only():
    gate = np.array([0.49, 0.5, 0.51], dtype=np.float32)
    done = ExitTest(0.5, None)(states(0, 0, 0), states(1, 1, 1), states(0, 0, 0), gate)
    assert done.tolist() == [False, False, True]


def test_change_is_the_norm_over_the_whole_state():
    norm = 0.1 * np.sqrt(6)
    arrays = states(1.1), states(1.0), None, np.zeros(1, dtype=np.float32)
    assert ExitTest(None, None, change=norm * 1.01)(*arrays)[0]
    assert not ExitTest(None, None, change=norm * 0.99)(*arrays)[0]


def test_readout_exits_where_nothing_has_moved_further_and_needs_two_iterations():
    test, gate = ExitTest(None, None, readout=0.002), np.ones(3, dtype=np.float32)
    arrays = states(0, 0, 0), states(1, 1, 1), None, gate
    assert test(*arrays, np.array([0.0019, 0.002, 0.0021], np.float32)).tolist() == [True, False, False]
    assert not test(*arrays).any()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ExitTest(0.7, 0.2)),
        ({"exit": "gate"}, ExitTest(0.7, None)),
        ({"exit": "second_difference"}, ExitTest(None, 0.2)),
        ({"exit": "change", "change_threshold": 0.5}, ExitTest(None, None, change=0.5)),
        ({"exit": "readout", "readout_tolerance": 0.01}, ExitTest(None, None, readout=0.01)),
        ({"exit": "none"}, None),
        ({"loops": 3}, None),
        ({"gate_threshold": 0.9, "second_difference_threshold": 0.0}, ExitTest(0.9, None)),
    ],
)
def test_settings_choose_the_exit(settings, expected):
    spec = make_spec(gate_threshold=0.7, second_difference_threshold=0.2)
    assert exit_test(WorldModelSettings.model_validate(settings), spec) == expected


def test_a_test_without_a_threshold_is_refused():
    with pytest.raises(ConfigError, match=r"exit is 'change'.*set change_threshold"):
        exit_test(WorldModelSettings(exit="change"), make_spec())


@given(
    st.integers(1, 12).flatmap(lambda n: st.lists(st.integers(1, 6), min_size=n, max_size=n)),
    st.sampled_from([0.0, 0.5, 0.8, 1.0]),
)
def test_running_batch_ends_each_candidate_where_it_finished(ends, compact_below):
    """Candidate i adds 1 to its state each iteration and finishes after ends[i] of at most 4."""
    wanted = np.array(ends)
    identity = np.arange(len(ends), dtype=np.float32)
    batch = RunningBatch(states(*([0.0] * len(ends))), states(*identity), compact_below)
    for iteration in range(1, 5):
        rows = batch.injected[:, 0, 0].astype(int)
        batch.advance(batch.state + 1.0, wanted[rows] == iteration)
        if batch.finished:
            break
    assert batch.used.tolist() == np.minimum(wanted, 4).tolist()
    assert batch.terminal()[:, 0, 0].tolist() == np.minimum(wanted, 4).tolist()


def test_running_batch_shrinks_when_enough_have_finished():
    batch = RunningBatch(states(*range(10)), states(*range(10)), compact_below=0.8)
    batch.advance(states(*range(10)), np.arange(10) < 2)
    assert len(batch.state) == 10
    batch.advance(states(*range(10)), np.arange(10) < 3, read=np.arange(10, dtype=np.float32)[:, None])
    assert batch.state[:, 0, 0].tolist() == batch.read[:, 0].tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert len(batch.injected) == len(batch.before) == 7


def test_estimate_follows_and_one_outlier_counts_little():
    estimate = Estimate()
    for _ in range(50):
        estimate.add(1.0)
    assert estimate.mean == pytest.approx(1.0)
    assert estimate.high == pytest.approx(1.0, abs=0.01)
    estimate.add(1000.0)
    assert estimate.mean < 1.5
    for _ in range(100):
        estimate.add(3.0)
    assert estimate.mean == pytest.approx(3.0, rel=0.01)


def test_an_estimate_from_a_cold_start_is_forgotten():
    estimate = Estimate()
    for sample in (1.0, 0.01, 0.01):
        estimate.add(sample)
    assert estimate.mean == pytest.approx(0.01)
    assert estimate.high < 0.03


def test_row_cost_tells_overhead_from_slope():
    cost = RowCost()
    for rows in (1, 64, 1, 128, 32, 64) * 10:
        cost.add(rows, 0.001 + rows * 1e-5)
    assert cost.seconds(256) == pytest.approx(0.001 + 256e-5, rel=0.05)


def test_fitting_loops_matches_the_cost_of_the_rollout():
    clock = FakeClock()
    costs = StageCosts(clock)
    for stage in ("prelude", "block", "coda", "heads"):
        for rows in (1, 64, 64, 64):
            costs.start()
            clock.now += 0.001
            costs.lap(stage, rows)
    for cap in (1, 3, 8):
        for seconds in np.linspace(0.001, 0.1, 40):
            loops = costs.fitting_loops(64, 5, 2, float(seconds), cap)
            assert 0 <= loops <= cap
            if loops > 0:
                assert costs.rollout(64, 5, loops, 2) <= seconds + 1e-9
            if 0 < loops < cap:
                assert costs.rollout(64, 5, loops + 1, 2) > seconds
    assert costs.fitting_loops(64, 5, 2, np.inf, 8) == 8


@pytest.mark.parametrize("wanted", ["cpu", "auto"])
def test_cpu_will_do_where_it_was_allowed(wanted):
    check_provider(wanted, [CPU])


def test_a_silent_fall_back_to_the_cpu_is_an_error():
    check_provider("cuda", [CUDA, CPU])
    with pytest.raises(ConfigError, match=r"onnxruntime-gpu in place of.*auto, or to cpu"):
        check_provider("cuda", [CPU])


def test_a_provider_that_is_built_in_and_did_not_load_is_told_from_one_that_is_not(monkeypatch):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    with pytest.raises(ConfigError, match="'cuda' is not available: it is built in, but did not load"):
        check_provider("cuda", [CPU])
    with pytest.raises(ConfigError, match="'tensorrt'"):
        check_provider("tensorrt", [CUDA, CPU])


@pytest.mark.parametrize(
    ("there", "wanted", "listed", "device"),
    [
        ([CPU], "auto", [CPU], None),
        ([CUDA, CPU], "cpu", [CPU], None),
        ([CUDA, CPU], "auto", [(CUDA, EXACT), CPU], "cuda"),
        ([CPU], "cuda", [(CUDA, EXACT), CPU], "cuda"),
    ],
)
def test_auto_is_the_gpu_where_there_is_one(monkeypatch, there, wanted, listed, device):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: there)
    assert providers(wanted) == listed
    found = target(wanted, half=False)
    assert (found and found.device) == device


def test_a_gpu_replays_what_it_has_captured_and_tensorrt_keeps_what_it_has_built(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    engines = tmp_path / ENGINES
    ((name, options),) = target("cuda", half=False).providers
    assert (name, options) == (CUDA, {"enable_cuda_graph": "1", **EXACT})
    (name, options), _ = target("tensorrt", half=True).providers
    assert name == TENSORRT
    assert options["trt_engine_cache_path"] == str(engines)
    assert (options["trt_fp16_enable"], options["trt_cuda_graph_enable"]) == ("1", "1")
    assert engines.is_dir()


def test_a_home_that_cannot_be_written_to_is_named(monkeypatch, tmp_path):
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(ConfigError, match="nowhere to keep its engines"):
        target("tensorrt", half=False)


def test_readout_steps_end_with_the_horizon():
    settings, spec = WorldModelSettings(readout_every=3), make_spec()
    assert settings.readout_steps(8, spec) == (3, 6, 8)
    assert settings.readout_steps(6, spec) == (3, 6)
    assert settings.readout_steps(1, spec) == (1,)


@pytest.mark.parametrize(
    ("chunk", "every", "steps"),
    [(2, 2, (2, 4, 6, 8, 10, 11)), (4, 2, (4, 8, 11)), (4, 5, (8, 11)), (8, 2, (8, 11)), (16, 2, (11,))],
)
def test_readouts_are_where_transitions_end(chunk, every, steps):
    assert WorldModelSettings(readout_every=every).readout_steps(11, make_spec(chunk=chunk)) == steps
