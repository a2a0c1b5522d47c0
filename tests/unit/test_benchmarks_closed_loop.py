"""Comparisons in closed loop: who drives which episode, what is run again, and what is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmarks.closed_loop.conditions import Harness
from benchmarks.closed_loop.plot import success_plot
from benchmarks.closed_loop.rows import EpisodeRow, Machine, row
from benchmarks.closed_loop.running import Part, Runner, read_rows
from benchmarks.closed_loop.settings import Comparison, Regime
from benchmarks.closed_loop.summary import Summary, mcnemar, summarise
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.config.base import load_settings
from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.summary import Measurements
from tests import episodes as samples
from tests.bundles import make_bundle

HERE = Machine(cpu="one", python="3", onnxruntime="1")
EXAMPLE = Path(__file__).parents[2] / "benchmarks/closed_loop/push.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A short task and two bundles for it."""
    (tmp_path / "short.yaml").write_text("extends: reach\ntime_limit: 0.5\n")
    for name, steady in (("a", 0.5), ("b", 0.7)):
        make_bundle(tmp_path / name, load_arm("panda"), load_task("reach"), gate_threshold=steady)
    return tmp_path


def write(folder: Path, **changes: object) -> tuple[Path, Comparison]:
    values = {
        "arm": "panda",
        "models": {name: {"bundles": [str(folder / name)]} for name in "ab"},
        "sweeps": [
            {"tasks": [str(folder / "short.yaml")], "budgets_ms": [500], "horizons_s": [0.8]},
        ],
        "episodes": 2,
        "seed": 7,
        "planner": {"candidates": 8, "fewer_candidates": [], "fewer_loops": []},
    }
    path = folder / "comparison.yaml"
    path.write_text(yaml.safe_dump(values | changes, sort_keys=False))
    return path, load_settings(path, Comparison)


def run(folder: Path, part: Part = Part(), **changes: object) -> list[tuple[str, int]]:  # noqa: B008
    """Model and index of each episode that was run."""
    path, comparison = write(folder, **changes)
    made: list[EpisodeRow] = []
    runner = Runner(comparison, Harness(path, comparison), HERE, "r", folder / "out")
    runner.run(part, made.append)
    return [(each.model, each.result.index) for each in made]


def sum_up(folder: Path, **changes: object) -> Summary:
    path, comparison = write(folder, **changes)
    return summarise(comparison, Harness(path, comparison), HERE, read_rows(folder / "out", HERE))


def test_models_take_turns_and_nothing_is_run_twice(folder: Path) -> None:
    assert run(folder) == [("a", 0), ("b", 0), ("b", 1), ("a", 1)]
    assert run(folder) == []
    assert run(folder, episodes=3) == [("a", 2), ("b", 2)]
    slower = {
        "a": {"bundles": [str(folder / "a")]},
        "b": {"bundles": [str(folder / "b")], "model": {"loops": 1}},
    }
    assert run(folder, models=slower) == [("b", 0), ("b", 1)]
    assert run(folder, models=slower | {"c": slower["b"]}) == [], "the same bundle in the same conditions"
    assert [o.episodes for o in sum_up(folder, episodes=3).outcomes] == [3, 3]


def test_the_same_episodes_are_driven_by_each_within_the_budget(folder: Path) -> None:
    run(folder)
    summary = sum_up(folder)
    rows = read_rows(folder / "out", HERE)
    assert {(made.result.index, made.result.seed) for made in rows} == {(0, 7), (1, 8)}
    assert all(made.planning_ms and set(made.candidates) == {8} for made in rows)
    assert [(o.model, o.episodes) for o in summary.outcomes] == [("a", 2), ("b", 2)]
    assert summary.outcomes[0].over_budget == 0.0
    assert summary.outcomes[0].planning_ms.max is not None
    assert summary.outcomes[0].why, "half a second is too short"
    assert summary.outcomes[0].loops.mean != summary.outcomes[1].loops.mean, "their gates differ"


def test_bundles_of_one_model_share_its_episodes(folder: Path) -> None:
    models = {
        "both": {"bundles": [str(folder / "a"), str(folder / "b")]},
        "a": {"bundles": [str(folder / "a")]},
    }
    assert run(folder, models=models, episodes=3) == [
        ("both", 0),
        ("a", 0),
        ("both", 2),
        ("a", 2),
        ("a", 1),
        ("both", 1),
    ]
    assert run(folder, models={"b": {"bundles": [str(folder / "b")]}}) == [("b", 0)], (
        "it drove episode 1 before"
    )


def test_parts_share_the_episodes(folder: Path) -> None:
    first, second = (run(folder, Part(number, 2), episodes=3) for number in (1, 2))
    assert {index for _, index in first} == {0, 2}
    assert {index for _, index in second} == {1}
    assert run(folder, episodes=3) == []
    assert [o.episodes for o in sum_up(folder, episodes=3).outcomes] == [3, 3]


def test_results_of_another_machine_are_not_added_to(folder: Path) -> None:
    run(folder, episodes=1)
    with pytest.raises(ConfigError, match="belongs to a run with another cpu"):
        read_rows(folder / "out", HERE.model_copy(update={"cpu": "two"}))


