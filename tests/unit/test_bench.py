"""Timing control cycles: the clip that feeds them, what counts as one, operations, and the peers' sizes."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from loopwm_ros.bench.clip import Clip, record_clip
from loopwm_ros.bench.cycle import Cycle, Rig
from loopwm_ros.bench.jobs import Job, take_turns
from loopwm_ros.bench.planner import Grid, settings_of
from loopwm_ros.bench.results import PlannerBench
from loopwm_ros.bundle import Tensor
from loopwm_ros.cli.bench_planner import numbers
from loopwm_ros.cli.main import app
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.control.assembly import MpcSettings, planner_settings
from loopwm_ros.control.goal import GoalSettings
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError
from loopwm_ros.training.graph_flops import graph_flops
from loopwm_ros.training.graphs import to_onnx
from loopwm_ros.training.peers.tdmpc2 import SIZES, Search, TdMpc2
from loopwm_ros.training.peers.timed import peers
from tests.bundles import make_bundle

ARM, TASK = load_arm("panda"), load_task("reach")
WORLD = load_world(TASK.world)
PUBLISHED = {"1m": 1e6, "5m": 5e6}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    bundle = make_bundle(tmp_path_factory.mktemp("models") / "panda_reach", ARM, TASK)
    return Rig(bundle, ARM, TASK, WORLD, Kinematics(ARM))


@pytest.fixture(scope="module")
def clip(rig: Rig) -> Clip:
    return record_clip(ARM, TASK, WORLD, 0, 2.0, rig.kinematics)


def test_a_clip_has_every_control_period_with_what_was_seen_before_it(clip: Clip) -> None:
    times = np.array([time for time, _ in clip.periods])
    assert np.allclose(np.diff(times), 1.0 / WORLD.control_rate)
    assert len(times) == 2.0 * WORLD.control_rate
    assert all(events for _, events in clip.periods[1:]), "joints come at the servo rate"


def test_each_sample_of_a_cycle_is_one_plan_over_and_over_the_clip(rig: Rig, clip: Clip) -> None:
    cycle = Cycle(rig, MpcSettings(), clip)
    job, rounds = cycle.job("mine"), 3 * len(clip.periods)
    for _ in range(rounds):
        job.sample()
    assert cycle.rows["encoder"] == job.times.samples == rounds, "plans off the clock do not count"
    assert cycle.model.rows_run()["encoder"] > rounds, "those there are, too, where the clip starts anew"
    assert cycle.loops_used > 0
    cycle.forget()
    job.sample()
    assert cycle.rows["encoder"] == 1


def test_a_cycle_without_a_goal_is_no_measurement(rig: Rig, clip: Clip) -> None:
    blind = MpcSettings(goal=GoalSettings(max_std=1e-9))
    with pytest.raises(ConfigError, match="the model sees no goal in the recorded pictures"):
        Cycle(rig, blind, clip).job("blind").sample()


def test_rounds_begin_with_another_one_each_time() -> None:
    seen: list[str] = []
    jobs = [Job(name, lambda name=name: seen.append(name)) for name in "abc"]  # type: ignore[misc]
    take_turns(jobs, 3, lambda: seen.append("|"))
    assert "".join(seen) == "abc|bca|cab|"
    assert [job.times.samples for job in jobs] == [3, 3, 3]


def test_the_task_s_own_settings_come_first_and_none_twice(rig: Rig) -> None:
    own = planner_settings(TASK, "mppi").candidates
    grid = Grid(candidates=(own, 8), loops=(0, 2))
    made = [(s.planner.candidates, s.model.loops) for s in settings_of(rig, grid)]
    assert made == [(own, 0), (own, 2), (8, 0), (8, 2)]


def test_operations_of_a_graph_are_two_for_each_multiply_add() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 6 * 5, 7))
    signature = (Tensor(name="image", shape=(None, 3, 6, 5)),), (Tensor(name="out", shape=(None, 7)),)
    convolution, product = 2 * 4 * 6 * 5 * 3 * 9, 2 * 120 * 7
    assert graph_flops(to_onnx(module, signature)) == convolution + product


@pytest.mark.parametrize("shape", [(4, 8), (2, 4, 8)])
def test_operations_of_batched_products_count_their_batch(shape: tuple[int, ...]) -> None:
    class Product(nn.Module):
        def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            return one @ other.transpose(-1, -2)

    one = Tensor(name="one", shape=(None, *shape))
    out = Tensor(name="out", shape=(None, *shape[:-1], shape[-2]))
    other = Tensor(name="other", shape=(None, *shape))
    expected = 2 * math.prod(shape) * shape[-2]
    assert graph_flops(to_onnx(Product(), ((one, other), (out,)))) == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", SIZES)
def test_tdmpc2_is_of_its_published_size_and_plans(name: str, dtype: torch.dtype) -> None:
    search = Search(samples=32, elites=8, proposals=4, iterations=2)
    model = TdMpc2(SIZES[name], action_dim=2, search=search).eval().to(dtype)
    size = sum(parameter.numel() for parameter in model.parameters())
    assert size == pytest.approx(PUBLISHED[name], rel=0.2), "its encoder is left out"
    state, mean = torch.rand(1, SIZES[name].latent, dtype=dtype), torch.zeros(search.horizon, 2, dtype=dtype)
    plan = model.plan(state, mean)
    assert plan.shape == (search.horizon, 2)
    assert plan.dtype == dtype
    assert plan.abs().max() <= 1.0
    assert plan.abs().max() > 0.0


def test_tdmpc2_is_timed_compiled_where_that_is_asked_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[torch.dtype] = []
    whole = torch.compile

    def traced(plan: Callable[..., object], **options: object) -> Callable[..., object]:
        """All of torch.compile but for the minutes that C++ takes."""
        compiled.append(plan.__self__.critics.weights[0].dtype)
        return whole(plan, backend="eager", fullgraph=True, **options)

    monkeypatch.setattr(torch, "compile", traced)
    found = {peer.name: peer for peer in peers(rig.bundle.manifest.spec, 8, 2, 1, compiled=True)}
    assert compiled == [torch.bfloat16] * len(SIZES)
    plan = found["tdmpc2_1m_compiled"].plan()
    assert isinstance(plan, torch.Tensor)
    assert plan.dtype == torch.bfloat16
    assert found["tdmpc2_1m_compiled"].what.endswith("; compiled PyTorch, bfloat16")
    assert found["tdmpc2_1m_compiled"].flop == found["tdmpc2_1m"].flop > 0


def test_without_a_compiler_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    result = CliRunner().invoke(app, ["bench", "planner", "--task", "reach", "--compiled"])
    assert isinstance(result.exception, ConfigError)
    assert "needs the C++ compiler g++, and Python's headers" in str(result.exception)


@pytest.mark.parametrize("text", ["0", "a", "1,,x", "-3", "1.5"])
def test_wrong_numbers_are_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--candidates has '.*'; expected whole numbers from 1"):
        numbers("--candidates", text)


def test_the_command_writes_rows_and_ratios(rig: Rig, tmp_path: Path) -> None:
    out, allowed = tmp_path / "planner.json", os.sched_getaffinity(0)
    options = ["--task", "reach", "--bundle", str(rig.bundle.root), "--rounds", "10", "--candidates", "8"]
    try:
        result = CliRunner().invoke(app, ["bench", "planner", *options, "--peer", "--json", str(out)])
    finally:
        os.sched_setaffinity(0, allowed)
    assert result.exit_code == 0, result.output
    bench = PlannerBench.model_validate(json.loads(out.read_text()))
    assert [row.shipped for row in bench.rows] == [True, False]
    tdmpc2 = {f"tdmpc2_{size}{form}" for size in SIZES for form in ("", "_bf16")}
    assert set(bench.ratio) == {*tdmpc2, "transformer_12"}
    shipped = bench.rows[0].times.median_ms
    for peer in bench.peers:
        assert bench.ratio[peer.name] == pytest.approx(peer.times.median_ms / shipped, abs=0.01)
    assert all(row.mflop is not None and 0 <= row.peak_share < 1.5 for row in bench.rows)