def test_results_of_another_revision_are_not_mixed_with_these(folder: Path) -> None:
    run(folder)
    path, comparison = write(folder)
    with pytest.raises(ConfigError, match="has episodes of revision r, this is later"):
        Runner(comparison, Harness(path, comparison), HERE, "later", folder / "out").run(Part(), print)


def test_what_does_not_fit_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="reference is 'c'; valid: a, b"):
        write(folder, reference="c")
    threads = {"a": {"bundles": [str(folder / "a")], "model": {"threads": 2}}}
    with pytest.raises(ConfigError, match="model 'a' must run in one thread"):
        write(folder, models=threads)
    odd = [{"tasks": ["reach"], "budgets_ms": [5], "horizons_s": [0.25]}]
    with pytest.raises(
        ConfigError, match=r"horizon of 0.25 s is no whole number of the model's periods of 0.1 s"
    ):
        run(folder, sweeps=odd)
    with pytest.raises(ConfigError, match="PlannerSettings:\n  candidate: Extra"):
        run(folder, planner={"candidate": 3})


def test_a_faster_regime_is_planned_faster(folder: Path) -> None:
    fast = [{"tasks": ["reach"], "budgets_ms": [5], "horizons_s": [1.0], "tool_speeds": [None, 0.4]}]
    path, comparison = write(folder, sweeps=fast)
    usual, faster = (Harness(path, comparison).conditions(r, "a", 0) for r in comparison.regimes)
    assert usual.request.settings.planner.bound == 1.0
    assert faster.request.settings.planner.bound == pytest.approx(1.6)
    assert faster.request.settings.planner.noise == pytest.approx(1.6 * usual.request.settings.planner.noise)
    assert usual.sha256 != faster.sha256


def test_mcnemar_is_exact() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(8, 1) == pytest.approx(20 / 512)


def test_models_are_compared_on_the_episodes_of_both(folder: Path) -> None:
    """`a` succeeds in all of 40, `b` in every fourth of 39."""
    path, comparison = write(folder, episodes=40, reference="b")
    harness, regime = Harness(path, comparison), comparison.regimes[0]
    rows = [_row(harness, regime, "a", index, success=True) for index in range(40)]
    rows += [_row(harness, regime, "b", index, success=index % 4 == 0) for index in range(39)]
    summary = summarise(comparison, harness, HERE, rows)
    a, b = summary.outcomes
    assert (a.success.count, b.success.count, b.episodes) == (40, 10, 39)
    assert a.success.wilson95 == pytest.approx((0.9124, 1.0), abs=1e-4)
    (success,) = summary.pairs
    assert (success.model, success.reference, success.episodes) == ("a", "b", 39)
    assert (success.only_model, success.only_reference, success.disjoint) == (29, 0, True)
    assert success.p == pytest.approx(2 * 0.5**29)
    assert a.precise is None, "reach has no precise distance"
    drawn = success_plot(summary)
    assert drawn.count('id="axes_') == 1, "reach has no precise distance"
    assert all(f">{text}<" in drawn for text in ("a", "b", "planning time [ms]", "success within 2.5 cm"))


def test_precise_distances_are_compared_where_the_task_has_one() -> None:
    comparison = load_settings(EXAMPLE, Comparison)
    harness, regime = Harness(EXAMPLE, comparison), comparison.regimes[0]
    rows = [_row(harness, regime, model, 0, success=True) for model in comparison.models]
    precise = rows[1].result.model_copy(update={"precise_time_s": 3.0})
    rows[1] = rows[1].model_copy(update={"result": precise})
    summary = summarise(comparison, harness, HERE, rows)
    assert [pair.measure for pair in summary.pairs[:2]] == ["success", "precise"]
    assert [(pair.only_model, pair.only_reference) for pair in summary.pairs[:2]] == [(0, 0), (1, 0)]
    drawn = success_plot(summary)
    assert all(
        f">{text}<" in drawn for text in ("success within 5 cm", "precise within 2 cm", "push, 1.6 s ahead")
    )


def test_an_episode_that_was_not_run_is_in_no_figure(folder: Path) -> None:
    summary = sum_up(folder)
    assert [o.success.rate for o in summary.outcomes] == [None, None]
    assert [(pair.episodes, pair.p, pair.disjoint) for pair in summary.pairs] == [(0, 1.0, False)]
    assert "planning time [ms]" in success_plot(summary)


def test_the_example_fits_the_shipped_model() -> None:
    comparison = load_settings(EXAMPLE, Comparison)
    harness = Harness(EXAMPLE, comparison)
    made = [
        harness.conditions(regime, model, 0) for regime in comparison.regimes for model in comparison.models
    ]
    assert len({each.sha256 for each in made}) == len(made)
    assert {each.request.settings.planner.horizon for each in made} == {16}


def _row(harness: Harness, regime: Regime, model: str, index: int, success: bool) -> EpisodeRow:
    conditions = harness.conditions(regime, model, 0)
    result = samples.result(index, success=success)
    return row(regime.name, model, conditions.sha256, result, Measurements(), "r")
